/* SPDX-License-Identifier: Apache-2.0
 * POST /api/v1/tokens/count: what texts come to in a model's tokens. A short body is answered where
 * it stands; a longer one is read and counted on a worker, because a megabyte takes milliseconds.
 * It touches neither ledger nor records. */
#include "api/usage/handlers.h"
#include "api/request.h"
#include "base/limits.h"
#include "tokens/pool.h"
#include "prompts/models.h"
#include "prompts/rules.h"

#include <stdio.h>

enum { INLINE_MAX = 4096 }; /* bytes of a body that take at worst about 100 us */

struct count_in {
    struct slice model, encoding;
    struct json text, texts;
    bool ids, special;
};

#define AT(member) offsetof(struct count_in, member)
static const struct field table[] = {
    {.name = "model", .type = FIELD_TOKEN, .offset = AT(model), .min = 1, .max = LIMIT_ID},
    {.name = "encoding", .type = FIELD_TOKEN, .offset = AT(encoding), .min = 1, .max = 64},
    {.name = "text", .type = FIELD_STRING, .offset = AT(text)},
    {.name = "texts", .type = FIELD_LIST, .offset = AT(texts), .min = 1, .max = LIMIT_COUNT_TEXTS},
    {.name = "ids", .type = FIELD_BOOL, .offset = AT(ids)},
    {.name = "special", .type = FIELD_BOOL, .offset = AT(special)},
};
#undef AT

struct counting {
    struct count_in in;
    const struct encoding *encoding;
    bool exact;
    struct tokenizer *tokenizer;
    struct buffer text; /* one that has escapes, without them */
    struct buffer ids;  /* of one text */
};

/* ---- What is asked ----------------------------------------------------------------------------
 */

static int fault(struct request *request, const char *field, const char *detail)
{
    return problem_set(&request->problem, METE_E_INVALID, field, "%s", detail);
}

static int check_texts(struct request *request, struct json texts)
{
    struct json element;
    int index = 0;
    for (size_t at = 0; json_next(texts, &at, NULL, &element); index++) {
        char field[32];
        snprintf(field, sizeof field, "texts[%d]", index);
        if (element.type != JSON_STRING)
            return fault(request, field, "It must be a string.");
    }
    return 0;
}

/* All that is wrong with one member comes before what does not go together. */
static int read_in(struct request *request, struct counting *counting)
{
    struct count_in *in = &counting->in;
    counting->exact = true;
    int rc = request_read(request, table, sizeof table / sizeof table[0], in);
    if (rc)
        return rc;
    if (in->encoding.len)
        counting->encoding = encoding_find(in->encoding);
    if (in->encoding.len && !counting->encoding)
        return fault(request, "encoding", "There is no encoding of this name.");
    rc = check_texts(request, in->texts);
    if (rc)
        return rc;
    if (!in->model.len == !in->encoding.len)
        return fault(request, "model", "Send either a model or an encoding.");
    if (!in->text.type == !in->texts.type)
        return fault(request, "text", "Send either a text or texts.");
    if (in->model.len) {
        const struct encoding *own = model_encoding_own(in->model);
        counting->exact = prompt_rule_find(in->model, &counting->encoding)->own || own;
        counting->encoding = own ? own : counting->encoding;
    }
    return 0;
}

/* ---- Counting ---------------------------------------------------------------------------------
 */

/* The string's characters; half a pair of surrogates is U+FFFD. */
static int characters(struct counting *counting, struct json string, struct slice *ret_text)
{
    struct slice text = slice_part(string.raw, 1, string.raw.len - 2);
    if (text.len && memchr(text.data, '\\', text.len)) {
        char *room;
        buffer_clear(&counting->text);
        int rc = buffer_reserve(&counting->text, text.len, &room);
        if (rc)
            return rc;
        /* unescaping never makes a text longer */
        text = (struct slice){room, (size_t)json_string_copy(string, room, text.len)};
    }
    *ret_text = text;
    return 0;
}

