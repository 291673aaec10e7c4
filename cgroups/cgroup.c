/* Groups: the version-independent front over libcgroup. */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "cgroups/mounts.h"
#include "cgroups/version.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"

static unsigned last_serial;

static void cleanup_cgroup(struct cgroup **cgroup)
{
    if (*cgroup)
        cgroup_free(cgroup);
}

static void cleanup_group(struct sl_cgroup **group)
{
    sl_cgroup_destroy(*group);
}

static void pass_on_log(void *context, int level, const char *format, va_list arguments)
{
    (void)context;
    (void)level;
    char line[512];
    int length = vsnprintf(line, sizeof(line), format, arguments);
    if (length > 0)
        sl_log(SL_LOG_DEBUG, "libcgroup: %.*s", (int)strcspn(line, "\n"), line);
}

static void start_library(void)
{
    /* Before cgroup_init, which would make standard output the log. */
    cgroup_set_logger(pass_on_log, CGROUP_LOG_WARNING, NULL);
    cgroup_init();
}

struct cgroup *sl_library_group(const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_library);
    return cgroup_new_cgroup(name);
}

const struct sl_cgroup_version *sl_cgroup_version_here(void)
{
    const struct sl_mount *mount = sl_mount_find("memory");
    if (!mount)
        return &sl_cgroup_disabled;
    return mount->unified ? &sl_cgroup_v2 : &sl_cgroup_v1;
}

/* What of the library's files could not be opened, it does not say. */
static int unknown_code(void)
{
    SL_AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd < 0 && errno == EMFILE ? -EMFILE : -EIO;
}

/* libcgroup's result as -errno; it keeps errno itself for some of them only. */
static int library_code(int result)
{
    switch (result) {
    case ECGOTHER:
        return cgroup_get_last_errno() ? -cgroup_get_last_errno() : -EIO;
    case ECGROUPNOTOWNER:
    case ECGROUPNOTALLOWED:
        return -EPERM;
    case ECGROUPVALUENOTEXIST:
    case ECGROUPNOTEXIST:
        return -ENOENT;
    default:
        return unknown_code();
    }
}

const char *sl_group_cure(int code)
{
    switch (code) {
    case -EPERM:
    case -EACCES:
    case -EROFS:
        return "run as root, or in a delegated group (systemd-run --user --scope -p Delegate=yes "
               "...), or use --memory none";
    case -EBUSY:
        return "the kernel cannot take that much back from the processes inside, or (v2) the "
               "parent group holds processes: move those into a child group first";
    case -ENOENT:
        return "this kernel or container does not offer it";
    case -EMFILE:
        return SL_OPEN_FILES_CURE;
    default:
        return "see sluice doctor";
    }
}

static bool part_has_file(const struct sl_cgroup_part *part, const char *file)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", part->directory, file);
    return !access(path, W_OK);
}

static const struct sl_cgroup_part *part_of(const struct sl_cgroup *group, const char *controller)
{
    for (size_t i = 0; i < group->part_count; i++)
        for (size_t j = 0; j < group->parts[i].controller_count; j++)
            if (!strcmp(group->parts[i].controllers[j], controller))
                return &group->parts[i];
    return NULL;
}

static int write_setting(struct sl_cgroup *group, const struct sl_cgroup_setting *setting,
                         struct sl_error *error)
{
    const struct sl_cgroup_part *part = part_of(group, setting->controller);
    if (!part || !part_has_file(part, setting->file))
        return sl_error_set(error, part ? -ENOSYS : -EPERM,
                            "%s = %s: the cgroup %s controller does not offer it here%s",
                            setting->file, setting->value, setting->controller,
                            strstr(setting->file, "swap") || strstr(setting->file, "memsw")
                                ? "; boot with swapaccount=1, or use --swap max"
                                : "; see sluice doctor");
    SL_AUTO(cleanup_cgroup) struct cgroup *cgroup = sl_library_group(part->name);
    struct cgroup_controller *controller =
        cgroup ? cgroup_add_controller(cgroup, setting->controller) : NULL;
    if (!controller || cgroup_set_value_string(controller, setting->file, setting->value))
        return sl_error_set(error, -ENOMEM, "out of memory for %s", setting->file);
    int result = cgroup_modify_cgroup(cgroup);
    if (!result)
        return 0;
    int code = library_code(result);
    return sl_error_set(error, code, "write %s to %s/%s: %s; %s", setting->value, part->directory,
                        setting->file, strerror(-code), sl_group_cure(code));
}

