/* SPDX-License-Identifier: Apache-2.0
 * Proves that a call which a quota refuses at the moment something is due to be granted (a
 * membership's month that has begun) waits for it and is asked once more, and only then refused. */
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PLAIN "{\"model\":\"bench-model\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define ANSWER                                                                                     \
    "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"        \
    "\"total_tokens\":15}}"

static struct bench bench;

static void put_grant(const char *id, int64_t nano)
{
    const struct mete_change change = {.kind = METE_PUT_GRANT,
                                       .flags = METE_CHANGE_CREATE,
                                       .grant = {.id = {id, strlen(id)},
                                                 .scope = bench.organization,
                                                 .meter = METE_COST,
                                                 .currency = METE_USD,
                                                 .amount = nano}};
    uint32_t handle;
    struct mete_op op = {
        .kind = METE_OP_APPLY, .args.apply = {.changes = &change, .len = 1}, .handles = &handle};
    bench_do(&bench, &op);
    assert_int_equal(op.status, 0);
}

static void grant_the_month(struct bench *of)
{
    put_grant("month", 1000000000);
    of->grant = NULL;
}

static void grant_nothing(struct bench *of)
{
    (void)of;
}

/* What is due to be granted at the moment a quota refuses is granted first, and counts. */
static void a_quota_refuses_nobody_who_is_due_a_grant(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){0});
    put_grant("spent", 1);
    bench.grant = grant_the_month;
    struct client *client = bench_post(&bench, PLAIN);
    bench_turn(&bench);
    assert_int_equal(client->times_asked, 1);
    bench_head(client, 200, "application/json");
    bench_text(client, ANSWER);
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(client->status, 200);
    bench_close(&bench);
}

static void a_quota_that_is_due_nothing_refuses(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){0});
    put_grant("spent", 1);
    bench.grant = grant_nothing; /* asked once: then it is a refusal like any other */
    struct client *client = bench_post(&bench, PLAIN);
    bench_turn(&bench);
    assert_int_equal(client->status, 429);
    assert_int_equal(client->times_asked, 0);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_refuses_nobody_who_is_due_a_grant),
        cmocka_unit_test(a_quota_that_is_due_nothing_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
