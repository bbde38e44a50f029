/* SPDX-License-Identifier: Apache-2.0
 * Models: those of the price list, and those of which something was said (directory/models.h), in
 * order of their names. What is said of one is a document; as soon as it is durable the gateway
 * goes by it: a model that is disabled is refused, an alias is asked for as what it is another name
 * of. A draft was asked for by a client and is not known: it is refused as ever until it has a
 * price, and never free. */
#include "api/catalog/handlers.h"
#include "api/catalog/prices.h"
#include "api/documents.h"

#include <stddef.h>

enum status { ACTIVE = 0, DISABLED, UNPRICED, DRAFT, STATUSES };
static const char *const statuses[STATUSES] = {"active", "disabled", "unpriced", "draft"};
static const struct word types[] = {{"text", MODEL_TEXT},   {"embedding", MODEL_EMBEDDING},
                                    {"image", MODEL_IMAGE}, {"audio", MODEL_AUDIO},
                                    {"video", MODEL_VIDEO}, {NULL, 0}};

struct model_in {
    int type; /* MODEL_UNSAID: it is not said; the rest: below 0, or data NULL */
    int64_t context, output_max;
    struct slice alias;
    bool enabled, says_enabled;
};

struct model_state {
    struct model_in in;
    struct slice name;
    struct model model; /* as it will be */
    struct sheet_row sheet;
};

struct models_shown {
    struct page page;
    struct slice prefix, provider, type, status;
    const struct pricing *list;
    struct sheet_row sheet;
};

/* One of them, with all that is known of it. */
struct seen {
    struct slice name, real;         /* the same, but of an alias */
    const struct model *said;        /* NULL: nothing */
    const struct price_model *price; /* NULL: it has none */
};

/* ---- What is known --------------------------------------------------------------------------- */

static struct seen see(const struct request *request, const struct pricing *list, struct slice name)
{
    struct seen seen = {.name = name, .real = name};
    seen.said = models_find(request->api->parts.models, name);
    if (seen.said && seen.said->alias_len)
        seen.real = model_alias(seen.said);
    seen.price = pricing_find(list, seen.real);
    return seen;
}

static enum status status_of(const struct request *request, const struct seen *seen)
{
    const struct model *real = models_find(request->api->parts.models, seen->real);
    if ((seen->said && seen->said->disabled) || (real && real->disabled))
        return DISABLED;
    if (seen->price)
        return ACTIVE;
    return seen->said && seen->said->draft ? DRAFT : UNPRICED;
}

static bool has_price(const struct price_model *price, enum price_meter meter)
{
    return price->prices[meter].atto_per_million >= 0;
}

/* As it was said; else as its prices tell. */
static enum model_type type_of(const struct seen *seen)
{
    const struct price_model *price = seen->price;
    if (seen->said && seen->said->type)
        return seen->said->type;
    if (!price)
        return MODEL_UNSAID;
    if (has_price(price, PRICE_VIDEO_SECOND))
        return MODEL_VIDEO;
    if (has_price(price, PRICE_IMAGE) || has_price(price, PRICE_IMAGE_OUTPUT))
        return MODEL_IMAGE;
    if (has_price(price, PRICE_AUDIO_SECOND) || has_price(price, PRICE_CHARACTER))
        return MODEL_AUDIO;
    bool no_output = price->prices[PRICE_OUTPUT].atto_per_million == 0;
    return no_output && price->prices[PRICE_INPUT].atto_per_million > 0 ? MODEL_EMBEDDING
                                                                        : MODEL_TEXT;
}

/* ---- Showing --------------------------------------------------------------------------------- */

static void write_text_or_null(struct out *out, const char *name, struct slice text)
{
    out_key(out, name);
    if (text.len)
        out_text(out, text);
    else
        out_null(out);
}

static void write_count_or_null(struct out *out, const char *name, int64_t count)
{
    out_key(out, name);
    if (count)
        out_integer(out, count);
    else
        out_null(out);
}

