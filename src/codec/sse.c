/* SPDX-License-Identifier: Apache-2.0
 * Splits first, reads later. Splitting only looks for the blank line, and keeps one of three
 * states between pieces, so no byte is looked at twice however small the pieces are:
 *
 *   START --byte--> INSIDE --LF--> START          START --LF, CR, CRLF--> the event is complete
 *                   INSIDE --CR--> CR --LF--> START,  CR --other--> as in START
 *
 * A complete event is then read where it lies: in the caller's bytes, or in pending if it began in
 * an earlier piece. A BOM counts as a byte of the first line, which is right unless that line is
 * otherwise blank; then it merely does not end an event, and there was nothing in it.
 *
 * Not done: id: and retry:, which speak to browsers that reconnect. */
#include "codec/sse.h"

#include "base/assert.h"
#include "mete.h"

void sse_init(struct sse *sse, size_t event_max)
{
    *sse = (struct sse){.line = SSE_LINE_START};
    buffer_init(&sse->pending, event_max);
    buffer_init(&sse->joined, event_max); /* "data:" is longer than the LF that joins */
}

void sse_done(struct sse *sse)
{
    buffer_done(&sse->pending);
    buffer_done(&sse->joined);
}

struct slice sse_rest(const struct sse *sse)
{
    return buffer_slice(&sse->pending);
}

/* Finds line ends. Both kinds are searched ahead and remembered, or a stream with one kind alone
 * would be searched to its end for the other at every line. */
struct lines {
    const char *at, *end, *lf, *cr;
};

static const char *find(const char *at, const char *end, char wanted)
{
    const char *found = at < end ? memchr(at, wanted, (size_t)(end - at)) : NULL;
    return found ? found : end;
}

static struct lines lines_of(struct slice text)
{
    const char *end = text.data + text.len;
    return (struct lines){text.data, end, find(text.data, end, '\n'), find(text.data, end, '\r')};
}

/* The first CR or LF at or after at; end if there is none. */
static const char *line_end(struct lines *lines)
{
    if (lines->lf < lines->at)
        lines->lf = find(lines->at, lines->end, '\n');
    if (lines->cr < lines->at)
        lines->cr = find(lines->at, lines->end, '\r');
    return lines->lf < lines->cr ? lines->lf : lines->cr;
}

/* Behind the CR, LF or CRLF at at < end. */
static const char *line_past(const char *at, const char *end)
{
    return at + (end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? 2 : 1);
}

/* Moves lines->at behind the blank line that ends the event, and says whether there is one. */
static bool pass_event(struct lines *lines, enum sse_line *line)
{
    if (*line == SSE_LINE_CR && lines->at < lines->end) {
        lines->at += *lines->at == '\n';
        *line = SSE_LINE_START;
    }
    while (lines->at < lines->end) {
        const char *stop = line_end(lines);
        bool blank = *line == SSE_LINE_START && stop == lines->at;
        if (stop == lines->end) {
            lines->at = stop;
            *line = SSE_LINE_INSIDE;
            return false;
        }
        lines->at = line_past(stop, lines->end);
        *line = lines->at == lines->end && lines->at[-1] == '\r' ? SSE_LINE_CR : SSE_LINE_START;
        if (blank) {
            *line = SSE_LINE_START;
            return true;
        }
    }
    return false;
}

/* The value of line if it is of that field, one space after the colon taken off. */
static bool field_is(struct slice line, struct slice name, struct slice *ret_value)
{
    if (!slice_starts(line, name))
        return false;
    struct slice value = slice_from(line, name.len);
    if (value.len && value.data[0] != ':')
        return false;
    size_t skip = value.len >= 2 && value.data[1] == ' ' ? 2 : value.len ? 1 : 0;
    *ret_value = slice_from(value, skip);
    return true;
}

static int add_data(struct sse *sse, struct frame *event, struct slice value)
{
    if (!event->has_data) {
        event->has_data = true;
        event->data = value;
        return 0;
    }
    int rc = 0;
    if (event->data.data != sse->joined.data || !sse->joined.len) {
        buffer_clear(&sse->joined);
        rc = buffer_append(&sse->joined, event->data);
    }
    if (!rc)
        rc = buffer_append(&sse->joined, SLICE_LITERAL("\n"));
    if (!rc)
        rc = buffer_append(&sse->joined, value);
    event->data = buffer_slice(&sse->joined);
    return rc;
}

static int read_event(struct sse *sse, struct slice raw, struct frame *event)
{
    static const struct slice bom = {"\xef\xbb\xbf", 3};
    *event = (struct frame){.raw = raw};
    struct slice text = !sse->begun && slice_starts(raw, bom) ? slice_from(raw, bom.len) : raw;
    sse->begun = true;
    struct lines lines = lines_of(text);
    while (lines.at < lines.end) {
        const char *stop = line_end(&lines);
        struct slice line = {lines.at, (size_t)(stop - lines.at)}, value;
        int rc = 0;
        if (field_is(line, SLICE_LITERAL("data"), &value))
            rc = add_data(sse, event, value);
        else if (field_is(line, SLICE_LITERAL("event"), &value))
            event->name = value;
        if (rc)
            return rc;
        lines.at = stop < lines.end ? line_past(stop, lines.end) : lines.end;
    }
    return 0;
}

static int pass_on(struct sse *sse, struct slice raw, int (*fn)(void *user, const struct frame *),
                   void *user)
{
    struct frame event;
    if (raw.len > sse->pending.max)
        return METE_E_TOO_LARGE;
    int rc = read_event(sse, raw, &event);
    return rc ? rc : fn(user, &event);
}

static int drop(struct sse *sse, int rc)
{
    buffer_relax(&sse->pending, SSE_IDLE_ROOM);
    sse->line = SSE_LINE_START;
    return rc;
}

/* Moves lines->at behind the events that are known. */
static int pass_known(struct sse *sse, struct lines *lines, void *user)
{
    size_t len = 1;
    int rc = 0;
    if (!sse->known || sse->pending.len || !sse->begun || sse->line != SSE_LINE_START)
        return 0;
    while (!rc && len && lines->at < lines->end) {
        struct slice rest = {lines->at, (size_t)(lines->end - lines->at)};
        len = 0;
        rc = sse->known(user, rest, &len);
        ASSERT(len <= rest.len && len <= sse->pending.max);
        lines->at += len;
    }
    return rc;
}

int sse_feed(struct sse *sse, struct slice bytes, int (*fn)(void *user, const struct frame *),
             void *user)
{
    if (!bytes.len)
        return 0;
    struct lines lines = lines_of(bytes);
    int rc = pass_known(sse, &lines, user);
    const char *from;
    for (from = lines.at; !rc && pass_event(&lines, &sse->line); from = lines.at) {
        struct slice raw = {from, (size_t)(lines.at - from)};
        if (sse->pending.len) {
            rc = buffer_append(&sse->pending, raw);
            raw = buffer_slice(&sse->pending);
        }
        if (!rc)
            rc = pass_on(sse, raw, fn, user);
        buffer_relax(&sse->pending, SSE_IDLE_ROOM);
        if (!rc)
            rc = pass_known(sse, &lines, user);
    }
    if (rc)
        return drop(sse, rc);
    ASSERT(lines.at == lines.end);
    rc = buffer_append(&sse->pending, (struct slice){from, (size_t)(lines.end - from)});
    return rc ? drop(sse, rc) : 0;
}
