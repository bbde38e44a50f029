/* SPDX-License-Identifier: Apache-2.0
 * embed [DIRECTORY] - the engine inside a program: an organization with an API key and a budget of
 * one dollar; a call is reserved and charged, the next is refused and the refusal explained. Run it
 * again on the same directory and it goes on where it ended; without one all stays in memory.
 *
 *   cc embed.c $(pkg-config --cflags --libs mete) -o embed */
#include <mete.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CENT INT64_C(10000000) /* money is counted in nano-units, 10^-9 of a dollar */

static void must(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "%s: %s\n", what, mete_error_text(error));
        exit(1);
    }
}

static struct mete_text text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static double dollars(int64_t nano) /* to be read by people; never to be calculated with */
{
    return (double)nano / 1e9;
}

/* Creates what is missing and leaves alone what is there. All of it happens, or nothing. */
static void administer(struct mete_port *port, uint32_t handles[3])
{
    struct mete_scope_id organization = {METE_FROM_CHANGE(0)}; /* what the first change makes */
    struct mete_change changes[] = {
        {.kind = METE_PUT_SCOPE, .scope = {.kind = METE_ORGANIZATION, .id = text("acme")}},
        {.kind = METE_PUT_SCOPE,
         .scope = {.kind = METE_API_KEY,
                   .id = text("build-robot"),
                   .organization = organization,
                   .parent = organization}},
        {.kind = METE_PUT_BUDGET,
         .budget = {.id = text("a-dollar"),
                    .scope = organization, /* and so everyone below it */
                    .meter = METE_COST,
                    .currency = METE_USD,
                    .limit = 100 * CENT,
                    .period = METE_TOTAL}},
    };
    struct mete_apply apply = {.changes = changes, .len = 3, .actor = text("embed")};
    struct mete_applied applied;
    must(mete_apply(port, &apply, handles, &applied), "administration");
}

/* One call: ask for the most it can cost, make it, say what it did cost. */
static void call(struct mete_port *port, struct mete_scope_id key, int64_t most, int64_t used)
{
    struct mete_demand demand = {.meter = METE_COST, .currency = METE_USD, .fixed = most};
    struct mete_reserve ask = {.scope = key,
                               .demands = &demand,
                               .demands_len = 1,
                               .ttl_ms = 60000,
                               .on_expiry = METE_EXPIRY_CHARGE};
    struct mete_refusal why;
    struct mete_verdict verdict;
    must(mete_reserve(port, &ask, &why, 1, &verdict), "reserve");
    if (!verdict.allowed) {
        printf("refused: asked %.2f, limit %.2f, spent %.2f, held %.2f; it resets %s\n",
               dollars(why.asked), dollars(why.limit), dollars(why.committed), dollars(why.held),
               why.resets_at.us == INT64_MAX ? "never" : "later");
        return;
    }
    printf("allowed: %.2f is held, %.2f is left\n", dollars(most), dollars(verdict.remaining));
    /* Here the money is spent. */
    struct mete_usage usage = {.meter = METE_COST, .currency = METE_USD, .amount = used};
    struct mete_commit commit = {
        .reservation = verdict.reservation, .usage = &usage, .usage_len = 1};
    struct mete_receipt receipt;
    must(mete_commit(port, &commit, &receipt), "commit");
    printf("charged: %.2f, record %llu\n", dollars(receipt.cost),
           (unsigned long long)receipt.record);
}

int main(int argc, char **argv)
{
    struct mete_options options = {.directory = argc > 1 ? argv[1] : NULL};
    struct mete *mete;
    struct mete_port *port;
    uint32_t handles[3];
    must(mete_open(&options, &mete), "open");
    must(mete_port_open(mete, &port), "port");
    administer(port, handles);
    for (int i = 0; i < 2; i++)
        call(port, (struct mete_scope_id){handles[1]}, 60 * CENT, 55 * CENT);

    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {handles[2]}};
    struct mete_answer answer;
    must(mete_query(port, &query, &answer), "query");
    printf("%s: %.2f of %.2f spent, %.2f held\n", answer.budget.id,
           dollars(answer.budget.committed), dollars(answer.budget.limit),
           dollars(answer.budget.held));
    mete_port_close(port);
    mete_close(mete);
    return 0;
}
