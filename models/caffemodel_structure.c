/* The structure of a caffemodel: its bytes without the blobs, as a message. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "models/caffe.pb-c.h"
#include "models/caffe_text.h"
#include "models/weights.h"
#include "models/wire.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/text.h"

/* A message takes up to 40 times its bytes in memory. Fields of one message are bounded as well:
 * protobuf-c merges what is given again and again in quadratic time. */
#define LARGEST_STRUCTURE_BYTES ((size_t)4 << 20)
#define LARGEST_MESSAGE_BYTES   ((size_t)64 << 10)
#define MOST_LAYERS             16384

/* What to leave out of a message, and which fields hold messages to look into. */
struct level {
    uint32_t dropped;
    struct {
        uint32_t number;
        const struct level *level;
    } inside[2];
};
static const struct level v0_layer = {.dropped = 50};
static const struct level v1_layer = {.dropped = 6, .inside = {{1, &v0_layer}}};
static const struct level v2_layer = {.dropped = 7};
static const struct level whole = {.inside = {{2, &v1_layer}, {100, &v2_layer}}};

static void add_varint(struct sl_text *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t length = 0;
    do {
        bytes[length++] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    sl_text_add_bytes(out, bytes, length);
}

static int check_room(struct sl_wire *wire, const struct sl_text *out, uint64_t more)
{
    if (out->failed)
        return sl_error_set(wire->error, -ENOMEM, "%s: out of memory", wire->path);
    if (more > LARGEST_STRUCTURE_BYTES - out->length)
        return sl_wire_error(wire, wire->position,
                             "more than %zu MiB besides the weights: this is no caffemodel",
                             LARGEST_STRUCTURE_BYTES >> 20);
    return 0;
}

/* Copies file bytes [begin, end) to out and takes them from the room that their message has. */
static int copy_bytes(struct sl_wire *wire, uint64_t begin, uint64_t end, size_t *room,
                      struct sl_text *out)
{
    if (end - begin > *room)
        return sl_wire_error(wire, begin, "more than %zu KiB in one message besides the weights",
                             LARGEST_MESSAGE_BYTES >> 10);
    *room -= (size_t)(end - begin);
    int result = check_room(wire, out, end - begin);
    wire->position = begin;
    while (result == 0 && wire->position < end) {
        char part[512];
        uint64_t left = end - wire->position;
        size_t length = left < sizeof(part) ? (size_t)left : sizeof(part);
        result = sl_wire_bytes(wire, part, length);
        if (result == 0)
            sl_text_add_bytes(out, part, length);
    }
    return result;
}

/* Copies the message from wire->position to end without what its level drops. Levels nest three
 * deep. */
static int copy_message(struct sl_wire *wire, uint64_t end, const struct level *level,
                        struct sl_text *out)
{
    size_t layers = 0, room = LARGEST_MESSAGE_BYTES;
    while (wire->position < end) {
        struct sl_wire_field field;
        int result = sl_wire_field(wire, end, &field);
        const struct level *inside = NULL;
        for (size_t i = 0; i < 2 && result == 0; i++) {
            if (level->inside[i].number == field.number && field.type == SL_WIRE_LENGTH)
                inside = level->inside[i].level;
        }
        if (result == 0 && inside) {
            struct sl_text content SL_AUTO(sl_text_free) = {0};
            if (++layers > MOST_LAYERS)
                return sl_wire_error(wire, field.begin, "more than %d layers", MOST_LAYERS);
            result = copy_message(wire, field.end, inside, &content);
            if (result == 0)
                result = check_room(wire, out, content.length + 16);
            if (result == 0) {
                add_varint(out, (uint64_t)field.number << 3 | SL_WIRE_LENGTH);
                add_varint(out, content.length);
                sl_text_add_bytes(out, content.bytes ? content.bytes : "", content.length);
            }
        } else if (result == 0 && field.number != level->dropped) {
            result = copy_bytes(wire, field.tag_begin, field.end, &room, out);
        }
        if (result < 0)
            return result;
        wire->position = field.end;
    }
    return out->failed ? check_room(wire, out, 0) : 0;
}

int sl_caffemodel_structure(const char *path, struct Caffe__NetParameter **message,
                            struct sl_error *error)
{
    struct sl_wire wire SL_AUTO(sl_wire_close) = {0};
    struct sl_text stripped SL_AUTO(sl_text_free) = {0};
    int result = sl_wire_open(&wire, path, error);
    if (result == 0)
        result = sl_caffemodel_check_start(&wire);
    if (result == 0)
        result = copy_message(&wire, wire.size, &whole, &stripped);
    if (result < 0)
        return result;
    Caffe__NetParameter *network = caffe__net_parameter__unpack(
        NULL, stripped.length, (const uint8_t *)(stripped.bytes ? stripped.bytes : ""));
    if (!network)
        return sl_error_set(error, -EBADMSG,
                            "%s: its structure does not fit Caffe's messages (or memory ran out): "
                            "give the prototxt as well",
                            path);
    if (!network->n_layer && !network->n_layers) {
        sl_caffe_free(network);
        return sl_error_set(error, -EBADMSG, "%s: offset 0: no layer is in it", path);
    }
    result = sl_caffe_upgrade(network, error);
    if (result < 0) {
        sl_caffe_free(network);
        return sl_error_wrap(error, "%s", path);
    }
    *message = network;
    return 0;
}
