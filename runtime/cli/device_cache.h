/* Where measured rates of devices are kept between commands. */
#ifndef SLUICE_CLI_DEVICE_CACHE_H
#define SLUICE_CLI_DEVICE_CACHE_H

/* Path of the cache in $XDG_CACHE_HOME or ~/.cache, its folder made; malloc'd, NULL when there is
 * no such place. */
char *cli_device_cache(void);
/* The same of what `doctor --bench` measured (ceiling.h). */
char *cli_ceiling_cache(void);

/* The folder of that file, $XDG_CACHE_HOME/sluice or ~/.cache/sluice, made if need be; NULL: none.
 * Owned by the caller. */
char *cli_cache_folder(void);

#endif
