/* SPDX-License-Identifier: Apache-2.0
 * The neutral form of a chat: what holds it, and what every format reads and writes alike.
 *
 * A request's parts and tools are arrays that grow by doubling, up to LIMIT_NEUTRAL_PARTS. An
 * answer's texts lie one behind the other in one buffer; a piece grows only while it is the last,
 * so each is one stretch of it:
 *
 *   texts   [id][name][arguments....][text......][text......][signature]
 *   pieces   CALL                     TEXT        THINKING
 *
 * Text stays the inside of a JSON string, so that pieces of one are pasted one behind the other
 * and are one again. */
#include "dialect/neutral.h"

#include "base/assert.h"
#include "dialect/json_put.h"

#include <stdlib.h>

/* What one request's joined texts lie in. */
struct neutral_made {
    struct neutral_made *next;
    char bytes[];
};

/* ---- Requests -------------------------------------------------------------------------------- */

void neutral_request_init(struct neutral_request *request)
{
    *request = (struct neutral_request){0};
}

void neutral_request_done(struct neutral_request *request)
{
    while (request->made) {
        struct neutral_made *made = request->made;
        request->made = made->next;
        free(made);
    }
    free(request->parts);
    free(request->tools);
    *request = (struct neutral_request){0};
}

/* Room for one more item; *items may move. */
static int grow(void **items, size_t len, size_t *room, size_t size)
{
    if (len < *room)
        return 0;
    if (len >= LIMIT_NEUTRAL_PARTS)
        return METE_E_TOO_LARGE;
    size_t more = *room ? 2 * *room : 8;
    void *moved = realloc(*items, more * size);
    if (!moved)
        return METE_E_MEMORY;
    *items = moved;
    *room = more;
    return 0;
}

int neutral_add_part(struct neutral_request *request, struct neutral_part **ret_part)
{
    void *items = request->parts;
    int rc = grow(&items, request->parts_len, &request->parts_room, sizeof *request->parts);
    if (rc)
        return rc;
    request->parts = items;
    *ret_part = &request->parts[request->parts_len++];
    **ret_part = (struct neutral_part){0};
    return 0;
}

int neutral_add_tool(struct neutral_request *request, struct neutral_tool **ret_tool)
{
    void *items = request->tools;
    int rc = grow(&items, request->tools_len, &request->tools_room, sizeof *request->tools);
    if (rc)
        return rc;
    request->tools = items;
    *ret_tool = &request->tools[request->tools_len++];
    **ret_tool = (struct neutral_tool){0};
    return 0;
}

size_t neutral_message_len(const struct neutral_request *request, size_t from)
{
    const struct neutral_part *parts = request->parts;
    size_t to = from + 1;
    while (parts[from].kind != NEUTRAL_RESULT && to < request->parts_len && !parts[to].begins &&
           parts[to].role == parts[from].role)
        to++;
    return to - from;
}

/* ---- Texts of several parts ------------------------------------------------------------------ */

/* The text of one part: a bare string, or the text of an object. JSON_NONE: it has none. */
static struct json text_of(struct json part)
{
    struct json text = part.type == JSON_OBJECT ? json_member(part, "text") : part;
    return text.type == JSON_STRING ? text : (struct json){0};
}

/* How many parts have a text, and the last of them; *ret_len is the room all take. */
static size_t measure(struct json parts, struct json *ret_last, size_t *ret_len)
{
    struct json part;
    size_t count = 0;
    *ret_len = 2;
    for (size_t at = 0; json_next(parts, &at, NULL, &part);) {
        struct json text = text_of(part);
        if (text.type == JSON_NONE)
            continue;
        count++;
        *ret_last = text;
        *ret_len += text.raw.len; /* its quotes make room for the line end */
    }
    return count;
}

int neutral_join_texts(struct neutral_request *request, struct json parts, struct slice *ret_text)
{
    struct json part, last = {0};
    size_t len, at = 0;
    size_t total = measure(parts, &last, &len), count = total;
    if (total < 2) {
        *ret_text = total ? last.raw : SLICE_LITERAL("\"\"");
        return 0;
    }
    struct neutral_made *made = malloc(sizeof *made + len);
    if (!made)
        return METE_E_MEMORY;
    made->next = request->made;
    request->made = made;
    made->bytes[at++] = '"';
    for (size_t from = 0; json_next(parts, &from, NULL, &part);) {
        struct json text = text_of(part);
        if (text.type == JSON_NONE)
            continue;
        if (count-- != total) {
            memcpy(made->bytes + at, "\\n", 2);
            at += 2;
        }
        memcpy(made->bytes + at, text.raw.data + 1, text.raw.len - 2);
        at += text.raw.len - 2;
    }
    made->bytes[at++] = '"';
    ASSERT(at <= len);
    *ret_text = (struct slice){made->bytes, at};
    return 0;
}

