/* SPDX-License-Identifier: Apache-2.0
 * Ids are told apart by 128 bits of a hash, in a table of twice as many places as there are lines:
 * a megabyte and a half for the longest file.
 *
 * REFUSED IN A LINE  what has no sense in a batch or no bound: streams, answers that come later or
 *   go on from a stored one, a member that is there twice. */
#include "gateway/batches/lines.h"

#include "gateway/call.h"
#include "prompts/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { CUSTOM_ID_MAX = 512, PLACES = 131072, CHANGED_MAX = LIMIT_BATCH_BYTES + 16 * 1024 * 1024 };
_Static_assert(PLACES >= 2 * LIMIT_BATCH_LINES && (PLACES & (PLACES - 1)) == 0,
               "ids find a place soon");

/* One line, and where its parts lie in it. */
struct line {
    int64_t number; /* from 1 */
    struct json custom_id, body;
    char endpoint[LINES_ENDPOINT];
    size_t endpoint_len;
    struct dialect_target target;
    struct dialect_request request;
    int64_t wish; /* most output tokens of one answer */
};

struct seen {
    XXH128_hash_t *places; /* zero: free */
};

const struct dialect *lines_format(struct slice endpoint)
{
    static const char *const known[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings",
                                        "/v1/responses", "/v1/moderations"};
    struct dialect_target target;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_is(endpoint, known[i]))
            return dialect_find(endpoint, (struct slice){0}, &target);
    return NULL;
}

/* ---- Refusals -------------------------------------------------------------------------------- */

/* Always false. */
static bool refuse(struct lines *lines, int64_t number, const char *code, const char *why)
{
    int at = number ? snprintf(lines->message, sizeof lines->message,
                               "Line %lld of the file: ", (long long)number)
                    : 0;
    snprintf(lines->message + at, sizeof lines->message - (size_t)at, "%s", why);
    lines->error =
        (struct dialect_error){400, "invalid_request_error", code, "file", lines->message, {0}};
    return false;
}

static bool wrong(struct lines *lines, const struct line *line, const char *why)
{
    return refuse(lines, line->number, "invalid_line", why);
}

static bool out_of_memory(struct lines *lines)
{
    lines->error = call_no_memory;
    return false;
}

/* ---- One line -------------------------------------------------------------------------------- */

static bool is_blank(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != ' ' && text.data[i] != '\t' && text.data[i] != '\r')
            return false;
    return true;
}

/* The next line that has something in it, off *rest. False: there is none. */
static bool next_line(struct slice *rest, int64_t *number, struct slice *ret_text)
{
    while (rest->len) {
        const char *end = memchr(rest->data, '\n', rest->len);
        size_t len = end ? (size_t)(end - rest->data) : rest->len;
        *ret_text = slice_part(*rest, 0, len);
        *rest = slice_from(*rest, end ? len + 1 : len);
        ++*number;
        if (!is_blank(*ret_text))
            return true;
    }
    return false;
}

static bool find_members(struct lines *lines, struct slice text, struct line *line)
{
    static const char *const names[] = {"custom_id", "method", "url", "body"};
    struct json whole;
    if (json_scan(text, &whole, NULL) || whole.type != JSON_OBJECT)
        return wrong(lines, line, "It must be a JSON object.");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (json_count(whole, names[i]) != 1)
            return wrong(lines, line, "It must have custom_id, method, url and body, each once.");
    line->custom_id = json_member(whole, "custom_id");
    line->body = json_member(whole, "body");
    size_t id = json_string_bytes(line->custom_id);
    if (!id || id > CUSTOM_ID_MAX)
        return wrong(lines, line, "custom_id must be a text of 1 to 512 bytes.");
    if (!json_string_is(json_member(whole, "method"), "POST"))
        return wrong(lines, line, "method must be \"POST\".");
    if (line->body.type != JSON_OBJECT)
        return wrong(lines, line, "body must be an object.");
    long len = json_string_copy(json_member(whole, "url"), line->endpoint, LINES_ENDPOINT - 1);
    line->endpoint_len = len < 0 ? 0 : (size_t)len;
    line->endpoint[line->endpoint_len] = 0;
    return true;
}

/* It stands in a document as it is. */
static bool is_plain_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == '"' ||
            name.data[i] == '\\')
            return false;
    return name.len > 0;
}

