/* SPDX-License-Identifier: Apache-2.0
 * What calls that are over would have cost by the prices of a moment, or by those of a list that
 * lies over them (reports/rerate.h). Nothing is changed. An organization's own prices are its own
 * here too: they go before those of the list. */
#include "api/catalog/handlers.h"
#include "api/catalog/price_list_in.h"
#include "reports/rerate.h"

#include <stdlib.h>

struct rerate_in {
    struct price_list_in list;
    struct slice organization;
    int64_t from_us, to_us, at_us;
};

/* The list of an organization that has prices of its own. */
struct own {
    uint32_t organization;
    const struct pricing *list;
};

struct rerating {
    struct rerate_in in;
    struct mete_scope_id organization;
    const struct pricing *base; /* of the moment */
    struct pricing *said;       /* over it, what the request says; NULL: nothing */
    struct own *owns;           /* in order */
    size_t owns_len, left_out;
    struct sheet_row sheet;
    const struct api_providers *providers;
};

#define AT(member) offsetof(struct rerate_in, member)
static const struct field table[] = {
    PRICE_LIST_FIELDS(AT(list)),
    {.name = "organization", .type = FIELD_ID, .offset = AT(organization)},
    {.name = "from", .type = FIELD_INSTANT, .flags = FIELD_REQUIRED, .offset = AT(from_us)},
    {.name = "to", .type = FIELD_INSTANT, .offset = AT(to_us)},
    {.name = "at", .type = FIELD_INSTANT, .offset = AT(at_us)},
};
#undef AT

/* ---- Lists ----------------------------------------------------------------------------------- */

static const struct pricing *everybodys(const struct rerating *rerating)
{
    return rerating->said ? rerating->said : rerating->base;
}

static void let_go(struct rerating *rerating)
{
    for (size_t i = 0; i < rerating->owns_len; i++)
        pricing_free(rerating->owns[i].list);
    free(rerating->owns);
    pricing_free(rerating->said);
    pricing_free(rerating->base);
    rerating->owns = NULL;
    rerating->owns_len = 0;
    rerating->base = rerating->said = NULL;
}

static int add_own(struct rerating *rerating, struct price_book *book, uint32_t organization)
{
    size_t len = rerating->owns_len;
    if (!(len & (len - 1))) { /* at each power of two there is room for as many again */
        struct own *grown = realloc(rerating->owns, (len ? 2 * len : 1) * sizeof *grown);
        if (!grown)
            return METE_E_MEMORY;
        rerating->owns = grown;
    }
    struct own own = {.organization = organization};
    int rc = price_book_list_over(book, organization, rerating->in.at_us, everybodys(rerating),
                                  &own.list);
    if (!rc)
        rerating->owns[rerating->owns_len++] = own;
    return rc;
}

static int add_owns(struct request *request, struct rerating *rerating)
{
    struct price_book *book = request->api->parts.prices;
    if (rerating->organization.n)
        return add_own(rerating, book, rerating->organization.n);
    int rc = 0;
    uint32_t each = price_book_next(book, 0);
    for (; each && !rc; each = price_book_next(book, each))
        rc = add_own(rerating, book, each);
    return rc;
}

static const struct pricing *list_of(const struct rerating *rerating, uint32_t organization)
{
    size_t from = 0, to = rerating->owns_len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (rerating->owns[middle].organization < organization)
            from = middle + 1;
        else
            to = middle;
    }
    bool own = from < rerating->owns_len && rerating->owns[from].organization == organization;
    return own ? rerating->owns[from].list : everybodys(rerating);
}

/* ---- Rating ---------------------------------------------------------------------------------- */

/* A call through the gateway is priced as its provider is, by the configuration. */
static const struct price_model *price(void *user, struct mete_scope_id organization,
                                       struct slice provider, struct slice model, bool relayed)
{
    const struct rerating *rerating = user;
    const struct api_providers *providers = rerating->providers;
    const struct pricing *list = list_of(rerating, organization.n);
    if (relayed && providers->price)
        return providers->price(providers->user, list, provider, model);
    return pricing_find_of(list, provider, model);
}

static int run(struct request *request, struct records_reader *reader)
{
    struct rerating *rerating = request->state;
    struct out *out = &request->out;
    const struct reports_rerate question = {.scope = rerating->organization,
                                            .from_us = rerating->in.from_us,
                                            .to_us = rerating->in.to_us,
                                            .price = price,
                                            .user = rerating};
    out_raw(out, (struct slice){"", 0}); /* the comma */
    return out->failed ? METE_E_MEMORY : reports_rerate(reader, &question, &out->bytes);
}

static void done(struct request *request)
{
    let_go(request->state);
    if (request_failed(request))
        return;
    out_close(&request->out, '}');
    request_reply(request, 200);
}

static void fail(struct request *request, int error)
{
    let_go(request->state);
    if (request->problem.error)
        request_problem(request);
    else
        request_fail(request, error, NULL, NULL);
}

static void rate(struct request *request)
{
    struct rerating *rerating = request->state;
    struct out *out = &request->out;
    int rc = request->work_status;
    if (!rc)
        rc = request->problem.error ? request->problem.error : add_owns(request, rerating);
    if (rc) {
        fail(request, rc);
        return;
    }
    out_member_instant(out, "from", rerating->in.from_us);
    out_member_instant(out, "to", rerating->in.to_us);
    out_member_instant(out, "at", rerating->in.at_us);
    out_key(out, "organization");
    if (rerating->in.organization.len)
        out_text(out, rerating->in.organization);
    else
        out_null(out);
    out_member_text(out, "version", pricing_version(everybodys(rerating)));
    request_work(request, run, done);
}

static int read_list(struct request *request, struct records_reader *reader)
{
    struct rerating *rerating = request->state;
    const struct price_list_over over = {rerating->base, rerating->said, &rerating->sheet};
    (void)reader;
    out_open(&request->out, '{');
    (void)!price_list_read(request, &rerating->in.list, &over, &rerating->left_out);
    return 0; /* request->problem has what is wrong */
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void begin(struct request *request)
{
    struct rerating *rerating = request->state;
    struct price_book *book = request->api->parts.prices;
    bool said = rerating->in.list.prices.type || rerating->in.list.litellm.type;
    int rc = price_book_list(book, 0, rerating->in.at_us, &rerating->base);
    if (!rc && said)
        rc = pricing_new_over(rerating->base, &rerating->said);
    if (rc)
        fail(request, rc);
    else
        request_compute(request, read_list, rate);
}

static void found(struct request *request)
{
    struct rerating *rerating = request->state;
    if (request_missed(request, "organization"))
        return;
    rerating->organization = request->found;
    begin(request);
}

static int check(struct request *request, struct rerate_in *in)
{
    int64_t now_us = mete_now(request->api->parts.mete).us;
    if (!in->to_us)
        in->to_us = now_us;
    if (!in->at_us)
        in->at_us = now_us;
    if (in->from_us >= in->to_us)
        return problem_set(&request->problem, METE_E_INVALID, "to", "It must be after from.");
    return price_list_check(request, &in->list, false);
}

void prices_rerate(struct request *request)
{
    struct rerating *rerating = request_take(request, sizeof *rerating);
    if (!rerating)
        return;
    request->state = rerating;
    rerating->providers = &request->api->parts.providers;
    if (request_read(request, table, sizeof table / sizeof table[0], &rerating->in) ||
        check(request, &rerating->in))
        request_problem(request);
    else if (rerating->in.organization.len)
        request_find(request, METE_ORGANIZATION, rerating->in.organization, found);
    else
        begin(request);
}
