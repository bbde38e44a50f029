/* SPDX-License-Identifier: Apache-2.0
 * Who answers which model, in which order they are asked, and who is not asked for now.
 *
 *   CLOSED --failures in a row--> OPEN --pause over--> TRYING --one call answered--> CLOSED
 *                                  ^                     '------ it failed --------> OPEN
 *
 * A provider is full when as many calls are under way as it may have, or its rate is used up. One
 * that says so itself (429 with a time) rests until then. All is kept in memory: after a start
 * everybody is well. THREAD the gateway's. */
#ifndef GATEWAY_PROVIDERS_H
#define GATEWAY_PROVIDERS_H

#include "dialect/dialect.h"
#include "gateway/credential.h"
#include "gateway/gateway.h"

enum { PROVIDERS_CANDIDATES = 8 };

enum provider_health { PROVIDER_CLOSED = 0, PROVIDER_OPEN, PROVIDER_TRYING };

/* Why a call to it failed the last time. */
enum provider_fault {
    PROVIDER_NO_FAULT = 0,
    PROVIDER_NOT_REACHED,
    PROVIDER_BROKE_OFF,
    PROVIDER_TOO_SLOW,
    PROVIDER_BAD_STATUS /* fault_status */
};

enum provider_outcome {
    PROVIDER_ANSWERED = 0, /* whatever it said, it works */
    PROVIDER_FAILED,       /* not reached, broke off, too slow, 5xx, our credential refused */
    PROVIDER_RESTS,        /* it says when to come again */
    PROVIDER_SAID_NOTHING  /* we broke off */
};

struct provider {
    const struct gateway_provider *config;
    const struct dialect_family *family;
    struct provider_pass *passes; /* of config->passes, each at its place; NULL: none */
    char *base;                   /* base URL up to its query, with the version */
    char *query;                  /* "api-version=..."; NULL: none */
    char *host;                   /* of the base URL; port: 0 if it names none */
    int port;
    struct credential *credential; /* the newest; NULL: none */
    struct slice priced_as;        /* its name in the price list */
    bool in_price_list;            /* some model there is of a provider of that name */
    enum provider_health health;
    uint32_t failures; /* in a row */
    uint32_t open;     /* calls under way */
    int64_t until_us;  /* OPEN, or rests: not before; 0: now */
    int64_t rate_us;   /* GCRA: theoretical arrival time */
    bool disabled;     /* by an administrator: nobody asks it anything new */
    enum provider_fault fault;
    int fault_status;
    int64_t fault_us; /* when, in the engine's time */
    uint64_t asked, failed, opened;
};

/* What a path that is let through costs: a model of a single price. */
struct provider_pass {
    struct price prices[PRICE_METERS];
    struct price_model price;
};

/* One who may be asked for a call. */
struct candidate {
    const struct provider *provider;
    const struct dialect *spoken;    /* the format it is asked in */
    const struct price_model *price; /* of the model there */
    struct slice model;              /* its name there; lives as long as the call's own */
};

struct candidates {
    struct candidate list[PROVIDERS_CANDIDATES];
    size_t len;
    bool answers; /* some provider answers this model, */
    bool enabled; /* and one of them is not disabled */
    bool speaks;  /* and one of them speaks the format, or one it can be translated to */
};

struct providers {
    const struct gateway_config *config;
    struct provider all[GATEWAY_PROVIDERS_MAX];
    size_t len;
    uint64_t random[2];
    uint32_t second_tries; /* that may be made now, in hundredths */
};

/* Whether it is enabled and answers the model. */
bool providers_answers(const struct providers *providers, size_t at, struct slice model);
/* Who is disabled is no candidate, and takes no calls. */
void providers_enable(struct providers *providers, size_t at, bool enabled);
/* What a call failed of, beside providers_give(). */
void providers_blame(struct providers *providers, const struct provider *provider,
                     enum provider_fault fault, int status, int64_t now_us);

/* config, pricing: borrowed. METE_E_INVALID: no such family; METE_E_MEMORY. */
METE_MUST_USE int providers_open(struct providers *providers, const struct gateway_config *config,
                                 const struct pricing *pricing, uint64_t seed);
void providers_close(struct providers *providers); /* no call may be open */

/* Index of the first provider that answers the model, -1: none. ret_name: its name there. */
const struct provider *providers_named(const struct providers *providers, struct slice name);
/* The price of a model that the provider answers, by the name it is asked for; NULL: none. */
const struct price_model *providers_price_of(const struct provider *provider,
                                             const struct pricing *pricing, struct slice asked);
int providers_find(const struct providers *providers, struct slice model, struct slice *ret_name);

/* Of the model's name there; else of the name it was asked by. A ceiling is the last resort. NULL:
 * it has no price. */
const struct price_model *providers_price(const struct provider *provider,
                                          const struct pricing *pricing, struct slice there,
                                          struct slice asked);

/* All that can be asked, in the order of the configuration: as listed, by weight, or the cheapest
 * first. Who is not asked for now is among them. */
void providers_choose(struct providers *providers, const struct pricing *pricing,
                      struct slice model, const struct dialect *format,
                      struct candidates *ret_candidates);

/* Who lets this path through, and at which price: one, or nobody. model: as the call's own. */
void providers_pass(const struct providers *providers, struct slice path, struct slice model,
                    struct candidates *ret_candidates);
/* The methods that somebody lets through there, "GET, POST"; NULL: none. */
const char *providers_pass_methods(const struct providers *providers, struct slice path);

/* Counts one more call under way. False: not now; *ret_wait_us: earliest it may be tried. */
bool providers_take(struct providers *providers, const struct provider *provider, int64_t now_us,
                    int64_t *ret_wait_us);
/* It is over. rests_us: of PROVIDER_RESTS. */
void providers_give(struct providers *providers, const struct provider *provider,
                    enum provider_outcome outcome, int64_t rests_us, int64_t now_us);

/* Each call fills the budget of second tries a little; each second try takes one from it. */
void providers_first_try(struct providers *providers);
bool providers_second_try(struct providers *providers);

uint64_t providers_random(struct providers *providers);

#endif
