#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cgroups/version.h"
#include "iouring/loader.h"
#include "kernels/kernel.h"
#include "models/import.h"
#include "policies/policy.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/file.h"
#include "runtime/sluice.h"

static bool list_kernel(int index, struct sl_entry *entry)
{
    if (index < 0 || index >= SL_LAYER_TYPES)
        return false;
    const struct sl_kernel *kernel = sl_kernel_find((enum sl_layer_type)index);
    const char *description = "reads the input blobs";
    if (kernel && kernel->row_sharded)
        description = "computes each shard as it arrives";
    else if (kernel && kernel->memory == SL_KERNEL_VIEW)
        description = "a view, nothing is computed";
    else if (kernel && kernel->memory == SL_KERNEL_IN_PLACE)
        description = "works in place";
    else if (kernel)
        description = "whole layers";
    *entry = (struct sl_entry){.name = sl_layer_type_name((enum sl_layer_type)index),
                               .description = description};
    return true;
}

bool sl_list(enum sl_kind kind, int index, struct sl_entry *entry)
{
    switch (kind) {
    case SL_KIND_POLICY: {
        const struct sl_policy *policy = sl_policy_at(index);
        /* Those with a budget are those that read ahead within it. */
        if (policy)
            *entry = (struct sl_entry){.name = policy->name,
                                       .description = policy->description,
                                       .heeds_depth = policy->budgeted,
                                       .keeps_budget = policy->budgeted};
        return policy;
    }
    case SL_KIND_LOADER: {
        const struct sl_loader_ops *loader = sl_loader_at(index);
        if (loader)
            *entry = (struct sl_entry){.name = loader->name,
                                       .description = loader->description,
                                       .for_tests = loader->for_tests};
        return loader;
    }
    case SL_KIND_TOPOLOGY: {
        const struct sl_topology *topology = sl_topology_at(index);
        if (topology)
            *entry =
                (struct sl_entry){.name = topology->name, .description = topology->description};
        return topology;
    }
    case SL_KIND_KERNEL:
        return list_kernel(index, entry);
    }
    return false;
}

/* "model name : X" of the first processor; "" when the kernel does not say. */
static void read_cpu_model(char *model, size_t size)
{
    model[0] = '\0';
    SL_AUTO_FILE FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512];
    while (file && fgets(line, sizeof(line), file)) {
        char *value = strchr(line, ':');
        if (!value || strncmp(line, "model name", 10))
            continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        snprintf(model, size, "%s", value);
        return;
    }
}

struct mount {
    char type[64], source[160];
};

/* The mount that holds path, from /proc/self/mountinfo: "id parent dev root point options... -
 * type source superoptions"; the last line whose mount point is a prefix of path and longest wins.
 */
static void find_mount(const char *path, struct mount *best)
{
    *best = (struct mount){.type = "unknown"};
    SL_AUTO_FILE FILE *file = fopen("/proc/self/mountinfo", "re");
    size_t best_length = 0;
    char line[4096];
    while (file && fgets(line, sizeof(line), file)) {
        char point[1024];
        struct mount mount = {0};
        char *tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%*s %*s %*s %*s %1023s", point) != 1 ||
            sscanf(tail, " - %63s %159s", mount.type, mount.source) != 2)
            continue;
        size_t length = strlen(point);
        bool root = length == 1;
        if (strncmp(path, point, length) || (!root && path[length] && path[length] != '/'))
            continue;
        if (length >= best_length) {
            best_length = length;
            *best = mount;
        }
    }
}

void sl_context_read(const char *path, struct sl_context *context)
{
    *context = (struct sl_context){.version = sl_version(), .isa = sl_kernels_isa(), .cpus = 1};
    snprintf(context->commit, sizeof(context->commit), "%s", sl_commit());
    struct utsname name;
    if (uname(&name) == 0)
        snprintf(context->kernel, sizeof(context->kernel), "%.60s %.60s", name.sysname,
                 name.release);
    read_cpu_model(context->cpu, sizeof(context->cpu));
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        context->cpus = CPU_COUNT(&set);
    context->cgroup_version = sl_cgroup_version_here()->number;
    SL_AUTO_FREE char *absolute = realpath(path ? path : ".", NULL);
    if (!absolute)
        return;
    struct mount mount;
    find_mount(absolute, &mount);
    snprintf(context->storage, sizeof(context->storage), "%s on %s", mount.type, mount.source);
}

int sl_check_hints(const char *loader, const char *hints, struct sl_error *error)
{
    return sl_loader_check_hints(loader, hints, error);
}
