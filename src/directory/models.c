/* SPDX-License-Identifier: Apache-2.0
 * Sorted by name: found by halving, listed in order. Changes are rare. */
#include "directory/models.h"

#include "codec/json_scan.h"
#include "codec/timestamp.h"
#include "directory/directory.h"
#include "directory/documents.h"

#include <stdlib.h>

enum { PAGE = 256 };

struct models {
    struct model **all;
    size_t len, room, drafts;
};

static const char *const types[MODEL_TYPES] = {"", "text", "embedding", "image", "audio", "video"};

const char *model_type_word(enum model_type type)
{
    return types[type];
}

int models_new(struct models **ret_models)
{
    *ret_models = calloc(1, sizeof **ret_models);
    return *ret_models ? 0 : METE_E_MEMORY;
}

void models_free(struct models *models)
{
    for (size_t i = 0; models && i < models->len; i++)
        free(models->all[i]);
    if (models)
        free(models->all);
    free(models);
}

/* ---- In order -------------------------------------------------------------------------------- */

static int compare(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Index of the first that is not before this name. */
static size_t place(const struct models *models, struct slice name)
{
    size_t from = 0, to = models->len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare(model_name(models->all[middle]), name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

const struct model *models_find(const struct models *models, struct slice name)
{
    size_t at = place(models, name);
    bool is_there = at < models->len && slice_equal(model_name(models->all[at]), name);
    return is_there ? models->all[at] : NULL;
}

const struct model *models_next(const struct models *models, struct slice name)
{
    size_t at = place(models, name);
    if (at < models->len && slice_equal(model_name(models->all[at]), name))
        at++;
    return at < models->len ? models->all[at] : NULL;
}

size_t models_drafts(const struct models *models)
{
    return models->drafts;
}

static int make_room(struct models *models)
{
    if (models->len == MODELS_MAX)
        return METE_E_FULL;
    if (models->len < models->room)
        return 0;
    size_t room = models->room + models->room / 2 + 64;
    struct model **all = realloc(models->all, room * sizeof *all);
    if (!all)
        return METE_E_MEMORY;
    models->all = all;
    models->room = room;
    return 0;
}

int models_put(struct models *models, const struct model *model)
{
    size_t at = place(models, model_name(model));
    if (at < models->len && slice_equal(model_name(models->all[at]), model_name(model))) {
        models->drafts -= models->all[at]->draft;
        *models->all[at] = *model;
    } else {
        int rc = make_room(models);
        struct model *fresh = rc ? NULL : malloc(sizeof *fresh);
        if (!fresh)
            return rc ? rc : METE_E_MEMORY;
        *fresh = *model;
        memmove(&models->all[at + 1], &models->all[at], (models->len - at) * sizeof *models->all);
        models->all[at] = fresh;
        models->len++;
    }
    models->drafts += model->draft;
    return 0;
}

/* ---- Documents ------------------------------------------------------------------------------- */

static int write_text(struct buffer *out, const char *key, struct slice text)
{
    int rc = buffer_format(out, "\"%s\":", key);
    if (!rc)
        rc = text.len ? json_quote(out, text) : buffer_text(out, "null");
    return rc ? rc : buffer_text(out, ",");
}

int model_write(const struct model *model, struct buffer *out)
{
    char at[TIMESTAMP_ROOM];
    int rc = buffer_text(out, "{");
    if (!rc)
        rc = write_text(out, "model", model_name(model));
    if (!rc)
        rc = write_text(out, "type", slice_of(types[model->type]));
    if (!rc)
        rc = write_text(out, "alias_of", model_alias(model));
    if (!rc && model->seen_us) {
        timestamp_format(model->seen_us, at);
        rc = write_text(out, "first_seen_at", slice_of(at));
    }
    return rc ? rc
              : buffer_format(out,
                              "\"context_tokens\":%lld,\"max_output_tokens\":%lld,"
                              "\"enabled\":%s,\"draft\":%s}",
                              (long long)model->context, (long long)model->output_max,
                              model->disabled ? "false" : "true", model->draft ? "true" : "false");
}

static bool read_text(struct json document, const char *name, char *room, size_t room_len,
                      size_t *ret_len)
{
    struct json value = json_member(document, name);
    long len = value.type == JSON_STRING ? json_string_copy(value, room, room_len) : 0;
    *ret_len = len > 0 ? (size_t)len : 0;
    return len >= 0;
}

static bool read_count(struct json document, const char *name, int64_t *ret_count)
{
    struct json value = json_member(document, name);
    return value.type == JSON_NUMBER && !json_integer(value, ret_count) && *ret_count >= 0;
}

int model_read(struct json document, struct model *ret_model)
{
    struct model model = {.type = MODEL_UNSAID};
    char word[16], at[TIMESTAMP_ROOM];
    size_t word_len, at_len;
    bool good =
        read_text(document, "model", model.name, sizeof model.name, &model.name_len) &&
        read_text(document, "alias_of", model.alias_of, sizeof model.alias_of, &model.alias_len) &&
        read_text(document, "type", word, sizeof word, &word_len) &&
        read_text(document, "first_seen_at", at, sizeof at, &at_len) &&
        read_count(document, "context_tokens", &model.context) &&
        read_count(document, "max_output_tokens", &model.output_max);
    if (!good || !model.name_len ||
        (at_len && timestamp_parse((struct slice){at, at_len}, &model.seen_us)))
        return METE_E_CORRUPT;
    for (unsigned i = 1; i < MODEL_TYPES; i++)
        if (slice_is((struct slice){word, word_len}, types[i]))
            model.type = (enum model_type)i;
    model.disabled = json_member(document, "enabled").type == JSON_FALSE;
    model.draft = json_member(document, "draft").type == JSON_TRUE;
    *ret_model = model;
    return 0;
}

/* ---- At a start ------------------------------------------------------------------------------ */

struct loading {
    struct models *models;
    uint32_t last;
    size_t read;
};

static int load_one(void *user, const struct directory_entity *entity)
{
    struct loading *loading = user;
    struct json document;
    struct model model;
    loading->last = entity->handle;
    loading->read++;
    if (json_scan(entity->document, &document, NULL) || model_read(document, &model))
        return METE_E_CORRUPT;
    return models_put(loading->models, &model);
}

int models_load(struct models *models, struct records_reader *reader)
{
    struct loading loading = {.models = models};
    const struct mete_scope_id nobody = {0};
    int rc;
    do {
        loading.read = 0;
        rc = directory_list(reader, document_entity(DOCUMENT_MODEL), nobody, loading.last, PAGE,
                            load_one, &loading);
    } while (!rc && loading.read == PAGE);
    return rc;
}
