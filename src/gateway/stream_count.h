/* SPDX-License-Identifier: Apache-2.0
 * The tokens of one streamed answer, counted while it comes: each of its texts by a counter of its
 * own, and what the model's format is known to put around them.
 *
 * EXACT  where the encoding is the model's own, and as long as every token of output stands in a
 * text that is told (dialect_event.texts), and at most STREAM_TEXTS texts of several choices grow
 * side by side. Once that does not hold, or there is no memory, it stops for good:
 * stream_count_on() is false, and bytes are what is known. BETWEEN  where it is another's (a
 * tokenizer that is secret, or not here): its tokens are then no more than stream_count_most() and
 * no fewer than stream_count_least(), by what is known of the model's family (prompts/rules.h).
 * What is told as no text counts by its bytes in the former. MEMORY  the counter of one text; a
 * second and more on the heap. */
#ifndef GATEWAY_STREAM_COUNT_H
#define GATEWAY_STREAM_COUNT_H

#include "dialect/dialect.h"
#include "prompts/rules.h"
#include "tokens/tokenizer.h"

enum { STREAM_TEXTS = 8 };

struct stream_text {
    uint32_t of;   /* dialect_text_of() */
    uint32_t used; /* when it last grew; 0: never */
    struct counter counter;
};

/* Where the words around texts come from. */
enum stream_template {
    STREAM_PLAIN = 0, /* texts alone; calls have a header */
    STREAM_ENDED,     /* the same, and the end of an answer is a token: responses */
    STREAM_HARMONY    /* <|channel|>final<|message|>...<|end|> around each */
};

struct stream_count {
    struct tokenizer *tokenizer;      /* NULL: nothing is counted */
    const struct prompt_rule *family; /* NULL: the tokenizer is the model's own */
    int64_t wide, digits, untold;     /* of a family: bytes that are no ASCII; digits; of no text */
    enum stream_template template;
    int64_t total;  /* all texts, and what stands around those that began */
    uint32_t clock; /* texts fed so far */
    uint32_t texts; /* begun: messages and reasoning */
    uint32_t calls; /* begun */
    bool reasoned;  /* reasoning was shown */
    struct stream_text first;
    struct stream_text *more; /* [more_len] */
    uint32_t more_len, more_room;
};

/* tokenizer lives as long; NULL: nothing is counted. */
void stream_count_begin(struct stream_count *count, struct tokenizer *tokenizer,
                        const struct dialect *provider);
/* The tokenizer is not the model's own. family: lives on; it has a bound. */
void stream_count_by_family(struct stream_count *count, const struct prompt_rule *family);
void stream_count_done(struct stream_count *count); /* stops it */
static inline bool stream_count_on(const struct stream_count *count)
{
    return count->tokenizer != NULL;
}
static inline bool stream_count_exact(const struct stream_count *count)
{
    return count->tokenizer && !count->family;
}

/* One more piece, empty or not. May stop the count. COST amortised linear. */
void stream_count_add(struct stream_count *count, const struct dialect_text *text);
/* Output that is none of the texts, in bytes. Where it was exact, the count stops. */
void stream_count_untold(struct stream_count *count, int64_t bytes);
/* How much of a piece fits so that total is at most limit: bytes of its raw string from its start,
 * the quote included; 0: not even the beginning of its text. raw.len: all of it.
 * STREAM_UNTOLD: it can only be added (a word, or a row of signs, that is long already; or it is
 * too long to be counted at all). */
#define STREAM_UNTOLD SIZE_MAX
size_t stream_count_fit(const struct stream_count *count, const struct dialect_text *text,
                        int64_t limit);
/* The first bytes of a piece, as stream_count_fit() told, and no more of it. */
void stream_count_add_part(struct stream_count *count, const struct dialect_text *text, size_t len);
/* What its provider will say, if it ended there of its own accord. */
int64_t stream_count_whole(const struct stream_count *count);
/* Of a family, while it is on: what its provider will not say more than, and not less. */
int64_t stream_count_most(const struct stream_count *count);
int64_t stream_count_least(const struct stream_count *count);
/* All texts of an event. May stop the count. */
void stream_count_event(struct stream_count *count, const struct dialect_event *event);

#endif
