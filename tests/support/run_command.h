/* Runs build/sluice, which lies beside the test program, as a user does. */
#ifndef SLUICE_TESTS_RUN_COMMAND_H
#define SLUICE_TESTS_RUN_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct command {
    pid_t pid; /* also of its process group */
    int out_file, errors_file;
    int alive;          /* reads end of file when no process of the command is left */
    int exit_code;      /* 128 + signal when one ended it */
    char *out, *errors; /* what it printed; owned */
};

/* Of build/sluice; static. */
const char *command_path(void);

/* Starts sluice with words that are separated by single spaces. Nothing may fail in a test: when
 * something does, the command ends with 126 or 127 and says why. */
void command_start(struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits for its end and collects what it printed. */
void command_wait(struct command *command);
/* Both. */
void command_run(struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void command_free(struct command *command);

/* The records that it printed (-o json), in order: a new array; what is no record is left out. */
json_t *command_records(const struct command *command);

/* Number of a record's field, -1 when it is absent or null; text of one, "" when absent. */
double record_number(const json_t *record, const char *field);
const char *record_text(const json_t *record, const char *field);

/* Waits until a control group of the command has a process in it; false after 20 s. */
bool command_enters_group(const struct command *command);

/* Path of a control file of the command's group, whichever controller has it; false: none. */
bool command_group(const struct command *command, const char *file, char *path, size_t size);

/* Whether there is swap in zram that the supervisor of that pid made. */
bool zram_of(pid_t pid);

/* Criterion does not tear down what is skipped: for suites with a tear_down of their own. */
#define SKIP(...)                                                                                  \
    do {                                                                                           \
        tear_down();                                                                               \
        cr_skip_test(__VA_ARGS__);                                                                 \
    } while (0)

/* What limits grow by where processes are larger and keep what they freed. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZER_MIB 12
#else
#define SANITIZER_MIB 0
#endif

/* What the supervisor of that pid left behind: a group, a swap file, an enabled swap area, zram, or
 * a living process (command only; else pid alone). Empty when nothing. Static. */
const char *left_behind(pid_t pid);
const char *command_left_behind(const struct command *command);

#endif
