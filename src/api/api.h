/* SPDX-License-Identifier: Apache-2.0
 * The REST API under /api/v1: authority (check, reserve, deduct, release, record, stats) and
 * management (organizations, departments, users, budgets, keys, records, me). docs/openapi.yaml is
 * its contract. Errors are application/problem+json (RFC 9457) and name the field.
 * Authority calls run on the event loop, through the port; lists read the records on a worker.
 * THREAD one event loop. */
#ifndef API_API_H
#define API_API_H

#include "base/work.h"
#include "codec/exchange.h"
#include "directory/directory.h"
#include "directory/models.h"
#include "directory/people.h"
#include "mete.h"
#include "pricing/book.h"
#include "vault/vault.h"

enum api_provider {
    API_PROVIDER_UNKNOWN = 0, /* the configuration has none of this name */
    API_PROVIDER_BARE,        /* it gives it no credential: a sealed one is used */
    API_PROVIDER_GIVEN        /* it gives it one, which goes before a sealed one */
};

enum api_credential { API_CREDENTIAL_SET = 0, API_CREDENTIAL_REMOVED, API_CREDENTIALS_RESEALED };

/* The credentials of providers, and who is to know of their changes. */
struct api_credentials {
    struct vault *vault; /* NULL: there is no sealing key, and nothing is sealed */
    enum api_provider (*provider)(void *user, struct slice name); /* NULL: nobody knows */
    /* It is on disk: from now on it is used. Empty where it does not apply. NULL: nobody uses it.
     */
    int (*changed)(void *user, enum api_credential what, struct slice provider,
                   struct slice secret);
    void *user;
};

/* A provider of the gateway's. Slices live as long as the API. */
struct api_provider_view {
    struct slice name, dialect, base_url, priced_as;
    const char *const *models; /* globs */
    size_t models_len;         /* 0: every model */
    bool enabled;
    const char *circuit; /* "closed", "open", "half_open" */
    int64_t wait_us;     /* until it may be asked again; 0: now */
    uint32_t calls_open;
    uint64_t calls, failed, opened;
    const char *fault; /* of the last call that failed: "timeout"; NULL: none since the start */
    int fault_status;
    int64_t fault_us;
};

/* The providers of the gateway. Zeroed: there is none here. */
struct api_providers {
    /* The i-th of the configuration; false: there are no more. */
    bool (*at)(void *user, size_t i, struct api_provider_view *ret_view);
    /* Whether the i-th answers this model, and is enabled. */
    bool (*answers)(void *user, size_t i, struct slice model);
    /* It is on disk: from now on it is so. A name that the configuration does not have is nobody's.
     */
    void (*enable)(void *user, struct slice name, bool enabled);
    /* What a model costs that this provider was asked for, as the gateway prices it. Any thread. */
    const struct price_model *(*price)(void *user, const struct pricing *list,
                                       struct slice provider, struct slice model);
    void *user;
};

/* What a budget is made with that does not say. */
struct api_budget_defaults {
    enum mete_mode mode;
    bool is_quiet; /* nobody is told of its alerts */
};

struct api_parts {
    struct mete *mete;      /* for mete_now() */
    struct mete_port *port; /* the loop's: somebody polls it */
    struct directory *directory;
    struct people *people;
    struct price_book *prices;
    struct models *models;
    struct workers *workers;
    const struct os *os;        /* for the readers of the records; NULL: the system */
    const char *data_directory; /* where the records are; borrowed for the API's life */
    void (*random)(void *user, void *ret_bytes, size_t len);
    void *random_user;
    const char *admin_token; /* the one that may do everything; borrowed for the API's life */
    struct api_credentials credentials;
    struct api_providers providers;
    struct api_budget_defaults budgets;
};

struct api;

/* METE_E_MEMORY. */
METE_MUST_USE int api_new(const struct api_parts *parts, struct api **ret_api);
void api_free(struct api *api); /* no exchange may be open */
struct exchange_handler api_handler(struct api *api);
/* Does by itself what is due: the renewals of subscriptions. To be called at the instant (of
 * mete_now()) that it returned, and first at once. */
int64_t api_run(struct api *api);
/* Calls work->done() later, once what is due has been done; false: nothing is due, and it does not.
 */
bool api_wait(struct api *api, struct work *work);
size_t api_running(const struct api *api); /* 1: it is at it; 0 */
size_t api_open(const struct api *api);    /* exchanges not yet answered */

#endif
