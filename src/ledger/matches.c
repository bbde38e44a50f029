/* SPDX-License-Identifier: Apache-2.0
 * What narrows a budget or rate limit to some calls: a set of patterns, written once and never
 * moved, in a stretch of its own (LIMIT_PATTERN_BYTES), so that those which have none cost nothing.
 *
 *   set      number of patterns: 1 byte, then each of them
 *   pattern  kind: 1 byte, length: 1 byte, the bytes. A last '*' stands for any rest
 *
 * What matches is decided when a call is reserved or recorded and never again, so nothing about a
 * call is kept for it.
 *
 * Considered and not done: compiling sets into tries (sixteen short patterns are one cache line or
 * two, and a scope has few narrowed budgets); sharing equal sets (the templates of budgets share
 * theirs by its number already). */
#include "ledger/matches.h"

enum { SET_BYTES_MAX = 1 + METE_MATCHES_MAX * (2 + LIMIT_SESSION) };

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

int matches_judge(const struct ledger *ledger, const struct mete_match *matches, size_t len)
{
    if (len > METE_MATCHES_MAX)
        return METE_E_TOO_LARGE;
    for (size_t i = 0; i < len; i++) {
        if (matches[i].pattern.len > LIMIT_SESSION)
            return METE_E_TOO_LARGE;
        if (!entry_is_match(&matches[i]))
            return METE_E_INVALID;
    }
    /* Room for a batch of the largest sets, so that its later changes fit once its first does. */
    uint64_t left = ledger->patterns.room - ledger->patterns.used;
    bool is_full = left * 8 < (uint64_t)LIMIT_CHANGES * (SET_BYTES_MAX + 7);
    return len && is_full ? METE_E_FULL : 0;
}

bool matches_put(struct ledger *ledger, const struct mete_match *matches, size_t len,
                 uint32_t *ret_set)
{
    ASSERT(len <= METE_MATCHES_MAX);
    *ret_set = 0;
    if (len == 0)
        return true;
    size_t bytes = 1;
    for (size_t i = 0; i < len; i++)
        bytes += 2 + matches[i].pattern.len;
    ASSERT(bytes <= SET_BYTES_MAX);
    if ((bytes + 7) / 8 > ledger->patterns.room - ledger->patterns.used)
        return false;
    *ret_set = texts_take(&ledger->patterns, bytes);
    char *at = texts_at(&ledger->patterns, *ret_set);
    *at++ = (char)(uint8_t)len;
    for (size_t i = 0; i < len; i++) {
        struct slice pattern = of_text(matches[i].pattern);
        *at++ = (char)(uint8_t)matches[i].kind;
        *at++ = (char)(uint8_t)pattern.len;
        memcpy(at, pattern.data, pattern.len);
        at += pattern.len;
    }
    return true;
}

size_t matches_of(const struct ledger *ledger, uint32_t set,
                  struct mete_match ret_matches[METE_MATCHES_MAX])
{
    if (set == 0)
        return 0;
    const char *at = texts_at(&ledger->patterns, set);
    size_t len = (uint8_t)*at++;
    ASSERT(len > 0 && len <= METE_MATCHES_MAX);
    for (size_t i = 0; i < len; i++) {
        size_t pattern_len = (uint8_t)at[1];
        ret_matches[i].kind = (enum mete_match_kind)at[0];
        ret_matches[i].pattern = (struct mete_text){at + 2, pattern_len};
        at += 2 + pattern_len;
    }
    return len;
}

bool matches_same(const struct mete_match *a, size_t a_len, const struct mete_match *b,
                  size_t b_len)
{
    bool same = a_len == b_len;
    for (size_t i = 0; same && i < a_len; i++)
        same = a[i].kind == b[i].kind && slice_equal(of_text(a[i].pattern), of_text(b[i].pattern));
    return same;
}

bool matches_are(const struct ledger *ledger, uint32_t set, const struct mete_match *matches,
                 size_t len)
{
    struct mete_match there[METE_MATCHES_MAX];
    return matches_same(there, matches_of(ledger, set, there), matches, len);
}

/* ---- Calls ---- */

void matches_of_call(struct mete_text model, struct mete_text provider, struct mete_text session,
                     const struct mete_text *tags, size_t tags_len, struct call_texts *ret_call)
{
    ASSERT(tags_len <= METE_TAGS_MAX);
    ret_call->at_us = 0; /* the caller's to say, where dates count */
    ret_call->model = of_text(model);
    ret_call->provider = of_text(provider);
    ret_call->session = of_text(session);
    ret_call->tags.len = tags_len;
    for (size_t i = 0; i < tags_len; i++)
        ret_call->tags.texts[i] = of_text(tags[i]);
}

static struct slice name_or_text(const struct ledger *ledger, const struct entry_name *name)
{
    return name->text.len ? name->text : names_text(ledger, name->n);
}

void matches_of_entry(const struct ledger *ledger, const struct entry *entry,
                      struct call_texts *ret_call)
{
    ret_call->at_us = entry->at_us;
    if (entry->kind == ENTRY_RESERVE) {
        ret_call->model = name_or_text(ledger, &entry->u.reserve.model);
        ret_call->provider = name_or_text(ledger, &entry->u.reserve.provider);
        ret_call->session = entry->u.reserve.session;
        ret_call->tags = entry->u.reserve.tags;
        return;
    }
    ASSERT(entry->kind == ENTRY_RECORD);
    ret_call->model = name_or_text(ledger, &entry->u.record.model);
    ret_call->provider = name_or_text(ledger, &entry->u.record.provider);
    ret_call->session = entry->u.record.session;
    ret_call->tags = entry->u.record.tags;
}

static bool fits(struct slice pattern, struct slice text)
{
    if (pattern.data[pattern.len - 1] == '*')
        return slice_starts(text, slice_part(pattern, 0, pattern.len - 1));
    return slice_equal(pattern, text);
}

/* A call without tags is like one with an empty tag: only "*" fits. */
static bool fits_tags(struct slice pattern, const struct entry_tags *tags)
{
    bool any = tags->len == 0 && fits(pattern, (struct slice){0});
    for (size_t i = 0; i < tags->len && !any; i++)
        any = fits(pattern, tags->texts[i]);
    return any;
}

static bool fits_call(const struct mete_match *match, const struct call_texts *call)
{
    struct slice pattern = of_text(match->pattern);
    switch (match->kind) {
    case METE_MATCH_MODEL:
        return fits(pattern, call->model);
    case METE_MATCH_PROVIDER:
        return fits(pattern, call->provider);
    case METE_MATCH_SESSION:
        return fits(pattern, call->session);
    case METE_MATCH_TAG:
        break;
    }
    return fits_tags(pattern, &call->tags);
}

bool matches_call(const struct ledger *ledger, uint32_t set, const struct call_texts *call)
{
    struct mete_match matches[METE_MATCHES_MAX];
    size_t len = matches_of(ledger, set, matches);
    unsigned named = 0, met = 0; /* bits by kind */
    for (size_t i = 0; i < len; i++) {
        unsigned kind = 1u << matches[i].kind;
        named |= kind;
        if (!(met & kind) && fits_call(&matches[i], call))
            met |= kind;
    }
    return met == named;
}
