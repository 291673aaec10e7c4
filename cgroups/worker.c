#include "cgroups/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cgroups/observe.h"
#include "runtime/base/cleanup.h"

struct pipes {
    int gate[2], start_error[2], output[2], diagnostics[2];
};

static void close_pipes(struct pipes *pipes)
{
    int *ends[] = {pipes->gate, pipes->start_error, pipes->output, pipes->diagnostics};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        sl_cleanup_fd(&ends[i][0]);
        sl_cleanup_fd(&ends[i][1]);
    }
}

static int take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

static _Noreturn void give_up(const struct pipes *pipes, int code)
{
    _exit(write(pipes->start_error[1], &code, sizeof(code)) < 0 ? 126 : 127);
}

/* Only async-signal-safe calls: the parent may have threads. */
static _Noreturn void run_child(char *const *argv, const struct sl_entries *entries,
                                const struct pipes *pipes, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    struct sigaction usual = {.sa_handler = SIG_DFL};
    for (int signal_number = 1; signal_number <= SIGRTMAX; signal_number++)
        sigaction(signal_number, &usual, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    /* The parent closes its ends when it gives up: an end of file is not a word to go on. */
    close(pipes->gate[1]);
    char word;
    ssize_t got;
    do
        got = read(pipes->gate[0], &word, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        _exit(127);

    for (size_t i = 0; i < entries->count; i++) {
        if (write(entries->files[i], "0", 1) != 1)
            give_up(pipes, -errno);
    }
    int input = open("/dev/null", O_RDONLY);
    if (input >= 0 && dup2(input, STDIN_FILENO) == STDIN_FILENO &&
        dup2(pipes->output[1], STDOUT_FILENO) == STDOUT_FILENO &&
        dup2(pipes->diagnostics[1], STDERR_FILENO) == STDERR_FILENO) {
        if (input > STDERR_FILENO)
            close(input);
        execv(argv[0], argv);
    }
    give_up(pipes, errno);
}

/* Descriptors 0 to 2 would be overwritten by the child's own: moves an end out of their way. */
static int raise_ends(int ends[2])
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] > STDERR_FILENO)
            continue;
        int raised = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (raised < 0)
            return -errno;
        close(ends[i]);
        ends[i] = raised;
    }
    return 0;
}

int sl_worker_fork(char *const *argv, const struct sl_entries *entries, struct sl_worker *worker,
                   struct sl_error *error)
{
    SL_AUTO(close_pipes)
    struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(pipes.gate, O_CLOEXEC) || pipe2(pipes.start_error, O_CLOEXEC) ||
        pipe2(pipes.output, O_CLOEXEC) || pipe2(pipes.diagnostics, O_CLOEXEC) ||
        raise_ends(pipes.start_error) || raise_ends(pipes.output) ||
        raise_ends(pipes.diagnostics) || raise_ends(pipes.gate))
        return sl_error_errno(error, "make the pipes of the worker %s", argv[0]);
    worker->forked_bytes = sl_process_resident(getpid());
    pid_t parent = getpid();
    /* A signal that comes before the child has taken the program's handlers away waits until then.
     */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (!pid)
        run_child(argv, entries, &pipes, parent);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return sl_error_errno(error, "start the worker %s", argv[0]);
    setpgid(pid, pid); /* in both processes: whoever comes first */
    worker->pid = pid;
    worker->pidfd = pidfd_open(pid, 0);
    worker->gate = take(&pipes.gate[1]);
    worker->start_error = take(&pipes.start_error[0]);
    worker->output = take(&pipes.output[0]);
    worker->diagnostics = take(&pipes.diagnostics[0]);
    fcntl(worker->output, F_SETFL, O_NONBLOCK);
    fcntl(worker->diagnostics, F_SETFL, O_NONBLOCK);
    return 0;
}

int sl_worker_release(struct sl_worker *worker, struct sl_error *error)
{
    /* A worker that is dead already makes this fail; send() knows no SIGPIPE, a pipe does. */
    sigset_t broken_pipe, before;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    int code = write(worker->gate, "g", 1) == 1 ? 0 : -errno;
    if (code)
        sigtimedwait(&broken_pipe, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sl_cleanup_fd(&worker->gate);
    worker->gate = -1;
    /* Dead before its start means killed from outside, which its status tells. */
    return code && code != -EPIPE ? sl_error_set(error, code, "start the worker") : 0;
}

bool sl_worker_ended(const struct sl_worker *worker)
{
    siginfo_t info = {0};
    int failed = waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOWAIT | WNOHANG);
    return failed ? errno == ECHILD : info.si_pid == worker->pid;
}

void sl_worker_ask(const struct sl_worker *worker)
{
    if (worker->pid > 0)
        kill(worker->pid, SIGTERM);
}

void sl_worker_kill(const struct sl_worker *worker)
{
    if (worker->pid <= 0)
        return;
    kill(-worker->pid, SIGKILL);
    kill(worker->pid, SIGKILL);
}

void sl_worker_reap(struct sl_worker *worker, int *status, struct rusage *usage)
{
    if (worker->pid <= 0)
        return;
    /* Before the reaping frees the number: afterwards it may mean somebody else. */
    sl_worker_kill(worker);
    int own_status = 0;
    while (wait4(worker->pid, status ? status : &own_status, 0, usage) < 0 && errno == EINTR)
        ;
    worker->pid = 0;
}

void sl_worker_cleanup(struct sl_worker *worker)
{
    sl_worker_reap(worker, NULL, NULL);
    sl_cleanup_fd(&worker->pidfd);
    sl_cleanup_fd(&worker->gate);
    sl_cleanup_fd(&worker->start_error);
    sl_cleanup_fd(&worker->output);
    sl_cleanup_fd(&worker->diagnostics);
    *worker = (struct sl_worker)SL_WORKER_NONE;
}
