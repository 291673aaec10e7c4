/* From a decoded image to the values of an input blob. */
#ifndef SLUICE_INPUT_PREPROCESS_H
#define SLUICE_INPUT_PREPROCESS_H

#include "models/pack.h"
#include "runtime/input/image.h"

/* Steps, in order:
 *  1. Geometry. resize_short 0 and no crop: the whole image is stretched to the input's height and
 *     width (bilinear). resize_short R: scaled so that the short side is R, then the centre is cut
 *     to crop x crop, or to the input's size without crop. When R equals the side that is cut, the
 *     centre is cut from the image first and scaled once; both shrink by averaging areas. crop
 *     alone: cut from the image as it is. What was cut is stretched if the input is another size.
 *  2. Channels: gray (0.299 R + 0.587 G + 0.114 B in OpenCV's fixed point), BGR or RGB.
 *  3. Minus mean: one per channel, or the centre of a mean image at least as large as the input.
 *  4. Times scale.
 * shape: N x C x H x W with N = 1; values: that many floats. -EINVAL names what does not fit. */
int sl_preprocess(const char *name, const struct sl_image *image,
                  const struct sl_preprocessing *preprocessing, const struct sl_shape *shape,
                  float *values, struct sl_error *error);

#endif
