/* SPDX-License-Identifier: Apache-2.0
 * What an administrator said of models, and models that were asked for and are not known yet
 * (drafts): documents (MODEL), in memory. What a model costs is the price list's to say; a model
 * that is not here is as the list and the providers have it.
 * THREAD one (the event loop). */
#ifndef DIRECTORY_MODELS_H
#define DIRECTORY_MODELS_H

#include "base/buffer.h"
#include "base/limits.h"
#include "mete.h"
#include "store/records.h"

enum model_type {
    MODEL_UNSAID = 0,
    MODEL_TEXT,
    MODEL_EMBEDDING,
    MODEL_IMAGE,
    MODEL_AUDIO,
    MODEL_VIDEO,
    MODEL_TYPES
};
const char *model_type_word(enum model_type type); /* "text"; "" of MODEL_UNSAID */

enum { MODELS_MAX = 65536 };

struct model {
    size_t name_len, alias_len;
    char name[LIMIT_ID];
    char alias_of[LIMIT_ID]; /* another name of this model; alias_len 0: it is none */
    enum model_type type;
    int64_t context, output_max; /* tokens; 0: not said */
    bool disabled;               /* no call of it is let through */
    bool draft;                  /* nobody but a call has named it */
    int64_t seen_us;             /* when a draft was first asked for; 0: it was none */
};

struct json;
struct models;

METE_MUST_USE int models_new(struct models **ret_models); /* METE_E_MEMORY */
void models_free(struct models *models);
/* STORAGE, CORRUPT, MEMORY, FULL. */
METE_MUST_USE int models_load(struct models *models, struct records_reader *reader);
/* Adds it, or replaces that of its name. MEMORY, FULL. */
METE_MUST_USE int models_put(struct models *models, const struct model *model);
/* NULL: nothing was said of it. Borrowed until the next put. */
const struct model *models_find(const struct models *models, struct slice name);
/* The first whose name is behind this one, as bytes; NULL: none. */
const struct model *models_next(const struct models *models, struct slice name);
size_t models_drafts(const struct models *models);

static inline struct slice model_name(const struct model *model)
{
    return (struct slice){model->name, model->name_len};
}
static inline struct slice model_alias(const struct model *model)
{
    return (struct slice){model->alias_of, model->alias_len};
}

/* As a document, and back. TOO_LARGE, MEMORY; CORRUPT. */
METE_MUST_USE int model_write(const struct model *model, struct buffer *out);
METE_MUST_USE int model_read(struct json document, struct model *ret_model);

#endif
