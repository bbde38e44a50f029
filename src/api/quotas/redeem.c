/* SPDX-License-Identifier: Apache-2.0
 * A code redeemed: by whoever has a key, for the user it belongs to (or itself, if it is nobody's),
 * or by an administrator for any scope. The code is looked at in one's turn and counted by the
 * batch that grants, so that each use is one grant however many come at once; a scope redeems a
 * code once, because the grant's id is made of both.
 *
 * A wrong code (none such, another organization's, used up or over: nobody is told which) costs who
 * sent it time, and after TRIES of them it is refused unread for a while. */
#include "api/documents.h"
#include "api/entities.h"
#include "api/quotas/codes.h"
#include "api/quotas/deal.h"
#include "api/quotas/handlers.h"

#include "api/limits/budget_json.h"
#include "base/assert.h"
#include "directory/tries.h"

#include <sodium.h>
#include <stddef.h>
#include <stdio.h>

/* So many wrong ones at once, then one a minute. */
static const struct tries_rate wrong_rate = {10, INT64_C(60) * 1000000};

struct redeem_in {
    struct slice text, user;
    struct json scope;
};

struct redemption {
    struct deal deal; /* first: deal.h */
    struct redeem_in in;
    char who[2 * LIMIT_ID + 8]; /* whose tries are counted: no name of who logs in has a space */
    char id[CODE_ID];
    struct code code;
    bool right;
};

/* ---- Granting -------------------------------------------------------------------------------- */

static void show(struct request *request)
{
    const struct redemption *redemption = request->state;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "code", (struct slice){redemption->id, CODE_ID});
    budget_json_scope(request, "scope", redemption->deal.whose.at.n);
    deal_write_grants(request);
    out_close(out, '}');
    request->version = 0;
    request_reply(request, 201);
}

static void redeemed(struct request *request)
{
    deal_ask(request, show);
}

static void failed(struct request *request)
{
    if (request->op.status == METE_E_EXISTS)
        request_fail(request, METE_E_EXISTS, "code", "It has been redeemed for this scope.");
    else
        deal_fail(request, request->op.status, "code");
}

static bool is_good(const struct request *request, const struct code *code)
{
    int64_t now_us = mete_now(request->api->parts.mete).us;
    return code->used < code->uses && (!code->expires_at_us || now_us < code->expires_at_us);
}

static int grant(struct request *request, struct redemption *redemption)
{
    struct deal *deal = &redemption->deal;
    char scope[16];
    snprintf(scope, sizeof scope, "%u", deal->whose.at.n);
    const struct grant_terms terms = {.scope = deal->whose.at,
                                      .source = SLICE_LITERAL("code"),
                                      .source_id = redemption->code.id,
                                      .description = redemption->code.description,
                                      .offer = redemption->code.id};
    struct slice name = grant_make_id(request, redemption->code.id, slice_of(scope));
    deal->offers = redemption->code.offers;
    return grant_make_ids(request, name, deal->ids) ? deal_make(request, &terms) : METE_E_MEMORY;
}

static void refuse(struct request *request)
{
    request_fail(request, METE_E_NOT_FOUND, "code", "No such code can be redeemed.");
}

/* In one's turn: what was looked at before may have been used since. */
static bool write(struct request *request, struct json was)
{
    struct redemption *redemption = request->state;
    struct deal *deal = &redemption->deal;
    if (code_read(request, was.raw, &redemption->code) || !is_good(request, &redemption->code)) {
        refuse(request);
        return false;
    }
    redemption->code.used++;
    struct slice document = code_document(request, &redemption->code);
    if (!document.data || grant(request, redemption)) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return false;
    }
    out_clear(&request->out);
    out_raw(&request->out, document);
    for (size_t i = 0; i < deal->offers.len; i++)
        documents_also(request, &deal->changes[i]);
    return true;
}

/* ---- Whether it is one ----------------------------------------------------------------------- */

static int keep(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct redemption *redemption = request->state;
    char hash[DIRECTORY_HASH + 1];
    int rc = code_read(request, entity->document, &redemption->code);
    directory_hash(request->api->parts.directory, redemption->in.text, hash);
    redemption->right = !rc && directory_same_secret(redemption->code.hash, slice_of(hash)) &&
                        is_good(request, &redemption->code);
    return rc;
}

/* So that guessing takes its time, of one worker: some 50 ms. */
static void waste(struct slice text)
{
    static const unsigned char salt[crypto_pwhash_SALTBYTES];
    unsigned char out[32];
    int rc = crypto_pwhash(out, sizeof out, text.data, text.len, salt,
                           crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_MIN * 1024,
                           crypto_pwhash_ALG_ARGON2ID13);
    (void)rc; /* without the memory for it, it is quicker */
}

