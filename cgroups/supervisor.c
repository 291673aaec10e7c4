#include "cgroups/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/observe.h"
#include "cgroups/swapfile.h"
#include "cgroups/version.h"
#include "cgroups/worker.h"
#include "cgroups/zram.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"

#define SAMPLE_INTERVAL_NS UINT64_C(10000000)
#define READ_BYTES         65536

/* What one run owns, in the order of its making; taken down in the opposite one. */
struct run {
    struct sl_swapfile *swapfile;
    struct sl_zram *zram;
    struct sl_cgroup *group;
    struct sl_worker worker;
    struct sl_observer observer;
    int timer;
    struct sl_text output, diagnostics;
    enum sl_ending ended_for; /* TIMEOUT or INTERRUPTED when we ended it, else OK */
    uint64_t kill_ns;         /* then: when it is killed if it has not ended by itself */
    int start_errno;          /* the program could not be executed */
};

static void run_cleanup(struct run *run)
{
    sl_worker_cleanup(&run->worker);
    sl_cgroup_destroy(run->group);
    /* Last: quick when nobody's pages are left in it. */
    sl_swapfile_remove(run->swapfile);
    sl_zram_remove(run->zram);
    sl_observer_cleanup(&run->observer);
    sl_cleanup_fd(&run->timer);
    sl_text_free(&run->output);
    sl_text_free(&run->diagnostics);
}

const char *sl_ending_name(enum sl_ending ending)
{
    switch (ending) {
    case SL_ENDED_OK:
        return "ok";
    case SL_ENDED_OOM:
        return "oom";
    case SL_ENDED_TIMEOUT:
        return "timeout";
    case SL_ENDED_ERROR:
        return "error";
    case SL_ENDED_INTERRUPTED:
        return "interrupted";
    }
    return "error";
}

static bool was_interrupted(const struct sl_cell *cell)
{
    return cell->interrupted && *cell->interrupted;
}

static int prepare_swap(const struct sl_cell *cell, struct run *run, struct sl_error *error)
{
    const struct sl_limits *limits = &cell->limits;
    /* Swap that a crashed run left must not serve this one. */
    sl_swapfiles_clean(cell->swap_directory);
    sl_zrams_clean();
    bool own = limits->swap_place == SL_SWAP_FILE;
    bool bounded = limits->memory_bytes != SL_NO_LIMIT && limits->swap_bytes != SL_NO_LIMIT &&
                   limits->swap_bytes > 0;
    if (bounded && limits->swap_place == SL_SWAP_ZRAM)
        return sl_zram_create(limits->swap_bytes, &run->zram, error);
    if (!bounded ||
        (!own && (!cell->make_swapfile || limits->swap_bytes <= sl_swap_lasting_free_bytes())))
        return 0;
    return sl_swapfile_create(cell->swap_directory, limits->swap_bytes, own, &run->swapfile, error);
}

static int start_timer(const struct sl_cell *cell, struct run *run, struct sl_error *error)
{
    uint64_t interval = cell->sample_interval_ns ? cell->sample_interval_ns : SAMPLE_INTERVAL_NS;
    struct itimerspec ticks = {
        .it_interval = {(time_t)(interval / 1000000000), (long)(interval % 1000000000)}};
    ticks.it_value = ticks.it_interval;
    run->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (run->timer < 0 || timerfd_settime(run->timer, 0, &ticks, NULL))
        return sl_error_errno(error, "start the sampling timer");
    return 0;
}

/* Reads what is there; closes at the end of the file. */
static void read_pipe(int *fd, struct sl_text *text)
{
    char bytes[READ_BYTES];
    while (*fd >= 0) {
        ssize_t got = read(*fd, bytes, sizeof(bytes));
        if (got > 0) {
            sl_text_add_bytes(text, bytes, (size_t)got);
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && errno == EAGAIN) {
            return;
        } else {
            close(*fd);
            *fd = -1;
        }
    }
}

/* The child closes its end by executing its program, or writes why it could not. */
static void read_start_error(struct run *run)
{
    int code;
    if (read(run->worker.start_error, &code, sizeof(code)) == (ssize_t)sizeof(code))
        run->start_errno = code;
    close(run->worker.start_error);
    run->worker.start_error = -1;
}

