/* SPDX-License-Identifier: Apache-2.0
 * The texts that operations are made of. A transcript names them by number. */
#ifndef MODEL_WORDS_H
#define MODEL_WORDS_H

enum {
    WORD_NONE,
    WORD_GPT,
    WORD_GPT_MINI,
    WORD_CLAUDE,
    WORD_OPENAI,
    WORD_AZURE,
    WORD_SESSION_1,
    WORD_SESSION_2,
    WORD_RED,
    WORD_GREEN,
    WORD_BLUE,
    WORD_STAR,
    WORD_GPT_STAR,
    WORD_CLAUDE_STAR,
    WORD_AZ_STAR,
    WORD_S_STAR,
    WORD_G_STAR,
    WORD_PURCHASE,
    WORD_UTC,
    WORD_BERLIN,
    WORD_NEW_YORK,
    WORD_KOLKATA,
    WORD_LORD_HOWE,
    WORD_SAO_PAULO,
    WORD_KATHMANDU,
    WORD_CHATHAM,
    WORDS
};

extern const char *const words[WORDS];

#endif
