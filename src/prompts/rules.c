/* SPDX-License-Identifier: Apache-2.0
 * The families and their figures are rows of tables/prompt_families.h and tables/prompt_figures.h;
 * docs/tokens.md has the table of how far each is off. A bound's `wide` is for scripts that the
 * public encoding takes fewer tokens for than the family's own may. */
#include "prompts/rules.h"

#include "prompts/models.h"

enum row {
#define ROW(id, family, names, encoding, flags, sealed, image, image_too, figures) ROW_##id,
#include "tables/prompt_families.h"
    ROWS
};

#define ROW(id, ...) static const struct rule_figures figures_##id = {__VA_ARGS__};
#include "tables/prompt_figures.h"

#define ROW(id, kind, base, each, text)                                                            \
    static const struct image_rule picture_##id = {IMAGE_##kind, base, each};
#include "tables/pictures.h"

/* Flags of the table; each has those it implies. */
enum {
    OWN = 1,
    OPENAI = 2 | OWN,
    LEGACY = 4 | OPENAI,
    DEAF = 8,
    HIDES = 16,
    UNBOUNDED = 32,
    BEYOND = 64,
    KEEPS = 128,
    LOOSE = 256
};

#define HAS(flags, flag) (((flags) & (flag)) == (flag))
#define ROW(id, family_, names_, encoding_, flags, sealed, image_, image_too_, figures)            \
    [ROW_##id] = {.family = (family_),                                                             \
                  .names = (names_),                                                               \
                  .encoding = (encoding_),                                                         \
                  .own = HAS(flags, OWN),                                                          \
                  .typescript = HAS(flags, OPENAI),                                                \
                  .legacy = HAS(flags, LEGACY),                                                    \
                  .deaf = HAS(flags, DEAF),                                                        \
                  .hides = HAS(flags, HIDES),                                                      \
                  .keeps = HAS(flags, KEEPS),                                                      \
                  .loose = HAS(flags, LOOSE),                                                      \
                  .bounded = !HAS(flags, UNBOUNDED),                                               \
                  .beyond = HAS(flags, BEYOND),                                                    \
                  .sealed_head = (sealed),                                                         \
                  .image = &picture_##image_,                                                      \
                  .image_too = &picture_##image_too_,                                              \
                  .expected = &figures_##figures,                                                  \
                  .bound = &figures_##figures##_BOUND},
static const struct prompt_rule rules[ROWS] = {
#include "tables/prompt_families.h"
};

/* Words that providers put before a model's own name, with a dot behind them. */
static const char *const origins[] = {"us",      "eu",       "apac",   "global",    "au",
                                      "jp",      "us-gov",   "openai", "anthropic", "meta",
                                      "mistral", "deepseek", "qwen",   "moonshot",  "moonshotai",
                                      "zai",     "google"};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool begins(struct slice model, struct slice prefix)
{
    if (model.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (lower(model.data[i]) != prefix.data[i])
            return false;
    return true;
}

/* "us.anthropic.claude-x" -> "claude-x" */
static struct slice without_origins(struct slice model)
{
    for (bool found = true; found;) {
        found = false;
        for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
            size_t len = strlen(origins[i]);
            if (model.len > len && begins(model, slice_of(origins[i])) && model.data[len] == '.') {
                model = slice_from(model, len + 1);
                found = true;
            }
        }
    }
    return model;
}

static struct slice own_name(struct slice model)
{
    for (size_t i = model.len; i > 0; i--)
        if (model.data[i - 1] == '/') {
            model = slice_from(model, i);
            break;
        }
    if (begins(model, SLICE_LITERAL("ft:")))
        model = slice_from(model, 3);
    if (begins(model, SLICE_LITERAL("openai-gpt"))) /* as DigitalOcean and Snowflake name them */
        model = slice_from(model, 7);
    return without_origins(model);
}

/* The family of which a name begins the model's with more letters than any other's. */
static enum row row_of(struct slice name)
{
    enum row row = ROW_UNKNOWN;
    size_t longest = 0;
    for (size_t i = 0; i < ROWS; i++) {
        for (const char *at = rules[i].names; *at;) {
            size_t len = strcspn(at, " ");
            if (len > longest && begins(name, (struct slice){at, len})) {
                row = (enum row)i;
                longest = len;
            }
            at += len + (at[len] == ' ');
        }
    }
    return row;
}

const struct prompt_rule *prompt_rule_find(struct slice model, const struct encoding **ret_encoding)
{
    struct slice name = own_name(model);
    enum row row = row_of(model);
    if (row == ROW_UNKNOWN)
        row = row_of(name);
    const struct encoding *own = row == ROW_UNKNOWN ? model_encoding(name) : NULL;
    if (own)
        row = ROW_GPT_TEXT;
    *ret_encoding = own ? own : encoding_find(slice_of(rules[row].encoding));
    return &rules[row];
}

const struct prompt_rule *prompt_rule_at(size_t i)
{
    return i < ROWS ? &rules[i] : NULL;
}