/* UINT64_MAX: there is nothing to do at any time. */
static uint64_t next_deadline(const struct sl_cell *cell, const struct run *run)
{
    if (run->ended_for != SL_ENDED_OK)
        return run->kill_ns;
    return cell->timeout_ns ? run->observer.start_ns + cell->timeout_ns : UINT64_MAX;
}

/* Milliseconds to wait for an event, -1: until there is one. */
static int wait_ms(const struct sl_cell *cell, const struct run *run)
{
    uint64_t now = sl_now_ns(), deadline = next_deadline(cell, run);
    if (deadline == UINT64_MAX)
        return -1;
    uint64_t ms = deadline > now ? (deadline - now) / 1000000 + 1 : 0;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* First the word to end, so that the worker can tell what it finished, then the kill. */
static void end_for(const struct sl_cell *cell, struct run *run, enum sl_ending why)
{
    run->ended_for = why;
    run->kill_ns = sl_now_ns() + cell->grace_ns;
    if (cell->grace_ns)
        sl_worker_ask(&run->worker);
}

static void end_in_time(const struct sl_cell *cell, struct run *run)
{
    const bool late = sl_now_ns() >= next_deadline(cell, run);
    if (run->ended_for == SL_ENDED_OK && (late || was_interrupted(cell)))
        end_for(cell, run, was_interrupted(cell) ? SL_ENDED_INTERRUPTED : SL_ENDED_TIMEOUT);
    if (run->ended_for != SL_ENDED_OK && sl_now_ns() >= run->kill_ns) {
        run->kill_ns = UINT64_MAX;
        sl_worker_kill(&run->worker);
    }
}

static struct sl_memory_sample sample(const struct sl_cell *cell, struct run *run)
{
    struct sl_memory_sample now;
    sl_observer_sample(&run->observer, &now);
    if (cell->sampled)
        cell->sampled(cell->sampled_context, &now);
    return now;
}

static void watch(const struct sl_cell *cell, struct run *run)
{
    struct sl_worker *worker = &run->worker;
    while (!sl_worker_ended(worker)) {
        struct pollfd events[] = {
            {.fd = worker->pidfd, .events = POLLIN},
            {.fd = worker->output, .events = POLLIN},
            {.fd = worker->diagnostics, .events = POLLIN},
            {.fd = worker->start_error, .events = POLLIN},
            {.fd = run->timer, .events = POLLIN},
        };
        poll(events, sizeof(events) / sizeof(events[0]), wait_ms(cell, run));
        read_pipe(&worker->output, &run->output);
        read_pipe(&worker->diagnostics, &run->diagnostics);
        if (events[3].revents)
            read_start_error(run);
        uint64_t expirations;
        if (read(run->timer, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
            sample(cell, run);
        end_in_time(cell, run);
    }
    /* What it wrote before its end is in the pipes now; descendants may hold them open. */
    read_pipe(&worker->output, &run->output);
    read_pipe(&worker->diagnostics, &run->diagnostics);
    if (worker->start_error >= 0)
        read_start_error(run);
}

static void fill_usage(struct run *run, const struct rusage *resources, struct sl_outcome *outcome)
{
    struct sl_cgroup_usage *usage = &outcome->usage;
    if (run->group && !sl_cgroup_usage(run->group, usage, NULL))
        return;
    memset(usage, 0xff, sizeof(*usage)); /* every counter SL_NO_LIMIT */
    /* The kernel's peak of a process begins with what it shared with us before it executed its
     * program; below that only our own samples tell. */
    uint64_t peak = (uint64_t)resources->ru_maxrss * 1024;
    bool own = peak > run->worker.forked_bytes || !run->observer.resident_peak_bytes;
    usage->memory_peak_bytes = own ? peak : run->observer.resident_peak_bytes;
    usage->major_faults = (uint64_t)resources->ru_majflt;
}

static enum sl_ending ending_of(const struct run *run, const struct sl_outcome *outcome)
{
    if (outcome->signal == 0 && outcome->exit_code == 0)
        return SL_ENDED_OK; /* it was done before our word arrived */
    if (run->ended_for != SL_ENDED_OK)
        return run->ended_for;
    bool oom = outcome->usage.oom_kills != SL_NO_LIMIT && outcome->usage.oom_kills > 0;
    return oom ? SL_ENDED_OOM : SL_ENDED_ERROR;
}

static int collect(const struct sl_cell *cell, struct run *run, struct sl_outcome *outcome,
                   struct sl_error *error)
{
    int status = W_EXITCODE(255, 0); /* kept when somebody else reaped it */
    struct rusage resources = {0};
    uint64_t end_ns = sl_now_ns();
    struct sl_memory_sample last = sample(cell, run);
    sl_worker_reap(&run->worker, &status, &resources);
    struct sl_outcome filled = {
        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .limited = run->group != NULL,
        .wall_ns = end_ns - run->observer.start_ns,
        .swap_in_bytes = last.swap_in_bytes,
        .swap_out_bytes = last.swap_out_bytes,
        .zram_peak_bytes = run->zram ? sl_zram_peak_bytes(run->zram) : SL_NO_LIMIT,
    };
    fill_usage(run, &resources, &filled);
    filled.ending = ending_of(run, &filled);
    sl_text_add_bytes(&run->output, "", 0);
    sl_text_add_bytes(&run->diagnostics, "", 0);
    if (run->output.failed || run->diagnostics.failed)
        return sl_error_set(error, -ENOMEM, "the worker wrote %zu bytes, more than fit in memory",
                            run->output.length + run->diagnostics.length);
    filled.samples = SL_STEAL(run->observer.samples);
    filled.sample_count = run->observer.count;
    filled.output_bytes = run->output.length;
    filled.output = SL_STEAL(run->output.bytes);
    filled.diagnostics = SL_STEAL(run->diagnostics.bytes);
    *outcome = filled;
    return 0;
}

int sl_supervise(const struct sl_cell *cell, struct sl_outcome *outcome, struct sl_error *error)
{
    if (!cell->argv || !cell->argv[0])
        return sl_error_set(error, -EINVAL, "no worker program was given");
    int code = sl_limits_check(&cell->limits, error);
    for (const char *const *file = cell->cold_files; !code && file && *file; file++)
        code = sl_file_drop_cache(*file, error);
    if (code)
        return code;
    SL_AUTO(run_cleanup)
    struct run run = {.worker = SL_WORKER_NONE, .observer = SL_OBSERVER_NONE, .timer = -1};
    if ((code = prepare_swap(cell, &run, error)))
        return code;
    SL_AUTO(sl_entries_close) struct sl_entries entries = {0};
    if (sl_limits_any(&cell->limits) &&
        ((code = sl_cgroup_create(&cell->limits, &run.group, error)) ||
         (code = sl_group_open_entries(run.group, &entries, error))))
        return code;
    if ((code = start_timer(cell, &run, error)) ||
        (code = sl_worker_fork(cell->argv, &entries, &run.worker, error)) ||
        (run.group && !entries.count &&
         (code = sl_cgroup_attach(run.group, run.worker.pid, error))))
        return code;
    sl_observer_start(&run.observer, run.group, run.worker.pid);
    if ((code = sl_worker_release(&run.worker, error)))
        return code;
    watch(cell, &run);
    if (run.start_errno < 0)
        return sl_error_set(error, run.start_errno, "move the worker into its cgroup: %s; %s",
                            strerror(-run.start_errno), sl_group_cure(run.start_errno));
    if (run.start_errno)
        return sl_error_set(error, -run.start_errno, "start the worker %s: %s", cell->argv[0],
                            strerror(run.start_errno));
    return collect(cell, &run, outcome, error);
}

void sl_outcome_free(struct sl_outcome *outcome)
{
    if (!outcome)
        return;
    free(outcome->samples);
    free(outcome->output);
    free(outcome->diagnostics);
    *outcome = (struct sl_outcome){0};
}

void sl_supervisor_clean(void)
{
    const struct sl_cgroup_version *version = sl_cgroup_version_here();
    if (version->memory)
        sl_groups_clean(version);
    sl_swapfiles_clean(NULL);
    sl_zrams_clean();
}
