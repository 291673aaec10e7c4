/* Visibility and linkage of the public headers. The library is built with hidden visibility; only
 * what carries SL_API can be called from outside. */
#ifndef SLUICE_BASE_EXPORT_H
#define SLUICE_BASE_EXPORT_H

#define SL_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define SL_C_BEGIN extern "C" {
#define SL_C_END   }
#else
#define SL_C_BEGIN
#define SL_C_END
#endif

#endif