static void write_providers(struct request *request, struct slice model)
{
    const struct api_providers *providers = &request->api->parts.providers;
    struct out *out = &request->out;
    struct api_provider_view view;
    out_key(out, "providers");
    out_open(out, '[');
    for (size_t i = 0; providers->at && providers->at(providers->user, i, &view); i++)
        if (providers->answers(providers->user, i, model))
            out_text(out, view.name);
    out_close(out, ']');
}

static void write_model(struct request *request, struct sheet_row *sheet, const struct seen *seen)
{
    struct out *out = &request->out;
    const struct model *said = seen->said;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    int64_t listed_max = seen->price ? seen->price->output_max : 0;
    out_open(out, '{');
    out_member_text(out, "id", seen->name);
    write_text_or_null(out, "type", slice_of(model_type_word(type_of(seen))));
    out_member_text(out, "status", slice_of(statuses[status_of(request, seen)]));
    out_member_bool(out, "enabled", !said || !said->disabled);
    write_text_or_null(out, "alias_of", said ? model_alias(said) : (struct slice){0});
    write_count_or_null(out, "context_tokens", said ? said->context : 0);
    write_count_or_null(out, "max_output_tokens",
                        said && said->output_max ? said->output_max : listed_max);
    write_providers(request, seen->real);
    out_key(out, "price");
    if (seen->price) {
        prices_write_open(request, sheet, 0, now_us, seen->price);
        out_member_bool(out, "complete", true);
        out_close(out, '}');
    } else {
        out_null(out);
    }
    out_member_instant(out, "first_seen_at", said && said->seen_us ? said->seen_us : INT64_MAX);
    out_close(out, '}');
}

/* ---- Listing --------------------------------------------------------------------------------- */

static struct slice next_name(const struct request *request, const struct pricing *list,
                              struct slice after)
{
    const struct price_model *listed = pricing_next(list, after);
    const struct model *said = models_next(request->api->parts.models, after);
    if (!listed || !said)
        return listed ? listed->name : said ? model_name(said) : (struct slice){0};
    struct slice a = listed->name, b = model_name(said);
    size_t len = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.data, b.data, len);
    return order < 0 || (!order && a.len <= b.len) ? a : b;
}

static bool is_of_provider(const struct request *request, const struct seen *seen,
                           struct slice wanted)
{
    const struct api_providers *providers = &request->api->parts.providers;
    struct api_provider_view view;
    if (seen->price && slice_equal(seen->price->provider, wanted))
        return true;
    for (size_t i = 0; providers->at && providers->at(providers->user, i, &view); i++)
        if (slice_equal(view.name, wanted))
            return providers->answers(providers->user, i, seen->real);
    return false;
}

static bool is_wanted(const struct request *request, const struct models_shown *shown,
                      const struct seen *seen)
{
    if (shown->prefix.len && !slice_starts(seen->name, shown->prefix))
        return false;
    if (shown->status.len && !slice_is(shown->status, statuses[status_of(request, seen)]))
        return false;
    if (shown->type.len && !slice_is(shown->type, model_type_word(type_of(seen))))
        return false;
    return !shown->provider.len || is_of_provider(request, seen, shown->provider);
}

/* The cursor is how many were passed, as in the list of prices. */
static void write_page(struct request *request, struct models_shown *shown)
{
    struct out *out = &request->out;
    uint64_t at = 0;
    size_t written = 0, limit = shown->page.limit;
    struct slice name = next_name(request, shown->list, (struct slice){0});
    out_page_open(out);
    for (; name.len && written <= limit; name = next_name(request, shown->list, name)) {
        struct seen seen = see(request, shown->list, name);
        if (!is_wanted(request, shown, &seen) || at++ < shown->page.after)
            continue;
        if (written++ < limit)
            write_model(request, &shown->sheet, &seen);
    }
    out_page_close(out, written > limit ? (int128)shown->page.after + (int128)limit : 0);
    out_close(out, '}');
}

