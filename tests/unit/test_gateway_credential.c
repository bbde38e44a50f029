/* SPDX-License-Identifier: Apache-2.0
 * Proves what gateway/credential.h promises of a rotation, over a scripted provider: a call that
 * runs keeps what it was begun with, one that begins later gets the new one, and no client sees
 * either. Memory that is held too long or let go too early is for the sanitizers to find. */
#include "gateway/credential.h"
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PLAIN "{\"model\":\"bench-model\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

static bool has(const struct buffer *text, const char *part)
{
    return memmem(text->data, text->len, part, strlen(part)) != NULL;
}

static void rotate(struct bench *bench, const char *secret)
{
    assert_int_equal(gateway_set_credential(bench->gateway, 0, slice_of(secret)), 0);
}

static void a_rotated_credential_is_for_calls_that_begin_later(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, &(struct bench_setup){0});
    struct client *before = bench_post(&bench, PLAIN);
    rotate(&bench, "second-secret");
    struct client *after = bench_post(&bench, PLAIN);
    rotate(&bench, "");
    struct client *without = bench_post(&bench, PLAIN);
    rotate(&bench, "third-secret");
    assert_true(has(&before->asked_headers, "authorization: Bearer provider-secret\n"));
    assert_true(has(&after->asked_headers, "authorization: Bearer second-secret\n"));
    assert_false(has(&without->asked_headers, "authorization"));
    struct client *const clients[] = {after, before, without};
    for (int i = 0; i < 3; i++) {
        bench_head(clients[i], 401, "application/json");
        bench_text(clients[i], "{\"error\":\"provider-secret is wrong\"}");
        bench_end(clients[i], UPSTREAM_DONE);
        assert_int_equal(clients[i]->status, clients[i] == before ? 502 : 401);
    }
    assert_false(has(&before->got, "provider-secret"));
    bench_close(&bench);
}

static void both_forms_are_of_one_text(void **state)
{
    (void)state;
    struct credential *credential = NULL;
    assert_int_equal(credential_new(slice_of("s"), &credential), 0);
    assert_ptr_equal(credential_hold(credential), credential);
    credential_let_go(credential);
    assert_true(slice_is(credential_secret(credential), "s"));
    assert_true(slice_is(credential_bearer(credential), "Bearer s"));
    credential_let_go(credential);
    assert_int_equal(credential_secret(NULL).len + credential_bearer(NULL).len, 0);
    assert_null(credential_hold(NULL));
    credential_let_go(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotated_credential_is_for_calls_that_begin_later),
        cmocka_unit_test(both_forms_are_of_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