static bool read_request(struct lines *lines, struct line *line)
{
    struct dialect_error error;
    char why[LINES_MESSAGE];
    struct slice endpoint = {line->endpoint, line->endpoint_len};
    const struct dialect *format = lines_format(endpoint);
    if (!format)
        return refuse(lines, line->number, "unknown_url",
                      "url must be one of /v1/chat/completions, /v1/completions, /v1/embeddings, "
                      "/v1/responses and /v1/moderations.");
    (void)format->match(endpoint, (struct slice){0}, &line->target);
    if (format->read_request(&line->target, line->body.raw, &line->request, &error)) {
        snprintf(why, sizeof why, "%s%s%s", error.param ? error.param : "", error.param ? ": " : "",
                 error.message);
        return refuse(lines, line->number, error.code ? error.code : "invalid_line", why);
    }
    if (!is_plain_name((struct slice){line->request.model, line->request.model_len}))
        return wrong(lines, line, "model must be printable ASCII without quotes.");
    if (line->request.stream)
        return wrong(lines, line, "stream: the answers of a batch are never streamed.");
    if (line->request.background || line->request.continues.len)
        return wrong(lines, line,
                     "A call of a batch neither runs in the background nor goes on from a stored "
                     "answer.");
    return true;
}

static bool read_line(struct lines *lines, struct slice text, struct line *line)
{
    line->target = (struct dialect_target){0};
    return find_members(lines, text, line) && read_request(lines, line);
}

/* ---- What it may cost ------------------------------------------------------------------------ */

static void count_input(const struct lines *lines, struct tokenizer *tokenizer, struct line *line)
{
    struct dialect_request *request = &line->request;
    const struct prompt_rule *rule = lines->way.rule;
    struct prompt_figures figures;
    struct prompt prompt;
    if (!tokenizer || !lines->format->count_input)
        return;
    prompt_begin(&prompt, rule, tokenizer);
    prompt.left = rule->bounded ? INT64_MAX : 0;
    prompt.memo = lines->memo;
    int rc = lines->format->count_input(line->body.raw, &prompt);
    if (prompt_end(&prompt, &figures) || rc)
        return;
    request->input_bound = figures.beyond ? max_i64(request->input_bound, LIMIT_CONTEXT_TOKENS)
                                          : min_i64(request->input_bound, figures.bound);
}

/* A line that asks for another service may be served by that. */
static struct pricing_limits limits_of(const struct dialect_request *request)
{
    struct pricing_limits limits = call_limits(request);
    limits.services |= PRICE_BIT(PRICE_BATCH);
    return limits;
}

static bool add_up(struct lines *lines, const struct line *line, int64_t cost, int64_t tokens)
{
    lines->line_cost = max_i64(lines->line_cost, cost);
    lines->line_tokens = max_i64(lines->line_tokens, tokens);
    if (checked_add(lines->cost, cost, &lines->cost) && lines->cost <= METE_AMOUNT_MAX &&
        checked_add(lines->tokens, tokens, &lines->tokens) && lines->tokens <= METE_AMOUNT_MAX)
        return true;
    return refuse(lines, line->number, "too_large",
                  "Up to here the file's worst case is beyond any budget.");
}

