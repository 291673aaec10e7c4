/* The inner loops for x86-64 with AVX-512. */
#include "kernels/isa.h"

#include "kernels/decode_native.inc.h"
#include "kernels/gemm_native.inc.h"
#include "kernels/rows_native.inc.h"

extern const struct sl_isa sl_isa_avx512;
const struct sl_isa sl_isa_avx512 = {
    .name = "avx512",
    .gemm = native_gemm,
    .gemm_pack = native_gemm_pack,
    .row_dots = native_row_dots,
    .decode = native_decode,
    .depthwise_rows = native_depthwise_rows,
    .plane_rows = native_plane_rows,
};
