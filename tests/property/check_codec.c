/* SPDX-License-Identifier: Apache-2.0
 * The other opinion on JSON is jansson's (check_peer.c says where it differs), walked beside our
 * values. The other opinion on event streams is the standard's algorithm taken literally, a byte
 * at a time. */
#include "property/check_codec.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "codec/json_scan.h"
#include "codec/sse.h"
#include "mete.h"
#include "property/check_peer.h"

#include <ctype.h>
#include <stdio.h>

/* Memory of exactly that size, so that a sanitizer sees what is read or written beyond it. */
static char *exact(struct slice bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    ASSERT(copy);
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    return copy;
}

/* ---- JSON ---- */

struct level {
    struct json container;
    const struct peer *peer;
    size_t at, index;
};

struct walk {
    struct slice text;
    struct level levels[JSON_DEPTH_MAX];
    size_t depth;
};

static bool within(struct slice part, struct slice whole)
{
    return part.data >= whole.data && part.len <= whole.len &&
           part.data + part.len <= whole.data + whole.len;
}

/* The text is in room, which has json_string_bytes() + 1 bytes, and a NUL follows it. */
static int unescape(struct json string, char *room, size_t len)
{
    HOLDS(len <= string.raw.len - 2 || memchr(string.raw.data, '\\', string.raw.len));
    if (len)
        HOLDS(json_string_copy(string, room, len - 1) == -1);
    HOLDS(json_string_copy(string, room, len) == (long)len);
    bool has_nul = memchr(room, '\0', len) != NULL;
    room[len] = '\0';
    HOLDS(json_string_is(string, room) == !has_nul);
    return 0;
}

static int check_string(struct json string, const struct peer *peer)
{
    HOLDS(string.raw.len >= 2 && string.raw.data[0] == '"');
    size_t len = json_string_bytes(string);
    char *room = malloc(len + 1);
    ASSERT(room);
    int rc = unescape(string, room, len);
    if (!rc && peer && !slice_equal((struct slice){room, len}, peer_string(peer))) {
        fprintf(stderr, "a string is not jansson's\n");
        rc = 1;
    }
    free(room);
    return rc;
}

static int check_number(struct json number, const struct peer *peer)
{
    int64_t value = 0;
    int rc = json_integer(number, &value);
    HOLDS(rc == 0 || rc == METE_E_INVALID || rc == METE_E_TOO_LARGE);
    if (peer && peer_kind(peer) == 'i' && number.raw.len <= 64)
        HOLDS(rc == 0 && value == peer_integer(peer));
    return 0;
}

static int check_value(struct walk *walk, struct json value, const struct peer *peer)
{
    static const char kinds[] = "?oasrtfn"; /* in the order of enum json_type */
    HOLDS(value.type > JSON_NONE && value.type <= JSON_NULL && within(value.raw, walk->text));
    char kind = peer ? peer_kind(peer) : kinds[value.type];
    HOLDS((kind == 'i' ? 'r' : kind) == kinds[value.type]);
    struct json again;
    HOLDS(json_scan(value.raw, &again, NULL) == 0);
    HOLDS(again.type == value.type && slice_equal(again.raw, value.raw));
    if (value.type == JSON_STRING)
        return check_string(value, peer);
    if (value.type == JSON_NUMBER)
        return check_number(value, peer);
    if (value.type == JSON_OBJECT || value.type == JSON_ARRAY) {
        HOLDS(walk->depth < JSON_DEPTH_MAX);
        walk->levels[walk->depth++] = (struct level){.container = value, .peer = peer};
    }
    return 0;
}

/* jansson's member of that key, NULL if this is not the last of its name: it kept that one. */
static int find_peer(const struct level *level, struct json key, struct json value,
                     const struct peer **ret_peer)
{
    size_t len = json_string_bytes(key);
    char *name = malloc(len + 1);
    ASSERT(name);
    int rc = unescape(key, name, len);
    if (!rc && strlen(name) == len) {
        struct json last = json_member(level->container, name);
        bool is_last = last.raw.data == value.raw.data;
        if (level->peer && is_last)
            *ret_peer = peer_member(level->peer, (struct slice){name, len});
        bool found = last.type != JSON_NONE && json_count(level->container, name) > 0;
        rc = !found || (level->peer && is_last && !*ret_peer);
        if (rc)
            fprintf(stderr, "member \"%s\" is not found\n", name);
    }
    free(name);
    return rc;
}