/* True when a v2 parent already hands all wanted controllers to its children. */
static bool parent_delegates(const struct sl_cgroup_part *part)
{
    char path[PATH_MAX], text[1024];
    const char *slash = strrchr(part->directory, '/');
    snprintf(path, sizeof(path), "%.*s/cgroup.subtree_control", (int)(slash - part->directory),
             part->directory);
    if (sl_file_read_text(path, text, sizeof(text)) <= 0)
        return false;
    size_t found = 0;
    char *rest = text;
    for (char *word; (word = strsep(&rest, " \n"));)
        for (size_t i = 0; i < part->controller_count; i++)
            found += !strcmp(word, part->controllers[i]);
    return found == part->controller_count;
}

/* Makes the directory of a part. */
static int make_part(const struct sl_cgroup_version *version, const struct sl_cgroup_part *part)
{
    /* libcgroup enables controllers in every ancestor anew, which a delegated user may not do even
     * where they are enabled already; there a plain mkdir is all that is missing. */
    if (version->shared_directory && parent_delegates(part))
        return mkdir(part->directory, 0755) ? -errno : 0;
    SL_AUTO(cleanup_cgroup) struct cgroup *cgroup = sl_library_group(part->name);
    if (!cgroup)
        return -ENOMEM;
    for (size_t i = 0; i < part->controller_count; i++)
        if (!cgroup_add_controller(cgroup, part->controllers[i]))
            return -ENOMEM;
    int result = cgroup_create_cgroup(cgroup, 1);
    return result ? library_code(result) : 0;
}

/* Tries the places of a controller in turn. */
static int place_part(struct sl_cgroup *group, struct sl_cgroup_part *part, unsigned serial,
                      struct sl_error *error)
{
    struct sl_places places;
    int code = sl_places_find(group->version, part->controllers[0], group->limited, &places);
    if (code)
        return sl_error_set(error, code, "the cgroup controller %s is not mounted here",
                            part->controllers[0]);
    int first_code = 0;
    char first_directory[PATH_MAX / 2] = "";
    for (size_t i = 0; i < places.count; i++) {
        const char *slash = *places.parents[i] ? "/" : "";
        /* The same pid may live in another pid namespace that shares these directories. */
        do {
            snprintf(part->name, sizeof(part->name), "%.900s%s" SL_GROUP_PREFIX "%d-%u",
                     places.parents[i], slash, getpid(), serial++);
            snprintf(part->directory, sizeof(part->directory), "%s/%s", places.mount_point,
                     part->name);
        } while (!access(part->directory, F_OK));
        code = make_part(group->version, part);
        if (!code) {
            part->lock = open(part->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (part->lock >= 0)
                sl_lock_take(part->lock);
            return 0;
        }
        rmdir(part->directory); /* half made */
        if (!first_code) {
            first_code = code;
            memcpy(first_directory, part->directory, sizeof(first_directory));
        }
    }
    return sl_error_set(error, first_code, "create the cgroup %s: %s; %s", first_directory,
                        strerror(-first_code), sl_group_cure(first_code));
}

/* Adds a part with these controllers; on failure the group is as before. */
static int add_part(struct sl_cgroup *group, const char *const *controllers, size_t count,
                    unsigned serial, struct sl_error *error)
{
    struct sl_cgroup_part *part = &group->parts[group->part_count];
    *part = (struct sl_cgroup_part){.controller_count = count, .lock = -1};
    memcpy(part->controllers, controllers, count * sizeof(*controllers));
    int code = place_part(group, part, serial, error);
    if (!code)
        group->part_count++;
    return code;
}

/* v2: one directory with as many controllers as this user was given. */
static int add_shared_part(struct sl_cgroup *group, unsigned serial, struct sl_error *error)
{
    const struct sl_cgroup_version *version = group->version;
    const struct {
        const char *controllers[SL_CONTROLLERS_MOST];
        size_t count;
    } tries[] = {
        {{version->memory, version->cpu, version->io, version->cpuset}, 4},
        {{version->memory, version->cpu, version->io}, 3},
        {{version->memory, version->cpu, version->cpuset}, 3},
        {{version->memory, version->cpu}, 2},
        {{version->memory}, 1},
    };
    int code = -ENOENT;
    for (size_t i = 0; code && i < sizeof(tries) / sizeof(tries[0]); i++)
        code = add_part(group, tries[i].controllers, tries[i].count, serial, error);
    return code;
}

/* v1: a new cpuset takes no process before it has processors and memory nodes. */
static int copy_cpuset(struct sl_cgroup *group, const struct sl_cgroup_part *part)
{
    const char *const *files = group->version->cpuset_copied;
    int code = 0;
    for (size_t i = 0; !code && i < sizeof(group->version->cpuset_copied) / sizeof(*files); i++) {
        struct sl_cgroup_setting setting = {.controller = group->version->cpuset, .file = files[i]};
        char path[PATH_MAX];
        const char *slash = strrchr(part->directory, '/');
        snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - part->directory), part->directory,
                 files[i]);
        if (sl_file_read_text(path, setting.value, sizeof(setting.value)) <= 0)
            return -ENOENT;
        setting.value[strcspn(setting.value, "\n")] = '\0';
        if (!setting.value[0])
            return -ENOENT;
        code = write_setting(group, &setting, NULL);
    }
    return code;
}