static bool price_line(struct lines *lines, struct tokenizer *tokenizer, struct line *line)
{
    struct dialect_request *request = &line->request;
    struct mete_demand one;
    int64_t cost, output, tokens;
    count_input(lines, tokenizer, line);
    const struct pricing_limits limits = limits_of(request);
    int rc = call_bound(request, &limits, lines->price, &one);
    if (rc == METE_E_UNPRICED) {
        lines->reason = METE_UNPRICED;
        return refuse(lines, line->number, "model_not_priced",
                      "The call may use something that has no price here, so it cannot be "
                      "budgeted.");
    }
    line->wish = call_wish(lines->gateway, request, lines->price);
    if (lines->output_max)
        line->wish = min_i64(line->wish, lines->output_max);
    if (rc || !checked_mul_div_up(one.per_million, line->wish, 1000000, &cost) ||
        !checked_add(cost, one.fixed, &cost) ||
        !checked_mul(line->wish + request->output_fixed, request->choices, &output) ||
        !checked_add(output, request->input_bound, &tokens))
        return refuse(lines, line->number, "too_large", "Its worst case is beyond any budget.");
    return add_up(lines, line, cost, tokens);
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* The bound to be put into a line: 0, where it has that, or the provider takes no other. */
static int64_t bound_to_send(const struct lines *lines, const struct line *line)
{
    int64_t most = lines->price->output_max;
    if (line->request.asked)
        return line->wish < line->request.asked ? line->wish : 0;
    return most && line->wish >= most && !lines->format->bound_needed ? 0 : line->wish;
}

/* What stands between the last change and this one, then the line's body as it is to be sent. */
static int write_changed(struct lines *lines, const struct line *line,
                         const struct dialect_changes *changes, const char **copied)
{
    struct dialect_body body;
    struct slice given = line->body.raw;
    dialect_change(&line->request, given, changes, &body);
    int rc =
        buffer_append(&lines->changed, (struct slice){*copied, (size_t)(given.data - *copied)});
    for (size_t i = 0; i < body.pieces_len && !rc; i++)
        rc = buffer_append(&lines->changed, body.pieces[i]);
    *copied = given.data + given.len;
    return rc;
}

static bool change(struct lines *lines, const struct line *line, const char **copied)
{
    struct slice asked = {lines->model, lines->model_len};
    const struct price_model *price = lines->price;
    const struct dialect_changes changes = {
        .granted = bound_to_send(lines, line),
        .newer_bound = slice_is(price->provider, "openai") || slice_is(price->provider, "azure"),
        .model = slice_equal(lines->model_there, asked) ? (struct slice){0} : lines->model_there};
    if (!changes.granted && !changes.model.len)
        return true;
    int rc = write_changed(lines, line, &changes, copied);
    return !rc || (rc == METE_E_MEMORY ? out_of_memory(lines)
                                       : wrong(lines, line, "The file is too large."));
}

static bool copy_rest(struct lines *lines, const char *copied)
{
    const char *end = lines->file.data + lines->file.len;
    if (!lines->changed.len)
        return true;
    int rc = buffer_append(&lines->changed, (struct slice){copied, (size_t)(end - copied)});
    return !rc || out_of_memory(lines);
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* False: the id was there before. */
static bool is_new(struct seen *seen, struct json custom_id)
{
    char id[CUSTOM_ID_MAX];
    long len = json_string_copy(custom_id, id, sizeof id);
    XXH128_hash_t hash = XXH3_128bits(id, len < 0 ? 0 : (size_t)len);
    hash.low64 |= 1; /* none is zero */
    size_t at = hash.high64 & (PLACES - 1);
    for (; seen->places[at].low64; at = (at + 1) & (PLACES - 1))
        if (XXH128_isEqual(seen->places[at], hash))
            return false;
    seen->places[at] = hash;
    return true;
}

static bool is_alike(struct lines *lines, const struct line *line)
{
    struct slice model = {line->request.model, line->request.model_len};
    if (strcmp(line->endpoint, lines->endpoint))
        return wrong(lines, line, "All lines of a batch must have the url of the first one.");
    if (!slice_is(model, lines->model))
        return refuse(lines, line->number, "mismatched_model",
                      "All lines of a batch must have the model of the first one.");
    return true;
}

static bool take_line(struct lines *lines, struct tokenizer *tokenizer, struct seen *seen,
                      struct line *line)
{
    if (lines->len == LIMIT_BATCH_LINES)
        return refuse(lines, line->number, "too_large", "A batch has at most 50000 lines.");
    lines->len++;
    if (!is_new(seen, line->custom_id))
        return refuse(lines, line->number, "duplicate_custom_id",
                      "Its custom_id is that of a line before.");
    return is_alike(lines, line) && price_line(lines, tokenizer, line);
}

void lines_price(struct lines *lines, struct tokenizer *tokenizer)
{
    struct slice rest = lines->file, text;
    const char *copied = lines->file.data;
    struct line line = {0};
    struct seen seen = {calloc(PLACES, sizeof *seen.places)};
    bool goes_on = seen.places || out_of_memory(lines);
    buffer_init(&lines->changed, CHANGED_MAX);
    while (goes_on && next_line(&rest, &line.number, &text)) {
        goes_on = !atomic_load(&lines->gateway->stopping);
        if (!goes_on)
            lines->error = call_busy;
        goes_on = goes_on && read_line(lines, text, &line) &&
                  take_line(lines, tokenizer, &seen, &line) && change(lines, &line, &copied);
    }
    if (goes_on)
        (void)copy_rest(lines, copied);
    free(seen.places);
}

bool lines_begin(struct lines *lines, const struct gateway *gateway, struct slice file)
{
    struct slice rest = file, text;
    struct line line = {0};
    *lines = (struct lines){.file = file, .gateway = gateway};
    if (file.len > LIMIT_BATCH_BYTES)
        return refuse(lines, 0, "too_large", "A file for a batch has at most 32 MiB here.");
    if (!next_line(&rest, &line.number, &text))
        return refuse(lines, 0, "empty_file", "The file has no line.");
    if (!read_line(lines, text, &line))
        return false;
    lines->format = lines_format((struct slice){line.endpoint, line.endpoint_len});
    memcpy(lines->endpoint, line.endpoint, line.endpoint_len + 1);
    memcpy(lines->model, line.request.model, line.request.model_len + 1);
    lines->model_len = line.request.model_len;
    return true;
}

void lines_done(struct lines *lines)
{
    buffer_done(&lines->changed);
}
