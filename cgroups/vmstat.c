#include "cgroups/vmstat.h"

#include <unistd.h>

#include "cgroups/version.h"
#include "runtime/base/file.h"

#define VMSTAT_BYTES 32768

static uint64_t value(const char *text, const char *key)
{
    uint64_t found = sl_control_value(text, key);
    return found == SL_NO_LIMIT ? 0 : found;
}

/* pgscan_direct and the like leave the reclaim of groups out; those by kind of page count it. */
void sl_vmstat_parse(const char *text, uint64_t page_bytes, struct sl_vmstat *vmstat)
{
    *vmstat = (struct sl_vmstat){
        .swap_in_bytes = value(text, "pswpin") * page_bytes,
        .swap_out_bytes = value(text, "pswpout") * page_bytes,
        .scanned_pages = value(text, "pgscan_anon") + value(text, "pgscan_file"),
        .reclaimed_pages = value(text, "pgsteal_anon") + value(text, "pgsteal_file"),
    };
}

void sl_vmstat_read(int fd, struct sl_vmstat *vmstat)
{
    char text[VMSTAT_BYTES];
    if (fd < 0 || sl_fd_read_text(fd, text, sizeof(text)) <= 0)
        text[0] = '\0';
    sl_vmstat_parse(text, (uint64_t)sysconf(_SC_PAGESIZE), vmstat);
}
