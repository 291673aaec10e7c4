/* Feeds files, or every file of directories, to the fuzz target this is linked with. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

static int replay_file(const char *path, long size)
{
    FILE *file SL_AUTO_FILE = fopen(path, "rb");
    unsigned char *bytes SL_AUTO_FREE = malloc((size_t)size + 1);
    if (!file || !bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    LLVMFuzzerTestOneInput(bytes, (size_t)size);
    return 1;
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

/* Files replayed, or -1. */
static int replay(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode))
        return replay_file(path, (long)status.st_size);
    DIR *directory SL_AUTO(close_directory) = opendir(path);
    if (!directory) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    int files = 0;
    for (const struct dirent *entry; (entry = readdir(directory));) {
        char inside[4096];
        if (entry->d_name[0] == '.')
            continue;
        int length = snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        int result = length < (int)sizeof(inside) ? replay(inside) : -1;
        if (result < 0)
            return -1;
        files += result;
    }
    return files;
}

int main(int count, char **arguments)
{
    int files = 0;
    for (int i = 1; i < count; i++) {
        int result = replay(arguments[i]);
        if (result < 0)
            return 1;
        files += result;
    }
    printf("%s: %d files\n", arguments[0], files);
    return files ? 0 : 1;
}