/* ---- Images ---------------------------------------------------------------------------------- */

static bool is_media_type(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    memchr("/.+-", c, 4) != NULL;
        if (!good)
            return false;
    }
    return text.len && memchr(text.data, '/', text.len);
}

/* Base64 may be written with "\/" for its slashes: nothing else of it needs an escape. */
static bool is_base64(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    memchr("+/=-_", c, 5) != NULL ||
                    (c == '\\' && i + 1 < text.len && text.data[i + 1] == '/');
        if (!good)
            return false;
    }
    return text.len > 0;
}

bool neutral_read_data_url(struct slice url, struct neutral_part *part)
{
    struct slice inside = url.len >= 2 ? slice_part(url, 1, url.len - 2) : (struct slice){0};
    if (!slice_starts(inside, SLICE_LITERAL("data:")))
        return false;
    inside = slice_from(inside, 5);
    const char *comma = inside.len ? memchr(inside.data, ',', inside.len) : NULL;
    struct slice mark = SLICE_LITERAL(";base64");
    if (!comma || (size_t)(comma - inside.data) < mark.len)
        return false;
    size_t head = (size_t)(comma - inside.data);
    struct slice type = slice_part(inside, 0, head - mark.len);
    if (!slice_equal(slice_part(inside, head - mark.len, mark.len), mark) || !is_media_type(type))
        return false;
    struct slice data = slice_from(inside, head + 1);
    if (!is_base64(data))
        return false;
    part->media_type = type;
    part->data = data;
    return true;
}

bool neutral_read_source(struct json media_type, struct json data, struct neutral_part *part)
{
    if (media_type.type != JSON_STRING || data.type != JSON_STRING)
        return false;
    struct slice type = slice_part(media_type.raw, 1, media_type.raw.len - 2);
    struct slice bytes = slice_part(data.raw, 1, data.raw.len - 2);
    if (!is_media_type(type) || !is_base64(bytes))
        return false;
    part->media_type = type;
    part->data = bytes;
    return true;
}

/* ---- Answers --------------------------------------------------------------------------------- */

void neutral_answer_init(struct neutral_answer *answer, size_t text_max)
{
    *answer = (struct neutral_answer){0};
    buffer_init(&answer->texts, text_max);
}

void neutral_answer_done(struct neutral_answer *answer)
{
    buffer_done(&answer->texts);
    free(answer->pieces);
    *answer = (struct neutral_answer){0};
}

struct slice neutral_answer_text(const struct neutral_answer *answer, size_t at, size_t len)
{
    ASSERT(at <= answer->texts.len && len <= answer->texts.len - at);
    return len ? slice_part(buffer_slice(&answer->texts), at, len) : (struct slice){0};
}

static struct neutral_piece *last_piece(struct neutral_answer *answer, enum neutral_kind kind)
{
    struct neutral_piece *last =
        answer->pieces_len ? &answer->pieces[answer->pieces_len - 1] : NULL;
    return last && last->kind == kind && !last->signature_len ? last : NULL;
}

static int new_piece(struct neutral_answer *answer, enum neutral_kind kind,
                     struct neutral_piece **ret_piece)
{
    void *items = answer->pieces;
    int rc = grow(&items, answer->pieces_len, &answer->pieces_room, sizeof *answer->pieces);
    if (rc)
        return rc;
    answer->pieces = items;
    *ret_piece = &answer->pieces[answer->pieces_len++];
    **ret_piece = (struct neutral_piece){.kind = kind, .text = answer->texts.len};
    return 0;
}

static int keep(struct neutral_answer *answer, struct slice bytes, size_t *ret_at, size_t *ret_len)
{
    size_t at = answer->texts.len;
    int rc = buffer_append(&answer->texts, bytes);
    if (rc)
        return rc;
    *ret_at = at;
    *ret_len = bytes.len;
    return 0;
}

static int add_text(struct neutral_answer *answer, enum neutral_kind kind,
                    const struct neutral_delta *delta)
{
    struct neutral_piece *piece = last_piece(answer, kind);
    int rc = piece ? 0 : new_piece(answer, kind, &piece);
    if (!rc && delta->text.len > 2) {
        rc = buffer_append(&answer->texts, slice_part(delta->text, 1, delta->text.len - 2));
        piece->text_len = answer->texts.len - piece->text;
    }
    if (!rc && kind == NEUTRAL_THINKING && delta->signature.len > 2)
        rc = keep(answer, delta->signature, &piece->signature, &piece->signature_len);
    return rc;
}