static bool is_word(struct slice text, const char *const *words, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (slice_is(text, words[i]))
            return true;
    return false;
}

static int check_query(struct request *request, const struct models_shown *shown)
{
    static const char *const words[] = {"text", "embedding", "image", "audio", "video"};
    if (shown->type.len && !is_word(shown->type, words, 5))
        return problem_set(&request->problem, METE_E_INVALID, "type",
                           "It must be text, embedding, image, audio or video.");
    if (shown->status.len && !is_word(shown->status, statuses, STATUSES))
        return problem_set(&request->problem, METE_E_INVALID, "status",
                           "It must be active, disabled, unpriced or draft.");
    return 0;
}

void models_list(struct request *request)
{
    static const char *const known[] = {"limit",    "cursor", "model", "type",
                                        "provider", "status", NULL};
    struct models_shown *shown = request_take(request, sizeof *shown);
    if (!shown)
        return;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    if (request_query_known(request, known) || request_page(request, &shown->page) ||
        request_query(request, "model", LIMIT_ID, &shown->prefix) ||
        request_query(request, "provider", LIMIT_PROVIDER, &shown->provider) ||
        request_query(request, "type", 16, &shown->type) ||
        request_query(request, "status", 16, &shown->status) || check_query(request, shown)) {
        request_problem(request);
        return;
    }
    if (price_book_list(request->api->parts.prices, 0, now_us, &shown->list)) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    write_page(request, shown);
    pricing_free(shown->list);
    request_reply(request, 200);
}

/* ---- One ------------------------------------------------------------------------------------- */

/* The reply; false: nothing is known of it. */
static bool reply_one(struct request *request, struct slice name)
{
    struct model_state *state = request->state;
    const struct pricing *list;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    if (price_book_list(request->api->parts.prices, 0, now_us, &list)) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return true;
    }
    struct seen seen = see(request, list, name);
    bool is_known = seen.said || seen.price || pricing_listed(list, name);
    if (is_known) {
        out_clear(&request->out);
        write_model(request, &state->sheet, &seen);
    }
    pricing_free(list);
    if (is_known)
        request_reply(request, 200);
    return is_known;
}

static int keep_version(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    request->version = entity->version;
    return 0;
}

static int look(struct request *request, struct records_reader *reader)
{
    const struct model_state *state = request->state;
    const struct mete_scope_id nobody = {0};
    char id[LIMIT_ID + 1];
    size_t len = price_document_name(state->name, INT64_MIN, id);
    int rc = directory_find(reader, document_entity(DOCUMENT_MODEL), nobody,
                            (struct slice){id, len}, keep_version, request);
    return rc == METE_E_NOT_FOUND ? 0 : rc;
}

static void looked(struct request *request)
{
    const struct model_state *state = request->state;
    if (!request_failed(request) && !reply_one(request, state->name))
        request_fail(request, METE_E_NOT_FOUND, "model",
                     "The list has no such model, and nobody has asked for one.");
}

/* NULL: the request has been ended. */
static struct model_state *begin(struct request *request)
{
    struct model_state *state = request_take(request, sizeof *state);
    if (!state)
        return NULL;
    request->state = state;
    state->name = request->params[0];
    for (size_t i = 0; i < state->name.len; i++)
        if (state->name.data[i] < '!' || state->name.data[i] > '~' || i == LIMIT_ID) {
            request_fail(request, METE_E_NOT_FOUND, "model", "No model can have this name.");
            return NULL;
        }
    return state;
}

void model_show(struct request *request)
{
    static const char *const known[] = {NULL};
    if (request_query_known(request, known))
        request_problem(request);
    else if (begin(request))
        request_look(request, look, looked);
}

