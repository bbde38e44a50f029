/* SPDX-License-Identifier: Apache-2.0
 * The credentials of providers: sealed, listed without their secret, removed, and sealed again
 * under another key. A secret comes in and never goes out (INV-13): what is read of a request is
 * zeroed as soon as it is sealed.
 *
 * A change has its turn, is prepared here, told to the audit log, written by a worker, and then
 * applied and told to who uses credentials: what is in use is on the disk. */
#include "api/acts.h"
#include "api/catalog/handlers.h"
#include "api/request.h"

#include <string.h>

struct credential_state {
    struct vault_change *change;
    enum api_credential what;
    char key_file[1025];
};

/* ---- Steps ------------------------------------------------------------------------------------
 */

/* Whether there is no vault; then the request has been ended. */
static bool no_vault(struct request *request)
{
    if (request->api->parts.credentials.vault)
        return false;
    request_fail(request, METE_E_FORBIDDEN, NULL,
                 "Nothing can be sealed here: there is no sealing_key_file.");
    return true;
}

static enum api_provider provider_of(const struct request *request, struct slice name)
{
    const struct api_credentials *parts = &request->api->parts.credentials;
    return parts->provider ? parts->provider(parts->user, name) : API_PROVIDER_BARE;
}

static int write_change(struct request *request, struct records_reader *reader)
{
    struct credential_state *state = request->state;
    (void)reader;
    return vault_change_write(state->change);
}

static void write_entry(struct request *request, const struct vault_entry *entry)
{
    const struct api_credentials *parts = &request->api->parts.credentials;
    struct out *out = &request->out;
    struct slice name = slice_of(entry->name);
    out_open(out, '{');
    out_member_text(out, "provider", name);
    out_member_text(out, "key", slice_of(vault_sealed_under(parts->vault)));
    out_member_integer(out, "version", (int64_t)entry->version);
    out_member_instant(out, "sealed_at", entry->sealed_at_us);
    if (parts->provider) {
        out_member_bool(out, "used", provider_of(request, name) == API_PROVIDER_BARE);
    } else {
        out_key(out, "used");
        out_null(out);
    }
    out_close(out, '}');
}

static int tell(struct request *request, enum api_credential what, struct slice provider)
{
    const struct api_credentials *parts = &request->api->parts.credentials;
    struct slice secret = {0};
    int error = 0;
    if (!parts->changed)
        return 0;
    if (what == API_CREDENTIAL_SET)
        error = vault_unseal(parts->vault, provider, &secret);
    if (!error)
        error = parts->changed(parts->user, what, provider, secret);
    if (secret.data)
        vault_forget(secret);
    return error;
}

static void reply_changed(struct request *request, enum api_credential what)
{
    const struct vault *vault = request->api->parts.credentials.vault;
    struct vault_entry entry;
    if (what == API_CREDENTIAL_REMOVED) {
        request_reply_empty(request, 204);
        return;
    }
    if (what == API_CREDENTIALS_RESEALED) {
        out_open(&request->out, '{');
        out_member_text(&request->out, "key", slice_of(vault_sealed_under(vault)));
        out_member_integer(&request->out, "credentials", (int64_t)vault_len(vault));
        out_close(&request->out, '}');
    } else if (!vault_find(vault, request->params[0], &entry)) {
        write_entry(request, &entry);
    }
    request_reply(request, 200);
}

static void written(struct request *request)
{
    struct credential_state *state = request->state;
    struct vault *vault = request->api->parts.credentials.vault;
    enum api_credential what = state->what;
    if (request->work_status) {
        vault_change_free(state->change);
        request_fail(request, request->work_status, NULL, NULL);
        return;
    }
    vault_change_apply(vault, state->change);
    if (tell(request, what, request->params[0]))
        request_fail(request, METE_E_MEMORY, NULL,
                     "It is sealed, but there was no memory to use it: try again.");
    else
        reply_changed(request, what);
}