/* Controllers that limits are set with; memory, which also counts, always is. */
struct needs {
    bool io, cpu, cpuset;
};

static struct needs needs_of(const struct sl_limits *limits)
{
    return (struct needs){
        .io = limits->read_bytes_per_s != SL_NO_LIMIT || limits->write_bytes_per_s != SL_NO_LIMIT,
        .cpu = limits->cpus > 0,
        .cpuset = limits->cores > 0,
    };
}

/* v1: one directory for each controller that is needed; all but memory may be missing. */
static int add_separate_parts(struct sl_cgroup *group, const struct sl_limits *limits,
                              unsigned serial, struct sl_error *error)
{
    const struct sl_cgroup_version *version = group->version;
    const struct needs needs = needs_of(limits);
    const char *optional[] = {needs.io ? version->io : NULL, needs.cpu ? version->cpu : NULL,
                              needs.cpuset ? version->cpuset : NULL};
    int code = add_part(group, &version->memory, 1, serial, error);
    for (size_t i = 0; !code && i < sizeof(optional) / sizeof(optional[0]); i++) {
        if (!optional[i] || add_part(group, &optional[i], 1, serial, NULL) ||
            optional[i] != version->cpuset)
            continue;
        struct sl_cgroup_part *part = &group->parts[group->part_count - 1];
        if (copy_cpuset(group, part)) {
            sl_group_remove(part);
            sl_cleanup_fd(&part->lock);
            group->part_count--;
        }
    }
    return code;
}

/* Makes an unlimited group with the controllers that can be had, of those that the limits need;
 * memory must be. */