static int check_next(struct walk *walk, struct level *level)
{
    struct json key, value;
    bool array = level->container.type == JSON_ARRAY;
    if (!json_next(level->container, &level->at, &key, &value)) {
        HOLDS(!json_next(level->container, &level->at, &key, &value));
        HOLDS(!level->peer || !array || level->index == peer_len(level->peer));
        walk->depth--;
        return 0;
    }
    const struct peer *peer = NULL;
    if (array) {
        HOLDS(key.type == JSON_NONE);
        if (level->peer)
            HOLDS((peer = peer_element(level->peer, level->index)) != NULL);
    } else {
        HOLDS(key.type == JSON_STRING && within(key.raw, walk->text));
        if (find_peer(level, key, value, &peer))
            return 1;
    }
    level->index++;
    return check_value(walk, value, peer);
}

static int check_walk(struct slice text, struct json root, const struct peer *peer)
{
    struct walk walk = {.text = text};
    int rc = check_value(&walk, root, peer);
    while (!rc && walk.depth)
        rc = check_next(&walk, &walk.levels[walk.depth - 1]);
    return rc;
}

/* jansson overlooks a NUL that ends a number or a word: it is lost when that token gives back the
 * byte it read too far. */
static bool overlooked(struct slice text, size_t at)
{
    return at > 0 && at < text.len && text.data[at] == '\0' &&
           isalnum((unsigned char)text.data[at - 1]);
}

static int compare(struct slice text)
{
    struct json root = {JSON_NONE, {0}};
    size_t at = text.len + 1;
    int rc = json_scan(text, &root, &at);
    struct peer *peer;
    enum peer_opinion opinion = peer_parse(text, &peer);
    int fault = 0;
    if (rc == 0)
        fault = opinion == PEER_REFUSES || check_walk(text, root, peer);
    else if (rc == METE_E_TOO_LARGE)
        fault = at >= text.len || (text.data[at] != '[' && text.data[at] != '{');
    else
        fault = rc != METE_E_SYNTAX || at > text.len || root.type != JSON_NONE ||
                (opinion == PEER_ACCEPTS && !overlooked(text, at));
    if (fault)
        fprintf(stderr, "json_scan %d at %zu, jansson %d: %.*s\n", rc, at, (int)opinion,
                (int)text.len, text.data);
    peer_free(peer);
    return fault;
}

/* What stands before the byte said to be wrong must be able to begin a right text: by itself it is
 * right, or wrong at its end. */
static int check_fault(struct slice text)
{
    struct json root;
    size_t at = 0, again = 0;
    if (json_scan(text, &root, &at) != METE_E_SYNTAX || at == text.len)
        return 0;
    char *start = exact((struct slice){text.data, at});
    int rc = json_scan((struct slice){start, at}, &root, &again);
    free(start);
    HOLDS(rc == 0 || again == at);
    return 0;
}

int check_json(struct slice text)
{
    struct slice copy = {exact(text), text.len};
    int rc = compare(copy) || check_fault(copy);
    free((void *)(uintptr_t)copy.data);
    return rc;
}

int check_quote(struct slice text)
{
    struct buffer out;
    struct json string;
    char *input = exact(text);
    buffer_init(&out, text.len * 6 + 2);
    int rc = json_quote(&out, (struct slice){input, text.len});
    free(input);
    int fault = rc || json_scan(buffer_slice(&out), &string, NULL) || string.type != JSON_STRING;
    if (!fault && peer_is_utf8(text)) {
        size_t len = json_string_bytes(string);
        char *room = malloc(len + 1);
        ASSERT(room);
        fault = unescape(string, room, len) || !slice_equal((struct slice){room, len}, text);
        free(room);
    }
    buffer_done(&out);
    HOLDS(!fault);
    return 0;
}

/* ---- Event streams ---- */

struct heard {
    struct buffer events; /* of events with data: lengths, name, data */
    struct buffer bytes;  /* all raw */
};

static void heard_init(struct heard *heard)
{
    buffer_init(&heard->events, SIZE_MAX / 2);
    buffer_init(&heard->bytes, SIZE_MAX / 2);
}

static void heard_done(struct heard *heard)
{
    buffer_done(&heard->events);
    buffer_done(&heard->bytes);
}

static void write_event(struct buffer *out, struct slice name, struct slice data)
{
    int rc = buffer_format(out, "%zu,%zu:", name.len, data.len);
    ASSERT(rc == 0);
    rc = buffer_append(out, name);
    ASSERT(rc == 0);
    rc = buffer_append(out, data);
    ASSERT(rc == 0);
}

static int hear(void *user, const struct frame *event)
{
    struct heard *heard = user;
    ASSERT(event->has_data || event->data.len == 0);
    if (event->has_data)
        write_event(&heard->events, event->name, event->data);
    int rc = buffer_append(&heard->bytes, event->raw);
    ASSERT(rc == 0);
    return 0;
}