static void act_written(struct request *request)
{
    struct credential_state *state = request->state;
    if (request->op.status)
        vault_change_free(state->change);
    if (!acts_failed(request))
        request_work(request, write_change, written);
}

/* For the audit log; the secret is not in it. Empty: the credential goes. NULL data: no memory. */
static struct slice write_act(struct request *request, enum api_credential what)
{
    const struct credential_state *state = request->state;
    struct out *out = &request->out;
    if (what == API_CREDENTIAL_REMOVED)
        return SLICE_LITERAL("");
    out_open(out, '{');
    if (what == API_CREDENTIALS_RESEALED)
        out_member_text(out, "key_file", slice_of(state->key_file));
    else
        out_member_instant(out, "sealed_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    struct slice document = arena_copy(&request->arena, buffer_slice(&out->bytes));
    out_clear(out);
    return document;
}

/* A change that was prepared goes its way; error: of preparing it. */
static void carry_out(struct request *request, int error, const char *field)
{
    struct credential_state *state = request->state;
    if (error == METE_E_NOT_FOUND) {
        request_fail(request, error, field, "It has no sealed credential.");
        return;
    }
    if (error) {
        request_fail(request, error, NULL, NULL);
        return;
    }
    bool is_reseal = state->what == API_CREDENTIALS_RESEALED;
    const struct act act = {.kind = is_reseal ? DOCUMENT_ACT : DOCUMENT_CREDENTIAL,
                            .id = is_reseal ? SLICE_LITERAL("reseal") : request->params[0],
                            .document = write_act(request, state->what)};
    if (act.document.data) {
        acts_write(request, &act, act_written);
        return;
    }
    vault_change_free(state->change);
    request_fail(request, METE_E_MEMORY, NULL, NULL);
}

/* Zeroed state of a change, after its turn has come; NULL: the request has been ended. */
static struct credential_state *begin(struct request *request, enum api_credential what)
{
    struct credential_state *state = request_take(request, sizeof *state);
    if (!state)
        return NULL;
    state->what = what;
    request->state = state;
    return state;
}

/* ---- Setting ----------------------------------------------------------------------------------
 */

struct set_in {
    struct slice secret;
};

static const struct field set_table[] = {{.name = "secret",
                                          .type = FIELD_TEXT,
                                          .flags = FIELD_REQUIRED,
                                          .offset = offsetof(struct set_in, secret),
                                          .min = 1,
                                          .max = LIMIT_CREDENTIAL}};

/* Zeroes the body, and the copy that a string with escapes has in the arena. A body that belongs to
 * the caller (api/local.h) is the caller's to zero. */
static void wipe(struct request *request, struct slice secret)
{
    struct exchange *exchange = request->exchange;
    struct slice given = exchange->body;
    char *own; /* const for who reads it */
    memcpy(&own, &secret.data, sizeof own);
    if (secret.len && (own < given.data || own >= given.data + given.len))
        explicit_bzero(own, secret.len);
    struct buffer body = exchange->ops->take_body(exchange);
    exchange->body = (struct slice){NULL, 0};
    if (body.room)
        explicit_bzero(body.data, body.room);
    buffer_done(&body);
}

static int prepare_set(struct request *request, struct credential_state *state, struct set_in *in)
{
    const struct api_credentials *parts = &request->api->parts.credentials;
    struct slice name = request->params[0];
    enum api_provider provider = provider_of(request, name);
    int error = request_read(request, set_table, 1, in);
    if (error)
        return error;
    if (!vault_name_is_good(name) || provider == API_PROVIDER_UNKNOWN)
        return problem_set(&request->problem, METE_E_NOT_FOUND, "provider",
                           "The configuration has no provider of this name.");
    if (provider == API_PROVIDER_GIVEN)
        return problem_set(&request->problem, METE_E_EXISTS, "provider",
                           "The configuration gives it a credential: take api_key out first.");
    if (!vault_secret_is_good(in->secret))
        return problem_set(&request->problem, METE_E_INVALID, "secret",
                           "It has bytes that no header can carry.");
    error = vault_put(parts->vault, name, in->secret, mete_now(request->api->parts.mete).us,
                      &state->change);
    return error ? problem_set(&request->problem, error, NULL, NULL) : 0;
}

static void set(struct request *request)
{
    struct set_in in = {0};
    struct credential_state *state = begin(request, API_CREDENTIAL_SET);
    if (!state)
        return;
    int error = prepare_set(request, state, &in);
    wipe(request, in.secret);
    if (error)
        request_problem(request);
    else
        carry_out(request, 0, NULL);
}

void credential_set(struct request *request)
{
    if (!no_vault(request))
        request_turn(request, set);
}

/* ---- Removing ---------------------------------------------------------------------------------
 */

static void remove_it(struct request *request)
{
    struct credential_state *state = begin(request, API_CREDENTIAL_REMOVED);
    if (state)
        carry_out(
            request,
            vault_remove(request->api->parts.credentials.vault, request->params[0], &state->change),
            "provider");
}

void credential_remove(struct request *request)
{
    if (!no_vault(request))
        request_turn(request, remove_it);
}

/* ---- Sealing again ----------------------------------------------------------------------------
 */

struct reseal_in {
    struct slice key_file;
};

static const struct field reseal_table[] = {{.name = "key_file",
                                             .type = FIELD_TEXT,
                                             .flags = FIELD_REQUIRED,
                                             .offset = offsetof(struct reseal_in, key_file),
                                             .min = 2,
                                             .max = 1024}};

static int prepare_reseal(struct request *request, struct credential_state *state)
{
    const struct api_parts *parts = &request->api->parts;
    struct vault_key *key = NULL;
    char detail[VAULT_DETAIL];
    int error = vault_key_read(state->key_file, parts->data_directory, &key, detail);
    if (error)
        return problem_set(&request->problem, METE_E_INVALID, "key_file", "%.230s", detail);
    error = vault_reseal(parts->credentials.vault, key, &state->change);
    if (error) {
        vault_key_free(key);
        problem_set(&request->problem, error, NULL, NULL);
    }
    return error;
}

static void reseal(struct request *request)
{
    struct reseal_in in = {0};
    struct credential_state *state = begin(request, API_CREDENTIALS_RESEALED);
    if (!state)
        return;
    int error = request_read(request, reseal_table, 1, &in);
    if (!error && in.key_file.data[0] != '/')
        error = problem_set(&request->problem, METE_E_INVALID, "key_file", "It must begin with /.");
    if (!error) {
        memcpy(state->key_file, in.key_file.data, in.key_file.len);
        error = prepare_reseal(request, state);
    }
    if (error)
        request_problem(request);
    else
        carry_out(request, 0, NULL);
}

void credentials_reseal(struct request *request)
{
    if (!no_vault(request))
        request_turn(request, reseal);
}

/* ---- Showing ----------------------------------------------------------------------------------
 */

void credential_show(struct request *request)
{
    struct vault_entry entry;
    if (no_vault(request))
        return;
    if (vault_find(request->api->parts.credentials.vault, request->params[0], &entry)) {
        request_fail(request, METE_E_NOT_FOUND, "provider", "It has no sealed credential.");
        return;
    }
    write_entry(request, &entry);
    request_reply(request, 200);
}

/* There are at most LIMIT_CREDENTIALS: one page. */
void credentials_list(struct request *request)
{
    const struct vault *vault = request->api->parts.credentials.vault;
    struct vault_entry entry;
    if (no_vault(request))
        return;
    out_page_open(&request->out);
    for (size_t i = 0; i < vault_len(vault); i++) {
        vault_at(vault, i, &entry);
        write_entry(request, &entry);
    }
    out_page_close(&request->out, 0);
    out_close(&request->out, '}');
    request_reply(request, 200);
}
