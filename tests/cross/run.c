/* Runs the tests that registered themselves, one after the other. */
#include <stdarg.h>

#include "criterion/criterion.h"
#include "kernels/kernel.h"

#define MOST_TESTS 64

static struct {
    const char *suite, *name;
    void (*run)(void);
} tests[MOST_TESTS];
static int count;

void cross_register(const char *suite, const char *name, void (*run)(void))
{
    if (count == MOST_TESTS)
        abort();
    tests[count].suite = suite;
    tests[count].name = name;
    tests[count++].run = run;
}

void cross_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list arguments;
    printf("%s:%d: failed: %s", file, line, condition);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    exit(1);
}

/* The real one stands beside the reading of prototxt, which is not needed here. */
const char *sl_layer_type_name(enum sl_layer_type type)
{
    static char name[24];
    snprintf(name, sizeof name, "type %d", (int)type);
    return name;
}

int main(void)
{
    printf("instruction set: %s\n", sl_kernels_isa());
    for (int i = 0; i < count; i++) {
        tests[i].run();
        printf("%s::%s passed\n", tests[i].suite, tests[i].name);
        fflush(stdout);
    }
    printf("%d tests passed\n", count);
    return 0;
}
