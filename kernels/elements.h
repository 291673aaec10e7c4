/* Arithmetic that the compiler turns into vector code, with the same bits whatever the width:
 * elementary functions without branches or tables, and sums over a fixed number of lanes. */
#ifndef SLUICE_KERNELS_ELEMENTS_H
#define SLUICE_KERNELS_ELEMENTS_H

#include <stdint.h>
#include <string.h>

#include "kernels/call.h"

/* The float that has these bits. */
static inline float sl_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The bits of a float. */
static inline uint32_t sl_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* e^x within 2 ulp; 0 below about -103.97, infinity above about 88.72, NaN for NaN. Reduction to
 * |r| <= ln 2 / 2 by a two-part ln 2 (Cody and Waite), then a minimax polynomial (coefficients as
 * in Moshier's Cephes); 2^n in two factors, so that results may be subnormal or overflow. */
SL_INLINE_ALWAYS float sl_float_exp(float x)
{
    const float rounding = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float bounded = x < -104.0f ? -104.0f : x;
    bounded = bounded > 89.0f ? 89.0f : bounded;
    float shifted = bounded * 1.44269504f + rounding;
    float whole = shifted - rounding;
    float r = bounded - whole * 0.693359375f - whole * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t n = sl_bits_of_float(shifted) - sl_bits_of_float(rounding);
    uint32_t half = (uint32_t)((int32_t)n >> 1);
    return p * sl_float_of_bits((half + 127u) << 23) * sl_float_of_bits((n - half + 127u) << 23);
}

/* tanh x within 3 ulp; the polynomial below 0.625 keeps small arguments exact (Cephes). */
SL_INLINE_ALWAYS float sl_float_tanh(float x)
{
    float magnitude = x < 0.0f ? -x : x;
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    p = p * z * x + x;
    float large = 1.0f - 2.0f / (sl_float_exp(magnitude + magnitude) + 1.0f);
    large = x < 0.0f ? -large : large;
    return magnitude < 0.625f ? p : large;
}

#define SL_SUM_LANES 16

/* Lanes to one value, in a fixed tree. */
SL_INLINE_ALWAYS float sl_lanes_sum(const float lane[SL_SUM_LANES])
{
    float eight[8], four[4];
    for (int l = 0; l < 8; l++)
        eight[l] = lane[l] + lane[l + 8];
    for (int l = 0; l < 4; l++)
        four[l] = eight[l] + eight[l + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* Defines a sum over count elements: element i goes to lane i mod SL_SUM_LANES. */
#define SL_DEFINE_LANE_SUM(name, expression)                                                       \
    SL_INLINE_ALWAYS float name(const float *values, int64_t count, float centre)                  \
    {                                                                                              \
        float lane[SL_SUM_LANES] = {0};                                                            \
        int64_t i = 0;                                                                             \
        (void)centre;                                                                              \
        for (; i + SL_SUM_LANES <= count; i += SL_SUM_LANES)                                       \
            for (int l = 0; l < SL_SUM_LANES; l++) {                                               \
                float x = values[i + l];                                                           \
                lane[l] += (expression);                                                           \
            }                                                                                      \
        for (int l = 0; i + l < count; l++) {                                                      \
            float x = values[i + l];                                                               \
            lane[l] += (expression);                                                               \
        }                                                                                          \
        return sl_lanes_sum(lane);                                                                 \
    }

SL_DEFINE_LANE_SUM(sl_span_sum, x)
SL_DEFINE_LANE_SUM(sl_span_sum_absolute, x < 0.0f ? -x : x)
SL_DEFINE_LANE_SUM(sl_span_sum_squares, (x - centre) * (x - centre))

/* Greatest element, never less than floor; NaN elements never win, as in Caffe. */
SL_INLINE_ALWAYS float sl_span_greatest(const float *values, int64_t count, float floor)
{
    float lane[SL_SUM_LANES];
    for (int l = 0; l < SL_SUM_LANES; l++)
        lane[l] = floor;
    int64_t i = 0;
    for (; i + SL_SUM_LANES <= count; i += SL_SUM_LANES)
        for (int l = 0; l < SL_SUM_LANES; l++)
            lane[l] = values[i + l] > lane[l] ? values[i + l] : lane[l];
    for (int l = 0; i + l < count; l++)
        lane[l] = values[i + l] > lane[l] ? values[i + l] : lane[l];
    float greatest = lane[0];
    for (int l = 1; l < SL_SUM_LANES; l++)
        greatest = lane[l] > greatest ? lane[l] : greatest;
    return greatest;
}

/* The activation fused into a layer, over values in place. */
SL_INLINE_ALWAYS void sl_activate(const struct sl_layer *layer, float *values, int64_t count)
{
    if (layer->activation == SL_ACTIVATION_NONE)
        return;
    const float slope = layer->activation_slope;
    for (int64_t i = 0; i < count; i++)
        values[i] = values[i] > 0.0f ? values[i] : slope * values[i];
}

/* The same for one value, in double: for references. */
static inline double sl_activate_one(const struct sl_layer *layer, double value)
{
    if (layer->activation == SL_ACTIVATION_NONE || value > 0)
        return value;
    return layer->activation_slope * value;
}

#endif
