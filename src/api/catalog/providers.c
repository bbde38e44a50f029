/* SPDX-License-Identifier: Apache-2.0
 * The providers of the configuration: how they are, whether they are asked, and where their
 * credentials come from; never what those are (INV-13). An administrator takes one out of use, or
 * back, without a restart: it is a document, and as soon as that is durable the gateway asks nobody
 * who is disabled.
 *
 * Where nobody knows the configuration (no server runs) any name can be disabled, and none is
 * listed. */
#include "api/catalog/handlers.h"
#include "api/catalog/provider_documents.h"
#include "api/documents.h"

#include <stddef.h>

enum { PAGE = 256 };

struct provider_state {
    bool enabled;
    struct slice name;
};

static const struct field table[] = {{.name = "enabled",
                                      .type = FIELD_BOOL,
                                      .flags = FIELD_REQUIRED,
                                      .offset = offsetof(struct provider_state, enabled)}};

/* ---- At a start ------------------------------------------------------------------------------ */

struct loading {
    void (*enable)(void *user, struct slice name, bool enabled);
    void *user;
    uint32_t last;
    size_t read;
};

static int load_one(void *user, const struct directory_entity *entity)
{
    struct loading *loading = user;
    struct json enabled = json_member(entities_document(entity->document), "enabled");
    loading->last = entity->handle;
    loading->read++;
    if (enabled.type != JSON_TRUE && enabled.type != JSON_FALSE)
        return METE_E_CORRUPT;
    loading->enable(loading->user, entity->id, enabled.type == JSON_TRUE);
    return 0;
}

int provider_documents_load(struct records_reader *reader,
                            void (*enable)(void *user, struct slice name, bool enabled), void *user)
{
    struct loading loading = {.enable = enable, .user = user};
    const struct mete_scope_id nobody = {0};
    int rc;
    do {
        loading.read = 0;
        rc = directory_list(reader, document_entity(DOCUMENT_PROVIDER), nobody, loading.last, PAGE,
                            load_one, &loading);
    } while (!rc && loading.read == PAGE);
    return rc;
}

/* ---- Showing --------------------------------------------------------------------------------- */

static bool find(const struct request *request, struct slice name,
                 struct api_provider_view *ret_view)
{
    const struct api_providers *providers = &request->api->parts.providers;
    for (size_t i = 0; providers->at && providers->at(providers->user, i, ret_view); i++)
        if (slice_equal(ret_view->name, name))
            return true;
    return false;
}

/* Where its credential comes from: the configuration's goes before a sealed one. */
static const char *credential_of(const struct request *request, struct slice name)
{
    const struct api_credentials *credentials = &request->api->parts.credentials;
    struct vault_entry entry;
    if (credentials->provider &&
        credentials->provider(credentials->user, name) == API_PROVIDER_GIVEN)
        return "configuration";
    return credentials->vault && !vault_find(credentials->vault, name, &entry) ? "sealed" : "none";
}

static void write_fault(struct out *out, const struct api_provider_view *view)
{
    out_key(out, "last_error");
    if (!view->fault) {
        out_null(out);
        return;
    }
    out_open(out, '{');
    out_member_text(out, "kind", slice_of(view->fault));
    out_key(out, "status");
    if (view->fault_status)
        out_integer(out, view->fault_status);
    else
        out_null(out);
    out_member_instant(out, "at", view->fault_us);
    out_close(out, '}');
}

static void write_view(struct request *request, const struct api_provider_view *view)
{
    struct out *out = &request->out;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    out_open(out, '{');
    out_member_text(out, "id", view->name);
    out_member_bool(out, "enabled", view->enabled);
    out_member_text(out, "dialect", view->dialect);
    out_member_text(out, "base_url", view->base_url);
    out_member_text(out, "priced_as", view->priced_as);
    out_key(out, "models");
    out_open(out, '[');
    for (size_t i = 0; i < view->models_len; i++)
        out_text(out, slice_of(view->models[i]));
    out_close(out, ']');
    out_member_text(out, "credential", slice_of(credential_of(request, view->name)));
    out_member_text(out, "circuit", slice_of(view->circuit));
    out_member_instant(out, "retry_at", view->wait_us ? now_us + view->wait_us : INT64_MAX);
    out_member_integer(out, "calls_open", view->calls_open);
    out_member_integer(out, "calls", (int64_t)view->calls);
    out_member_integer(out, "failed", (int64_t)view->failed);
    out_member_integer(out, "opened", (int64_t)view->opened);
    write_fault(out, view);
    out_close(out, '}');
}

/* A cursor is how many were before it. */
void providers_list(struct request *request)
{
    static const char *const known[] = {"limit", "cursor", NULL};
    const struct api_providers *providers = &request->api->parts.providers;
    struct api_provider_view view;
    struct page page;
    if (request_query_known(request, known) || request_page(request, &page)) {
        request_problem(request);
        return;
    }
    uint64_t at = page.after;
    out_page_open(&request->out);
    bool more = providers->at && providers->at(providers->user, at, &view);
    for (; more && page.limit; page.limit--) {
        write_view(request, &view);
        more = providers->at(providers->user, ++at, &view);
    }
    out_page_close(&request->out, more ? (int128)at : 0);
    out_close(&request->out, '}');
    request_reply(request, 200);
}

static int keep_version(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    request->version = entity->version;
    return 0;
}

static int look(struct request *request, struct records_reader *reader)
{
    const struct mete_scope_id nobody = {0};
    int rc = directory_find(reader, document_entity(DOCUMENT_PROVIDER), nobody, request->params[0],
                            keep_version, request);
    return rc == METE_E_NOT_FOUND ? 0 : rc;
}

static void looked(struct request *request)
{
    struct api_provider_view view;
    if (request_failed(request))
        return;
    if (find(request, request->params[0], &view)) {
        write_view(request, &view);
        request_reply(request, 200);
    } else {
        request_fail(request, METE_E_NOT_FOUND, "provider",
                     "The configuration has no provider of this name.");
    }
}

void provider_show(struct request *request)
{
    static const char *const known[] = {NULL};
    if (request_query_known(request, known))
        request_problem(request);
    else
        request_look(request, look, looked);
}

/* ---- Changing -------------------------------------------------------------------------------- */

static bool write_document(struct request *request, struct json was)
{
    const struct provider_state *state = request->state;
    struct out *out = &request->out;
    (void)was;
    out_clear(out);
    out_open(out, '{');
    out_member_bool(out, "enabled", state->enabled);
    out_close(out, '}');
    return true;
}

static void changed(struct request *request)
{
    const struct provider_state *state = request->state;
    const struct api_providers *providers = &request->api->parts.providers;
    struct api_provider_view view = {
        .name = state->name, .enabled = state->enabled, .circuit = "closed"};
    if (providers->enable)
        providers->enable(providers->user, state->name, state->enabled);
    (void)find(request, state->name, &view);
    out_clear(&request->out);
    write_view(request, &view);
    request_reply(request, 200);
}

void provider_change(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_PROVIDER, .field = "provider", .write = write_document, .done = changed};
    struct provider_state *state = request_take(request, sizeof *state);
    struct api_provider_view view;
    if (!state)
        return;
    request->state = state;
    state->name = request->params[0];
    if (request_read(request, table, sizeof table / sizeof table[0], state))
        request_problem(request);
    else if (request->api->parts.providers.at && !find(request, state->name, &view))
        request_fail(request, METE_E_NOT_FOUND, "provider",
                     "The configuration has no provider of this name.");
    else
        documents_change(request, &plan, DOCUMENT_PUT, state->name);
}