static int open_group(const struct sl_cgroup_version *version, const struct sl_limits *limits,
                      struct sl_cgroup **result, struct sl_error *error)
{
    SL_AUTO(cleanup_group) struct sl_cgroup *group = calloc(1, sizeof(*group));
    if (!group)
        return sl_error_set(error, -ENOMEM, "out of memory for a cgroup");
    group->version = version;
    group->limited = sl_places_limited(version);
    group->limits = (struct sl_limits)SL_LIMITS_NONE;
    memset(group->files, -1, sizeof(group->files));
    unsigned serial = __atomic_add_fetch(&last_serial, 1, __ATOMIC_RELAXED);
    int code = version->shared_directory ? add_shared_part(group, serial, error)
                                         : add_separate_parts(group, limits, serial, error);
    if (code)
        return code;
    for (size_t i = 0; i < SL_USAGE_FILES_MOST && version->usage_files[i]; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", group->parts[0].directory, version->usage_files[i]);
        group->files[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
    *result = SL_STEAL(group);
    return 0;
}

static int find_cores(int count, struct sl_hardware *hardware, struct sl_error *error)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed))
        return sl_error_errno(error, "ask for the processors of this process");
    int all = CPU_COUNT(&allowed);
    if (count > all)
        return sl_error_set(error, -EINVAL,
                            "%d cores cannot be had: this process may use %d; give no more", count,
                            all);
    int code = sl_core_list(&allowed, all, hardware->all_cores);
    if (!code)
        code = sl_core_list(&allowed, count, hardware->cores);
    return code ? sl_error_set(error, code, "the list of %d cores is too long to write", all) : 0;
}

int sl_cgroup_set(struct sl_cgroup *group, const struct sl_limits *limits, struct sl_error *error)
{
    int code = sl_limits_check(limits, error);
    if (code)
        return code;
    if ((limits->read_bytes_per_s != SL_NO_LIMIT || limits->write_bytes_per_s != SL_NO_LIMIT) &&
        (code = sl_device_of(limits->throttle_path, &group->hardware.device, error)))
        return code;
    if (limits->cores && (code = find_cores(limits->cores, &group->hardware, error)))
        return code;
    struct sl_limits wanted = sl_limits_effective(limits);
    struct sysinfo machine;
    /* Without any swap a swap limit holds by itself, also where the kernel does not account it. */
    if (!part_has_file(&group->parts[0], group->version->swap_file) && !sysinfo(&machine) &&
        !machine.totalswap)
        wanted.swap_bytes = SL_NO_LIMIT;
    struct sl_cgroup_setting settings[SL_SETTINGS_MOST];
    size_t count = group->version->plan(&group->limits, &wanted, &group->hardware, settings);
    for (size_t i = 0; i < count; i++)
        if ((code = write_setting(group, &settings[i], error)))
            return code;
    group->limits = wanted;
    group->limits.throttle_path = NULL; /* the caller's */
    return 0;
}

int sl_cgroup_create(const struct sl_limits *limits, struct sl_cgroup **group,
                     struct sl_error *error)
{
    const struct sl_cgroup_version *version = sl_cgroup_version_here();
    int code = sl_limits_check(limits, error);
    if (code || (version->refuse && (code = version->refuse(error))))
        return code;
    sl_groups_clean(version);
    SL_AUTO(cleanup_group) struct sl_cgroup *made = NULL;
    if ((code = open_group(version, limits, &made, error)) ||
        (code = sl_cgroup_set(made, limits, error)))
        return code;
    *group = SL_STEAL(made);
    return 0;
}

void sl_entries_close(struct sl_entries *entries)
{
    while (entries->count)
        close(entries->files[--entries->count]);
}

int sl_group_open_entries(const struct sl_cgroup *group, struct sl_entries *entries,
                          struct sl_error *error)
{
    entries->count = 0;
    for (size_t i = 0; !group->version->shared_directory && i < group->part_count; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/tasks", group->parts[i].directory);
        int file = open(path, O_WRONLY | O_CLOEXEC);
        if (file < 0) {
            int code = -errno;
            sl_error_set(error, code, "open %s: %s; %s", path, strerror(-code),
                         sl_group_cure(code));
            sl_entries_close(entries);
            return code;
        }
        entries->files[entries->count++] = file;
    }
    return 0;
}

int sl_cgroup_attach(struct sl_cgroup *group, pid_t pid, struct sl_error *error)
{
    for (size_t i = 0; i < group->part_count; i++) {
        const struct sl_cgroup_part *part = &group->parts[i];
        SL_AUTO(cleanup_cgroup) struct cgroup *cgroup = sl_library_group(part->name);
        if (!cgroup || !cgroup_add_controller(cgroup, part->controllers[0]))
            return sl_error_set(error, -ENOMEM, "out of memory for a cgroup");
        int result = cgroup_attach_task_pid(cgroup, pid);
        if (result) {
            int code = library_code(result);
            return sl_error_set(error, code, "move process %d into %s: %s; %s", pid,
                                part->directory, strerror(-code), sl_group_cure(code));
        }
    }
    return 0;
}

