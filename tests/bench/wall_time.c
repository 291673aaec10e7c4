/* How long a command takes, from its start to its end, as its parent sees it.
 * usage: wall_time COMMAND [ARGUMENT...]
 * Prints nanoseconds on standard error; ends with the command's exit code. */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "runtime/base/clock.h"

extern char **environ;

int main(int argc, char **argv)
{
    pid_t child;
    int status;
    if (argc < 2)
        return 2;
    uint64_t begin_ns = sl_now_ns();
    if (posix_spawnp(&child, argv[1], NULL, NULL, argv + 1, environ) ||
        waitpid(child, &status, 0) < 0) {
        fprintf(stderr, "wall_time: cannot run %s\n", argv[1]);
        return 127;
    }
    fprintf(stderr, "%llu\n", (unsigned long long)(sl_now_ns() - begin_ns));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
