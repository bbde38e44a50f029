/* SPDX-License-Identifier: Apache-2.0
 * Heads are looked for first (http1_head_len), and read once when they are whole: line by line,
 * each byte twice at most. A chunked body is read byte by byte only in its size lines and trailers:
 *
 *   SIZE --CR LF--> CONTENT --all of it--> CONTENT_END --CR LF--> SIZE
 *           \--0 CR LF--> TRAILERS --empty line--> WHOLE
 *
 * Considered and not done: repairing what is malformed as browsers do. A proxy that repairs sends
 * on another message than the one that was checked. */
#include "codec/http1.h"

#include "base/assert.h"
#include "mete.h"

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* RFC 9110 5.6.2: letters, digits and !#$%&'*+-.^_`|~, a bit each. */
static bool is_token(unsigned char byte)
{
    static const uint32_t tokens[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    return tokens[byte >> 5] >> (byte & 31) & 1;
}

/* RFC 9110 5.5: what is visible, blanks, and bytes over 127. */
static bool is_value(unsigned char byte)
{
    return byte == '\t' || (byte >= ' ' && byte != 127);
}

static bool is_target(unsigned char byte)
{
    return byte > ' ' && byte != 127;
}

/* How many bytes from the front are of the class. */
static inline size_t run(struct slice text, bool (*is)(unsigned char byte))
{
    size_t len = 0;
    while (len < text.len && is((unsigned char)text.data[len]))
        len++;
    return len;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

static bool same_word(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

static struct slice trimmed(struct slice text)
{
    while (text.len && is_blank(text.data[0]))
        text = slice_from(text, 1);
    while (text.len && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

bool http1_has_word(struct slice value, struct slice word)
{
    while (value.len) {
        const char *comma = memchr(value.data, ',', value.len);
        size_t len = comma ? (size_t)(comma - value.data) : value.len;
        if (same_word(trimmed(slice_part(value, 0, len)), word))
            return true;
        value = slice_from(value, comma ? len + 1 : len);
    }
    return false;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

/* Whether the line that the LF at this place ends has nothing in it. */
static bool line_is_empty(struct slice bytes, size_t lf)
{
    size_t before = lf && bytes.data[lf - 1] == '\r' ? lf - 1 : lf;
    return before == 0 || bytes.data[before - 1] == '\n';
}

size_t http1_head_len(struct slice bytes, size_t *seen)
{
    size_t at = 0;
    ASSERT(*seen <= bytes.len);
    while (at < bytes.len && (bytes.data[at] == '\r' || bytes.data[at] == '\n'))
        at++; /* empty lines before a message do not end it */
    for (at = at > *seen ? at : *seen; at < bytes.len; at++) {
        const char *lf = memchr(bytes.data + at, '\n', bytes.len - at);
        if (!lf)
            break;
        at = (size_t)(lf - bytes.data);
        if (line_is_empty(bytes, at)) {
            *seen = at + 1;
            return at + 1;
        }
    }
    *seen = bytes.len;
    return 0;
}

struct reader {
    struct slice head;
    size_t at;
    bool strict; /* lines end with CR LF */
    struct http1_head *to;
    bool has_length, has_coding, is_chunked, says_close, says_keep;
    unsigned hosts;
};

/* The next line, without its end. */
static int next_line(struct reader *reader, struct slice *ret_line)
{
    struct slice rest = slice_from(reader->head, reader->at);
    const char *lf = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
    if (!lf)
        return METE_E_SYNTAX;
    size_t len = (size_t)(lf - rest.data);
    reader->at += len + 1;
    if (len && lf[-1] == '\r')
        len--;
    else if (reader->strict)
        return METE_E_SYNTAX;
    *ret_line = slice_part(rest, 0, len);
    return 0;
}

/* The first line that has something in it. */
static int first_line(struct reader *reader, struct slice *ret_line)
{
    int rc;
    do {
        rc = next_line(reader, ret_line);
    } while (!rc && !ret_line->len);
    return rc;
}

/* "HTTP/1.x" at the front of text, x being one digit; any but 0 is read as 1 (RFC 9110 2.5). */
static bool read_version(struct slice text, struct http1_head *to)
{
    if (text.len < 8 || memcmp(text.data, "HTTP/1.", 7) != 0 || text.data[7] < '0' ||
        text.data[7] > '9')
        return false;
    to->is_1_0 = text.data[7] == '0';
    return true;
}

static int read_length(struct reader *reader, struct slice value)
{
    uint64_t length = 0;
    if (!value.len)
        return METE_E_SYNTAX;
    for (size_t i = 0; i < value.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)value.data[i] - '0';
        if (digit > 9)
            return METE_E_SYNTAX;
        length = length > (UINT64_MAX - 9) / 10 ? UINT64_MAX : length * 10 + digit;
    }
    bool agrees = !reader->strict && reader->to->length == length;
    if (reader->has_length && !agrees)
        return METE_E_SYNTAX;
    reader->has_length = true;
    reader->to->length = length;
    return 0;
}

/* What a field says about the message itself. */
static int note_field(struct reader *reader, struct slice name, struct slice value)
{
    struct http1_head *to = reader->to;
    switch (name.len) {
    case 4:
        reader->hosts += same_word(name, SLICE_LITERAL("host"));
        break;
    case 6:
        if (same_word(name, SLICE_LITERAL("expect")))
            to->expects_continue |= same_word(value, SLICE_LITERAL("100-continue"));
        break;
    case 10:
        if (same_word(name, SLICE_LITERAL("connection"))) {
            reader->says_close |= http1_has_word(value, SLICE_LITERAL("close"));
            reader->says_keep |= http1_has_word(value, SLICE_LITERAL("keep-alive"));
        }
        break;
    case 14:
        if (same_word(name, SLICE_LITERAL("content-length")))
            return read_length(reader, value);
        break;
    case 17:
        if (same_word(name, SLICE_LITERAL("transfer-encoding"))) {
            if (reader->has_coding)
                return METE_E_SYNTAX;
            reader->has_coding = true;
            reader->is_chunked = same_word(value, SLICE_LITERAL("chunked"));
        }
        break;
    default:
        break;
    }
    return 0;
}

static int read_field(struct reader *reader, struct slice line)
{
    struct http1_head *to = reader->to;
    size_t name_len = run(line, is_token);
    if (!name_len || name_len == line.len || line.data[name_len] != ':')
        return METE_E_SYNTAX;
    struct slice value = slice_from(line, name_len + 1);
    if (run(value, is_value) != value.len)
        return METE_E_SYNTAX;
    if (to->fields_len == to->fields_room)
        return METE_E_TOO_LARGE;
    value = trimmed(value);
    to->fields[to->fields_len++] = (struct http1_field){
        .name = (uint32_t)(line.data - reader->head.data),
        .name_len = (uint32_t)name_len,
        .value = (uint32_t)(value.data - reader->head.data),
        .value_len = (uint32_t)value.len,
    };
    return note_field(reader, slice_part(line, 0, name_len), value);
}

/* The fields, up to the empty line, which must be the last. */
static int read_fields(struct reader *reader)
{
    struct http1_head *to = reader->to;
    for (;;) {
        struct slice line;
        int rc = next_line(reader, &line);
        if (rc)
            return rc;
        if (!line.len)
            break;
        rc = read_field(reader, line);
        if (rc)
            return rc;
    }
    to->has_unknown_coding = reader->has_coding && !reader->is_chunked;
    to->closes = reader->says_close || (to->is_1_0 && !reader->says_keep);
    return reader->at == reader->head.len ? 0 : METE_E_SYNTAX;
}

static void head_clear(struct http1_head *head)
{
    *head = (struct http1_head){.fields = head->fields, .fields_room = head->fields_room};
}

static int read_request_line(struct slice line, struct http1_head *to)
{
    size_t len = run(line, is_token);
    to->method = slice_part(line, 0, len);
    if (!len || len == line.len || line.data[len] != ' ')
        return METE_E_SYNTAX;
    line = slice_from(line, len + 1);
    len = run(line, is_target);
    to->target = slice_part(line, 0, len);
    if (!len || len == line.len || line.data[len] != ' ')
        return METE_E_SYNTAX;
    line = slice_from(line, len + 1);
    return line.len == 8 && read_version(line, to) ? 0 : METE_E_SYNTAX;
}

int http1_read_request(struct slice head, struct http1_head *ret_head)
{
    struct reader reader = {.head = head, .strict = true, .to = ret_head};
    struct slice line;
    head_clear(ret_head);
    int rc = first_line(&reader, &line);
    if (!rc)
        rc = read_request_line(line, ret_head);
    if (!rc)
        rc = read_fields(&reader);
    if (rc)
        return rc;
    if (reader.hosts > 1 || (!reader.hosts && !ret_head->is_1_0))
        return METE_E_SYNTAX;
    if (reader.has_coding && (reader.has_length || ret_head->is_1_0))
        return METE_E_SYNTAX;
    ret_head->expects_continue &= !ret_head->is_1_0;
    ret_head->framing = reader.has_coding   ? HTTP1_CHUNKED
                        : reader.has_length ? HTTP1_LENGTH
                                            : HTTP1_NO_BODY;
    return 0;
}

static int read_status_line(struct slice line, struct http1_head *to)
{
    if (!read_version(line, to) || line.len < 12 || line.data[8] != ' ')
        return METE_E_SYNTAX;
    for (size_t i = 9; i < 12; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return METE_E_SYNTAX;
        to->status = to->status * 10 + (line.data[i] - '0');
    }
    struct slice reason = slice_from(line, 12);
    if (to->status < 100 || (reason.len && reason.data[0] != ' '))
        return METE_E_SYNTAX;
    return run(reason, is_value) == reason.len ? 0 : METE_E_SYNTAX;
}

int http1_read_answer(struct slice head, bool to_head, struct http1_head *ret_head)
{
    struct reader reader = {.head = head, .to = ret_head};
    struct slice line;
    head_clear(ret_head);
    int rc = first_line(&reader, &line);
    if (!rc)
        rc = read_status_line(line, ret_head);
    if (!rc)
        rc = read_fields(&reader);
    if (rc)
        return rc;
    int status = ret_head->status;
    if (to_head || status < 200 || status == 204 || status == 304)
        ret_head->framing = HTTP1_NO_BODY;
    else if (reader.has_coding)
        ret_head->framing = HTTP1_CHUNKED;
    else
        ret_head->framing = reader.has_length ? HTTP1_LENGTH : HTTP1_TO_CLOSE;
    ret_head->closes |= ret_head->framing == HTTP1_TO_CLOSE ||
                        (reader.has_coding && (reader.has_length || ret_head->is_1_0));
    return 0;
}

bool http1_is_named(struct slice head, const struct http1_field *field, struct slice name)
{
    return field->name_len == name.len && same_word(slice_part(head, field->name, name.len), name);
}

const struct http1_field *http1_field(struct slice head, const struct http1_head *of,
                                      struct slice name)
{
    for (size_t i = 0; i < of->fields_len; i++)
        if (http1_is_named(head, &of->fields[i], name))
            return &of->fields[i];
    return NULL;
}

size_t http1_fields_named(struct slice head, const struct http1_head *of, struct slice name)
{
    size_t count = 0;
    for (size_t i = 0; i < of->fields_len; i++)
        count += http1_is_named(head, &of->fields[i], name);
    return count;
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

void http1_body_begin(struct http1_body *body, const struct http1_head *head)
{
    *body = (struct http1_body){.framing = head->framing, .place = HTTP1_CONTENT};
    if (head->framing == HTTP1_CHUNKED)
        body->place = HTTP1_SIZE;
    else if (head->framing == HTTP1_TO_CLOSE)
        body->left = UINT64_MAX;
    else if (head->framing == HTTP1_LENGTH)
        body->left = head->length;
    if (head->framing == HTTP1_NO_BODY || (head->framing == HTTP1_LENGTH && !body->left))
        body->place = HTTP1_WHOLE;
}

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = lower(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The size line is over. */
static void begin_chunk(struct http1_body *body)
{
    body->place = body->left ? HTTP1_CONTENT : HTTP1_TRAILERS;
    body->line = body->all = 0;
    body->digits = body->cr = body->extension = false;
}

static int size_byte(struct http1_body *body, char byte)
{
    int digit = body->extension ? -1 : hex_value(byte);
    if (++body->line > HTTP1_CHUNK_LINE_MAX)
        return METE_E_TOO_LARGE;
    if (body->cr) {
        if (byte != '\n')
            return METE_E_SYNTAX;
        begin_chunk(body);
    } else if (digit >= 0) {
        if (body->left > UINT64_MAX >> 4)
            return METE_E_SYNTAX;
        body->left = body->left << 4 | (unsigned)digit;
        body->digits = true;
    } else if (!body->digits) {
        return METE_E_SYNTAX;
    } else if (byte == '\r') {
        body->cr = true;
    } else if (body->extension ? !is_value((unsigned char)byte) : byte != ';' && !is_blank(byte)) {
        return METE_E_SYNTAX;
    } else {
        body->extension = true;
    }
    return 0;
}

static int content_end_byte(struct http1_body *body, char byte)
{
    if (byte != (body->cr ? '\n' : '\r'))
        return METE_E_SYNTAX;
    if (body->cr)
        body->place = HTTP1_SIZE;
    body->cr = !body->cr;
    return 0;
}

static int trailer_byte(struct http1_body *body, char byte)
{
    if (++body->all > HTTP1_TRAILERS_MAX)
        return METE_E_TOO_LARGE;
    if (body->cr) {
        if (byte != '\n')
            return METE_E_SYNTAX;
        if (!body->line)
            body->place = HTTP1_WHOLE;
        body->line = 0;
        body->cr = false;
    } else if (byte == '\r') {
        body->cr = true;
    } else if (!is_value((unsigned char)byte)) {
        return METE_E_SYNTAX;
    } else {
        body->line++;
    }
    return 0;
}

/* What is between the contents of chunks. */
static int frame_byte(struct http1_body *body, char byte)
{
    if (body->place == HTTP1_SIZE)
        return size_byte(body, byte);
    return body->place == HTTP1_CONTENT_END ? content_end_byte(body, byte)
                                            : trailer_byte(body, byte);
}

int http1_body_next(struct http1_body *body, struct slice *bytes, struct slice *ret_content)
{
    *ret_content = slice_part(*bytes, 0, 0);
    while (bytes->len && body->place != HTTP1_CONTENT && body->place != HTTP1_WHOLE) {
        int rc = frame_byte(body, bytes->data[0]);
        if (rc)
            return rc;
        *bytes = slice_from(*bytes, 1);
    }
    if (body->place != HTTP1_CONTENT || !bytes->len)
        return 0;
    size_t len = bytes->len < body->left ? bytes->len : (size_t)body->left;
    *ret_content = slice_part(*bytes, 0, len);
    *bytes = slice_from(*bytes, len);
    if (body->framing == HTTP1_TO_CLOSE)
        return 0;
    body->left -= len;
    if (!body->left)
        body->place = body->framing == HTTP1_CHUNKED ? HTTP1_CONTENT_END : HTTP1_WHOLE;
    return 0;
}

bool http1_body_ends(const struct http1_body *body)
{
    return body->place == HTTP1_WHOLE || body->framing == HTTP1_TO_CLOSE;
}

size_t http1_chunk_line(size_t len, char room[HTTP1_CHUNK_ROOM])
{
    size_t digits = 1, at = 0;
    for (size_t rest = len >> 4; rest; rest >>= 4)
        digits++;
    while (digits--)
        room[at++] = "0123456789abcdef"[(len >> (4 * digits)) & 15];
    room[at++] = '\r';
    room[at++] = '\n';
    return at;
}