/* Pieces as the tape cuts them; NULL: one piece. */
static int feed(struct slice stream, size_t event_max, struct tape *cuts, struct heard *heard)
{
    struct sse sse;
    sse_init(&sse, event_max);
    int rc = 0;
    for (size_t at = 0, len; !rc && at < stream.len; at += len) {
        len = cuts ? (size_t)tape_u64(cuts, 40) : stream.len;
        if (len > stream.len - at || (cuts && tape_done(cuts)))
            len = stream.len - at;
        char *piece = exact(slice_part(stream, at, len));
        rc = sse_feed(&sse, (struct slice){piece, len}, hear, heard);
        free(piece);
        ASSERT(sse.pending.room <= event_max && sse.joined.room <= event_max);
    }
    int append = buffer_append(&heard->bytes, sse_rest(&sse));
    ASSERT(append == 0);
    sse_done(&sse);
    return rc;
}

struct naive {
    struct buffer line, data, *out;
    struct buffer name;
    bool has_data;
};

static void naive_line(struct naive *n)
{
    struct slice line = buffer_slice(&n->line);
    const char *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
    struct slice field = {line.data, colon ? (size_t)(colon - line.data) : line.len};
    struct slice value = slice_from(line, field.len + (colon ? 1 : 0));
    if (value.len && value.data[0] == ' ')
        value = slice_from(value, 1);
    int rc = 0;
    if (!line.len) {
        if (n->has_data)
            write_event(n->out, buffer_slice(&n->name), buffer_slice(&n->data));
        buffer_clear(&n->name);
        buffer_clear(&n->data);
        n->has_data = false;
    } else if (slice_is(field, "data")) {
        rc = n->has_data ? buffer_text(&n->data, "\n") : 0;
        n->has_data = true;
        ASSERT(rc == 0);
        rc = buffer_append(&n->data, value);
    } else if (slice_is(field, "event")) {
        buffer_clear(&n->name);
        rc = buffer_append(&n->name, value);
    }
    ASSERT(rc == 0);
    buffer_clear(&n->line);
}

static void naive_read(struct slice stream, struct buffer *out)
{
    struct naive n = {.out = out};
    buffer_init(&n.line, SIZE_MAX / 2);
    buffer_init(&n.data, SIZE_MAX / 2);
    buffer_init(&n.name, SIZE_MAX / 2);
    size_t at = slice_starts(stream, SLICE_LITERAL("\xef\xbb\xbf")) ? 3 : 0;
    for (; at < stream.len; at++) {
        char c = stream.data[at];
        if (c != '\n' && c != '\r') {
            int rc = buffer_append(&n.line, (struct slice){&c, 1});
            ASSERT(rc == 0);
            continue;
        }
        if (c == '\r' && at + 1 < stream.len && stream.data[at + 1] == '\n')
            at++;
        naive_line(&n);
    }
    buffer_done(&n.line);
    buffer_done(&n.data);
    buffer_done(&n.name);
}

static int check_whole(struct slice stream, struct heard *whole)
{
    struct buffer naive;
    buffer_init(&naive, SIZE_MAX / 2);
    naive_read(stream, &naive);
    bool same = slice_equal(buffer_slice(&naive), buffer_slice(&whole->events));
    buffer_done(&naive);
    HOLDS(same);
    return 0;
}

static int check_pieces(struct slice stream, size_t event_max, struct tape *cuts)
{
    struct heard whole, pieces;
    heard_init(&whole);
    heard_init(&pieces);
    int whole_rc = feed(stream, event_max, NULL, &whole);
    int pieces_rc = feed(stream, event_max, cuts, &pieces);
    int fault = whole_rc != 0 && whole_rc != METE_E_TOO_LARGE;
    /* One LF of a CRLF that was cut may come as an event of its own: next to the maximum that is
     * the difference. */
    bool comparable = !whole_rc || !memchr(stream.data, '\r', stream.len);
    if (comparable && whole_rc != pieces_rc)
        fault = 1;
    if (comparable && !slice_equal(buffer_slice(&whole.events), buffer_slice(&pieces.events)))
        fault = 1;
    if (!whole_rc)
        fault = fault || !slice_equal(buffer_slice(&whole.bytes), stream) ||
                !slice_equal(buffer_slice(&pieces.bytes), stream) || check_whole(stream, &whole);
    heard_done(&whole);
    heard_done(&pieces);
    HOLDS(!fault);
    return 0;
}

int check_sse(struct slice stream, size_t event_max, struct tape *cuts)
{
    ASSERT(event_max > 0);
    if (!stream.len)
        return 0;
    struct tape again = *cuts;
    return check_pieces(stream, SIZE_MAX / 2, cuts) || check_pieces(stream, event_max, &again);
}