/* ---- Changing -------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct model_in, member)
static const struct field table[] = {
    {.name = "type", .type = FIELD_WORD, .offset = AT(type), .words = types},
    {.name = "context_tokens", .type = FIELD_COUNT, .offset = AT(context), .max = 1 << 30},
    {.name = "max_output_tokens", .type = FIELD_COUNT, .offset = AT(output_max), .max = 16777216},
    {.name = "alias_of", .type = FIELD_TOKEN, .offset = AT(alias), .max = LIMIT_ID},
    {.name = "enabled", .type = FIELD_BOOL, .offset = AT(enabled)},
};
#undef AT

/* An alias is of a model, not of another alias: nobody has to follow two. */
static int check_alias(struct request *request, struct slice name, struct slice alias)
{
    const struct models *models = request->api->parts.models;
    const struct model *target = models_find(models, alias), *each;
    if (slice_equal(name, alias) || (target && target->alias_len))
        return problem_set(&request->problem, METE_E_INVALID, "alias_of",
                           "It must be a model, not an alias, and another one.");
    for (each = models_next(models, (struct slice){0}); each;
         each = models_next(models, model_name(each)))
        if (slice_equal(model_alias(each), name))
            return problem_set(&request->problem, METE_E_INVALID, "alias_of",
                               "Another model is an alias of this one.");
    return 0;
}

static void change(const struct model_in *in, struct model *model)
{
    if (in->type)
        model->type = (enum model_type)in->type;
    if (in->context >= 0)
        model->context = in->context;
    if (in->output_max >= 0)
        model->output_max = in->output_max;
    if (in->alias.data) {
        model->alias_len = in->alias.len;
        memcpy(model->alias_of, in->alias.data, in->alias.len);
    }
    if (in->says_enabled)
        model->disabled = !in->enabled;
    model->draft = false;
}

static bool write_document(struct request *request, struct json was)
{
    struct model_state *state = request->state;
    struct model *model = &state->model;
    if (was.type == JSON_NONE || model_read(was, model)) {
        *model = (struct model){.name_len = state->name.len};
        memcpy(model->name, state->name.data, state->name.len);
    }
    if (state->in.alias.len && check_alias(request, state->name, state->in.alias)) {
        request_problem(request);
        return false;
    }
    /* Until it is durable no call makes a draft of it, which would come behind. */
    if (!models_find(request->api->parts.models, state->name) &&
        models_put(request->api->parts.models, model)) {
        request_fail(request, METE_E_FULL, NULL, NULL);
        return false;
    }
    change(&state->in, model);
    out_clear(&request->out);
    if (model_write(model, &request->out.bytes))
        request->out.failed = true;
    return true;
}

static void changed(struct request *request)
{
    const struct model_state *state = request->state;
    int rc = models_put(request->api->parts.models, &state->model);
    if (rc)
        request_fail(request, rc, NULL, "It is kept, and holds from the next start.");
    else if (!reply_one(request, state->name))
        request_fail(request, METE_E_NOT_FOUND, "model", NULL);
}

static int read_change(struct request *request, struct model_in *in)
{
    struct json body;
    *in = (struct model_in){.context = -1, .output_max = -1};
    int rc = request_read(request, table, sizeof table / sizeof table[0], in);
    if (!rc)
        rc = request_body(request, &body);
    if (!rc)
        in->says_enabled = json_member(body, "enabled").type != JSON_NONE;
    if (!rc && !in->type && in->context < 0 && in->output_max < 0 && !in->alias.data &&
        !in->says_enabled)
        rc = problem_set(&request->problem, METE_E_INVALID, "enabled", "Nothing is said.");
    return rc;
}

void model_change(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_MODEL, .field = "model", .write = write_document, .done = changed};
    struct model_state *state = begin(request);
    if (!state)
        return;
    struct slice id = price_document_id(request, state->name, INT64_MIN);
    if (read_change(request, &state->in))
        request_problem(request);
    else
        documents_change(request, &plan, DOCUMENT_PUT, id);
}
