/* SPDX-License-Identifier: Apache-2.0
 * Who is who: API keys and the admin token, and what a key may do. An index in memory over the
 * documents that the engine projects (store/records.h); documents are JSON that the API writes.
 * Secrets are never kept: a key is its public id and a keyed BLAKE2b-256 hash of its whole text
 * (INV-13), compared in constant time.
 * THREAD one (the event loop), but for directory_used_at() and the reads of what is projected. */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "base/slice.h"
#include "codec/address.h"
#include "mete.h"
#include "store/records.h"

struct directory;

/* mete_sk_ + 12 digits public id + 30 digits secret (178 bits) + 6 digits CRC-32 of what is before,
 * all base 62. Its scope's id is "key_" + the public id. */
enum { KEY_TEXT = 8 + 12 + 30 + 6, KEY_ID = 4 + 12, KEY_PREFIX = 8 + 4, KEY_HASH = 32 };

struct directory_new_key {
    char text[KEY_TEXT + 1]; /* shown once */
    char id[KEY_ID + 1];
    char prefix[KEY_PREFIX + 1]; /* "mete_sk_" and four digits, for display */
    char hash[KEY_HASH * 2 + 1]; /* hex, for the document */
};

enum { DIRECTORY_MODELS_MAX = 32, DIRECTORY_RANGES_MAX = 32 };

/* What becomes of a call whose client left: what the gateway's configuration says, or this. */
enum directory_disconnect { DIRECTORY_AS_CONFIGURED = 0, DIRECTORY_DRAIN, DIRECTORY_CANCEL };

/* What only some keys have; one block with all it points to. */
struct directory_more {
    const char *const *models;          /* globs with *; none: every model */
    const struct address_range *ranges; /* none: from everywhere */
    size_t models_len, ranges_len;
    int64_t previous_until_us; /* the text before the present one works until then; 0: there is
                                  none */
    uint8_t previous_hash[KEY_HASH];
};

struct directory_key {
    struct mete_scope_id scope, organization;
    int64_t expires_at_us; /* 0: never */
    bool revoked;          /* a deleted one too */
    bool ended;            /* deleted */
    enum directory_disconnect disconnect;
    uint32_t endpoints;                /* directory_endpoint()s together; 0: all */
    const struct directory_more *more; /* NULL: nothing of it */
};

/* secret: 32 bytes of the installation (server/home.h). METE_E_MEMORY. */
METE_MUST_USE int directory_new(const uint8_t secret[32], struct directory **ret_directory);
void directory_free(struct directory *directory);
/* Reads every key's document. STORAGE, MEMORY, CORRUPT. */
METE_MUST_USE int directory_load(struct directory *directory, struct records_reader *reader);

/* Takes over a scope's document after it was applied: keys are indexed, the rest is passed. The
 * document's members: "hash", "models", "endpoints" (words of tables/endpoints.h), "ip_ranges",
 * "expires_at", "revoked", "disconnect", "previous" (an object: "hash" of the text before, "until"
 * when it works). METE_E_SYNTAX, MEMORY: nothing has changed. */
METE_MUST_USE int directory_put(struct directory *directory, const struct records_entity *entity);

/* What a text is at an instant. */
enum directory_text {
    DIRECTORY_UNKNOWN = 0,
    DIRECTORY_PRESENT,  /* the text of the key */
    DIRECTORY_PREVIOUS, /* the one before, which still works */
    DIRECTORY_REPLACED  /* the one before, which does not */
};
/* The key with this text, PRESENT or PREVIOUS: checksum, then look-up, then hash. NULL: there is
 * none, and *ret_text (which may be NULL) says why. Revoked and expired ones are found: the ledger
 * refuses them, with the reason. Borrowed until the next put. */
const struct directory_key *directory_find_key(const struct directory *directory, struct slice text,
                                               int64_t now_us, enum directory_text *ret_text);
/* The key with this id ("key_" and its public id); NULL: unknown. Borrowed until the next put. */
const struct directory_key *directory_find_id(const struct directory *directory, struct slice id);

/* ---- What a key may do ----------------------------------------------------------------------- */

bool directory_allows_model(const struct directory_key *key, struct slice model);
/* A bit for a word of tables/endpoints.h; 0: it is none. */
uint32_t directory_endpoint(struct slice word);
/* The word of bit i; NULL: past the last. */
const char *directory_endpoint_at(size_t i);
/* word NULL or unknown: only a key that may call all of them. */
bool directory_allows_endpoint(const struct directory_key *key, const char *word);
/* An address that is not known is allowed to a key that may be used from everywhere. */
bool directory_allows_address(const struct directory_key *key, const struct address *address);

