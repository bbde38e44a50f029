/* SPDX-License-Identifier: Apache-2.0
 * The one thing about an exchange that does not depend on who implements it: its query. */
#include "codec/exchange.h"

#include <limits.h>

enum { BAD = -1, END = -2 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return BAD;
}

/* The next byte of a name or value, decoded; BAD or END. */
static int next_byte(struct slice text, size_t *at)
{
    if (*at == text.len)
        return END;
    char c = text.data[(*at)++];
    if (c == '+')
        return ' ';
    if (c != '%')
        return (unsigned char)c;
    if (text.len - *at < 2)
        return BAD;
    int high = hex(text.data[*at]), low = hex(text.data[*at + 1]);
    *at += 2;
    return high < 0 || low < 0 ? BAD : high * 16 + low;
}

static bool name_is(struct slice text, const char *name)
{
    size_t at = 0;
    for (;; name++) {
        int byte = next_byte(text, &at);
        if (byte == END)
            return !*name;
        if (byte != (unsigned char)*name || !*name)
            return false;
    }
}

static int decode(struct slice text, char *room, size_t room_len)
{
    size_t at = 0, len = 0;
    for (int byte; (byte = next_byte(text, &at)) != END; room[len++] = (char)byte)
        if (byte == BAD || len == room_len)
            return -2;
    return len > INT_MAX ? -2 : (int)len;
}

/* The part of text before mark, all if there is none; *text becomes what follows the mark. */
static struct slice split(struct slice *text, char mark)
{
    const char *found = text->len ? memchr(text->data, mark, text->len) : NULL;
    struct slice part = *text;
    if (found)
        part.len = (size_t)(found - text->data);
    *text = slice_from(*text, part.len + (found ? 1 : 0));
    return part;
}

int exchange_query(const struct exchange *exchange, const char *name, char *room, size_t room_len)
{
    struct slice rest = exchange->query;
    while (rest.len) {
        struct slice value = split(&rest, '&');
        struct slice key = split(&value, '=');
        if (name_is(key, name))
            return decode(value, room, room_len);
    }
    return -1;
}