static int look(struct request *request, struct records_reader *reader)
{
    struct redemption *redemption = request->state;
    struct slice id = code_id(redemption->in.text, redemption->id);
    int rc = id.len ? directory_find(reader, document_entity(DOCUMENT_CODE),
                                     redemption->deal.whose.organization, id, keep, request)
                    : METE_E_NOT_FOUND;
    if (!redemption->right)
        waste(redemption->in.text);
    return rc == METE_E_NOT_FOUND ? 0 : rc;
}

/* How long until another try is there. One is taken by what was wrong alone, so that any number of
 * right ones may come at once. */
static int64_t wait_us_of(struct request *request, bool takes)
{
    const struct redemption *redemption = request->state;
    struct tries *tries = request->api->parts.people->tries;
    struct slice who = slice_of(redemption->who);
    int64_t wait_us = tries_take(tries, who, &wrong_rate, mete_now(request->api->parts.mete).us);
    if (!wait_us && !takes)
        tries_give_back(tries, who, &wrong_rate);
    return wait_us;
}

static void looked(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_CODE, .field = "code", .write = write, .done = redeemed, .failed = failed};
    struct redemption *redemption = request->state;
    if (request_failed(request))
        return;
    if (!redemption->right) {
        (void)wait_us_of(request, true);
        refuse(request);
        return;
    }
    documents_change(request, &plan, DOCUMENT_CHANGE, (struct slice){redemption->id, CODE_ID});
}

/* Everybody's first step once it is known who is to be granted. */
static void try_it(struct request *request)
{
    int64_t wait_us = wait_us_of(request, false);
    if (wait_us)
        request_fail(request, METE_E_LIMITED, "code", "Too many wrong codes: wait %d seconds.",
                     (int)(wait_us / 1000000 + 1));
    else
        request_work(request, look, looked);
}

/* ---- Who ------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct redeem_in, member)
static const struct field table[] = {
    {.name = "code",
     .type = FIELD_TOKEN,
     .flags = FIELD_REQUIRED,
     .offset = AT(text),
     .min = 1,
     .max = 128},
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},
    {.name = "user_id", .type = FIELD_ID, .offset = AT(user)},
};
#undef AT

static struct redemption *begin(struct request *request, size_t members)
{
    struct redemption *redemption = request_take(request, sizeof *redemption);
    if (!redemption)
        return NULL;
    request->state = redemption;
    if (!request_read(request, table, members, &redemption->in))
        return redemption;
    request_problem(request);
    return NULL;
}

void redeem_for(struct request *request)
{
    struct redemption *redemption = begin(request, sizeof table / sizeof table[0]);
    if (!redemption)
        return;
    snprintf(redemption->who, sizeof redemption->who, "code %.*s:%.*s", (int)request->params[0].len,
             request->params[0].data, (int)request->who.name.len, request->who.name.data);
    if (whose_body(request, redemption->in.scope, redemption->in.user))
        request_problem(request);
    else
        whose_find(request, try_it);
}

/* The organization's id takes the place that it has in a path. */
static void names_known(struct request *request)
{
    struct redemption *redemption = request->state;
    const struct name *name =
        namebook_scope(request->api->names, redemption->deal.whose.organization.n);
    if (name)
        request->params[0] = arena_copy(&request->arena, namebook_id(name));
    if (name && request->params[0].data)
        try_it(request);
    else
        request_fail(request, METE_E_MEMORY, NULL, NULL);
}

static void know_names(struct request *request)
{
    const struct whose *whose = request->state;
    request_want(request, NAME_SCOPE, whose->at.n);
    request_want(request, NAME_SCOPE, whose->organization.n);
    request_load_names(request, names_known);
}

static void owner_seen(struct request *request)
{
    struct whose *whose = request->state;
    if (request_missed(request, "code"))
        return;
    if (request->answer.scope.kind == METE_USER)
        whose->at = request->answer.scope.scope;
    know_names(request);
}

static void ask_scope(struct request *request, struct mete_scope_id scope,
                      void (*then)(struct request *request))
{
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_SCOPE, .scope = scope}};
    request_ask(request, then);
}

static void key_seen(struct request *request)
{
    if (!request_missed(request, "code"))
        ask_scope(request, request->answer.scope.parent, owner_seen);
}

void redeem_own(struct request *request)
{
    struct redemption *redemption = begin(request, 1);
    if (!redemption)
        return;
    if (request->who.admin || !request->who.scope.n) {
        request_fail(request, METE_E_FORBIDDEN, NULL,
                     "This is for keys: /organizations/{org}/redeem is for administrators.");
        return;
    }
    snprintf(redemption->who, sizeof redemption->who, "code %u", request->who.scope.n);
    redemption->deal.whose.organization = request->who.organization;
    redemption->deal.whose.at = request->who.scope;
    ask_scope(request, request->who.scope, key_seen);
}
