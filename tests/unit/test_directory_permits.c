/* SPDX-License-Identifier: Apache-2.0
 * Proves what a key's document permits (endpoints, addresses) and that each format of the gateway
 * has an endpoint that can be permitted; that of two texts of one key the older works until its
 * instant and not at it; that use and counts are a key's own. */
#include "base/limits.h"
#include "dialect/dialect.h"
#include "directory/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void random_bytes(void *user, void *ret_bytes, size_t len)
{
    uint64_t *state = user;
    for (size_t i = 0; i < len; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ((uint8_t *)ret_bytes)[i] = (uint8_t)(*state >> 56);
    }
}

struct fixture {
    struct directory *directory;
    struct directory_new_key key;
    uint64_t seed;
};

static int setup(void **state)
{
    static const uint8_t secret[32] = {1, 2, 3};
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || directory_new(secret, &f->directory))
        return -1;
    f->seed = 7;
    directory_make_key(f->directory, random_bytes, &f->seed, &f->key);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    directory_free(f->directory);
    free(f);
    return 0;
}

struct put {
    uint32_t handle, organization;
    int ended;
};

static int put_as(struct fixture *f, const struct directory_new_key *key, const char *more,
                  struct put put)
{
    char document[2048];
    snprintf(document, sizeof document, "{\"hash\":\"%s\"%s}", key->hash, more);
    struct records_entity entity = {.kind = METE_API_KEY,
                                    .handle = put.handle,
                                    .organization = {put.organization},
                                    .id = slice_of(key->id),
                                    .document = slice_of(document),
                                    .ended = put.ended};
    return directory_put(f->directory, &entity);
}

static const struct directory_key *put(struct fixture *f, const char *more)
{
    assert_int_equal(put_as(f, &f->key, more, (struct put){9, 1, 0}), 0);
    const struct directory_key *key =
        directory_find_key(f->directory, slice_of(f->key.text), 0, NULL);
    assert_non_null(key);
    return key;
}

static bool comes_from(const struct directory_key *key, const char *text)
{
    struct address peer;
    assert_int_equal(address_parse(slice_of(text), &peer), 0);
    return directory_allows_address(key, &peer);
}

static void endpoints(void **state)
{
    struct fixture *f = *state;
    const struct directory_key *key = put(f, "");
    assert_true(directory_allows_endpoint(key, "chat"));
    assert_true(directory_allows_endpoint(key, NULL));
    key = put(f, ",\"endpoints\":[\"embeddings\",\"im\\u0061ges\"]");
    assert_true(directory_allows_endpoint(key, "embeddings"));
    assert_true(directory_allows_endpoint(key, "images"));
    assert_false(directory_allows_endpoint(key, "chat"));
    assert_false(directory_allows_endpoint(key, "unheard_of"));
    assert_false(directory_allows_endpoint(key, NULL));
    for (size_t i = 0; directory_endpoint_at(i); i++)
        assert_int_equal(directory_endpoint(slice_of(directory_endpoint_at(i))), 1u << i);
    assert_int_equal(directory_endpoint(SLICE_LITERAL("chats")), 0);
}

static void every_format_has_an_endpoint(void **state)
{
    (void)state;
    const struct dialect *format;
    for (size_t i = 0; (format = dialect_at(i)); i++) {
        if (!format->endpoint || !directory_endpoint(slice_of(format->endpoint)))
            fail_msg("%s", format->name);
    }
}

static void addresses(void **state)
{
    struct fixture *f = *state;
    const struct address nobody = {0};
    const struct directory_key *key = put(f, ",\"ip_ranges\":[]");
    assert_true(comes_from(key, "203.0.113.9"));
    assert_true(directory_allows_address(key, &nobody));
    key = put(f, ",\"models\":[\"a\"],\"ip_ranges\":[\"10.0.0.0/8\",\"2001:db8::/32\"]");
    assert_true(comes_from(key, "10.255.0.1"));
    assert_true(comes_from(key, "2001:db8::9"));
    assert_false(comes_from(key, "203.0.113.9"));
    assert_false(directory_allows_address(key, &nobody));
    assert_true(directory_allows_model(key, SLICE_LITERAL("a")));
    assert_false(directory_allows_model(key, SLICE_LITERAL("b")));
}

static void a_wrong_document_permits_nothing_new(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {
        ",\"endpoints\":\"chat\"",
        ",\"endpoints\":[\"unheard_of\"]",
        ",\"endpoints\":[1]",
        ",\"ip_ranges\":\"10.0.0.0/8\"",
        ",\"ip_ranges\":[\"10.0.0.1/8\"]",
        ",\"ip_ranges\":[1]",
        ",\"previous\":\"00\"",
        ",\"previous\":{}",
        ",\"previous\":{\"hash\":\"00\",\"until\":\"2030-01-01T00:00:00Z\"}",
        (",\"previous\":{\"hash\":"
         "\"0000000000000000000000000000000000000000000000000000000000000000\"}"),
    };
    put(f, ",\"endpoints\":[\"chat\"]");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(put_as(f, &f->key, wrong[i], (struct put){9, 1, 0}), METE_E_SYNTAX);
        const struct directory_key *key =
            directory_find_key(f->directory, slice_of(f->key.text), 0, NULL);
        assert_false(directory_allows_endpoint(key, "images"));
    }
}

