/* SPDX-License-Identifier: Apache-2.0
 * What a provider can be configured as. */
#include "dialect/dialect.h"

typedef const struct dialect *format_fn(void);

/* One row each: the family, its formats, and the one that is translated to. */
static struct {
    struct dialect_family family;
    format_fn *formats[DIALECT_FAMILY_FORMATS], *chat;
} all[] = {
    {{.name = "openai", .vendor = "openai", .credential = DIALECT_BEARER},
     {dialect_chat, dialect_responses, dialect_completions, dialect_embeddings, dialect_images,
      dialect_speech, dialect_transcriptions, dialect_videos, dialect_moderations},
     dialect_chat},
    {{.name = "azure", .vendor = "azure.ai.openai", .credential = DIALECT_API_KEY},
     {dialect_chat, dialect_responses, dialect_completions, dialect_embeddings, dialect_images,
      dialect_speech, dialect_transcriptions, dialect_videos, dialect_moderations},
     dialect_chat},
    {{.name = "anthropic",
      .vendor = "anthropic",
      .credential = DIALECT_X_API_KEY,
      .version = "/v1",
      .header = "anthropic-version",
      .header_value = "2023-06-01"},
     {dialect_messages},
     dialect_messages},
    {{.name = "gemini",
      .vendor = "gcp.gemini",
      .credential = DIALECT_X_GOOG_API_KEY,
      .version = "/v1beta"},
     {dialect_gemini},
     dialect_gemini},
    {{.name = "vertex",
      .vendor = "gcp.vertex_ai",
      .credential = DIALECT_BEARER,
      .version = "/v1/publishers/google"},
     {dialect_gemini},
     dialect_gemini},
    {{.name = "ollama", .vendor = "ollama", .credential = DIALECT_BEARER},
     {dialect_ollama, dialect_ollama_generate},
     dialect_ollama},
    {{.name = "cohere", .vendor = "cohere", .credential = DIALECT_BEARER},
     {dialect_cohere, dialect_cohere_v1},
     dialect_cohere},
    {{.name = "bedrock", .vendor = "aws.bedrock", .credential = DIALECT_AWS},
     {dialect_converse},
     dialect_converse},
};

const struct dialect_family *dialect_family_at(size_t i)
{
    if (i >= sizeof all / sizeof all[0])
        return NULL;
    for (size_t f = 0; f < DIALECT_FAMILY_FORMATS && all[i].formats[f]; f++)
        all[i].family.formats[f] = all[i].formats[f]();
    all[i].family.chat = all[i].chat ? all[i].chat() : NULL;
    return &all[i].family;
}

const struct dialect_family *dialect_family_find(struct slice name)
{
    const struct dialect_family *family;
    for (size_t i = 0; (family = dialect_family_at(i)); i++)
        if (slice_is(name, family->name))
            return family;
    return NULL;
}