int sl_cgroup_usage(struct sl_cgroup *group, struct sl_cgroup_usage *usage, struct sl_error *error)
{
    char texts[SL_USAGE_FILES_MOST][SL_GROUP_STAT_BYTES];
    const char *given[SL_USAGE_FILES_MOST] = {NULL};
    bool any = false;
    for (size_t i = 0; i < SL_USAGE_FILES_MOST; i++) {
        if (group->files[i] >= 0 &&
            sl_fd_read_text(group->files[i], texts[i], sizeof(texts[i])) > 0)
            given[i] = texts[i];
        any = any || given[i];
    }
    if (!any)
        return sl_error_set(error, -ENODEV, "the cgroup %s is gone: somebody else removed it",
                            group->parts[0].directory);
    group->version->parse_usage(given, usage);
    return 0;
}

void sl_cgroup_destroy(struct sl_cgroup *group)
{
    if (!group)
        return;
    for (size_t i = 0; i < SL_USAGE_FILES_MOST; i++)
        sl_cleanup_fd(&group->files[i]);
    for (size_t i = 0; i < group->part_count; i++)
        sl_group_kill(group->parts[i].directory);
    for (size_t i = 0; i < group->part_count; i++) {
        if (sl_group_remove(&group->parts[i]))
            sl_log(SL_LOG_WARNING, "the cgroup %s could not be removed; rmdir it",
                   group->parts[i].directory);
        sl_cleanup_fd(&group->parts[i].lock);
    }
    free(group);
}

void sl_cgroup_probe_for(const struct sl_limits *limits, struct sl_cgroup_rights *rights)
{
    const struct sl_cgroup_version *version = sl_cgroup_version_here();
    struct sl_error error = {0};
    *rights = (struct sl_cgroup_rights){.version = version->number};
    /* What a group offers shows only in a group. */
    SL_AUTO(cleanup_group) struct sl_cgroup *group = NULL;
    if ((version->refuse && version->refuse(&error)) ||
        open_group(version, limits, &group, &error)) {
        rights->version = 0;
        snprintf(rights->reason, sizeof(rights->reason), "%.255s", error.text);
        return;
    }
    const struct sl_cgroup_part *io = part_of(group, version->io);
    const struct sl_cgroup_part *cpu = part_of(group, version->cpu);
    const struct sl_cgroup_part *cpuset = part_of(group, version->cpuset);
    rights->memory = part_has_file(&group->parts[0], version->memory_file);
    rights->swap = part_has_file(&group->parts[0], version->swap_file);
    rights->read_rate = io && part_has_file(io, version->read_file);
    rights->write_rate = io && part_has_file(io, version->write_file);
    rights->cpu = cpu && part_has_file(cpu, version->cpu_file);
    rights->cores = cpuset && part_has_file(cpuset, version->cores_file);
    const struct needs needs = needs_of(limits);
    snprintf(rights->reason, sizeof(rights->reason), "%s%s%s%s%s",
             rights->memory ? "" : "no memory limit can be set; ",
             rights->swap ? "" : "swap is not accounted (boot with swapaccount=1); ",
             !needs.io || (rights->read_rate && rights->write_rate)
                 ? ""
                 : "no blkio or io controller for rates; ",
             !needs.cpu || rights->cpu ? "" : "no cpu controller for --cpus; ",
             !needs.cpuset || rights->cores ? "" : "no cpuset controller for --cores; ");
    size_t length = strlen(rights->reason);
    if (length)
        rights->reason[length - 2] = '\0';
}

static struct sl_cgroup_rights probed;

static void probe_all(void)
{
    const struct sl_limits every = {.read_bytes_per_s = 1, .cpus = 1, .cores = 1};
    sl_cgroup_probe_for(&every, &probed);
}

void sl_cgroup_probe(struct sl_cgroup_rights *rights)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, probe_all);
    *rights = probed;
}