static enum directory_text text_at(struct fixture *f, const char *text, int64_t now_us)
{
    enum directory_text is;
    const struct directory_key *key = directory_find_key(f->directory, slice_of(text), now_us, &is);
    assert_int_equal(key != NULL, is == DIRECTORY_PRESENT || is == DIRECTORY_PREVIOUS);
    if (key)
        assert_int_equal(key->scope.n, 9);
    return is;
}

static void two_texts_of_one_key(void **state)
{
    struct fixture *f = *state;
    struct directory_new_key next;
    char more[256];
    const int64_t until_us = INT64_C(1795219200000000); /* 2026-11-21T00:00:00Z */
    directory_remake_key(f->directory, slice_of(f->key.id), random_bytes, &f->seed, &next);
    assert_string_equal(next.id, f->key.id);
    assert_string_equal(next.prefix, f->key.prefix);
    assert_string_not_equal(next.text, f->key.text);
    assert_string_not_equal(next.hash, f->key.hash);
    put(f, "");
    assert_int_equal(text_at(f, next.text, 0), DIRECTORY_UNKNOWN);
    snprintf(more, sizeof more,
             ",\"previous\":{\"hash\":\"%s\",\"until\":\"2026-11-21T00:00:00Z\"}", f->key.hash);
    assert_int_equal(put_as(f, &next, more, (struct put){9, 1, 0}), 0);
    assert_int_equal(text_at(f, next.text, until_us - 1), DIRECTORY_PRESENT);
    assert_int_equal(text_at(f, next.text, until_us), DIRECTORY_PRESENT);
    assert_int_equal(text_at(f, f->key.text, until_us - 1), DIRECTORY_PREVIOUS);
    assert_int_equal(text_at(f, f->key.text, until_us), DIRECTORY_REPLACED);
    assert_int_equal(put_as(f, &next, "", (struct put){9, 1, 0}), 0);
    assert_int_equal(text_at(f, f->key.text, 0), DIRECTORY_UNKNOWN);
}

static void use_is_a_scopes_own(void **state)
{
    struct fixture *f = *state;
    static const uint32_t scopes[] = {1, 1023, 1024, 1025, LIMIT_SCOPES};
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        const struct mete_scope_id key = {scopes[i]};
        assert_int_equal(directory_used_at(f->directory, key), 0);
        directory_use(f->directory, key, 55 + (int64_t)i);
    }
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++)
        assert_int_equal(directory_used_at(f->directory, (struct mete_scope_id){scopes[i]}),
                         55 + i);
    assert_int_equal(directory_used_at(f->directory, (struct mete_scope_id){2}), 0);
    assert_int_equal(directory_used_at(f->directory, (struct mete_scope_id){5000}), 0);
}

static void counts_are_of_one_organization(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t organization;
        int ended;
        const char *more;
    } keys[] = {
        {1, 0, ""},
        {1, 0, ",\"expires_at\":\"2026-11-21T00:00:00Z\""},
        {1, 0, ",\"revoked\":true"},
        {1, 0, ",\"revoked\":true,\"expires_at\":\"2026-11-20T00:00:00Z\""},
        {1, 1, ""},
        {2, 0, ""},
    };
    struct directory_counts counts;
    for (uint32_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct directory_new_key key;
        directory_make_key(f->directory, random_bytes, &f->seed, &key);
        assert_int_equal(put_as(f, &key, keys[i].more,
                                (struct put){10 + i, keys[i].organization, keys[i].ended}),
                         0);
    }
    directory_count(f->directory, (struct mete_scope_id){1}, INT64_C(1795219199999999), &counts);
    assert_int_equal(counts.active, 2);
    assert_int_equal(counts.expired, 0);
    assert_int_equal(counts.revoked, 2);
    directory_count(f->directory, (struct mete_scope_id){1}, INT64_C(1795219200000000), &counts);
    assert_int_equal(counts.active, 1);
    assert_int_equal(counts.expired, 1);
    directory_count(f->directory, (struct mete_scope_id){3}, 0, &counts);
    assert_int_equal(counts.active + counts.expired + counts.revoked, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(endpoints),
        TEST(every_format_has_an_endpoint),
        TEST(addresses),
        TEST(a_wrong_document_permits_nothing_new),
        TEST(two_texts_of_one_key),
        TEST(use_is_a_scopes_own),
        TEST(counts_are_of_one_organization),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
