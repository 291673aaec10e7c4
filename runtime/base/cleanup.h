/* Cleanup attributes: every local that owns something carries one, so that early returns are safe.
 * Each destructor accepts the empty value (NULL, -1). */
#ifndef SLUICE_BASE_CLEANUP_H
#define SLUICE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* For SL_AUTO_FREE: pointer is the address of an owned pointer. */
static inline void sl_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

/* For SL_AUTO_FD: closes a descriptor that is not negative. */
static inline void sl_cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* For SL_AUTO_FILE: closes a stream that is not NULL. */
static inline void sl_cleanup_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

#define SL_AUTO_FREE __attribute__((cleanup(sl_cleanup_free)))
#define SL_AUTO_FD   __attribute__((cleanup(sl_cleanup_fd)))
#define SL_AUTO_FILE __attribute__((cleanup(sl_cleanup_file)))
/* SL_AUTO(f): f takes a pointer to the local. */
#define SL_AUTO(f) __attribute__((cleanup(f)))

/* Hands an owned pointer on: yields its value and leaves NULL behind. */
#define SL_STEAL(pointer)                                                                          \
    ({                                                                                             \
        __typeof__(pointer) sl_stolen_ = (pointer);                                                \
        (pointer) = NULL;                                                                          \
        sl_stolen_;                                                                                \
    })

#endif
