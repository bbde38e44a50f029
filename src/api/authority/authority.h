/* SPDX-License-Identifier: Apache-2.0
 * Authority calls: check, reserve, extend, deduct, release, record; one, or an array of them. The
 * items of one request go through each stage together, so that one flush carries them:
 *
 *   read -> organizations -> scopes -> holds -> submit -> (names for refusals) -> write
 *
 * What is priced by the list is priced when it is known whose it is and when it was reserved: by
 * the organization's own prices, and those that held then (INV-11).
 *
 * An item that fails at a stage keeps its problem and sits out the rest; in an array it is answered
 * in its place. The common case asks nothing on the way: scopes are known by name (namebook.h),
 * what was reserved by number (holds.h). */
#ifndef API_AUTHORITY_AUTHORITY_H
#define API_AUTHORITY_AUTHORITY_H

#include "api/limits/budgets.h"
#include "api/authority/holds.h"
#include "api/request.h"
#include "api/authority/verbs.h"
#include "pricing/tariff_text.h"

struct item {
    struct mete_op op;
    const struct problem *problem; /* NULL: none so far */
    struct slice request_id, model, provider, session, metadata, price_list, reserve_text;
    struct mete_text *tags;
    size_t tags_len;
    struct scope_in scope_in; /* kind 0: not said */
    struct mete_scope_id organization, scope;
    uint64_t reservation, content;
    int64_t amounts[HOLDS_METERS];
    uint32_t mask;     /* bit m: meter m is asked for, or was used */
    uint32_t currency; /* of METE_COST; 0: not said, nor known by a price or hold */
    uint32_t said;     /* meters the caller has had a say in; the others are as reserved */
    int64_t ttl_ms;
    uint16_t status;
    struct slice upstream_id;
    uint32_t latency_ms, confidence_ppm;
    bool has_confidence;
    struct mete_part *parts; /* of the cost, where a charge was priced */
    size_t parts_len;
    char tariff[TARIFF_TEXT_ROOM];
    size_t tariff_len;
    bool to_price;      /* what it costs is the list's to say */
    int64_t list_at_us; /* by the prices that held then */
    bool seen;          /* the stage that is under way is done with it */
    bool shrink;        /* extend: gives back */
    struct mete_refusal *refusals;
    bool has_figures; /* check: of the tightest budget */
    int64_t used, held;
    union {
        struct mete_demand demands[HOLDS_METERS];
        struct mete_usage usage[HOLDS_METERS];
    } args;
};

struct call {
    enum verb verb;
    bool array;
    size_t len, pending;
    struct mete_op **ops; /* those to be sent; the first ops_sent are */
    size_t ops_len, ops_sent;
    struct item *items;
    struct mete_refusal *refusals; /* METE_REFUSALS_MAX for each item that may be refused */
    /* Of a call that went well, before it is answered; it ends the request or calls
     * authority_reply(). NULL: there is nothing to do. */
    void (*before_reply)(struct request *request);
};

/* Reads one item. Returns 0, or the error that is in request->problem. */
METE_MUST_USE int authority_read(struct request *request, struct json object, struct item *item);
/* What its usage costs, if the list is to say it. Returns 0, or the error in request->problem. */
METE_MUST_USE int authority_price(struct request *request, struct item *item,
                                  struct mete_scope_id organization, int64_t at_us);
/* Fills item->op from what was read and found. */
void authority_prepare(struct request *request, struct item *item);
/* From submit on; request->state is a struct call, or begins with one. */
void authority_submit(struct request *request);
/* Answers, once all is done. */
void authority_reply(struct request *request);
/* Writes item's answer, or its problem. */
void authority_write(struct request *request, const struct item *item);
/* "refused_by": who refuses, and why; their names are loaded. */
void authority_write_refusals(struct request *request, const struct mete_refusal *refusals,
                              size_t len);
/* The member of a call that an amount of the meter comes from. */
const char *authority_meter_member(uint16_t meter);
/* "reserve_id": what a reservation is called outside. */
void authority_write_reserve_id(struct out *out, uint64_t reservation);

#endif
