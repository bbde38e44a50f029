/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/forwarded.h"

static bool is_trusted(const struct address *address, const struct forwarded_trust *trust)
{
    for (size_t i = 0; i < trust->len; i++)
        if (address_is_in(address, &trust->ranges[i]))
            return true;
    return false;
}

static struct slice trimmed(struct slice text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_from(text, 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Where the last piece of the text begins that stands behind a mark outside of quotes; 0: there is
 * no mark. */
static size_t last_piece(struct slice text, char mark)
{
    bool quoted = false;
    for (size_t i = text.len; i-- > 0;) {
        if (text.data[i] == '"')
            quoted = !quoted;
        else if (text.data[i] == mark && !quoted)
            return i + 1;
    }
    return 0;
}

/* Takes the last piece off the end. */
static struct slice take_last(struct slice *text, char mark)
{
    size_t from = last_piece(*text, mark);
    struct slice piece = trimmed(slice_from(*text, from));
    text->len = from ? from - 1 : 0;
    return piece;
}

static bool is_port(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.len >= 1 && text.len <= 5;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
static bool read_node(struct slice text, struct address *ret_address)
{
    const char *last = text.len ? memrchr(text.data, ':', text.len) : NULL;
    struct slice rest = {0};
    if (text.len && text.data[0] == '[') {
        const char *end = memchr(text.data, ']', text.len);
        if (!end)
            return false;
        rest = slice_from(text, (size_t)(end - text.data) + 1);
        text = slice_part(text, 1, (size_t)(end - text.data) - 1);
        if (!text.len || !memchr(text.data, ':', text.len)) /* brackets are IPv6's */
            return false;
    } else if (last && memchr(text.data, ':', text.len) == last) { /* one colon: IPv4's port */
        rest = slice_from(text, (size_t)(last - text.data));
        text.len = (size_t)(last - text.data);
    }
    if (rest.len && (rest.data[0] != ':' || !is_port(slice_from(rest, 1))))
        return false;
    return address_parse(text, ret_address) == 0;
}

static bool is_for(struct slice name)
{
    return name.len == 3 && (name.data[0] | 0x20) == 'f' && (name.data[1] | 0x20) == 'o' &&
           (name.data[2] | 0x20) == 'r';
}

/* The node of "for" among the pairs, which must be there once; without quotes. */
static bool find_for(struct slice entry, struct slice *ret_node)
{
    size_t found = 0;
    while (entry.len) {
        struct slice pair = take_last(&entry, ';');
        const char *equals = pair.len ? memchr(pair.data, '=', pair.len) : NULL;
        if (!equals || !is_for(slice_part(pair, 0, (size_t)(equals - pair.data))))
            continue;
        *ret_node = slice_from(pair, (size_t)(equals - pair.data) + 1);
        found++;
    }
    if (found != 1)
        return false;
    struct slice node = *ret_node;
    if (node.len >= 2 && node.data[0] == '"' && node.data[node.len - 1] == '"')
        *ret_node = slice_part(node, 1, node.len - 2);
    return true;
}

void forwarded_begin(struct forwarded *forwarded, const struct address *peer)
{
    *forwarded = (struct forwarded){.at = *peer};
}

void forwarded_line(struct forwarded *forwarded, enum forwarded_form form,
                    const struct forwarded_trust *trust, struct slice line)
{
    if (form == FORWARDED_PAIRS && line.len && memchr(line.data, '\\', line.len)) {
        forwarded->said = true;
        forwarded->at.is_known = false;
    }
    while (line.len && is_trusted(&forwarded->at, trust)) {
        struct slice node = take_last(&line, ',');
        if (!node.len)
            continue; /* an empty entry of a list is none */
        forwarded->said = true;
        if ((form == FORWARDED_PAIRS && !find_for(node, &node)) || !read_node(node, &forwarded->at))
            forwarded->at.is_known = false;
    }
}

struct address forwarded_client(const struct address *peer, const struct forwarded *list,
                                const struct forwarded *pairs)
{
    struct address nobody = *peer;
    nobody.is_known = false;
    const struct forwarded *one = list->said ? list : pairs;
    if (!one->said)
        return *peer;
    bool agree = !list->said || !pairs->said ||
                 (list->at.is_known && pairs->at.is_known &&
                  !memcmp(list->at.bytes, pairs->at.bytes, sizeof list->at.bytes));
    return agree && one->at.is_known ? one->at : nobody;
}
