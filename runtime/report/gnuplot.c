#include "runtime/report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"

/* Between the pictures; no picture holds it. */
#define MARK "=== sluice: end of picture ===\n"

static const char *const terminals[] = {
    [SL_PICTURE_SVG] = "set terminal svg size 560,400 dynamic noenhanced font 'sans-serif,14'\n",
    [SL_PICTURE_PNG] = "set terminal pngcairo size 1120,800 noenhanced font 'sans-serif,24' "
                       "linewidth 2 pointscale 1.6 background rgb 'white'\n",
};

void sl_gnuplot_quote(struct sl_text *script, const char *text)
{
    sl_text_add(script, "'");
    for (; *text; text++) {
        if (*text == '\'')
            sl_text_add(script, "''");
        else
            sl_text_add(script, "%c", (unsigned char)*text < ' ' || *text == 127 ? ' ' : *text);
    }
    sl_text_add(script, "'");
}

/* All scripts as one, in a file without a name: gnuplot cannot block on reading it. */
static int write_script(const struct sl_text *scripts, size_t count, enum sl_picture picture,
                        struct sl_error *error)
{
    SL_AUTO(sl_text_free) struct sl_text all = {0};
    sl_text_add(&all, "set print '-'\n");
    for (size_t i = 0; i < count; i++) {
        sl_text_add(&all, "reset\n%s", terminals[picture]);
        sl_text_add_bytes(&all, scripts[i].bytes, scripts[i].length);
        /* Setting the terminal again ends the picture. */
        sl_text_add(&all, "set terminal unknown\nprint '%.*s'\n", (int)strlen(MARK) - 1, MARK);
    }
    SL_AUTO_FD int fd = memfd_create("sluice-gnuplot", MFD_CLOEXEC);
    if (all.failed)
        return sl_error_set(error, -ENOMEM, "out of memory");
    if (fd < 0)
        return sl_error_errno(error, "cannot make a file for gnuplot");
    for (size_t done = 0; done < all.length;) {
        ssize_t written = write(fd, all.bytes + done, all.length - done);
        if (written < 0)
            return sl_error_errno(error, "cannot write a file for gnuplot");
        done += (size_t)written;
    }
    lseek(fd, 0, SEEK_SET);
    int kept = fd;
    fd = -1;
    return kept;
}

static int spawn(int input, int output, int complaints, pid_t *pid)
{
    char program[] = "gnuplot", fresh[] = "--default-settings";
    char *const words[] = {program, fresh, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO);
    int code = posix_spawnp(pid, program, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static int read_all(int fd, struct sl_text *text)
{
    char block[65536];
    for (;;) {
        ssize_t got = read(fd, block, sizeof(block));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : 0;
        sl_text_add_bytes(text, block, (size_t)got);
    }
}

/* gnuplot says `"-" line 12: what is wrong` somewhere among the lines. */
static int complain(int fd, struct sl_error *error)
{
    char text[2048];
    if (sl_fd_read_text(fd, text, sizeof(text)) <= 0)
        snprintf(text, sizeof(text), "it gave no reason");
    for (char *c = text; *c; c++)
        *c = *c == '\n' ? ' ' : *c;
    return sl_error_set(error, -EIO, "gnuplot failed: %.600s", text);
}

static int split(const struct sl_text *all, size_t count, struct sl_text *outputs,
                 struct sl_error *error)
{
    const char *at = all->bytes;
    size_t left = all->length;
    for (size_t i = 0; i < count; i++) {
        const char *end = at ? memmem(at, left, MARK, strlen(MARK)) : NULL;
        if (!end)
            return sl_error_set(error, -EIO, "gnuplot drew %zu of %zu pictures", i, count);
        sl_text_add_bytes(&outputs[i], at, (size_t)(end - at));
        left -= (size_t)(end - at) + strlen(MARK);
        at = end + strlen(MARK);
        if (outputs[i].failed)
            return sl_error_set(error, -ENOMEM, "out of memory");
    }
    return 0;
}

int sl_gnuplot_draw(const struct sl_text *scripts, size_t count, enum sl_picture picture,
                    struct sl_text *outputs, struct sl_error *error)
{
    SL_AUTO_FD int input = write_script(scripts, count, picture, error);
    if (input < 0)
        return input;
    SL_AUTO_FD int complaints = memfd_create("sluice-gnuplot-errors", MFD_CLOEXEC);
    int ends[2];
    if (complaints < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return sl_error_errno(error, "cannot start gnuplot");
    pid_t pid;
    int code = spawn(input, ends[1], complaints, &pid);
    close(ends[1]);
    SL_AUTO_FD int output = ends[0];
    if (code == ENOENT)
        return sl_error_set(error, -ENOSYS,
                            "figures need gnuplot: apt-get install gnuplot-nox; `--format md`, csv "
                            "and latex work without it");
    if (code) {
        errno = code;
        return sl_error_errno(error, "cannot start gnuplot");
    }
    SL_AUTO(sl_text_free) struct sl_text all = {0};
    code = read_all(output, &all);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (all.failed)
        return sl_error_set(error, -ENOMEM, "out of memory");
    if (code < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
        return complain(complaints, error);
    return split(&all, count, outputs, error);
}
