#include "tests/support/run_command.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/file.h"

#define WORDS_MOST        64
#define SWAP_LABEL_OFFSET 1052

const char *command_path(void)
{
    static char path[PATH_MAX + 8];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "sluice");
    return path;
}

static void execute(struct command *command, char *line, int alive)
{
    char *words[WORDS_MOST + 1] = {NULL}, program[] = "sluice";
    int count = 0;
    setpgid(0, 0);
    dup2(command->out_file, STDOUT_FILENO);
    dup2(command->errors_file, STDERR_FILENO);
    fcntl(alive, F_SETFD, 0);
    words[count++] = program;
    for (char *word; count < WORDS_MOST && (word = strsep(&line, " "));)
        if (*word)
            words[count++] = word;
    execv(command_path(), words);
    perror(command_path());
    _exit(127);
}

static void start(struct command *command, const char *format, va_list arguments)
{
    char line[4096];
    int ends[2] = {-1, -1};
    vsnprintf(line, sizeof(line), format, arguments);
    *command = (struct command){
        .out_file = memfd_create("stdout", MFD_CLOEXEC),
        .errors_file = memfd_create("stderr", MFD_CLOEXEC),
        .exit_code = 126,
    };
    if (pipe2(ends, O_CLOEXEC) == 0 && (command->pid = fork()) == 0)
        execute(command, line, ends[1]);
    if (command->pid > 0)
        setpgid(command->pid, command->pid);
    close(ends[1]);
    command->alive = ends[0];
}

static char *contents(int file)
{
    off_t size = lseek(file, 0, SEEK_END);
    char *text = calloc(1, (size_t)(size > 0 ? size : 0) + 1);
    if (text && size > 0 && pread(file, text, (size_t)size, 0) != size)
        text[0] = '\0';
    close(file);
    return text;
}

void command_wait(struct command *command)
{
    int status = 126 << 8;
    if (command->pid > 0)
        waitpid(command->pid, &status, 0);
    command->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    command->out = contents(command->out_file);
    command->errors = contents(command->errors_file);
}

void command_start(struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    start(command, format, arguments);
    va_end(arguments);
}

void command_run(struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    start(command, format, arguments);
    va_end(arguments);
    command_wait(command);
}

void command_free(struct command *command)
{
    close(command->alive);
    free(command->out);
    free(command->errors);
    command->out = command->errors = NULL;
}

json_t *command_records(const struct command *command)
{
    json_t *records = json_array();
    const char *line = command->out;
    while (line && *line) {
        const size_t length = strcspn(line, "\n");
        json_t *record = json_loadb(line, length, 0, NULL);
        if (record)
            json_array_append_new(records, record);
        line += length + (line[length] == '\n');
    }
    return records;
}

double record_number(const json_t *record, const char *field)
{
    const json_t *value = json_object_get(record, field);
    return json_is_number(value) ? json_number_value(value) : -1;
}

const char *record_text(const json_t *record, const char *field)
{
    const char *text = json_string_value(json_object_get(record, field));
    return text ? text : "";
}

/* Where groups may be, v1 and v2. */
static const char *const group_places[] = {"/sys/fs/cgroup/", "/sys/fs/cgroup/*/",
                                           "/sys/fs/cgroup/*/*/"};
#define GROUP_PLACES (sizeof(group_places) / sizeof(group_places[0]))

static bool group_has_process(pid_t pid, const char *place)
{
    char pattern[128], processes[64];
    glob_t found = {0};
    bool any = false;
    snprintf(pattern, sizeof(pattern), "%ssluice-%d-*/cgroup.procs", place, pid);
    if (!glob(pattern, 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc && !any; i++)
            any = sl_file_read_text(found.gl_pathv[i], processes, sizeof(processes)) > 0;
    globfree(&found);
    return any;
}

bool command_enters_group(const struct command *command)
{
    for (int tries = 0; tries < 2000; tries++) {
        for (size_t place = 0; place < GROUP_PLACES; place++)
            if (group_has_process(command->pid, group_places[place]))
                return true;
        poll(NULL, 0, 10); /* the kernel tells nobody about members of a group */
    }
    return false;
}

bool command_group(const struct command *command, const char *file, char *path, size_t size)
{
    bool any = false;
    for (size_t place = 0; place < GROUP_PLACES && !any; place++) {
        char pattern[192];
        glob_t found = {0};
        snprintf(pattern, sizeof(pattern), "%ssluice-%d-*/%s", group_places[place], command->pid,
                 file);
        any = !glob(pattern, 0, NULL, &found) && found.gl_pathc;
        if (any)
            snprintf(path, size, "%s", found.gl_pathv[0]);
        globfree(&found);
    }
    return any;
}

static bool matches(const char *pattern)
{
    glob_t found = {0};
    bool any = !glob(pattern, 0, NULL, &found) && found.gl_pathc;
    globfree(&found);
    return any;
}

bool zram_of(pid_t pid)
{
    char wanted[32], label[16] = "";
    glob_t found = {0};
    bool any = false;
    snprintf(wanted, sizeof(wanted), "sluice-%d-", pid);
    if (!glob("/dev/zram*", 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc && !any; i++) {
            int disk = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
            any = disk >= 0 && pread(disk, label, sizeof(label), SWAP_LABEL_OFFSET) > 0 &&
                  !strncmp(label, wanted, strlen(wanted));
            close(disk);
        }
    globfree(&found);
    return any;
}

const char *left_behind(pid_t pid)
{
    static char text[256];
    char swaps[8192], name[64];
    for (size_t place = 0; place < GROUP_PLACES; place++) {
        snprintf(text, sizeof(text), "%ssluice-%d-*", group_places[place], pid);
        if (matches(text))
            return text;
    }
    snprintf(text, sizeof(text), "/var/tmp/sluice-swap-%d-*", pid);
    if (matches(text))
        return text;
    snprintf(name, sizeof(name), "sluice-swap-%d-", pid);
    if (sl_file_read_text("/proc/swaps", swaps, sizeof(swaps)) > 0 && strstr(swaps, name)) {
        snprintf(text, sizeof(text), "%s* in /proc/swaps", name);
        return text;
    }
    return zram_of(pid) ? "a zram disk" : "";
}

const char *command_left_behind(const struct command *command)
{
    struct pollfd alive = {.fd = command->alive, .events = POLLIN};
    if (poll(&alive, 1, 5000) != 1)
        return "a process";
    return left_behind(command->pid);
}
