/* SPDX-License-Identifier: Apache-2.0
 * What a request's input comes to in tokens. The formats' readers (dialect/) tell what stands in a
 * request, in the order of the provider's own reading; what that costs is the rule's (rules.h).
 *
 *   expected  the best estimate; exact where the rule is exact and nothing but texts was told
 *   bound     what the provider will not bill more than, as far as recorded calls say;
 *             PROMPT_UNBOUNDED where something was told that nobody here can count
 *
 * Values are JSON that json_scan() has accepted, and outlive the prompt. A value that is absent
 * (JSON_NONE) or null is nothing.
 *
 * THREADS  a prompt and its tokenizer are one thread's. MEMORY  itself, and that of a counter
 * (tokenizer.h). COST  linear in the values. */
#ifndef PROMPTS_PROMPT_H
#define PROMPTS_PROMPT_H

#include "prompts/feed.h"
#include "prompts/memo.h"
#include "prompts/rules.h"

#define PROMPT_UNBOUNDED INT64_MAX

enum prompt_role {
    PROMPT_USER = 0,
    PROMPT_SYSTEM,
    PROMPT_ASSISTANT,
    PROMPT_TOOL /* what a tool answered */
};

struct prompt {
    const struct prompt_rule *rule;
    struct tokenizer *tokenizer;
    struct memo *memo; /* of texts that were counted before; NULL: none is kept */
    bool bare;         /* a text that is no conversation: completions, embeddings */
    bool responses;    /* told by OpenAI's responses API */
    bool guessed;      /* something of it is no text: expected is an estimate */
    bool unbounded, beyond;
    bool thinks, forced, json;
    int error;    /* the first; the figures are then none */
    int64_t left; /* bytes of texts that are still counted; what is behind them is not. One that
                     the memo has costs a 64th of its bytes */
    bool spent;   /* something was not counted for that */
    enum prompt_role role;
    char led_by; /* last byte of the first system message; '\0': there is none */
    int64_t text, system_text;
    int64_t schema, referred, shape;
    struct feed_marks marks, schema_marks, shape_marks;
    int64_t thoughts, sealed; /* in the turn that goes on */
    int64_t past_thoughts, past_sealed;
    int64_t messages, systems, assistants, names, tools, empty_tools, results, formats;
    int64_t calls, groups;    /* single ones; messages with several in a wrapper */
    bool call_waits, wrapped; /* one waits for whether it is the last; one in a wrapper was told */
    int64_t first_tool;       /* tokens of its name */
    bool described;           /* ... and whether it has a description */
    bool stored;              /* the provider knows the call that is told next */
    struct json call_name, call_arguments; /* of a call that waits for whether it is the last */
    struct json part;                      /* the text before in the same message */
    int64_t images_expected, images_bound;
    int64_t sounds, sounds_ms, sounds_most_ms;
};

struct prompt_figures {
    int64_t expected, bound;
    bool exact;
    bool beyond; /* more is billed than what stands in the request, or any function of it */
};

/* rule and tokenizer outlive the prompt; the tokenizer is of the encoding that came with rule.
 * Texts are counted until the caller sets left to less: then there is no bound. A memo is the
 * caller's. */
void prompt_begin(struct prompt *prompt, const struct prompt_rule *rule,
                  struct tokenizer *tokenizer);
/* METE_E_MEMORY: nothing is known. */
__attribute__((warn_unused_result)) int prompt_end(struct prompt *prompt,
                                                   struct prompt_figures *ret_figures);

/* A message begins; what follows belongs to it. */
void prompt_message(struct prompt *prompt, enum prompt_role role);
void prompt_name(struct prompt *prompt, struct json name);
/* A string, or any other value as the JSON it is. */
void prompt_text(struct prompt *prompt, struct json text);
/* A call of a tool in a message of the assistant. arguments: a string of JSON, or an object. */
void prompt_call(struct prompt *prompt, struct json name, struct json arguments);
/* The call that is told next has an id of the provider's. */
void prompt_stored(struct prompt *prompt);
/* An answer of a tool; its text is told by prompt_text(). */
void prompt_result(struct prompt *prompt);
/* A tool the model may call, the whole of it as it stands in the request, and its parts. */
void prompt_tool(struct prompt *prompt, struct json whole, struct json name,
                 struct json description, struct json parameters);
/* What the answer must look like. */
void prompt_format(struct prompt *prompt, struct json name, struct json description,
                   struct json schema);
/* The answer must be JSON of any shape. */
void prompt_json(struct prompt *prompt);
/* data: base64, or a data: URL with it, or any other URL. */
void prompt_image(struct prompt *prompt, struct json data, bool low_detail);
/* As prompt_image() has it; one that is not in the request is not bounded. */
void prompt_sound(struct prompt *prompt, struct json data);
/* Thoughts of the assistant that are given back to it: as text, or as only the provider can read
 * them. Providers drop those of turns that are over, so only a bound has them. */
void prompt_thought(struct prompt *prompt, struct json text);
void prompt_sealed(struct prompt *prompt, struct json sealed);
void prompt_thinking(struct prompt *prompt);
/* The model must call a tool. */
void prompt_forced(struct prompt *prompt);
/* Something that is not counted: files, tools that the provider runs, stored conversations. */
void prompt_unknown(struct prompt *prompt);
/* The provider looks things up and bills what it found as input. */
void prompt_beyond(struct prompt *prompt);

/* ---- Between the files of this module -------------------------------------------------------- */

/* One function in OpenAI's rendering; its count is added to prompt->schema. */
void prompt_typescript(struct prompt *prompt, struct json name, struct json description,
                       struct json parameters);

#endif
