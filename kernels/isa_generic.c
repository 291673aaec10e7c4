/* The inner loops for any processor: GCC's vectors of four floats (SSE2 on x86-64, NEON on
 * aarch64). */
#include "kernels/isa.h"

#include "kernels/decode_native.inc.h"
#include "kernels/gemm_native.inc.h"
#include "kernels/rows_native.inc.h"

#if defined(__aarch64__)
#define SL_GENERIC_NAME "neon"
#else
#define SL_GENERIC_NAME "generic"
#endif

extern const struct sl_isa sl_isa_generic;
const struct sl_isa sl_isa_generic = {
    .name = SL_GENERIC_NAME,
    .gemm = native_gemm,
    .gemm_pack = native_gemm_pack,
    .row_dots = native_row_dots,
    .decode = native_decode,
    .depthwise_rows = native_depthwise_rows,
    .plane_rows = native_plane_rows,
};