/* ---- When a key was used ----------------------------------------------------------------------
 * Kept in memory alone, by scope: a journal entry for each call would be the dearest thing about a
 * call. */

/* Its text was shown, and was good. No memory for it: nothing is kept. */
void directory_use(struct directory *directory, struct mete_scope_id key, int64_t now_us);
/* 0: not since the directory was made. THREAD any. */
int64_t directory_used_at(const struct directory *directory, struct mete_scope_id key);

struct directory_counts {
    uint64_t active, expired, revoked;
};
/* Of an organization's keys; deleted ones are in none. Linear in all keys, four bytes each. */
void directory_count(const struct directory *directory, struct mete_scope_id organization,
                     int64_t now_us, struct directory_counts *ret_counts);

/* ---- Making keys ------------------------------------------------------------------------------
 */

/* random: fills len bytes with what cannot be guessed. */
void directory_make_key(const struct directory *directory,
                        void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                        struct directory_new_key *ret_key);
/* Another text for the key with this id: the same public id, another secret. */
void directory_remake_key(const struct directory *directory, struct slice id,
                          void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                          struct directory_new_key *ret_key);

/* ---- Reading what is projected: one place where everything is filtered by organization (INV-12)
 */

struct directory_entity {
    int kind; /* an enum mete_kind, RECORDS_BUDGET and what follows it, or document_entity() */
    uint32_t handle;
    struct mete_scope_id organization, parent;
    struct slice id, document; /* JSON as the API wrote it */
    int64_t changed_at_us;
    uint64_t version; /* the journal's entry that changed it last */
};

/* Pages through one kind in order of handle; organization n = 0 for METE_ORGANIZATION itself and
 * for documents of the installation, and for nothing else (asserted). kind: as of struct
 * directory_entity. Slices die when fn returns; fn non-zero stops and is returned. On a worker
 * thread, with the reader that thread has. */
METE_MUST_USE int directory_list(struct records_reader *reader, int kind,
                                 struct mete_scope_id organization, uint32_t after_handle,
                                 size_t limit,
                                 int (*fn)(void *user, const struct directory_entity *),
                                 void *user);
/* The documents of a kind, of every organization: for what mete does by itself, never for a reply.
 */
METE_MUST_USE int directory_each(struct records_reader *reader, int kind, uint32_t after_handle,
                                 size_t limit,
                                 int (*fn)(void *user, const struct directory_entity *),
                                 void *user);
/* NOT_FOUND. */
METE_MUST_USE int directory_find(struct records_reader *reader, int kind,
                                 struct mete_scope_id organization, struct slice id,
                                 int (*fn)(void *user, const struct directory_entity *),
                                 void *user);

/* Where what has this parent stands now. len 0: in no department. CORRUPT: it has no such parent.
 */
struct directory_place {
    size_t len;
    char department[128];
};
METE_MUST_USE int directory_place(struct records_reader *reader, struct mete_scope_id organization,
                                  struct mete_scope_id parent, struct directory_place *ret_place);

/* An organization's scopes that have something of a kind (store/records.h). */
METE_MUST_USE int directory_owners(struct records_reader *reader, int kind,
                                   struct mete_scope_id organization, uint32_t after_handle,
                                   size_t limit, int (*fn)(void *user, struct mete_scope_id),
                                   void *user);
/* Events of an organization's budgets, newest first (store/records.h). */
METE_MUST_USE int directory_events(struct records_reader *reader,
                                   const struct records_event_filter *filter,
                                   int (*fn)(void *user, const struct mete_event *, uint32_t n),
                                   void *user);

/* Of all organizations: for whoever may see each of them. filter->organization is 0. */
METE_MUST_USE int directory_all_events(struct records_reader *reader,
                                       const struct records_event_filter *filter,
                                       int (*fn)(void *user, const struct mete_event *, uint32_t n),
                                       void *user);

/* What is kept of another secret that mete gives out: a hash of its text with the installation's
 * secret, in hex. */
enum { DIRECTORY_HASH = KEY_HASH * 2 };
void directory_hash(const struct directory *directory, struct slice text,
                    char ret_hex[DIRECTORY_HASH + 1]);

/* Constant time. */
bool directory_same_secret(struct slice a, struct slice b);

#endif
