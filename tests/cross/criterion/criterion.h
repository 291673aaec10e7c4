/* As much of Criterion as the kernels' tests use, for processors where only a C library is at hand
 * (scripts/check_aarch64.sh). A failed assertion ends the program with exit 1. */
#ifndef SLUICE_TESTS_CROSS_CRITERION_H
#define SLUICE_TESTS_CROSS_CRITERION_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cross_register(const char *suite, const char *name, void (*run)(void));
_Noreturn void cross_fail(const char *file, int line, const char *condition, const char *format,
                          ...) __attribute__((format(printf, 4, 5)));

#define Test(suite, name)                                                                          \
    static void suite##_##name(void);                                                              \
    __attribute__((constructor)) static void register_##suite##_##name(void)                       \
    {                                                                                              \
        cross_register(#suite, #name, suite##_##name);                                             \
    }                                                                                              \
    static void suite##_##name(void)

#define cr_assert(condition, ...)                                                                  \
    ((condition) ? (void)0 : cross_fail(__FILE__, __LINE__, #condition, " " __VA_ARGS__))
#define cr_assert_eq(a, b, ...)     cr_assert((a) == (b), __VA_ARGS__)
#define cr_assert_null(a, ...)      cr_assert((a) == NULL, __VA_ARGS__)
#define cr_assert_not_null(a, ...)  cr_assert((a) != NULL, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) cr_assert(strcmp(a, b) == 0, __VA_ARGS__)
#define cr_skip_test(...)                                                                          \
    do {                                                                                           \
        printf(__VA_ARGS__);                                                                       \
        putchar('\n');                                                                             \
        return;                                                                                    \
    } while (0)

#endif
