#include "runtime/cli/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool progress_is_shown(bool quiet)
{
    return !quiet && isatty(STDERR_FILENO);
}

static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

void progress_show(const char *line)
{
    fprintf(stderr, "\r\033[K%.*s", columns() - 1, line);
}

void progress_clear(void)
{
    fprintf(stderr, "\r\033[K");
}
