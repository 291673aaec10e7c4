#include "runtime/input/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

int sl_image_allocate(const char *name, struct sl_image *image, uint64_t beside_bytes,
                      struct sl_error *error)
{
    const size_t bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    int code = sl_room_ask(image->room, bytes + beside_bytes, error);
    if (code < 0)
        return code;
    image->pixels = malloc(bytes);
    return image->pixels ? 0
                         : sl_error_set(error, -ENOMEM, "%s: out of memory for %dx%d pixels", name,
                                        image->width, image->height);
}

void sl_image_free(struct sl_image *image)
{
    free(image->pixels);
    *image = (struct sl_image){.room = image->room};
}

int sl_image_check_size(const char *name, uint64_t width, uint64_t height, struct sl_error *error)
{
    if (width == 0 || height == 0)
        return sl_error_set(error, -EINVAL, "%s: the image is empty", name);
    if (width > SL_IMAGE_MOST_SIDE || height > SL_IMAGE_MOST_SIDE ||
        width * height > SL_IMAGE_MOST_PIXELS)
        return sl_error_set(error, -EINVAL,
                            "%s: %" PRIu64 "x%" PRIu64 " pixels are more than sluice decodes (%d "
                            "a side, %zu million in all); scale it down first",
                            name, width, height, SL_IMAGE_MOST_SIDE, SL_IMAGE_MOST_PIXELS >> 20);
    return 0;
}
