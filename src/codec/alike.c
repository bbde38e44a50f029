/* SPDX-License-Identifier: Apache-2.0
 * The learned text is compared from spot to spot with memcmp(), and what stands at a spot is passed
 * by the scanner that passes untrusted JSON. A value ends by itself (a string) or because what
 * follows it is compared, and no number goes on with what may follow one.
 *
 * Considered and not done: texts found alike by comparing them, without being told the spots: only
 * who read the text knows which values change nothing but what is counted. */
#include "codec/alike.h"

#include "base/assert.h"
#include "codec/json_scan.h"

#include <stdlib.h>

enum { ROOM_STEP = 64 };

void alike_done(struct alike *alike)
{
    free(alike->text);
    *alike = (struct alike){0};
}

void alike_forget(struct alike *alike)
{
    alike->spots = 0;
}

static bool make_room(struct alike *alike, size_t len)
{
    if (len <= alike->room)
        return true;
    size_t room = (len + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
    char *text = realloc(alike->text, room);
    if (!text)
        return false;
    alike->text = text;
    alike->room = (uint16_t)room;
    return true;
}

void alike_learn(struct alike *alike, struct slice text, const struct slice *spots, size_t len)
{
    size_t from = 0;
    alike->spots = 0;
    if (!len || len > ALIKE_SPOTS || text.len > ALIKE_MAX || !make_room(alike, text.len))
        return;
    for (size_t i = 0; i < len; i++) {
        if (spots[i].data < text.data + from ||
            spots[i].data + spots[i].len >= text.data + text.len)
            return;
        alike->spot[i].at = (uint16_t)(spots[i].data - text.data);
        alike->spot[i].len = (uint16_t)spots[i].len;
        from = (size_t)alike->spot[i].at + spots[i].len;
    }
    memcpy(alike->text, text.data, text.len);
    alike->len = (uint16_t)text.len;
    alike->spots = (uint16_t)len;
}

static size_t spaces(struct slice bytes)
{
    size_t len = 0;
    while (len < bytes.len && bytes.data[len] == ' ')
        len++;
    return len;
}

/* *ret_value: what stands at the beginning of bytes, if it is of the kind that was learned. */
static bool take_value(struct slice learned, struct slice bytes, struct slice *ret_value)
{
    size_t len;
    if (!learned.len || learned.data[0] == ' ') {
        len = spaces(bytes);
    } else {
        bool string = learned.data[0] == '"';
        if (!bytes.len || (bytes.data[0] == '"') != string)
            return false;
        len = json_scalar_len(bytes);
        if (!len)
            return false;
    }
    *ret_value = slice_part(bytes, 0, len);
    return true;
}

size_t alike_match(const struct alike *alike, struct slice bytes,
                   struct slice ret_values[ALIKE_SPOTS])
{
    size_t at = 0, learned = 0;
    if (!alike->spots)
        return 0;
    for (size_t i = 0; i < alike->spots; i++) {
        size_t same = alike->spot[i].at - learned, len = alike->spot[i].len;
        if (bytes.len - at < same || memcmp(bytes.data + at, alike->text + learned, same) != 0)
            return 0;
        at += same;
        learned += same;
        if (!take_value((struct slice){alike->text + learned, len}, slice_from(bytes, at),
                        &ret_values[i]))
            return 0;
        at += ret_values[i].len;
        learned += len;
    }
    size_t same = alike->len - learned;
    if (bytes.len - at < same || memcmp(bytes.data + at, alike->text + learned, same) != 0)
        return 0;
    return at + same;
}
