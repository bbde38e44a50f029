/* SPDX-License-Identifier: Apache-2.0
 * A glob is pieces between stars. The first piece must begin the text, the last must end it, and
 * each between is taken where it first occurs in what is left: taking it later can only leave
 * less for the pieces after it, so there is nothing to go back to. memmem() is linear, and what it
 * has passed is not passed again.
 *
 * Not done: ? and [], which no model's name needs, and which bring back-tracking. */
#include "directory/glob.h"

static struct slice until_star(struct slice glob)
{
    const char *star = glob.len ? memchr(glob.data, '*', glob.len) : NULL;
    return star ? slice_part(glob, 0, (size_t)(star - glob.data)) : glob;
}

/* Drops what is before and the piece itself from *text, where the piece first occurs. */
static bool take_first(struct slice *text, struct slice piece)
{
    if (piece.len == 0)
        return true;
    const char *at = text->len ? memmem(text->data, text->len, piece.data, piece.len) : NULL;
    if (!at)
        return false;
    *text = slice_from(*text, (size_t)(at - text->data) + piece.len);
    return true;
}

bool glob_matches(struct slice glob, struct slice text)
{
    struct slice piece = until_star(glob);
    if (piece.len == glob.len)
        return slice_equal(glob, text);
    if (!slice_starts(text, piece))
        return false;
    text = slice_from(text, piece.len);
    glob = slice_from(glob, piece.len);
    while (glob.len) {
        glob = slice_from(glob, 1); /* the star */
        piece = until_star(glob);
        if (piece.len == glob.len) /* the last: it must stand at the end */
            return text.len >= piece.len &&
                   slice_equal(slice_from(text, text.len - piece.len), piece);
        if (!take_first(&text, piece))
            return false;
        glob = slice_from(glob, piece.len);
    }
    return true;
}