/* Adds "tokens", and "ids" where they are wanted, to the object that is open. */
static int count_one(struct request *request, struct json string, int64_t *ret_tokens)
{
    struct counting *counting = request->state;
    struct slice text;
    int64_t tokens;
    int rc = characters(counting, string, &text);
    if (rc)
        return rc;
    buffer_clear(&counting->ids);
    if (counting->in.ids || counting->in.special) {
        rc = tokenizer_encode(counting->tokenizer, text, counting->in.special, &counting->ids);
        tokens = (int64_t)(counting->ids.len / sizeof(uint32_t));
    } else {
        rc = tokenizer_count(counting->tokenizer, text, &tokens);
    }
    if (rc)
        return rc;
    out_member_integer(&request->out, "tokens", tokens);
    if (counting->in.ids) {
        out_key(&request->out, "ids");
        out_open(&request->out, '[');
        for (size_t at = 0; at < counting->ids.len; at += sizeof(uint32_t)) {
            uint32_t id;
            memcpy(&id, counting->ids.data + at, sizeof id);
            out_integer(&request->out, id);
        }
        out_close(&request->out, ']');
    }
    *ret_tokens = tokens;
    return 0;
}

static int count_list(struct request *request, struct json texts)
{
    struct json element;
    int64_t sum = 0, tokens = 0;
    int rc = 0;
    out_key(&request->out, "texts");
    out_open(&request->out, '[');
    for (size_t at = 0; !rc && json_next(texts, &at, NULL, &element);) {
        out_open(&request->out, '{');
        rc = count_one(request, element, &tokens);
        out_close(&request->out, '}');
        sum += tokens;
    }
    out_close(&request->out, ']');
    out_member_integer(&request->out, "tokens", sum);
    return rc;
}

static int count_all(struct request *request)
{
    const struct counting *counting = request->state;
    struct out *out = &request->out;
    int64_t tokens;
    out_open(out, '{');
    if (counting->in.model.len)
        out_member_text(out, "model", counting->in.model);
    out_member_text(out, "encoding", slice_of(counting->encoding->name));
    out_member_bool(out, "exact", counting->exact);
    int rc = counting->in.texts.type ? count_list(request, counting->in.texts)
                                     : count_one(request, counting->in.text, &tokens);
    out_close(out, '}');
    return rc;
}

/* On a worker, or where the loop is: nobody else looks at the request meanwhile. */
static int run(struct request *request, struct records_reader *reader)
{
    struct counting *counting = request->state;
    struct tokenizer_pool *tokenizers = request->api->tokenizers;
    (void)reader;
    int rc = read_in(request, counting);
    if (rc)
        return rc;
    rc = tokenizer_pool_take(tokenizers, counting->encoding, &counting->tokenizer);
    if (rc)
        return rc;
    buffer_init(&counting->text, LIMIT_COUNT_BODY);
    buffer_init(&counting->ids, sizeof(uint32_t) * (size_t)LIMIT_COUNT_BODY);
    rc = count_all(request);
    buffer_done(&counting->text);
    buffer_done(&counting->ids);
    tokenizer_pool_give(tokenizers, counting->tokenizer);
    return rc;
}

static void counted(struct request *request)
{
    if (request->problem.error)
        request_problem(request);
    else if (!request_failed(request))
        request_reply(request, 200);
}

void tokens_count(struct request *request)
{
    size_t len = request->exchange->body.len;
    if (len > LIMIT_COUNT_BODY) {
        request_fail(request, METE_E_TOO_LARGE, NULL, "It is over %d bytes.", LIMIT_COUNT_BODY);
        return;
    }
    request->state = request_take(request, sizeof(struct counting));
    if (!request->state)
        return;
    if (len > INLINE_MAX) {
        request_compute(request, run, counted);
        return;
    }
    request->work_status = run(request, NULL);
    counted(request);
}