static int open_call(struct neutral_answer *answer, const struct neutral_delta *delta)
{
    struct neutral_piece *piece;
    int rc = new_piece(answer, NEUTRAL_CALL, &piece);
    if (rc)
        return rc;
    rc = keep(answer, delta->id, &piece->id, &piece->id_len);
    if (!rc)
        rc = keep(answer, delta->name, &piece->name, &piece->name_len);
    /* The signature comes before the arguments: they are what grows. */
    if (!rc && delta->signature.len > 2)
        rc = keep(answer, delta->signature, &piece->signature, &piece->signature_len);
    piece->text = answer->texts.len;
    return rc;
}

static int unquote(struct buffer *out, struct slice string)
{
    char *room;
    struct json text = {JSON_STRING, string};
    size_t len = json_string_bytes(text);
    int rc = buffer_reserve(out, len + 1, &room);
    if (rc)
        return rc;
    long written = json_string_copy(text, room, len);
    ASSERT(written >= 0 && (size_t)written <= len);
    buffer_advance(out, (size_t)written);
    return 0;
}

static int add_argument(struct neutral_answer *answer, struct neutral_json input)
{
    struct neutral_piece *last =
        answer->pieces_len ? &answer->pieces[answer->pieces_len - 1] : NULL;
    if (!last || last->kind != NEUTRAL_CALL)
        return METE_E_SYNTAX;
    int rc = input.quoted ? unquote(&answer->texts, input.raw)
                          : buffer_append(&answer->texts, input.raw);
    last->text_len = answer->texts.len - last->text;
    return rc;
}

int neutral_answer_add(struct neutral_answer *answer, const struct neutral_delta *delta)
{
    neutral_note_finish(&answer->stream, delta);
    if (!answer->stream.begun && delta->what == NEUTRAL_BEGIN) {
        neutral_copy(delta->id, answer->stream.id);
        neutral_copy(delta->model, answer->stream.model);
    }
    answer->stream.begun = true;
    switch (delta->what) {
    case NEUTRAL_BEGIN:
        return 0;
    case NEUTRAL_SAY:
        return add_text(answer, NEUTRAL_TEXT, delta);
    case NEUTRAL_THINK:
        return add_text(answer, NEUTRAL_THINKING, delta);
    case NEUTRAL_OPEN:
        return open_call(answer, delta);
    case NEUTRAL_ARGUE:
        return add_argument(answer, delta->input);
    case NEUTRAL_FINISH:
        return 0;
    }
    return METE_E_SYNTAX;
}

/* ---- Helpers --------------------------------------------------------------------------------- */

void neutral_copy(struct slice string, char room[LIMIT_ID + 1])
{
    long len =
        string.len ? json_string_copy((struct json){JSON_STRING, string}, room, LIMIT_ID) : 0;
    room[len < 0 ? 0 : len] = 0;
}

/* Between the tokens of JSON a line end may stand; in a line of a stream it may not. */
static void without_line_ends(char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n' || bytes[i] == '\r')
            bytes[i] = ' ';
}

int neutral_write_object(struct buffer *out, struct neutral_json json)
{
    size_t before = out->len;
    struct json value;
    if (!json.raw.len || (json.quoted && json.raw.len == 2))
        return buffer_text(out, "{}");
    int rc = json.quoted ? unquote(out, json.raw) : buffer_append(out, json.raw);
    if (rc)
        return rc;
    struct slice written = slice_from(buffer_slice(out), before);
    if (json_scan(written, &value, NULL) || value.type != JSON_OBJECT) {
        out->len = before;
        return METE_E_SYNTAX;
    }
    without_line_ends(out->data + before, out->len - before);
    return 0;
}

int neutral_write_quoted(struct buffer *out, struct neutral_json json)
{
    if (!json.raw.len || (json.quoted && json.raw.len == 2))
        return buffer_text(out, "\"{}\"");
    return json.quoted ? buffer_append(out, json.raw) : json_quote(out, json.raw);
}

int neutral_write_piece(struct buffer *out, struct neutral_json json)
{
    if (!json.raw.len)
        return buffer_text(out, "\"\"");
    return json.quoted ? buffer_append(out, json.raw) : json_quote(out, json.raw);
}

int neutral_write_member(struct buffer *out, const char *name, struct slice raw)
{
    struct json_put put = {out, 0};
    if (!raw.len)
        return 0;
    json_put_text(&put, ",\"");
    json_put_text(&put, name);
    json_put_text(&put, "\":");
    json_put_raw(&put, raw);
    return put.rc;
}
