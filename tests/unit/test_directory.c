/* SPDX-License-Identifier: Apache-2.0
 * Proves that a key made here is found here and nowhere else, that every wrong text of one is
 * unknown, that documents are read strictly, that globs match in linear time, and (through real
 * records) that no list shows one organization what is another's (INV-12). */
#include "base/buffer.h"
#include "codec/base62.h"
#include "directory/directory.h"
#include "directory/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const uint8_t secret[32] = {1, 2, 3};
static const uint8_t other_secret[32] = {1, 2, 4};

static struct directory *fresh(const uint8_t key[32])
{
    struct directory *directory = NULL;
    assert_int_equal(directory_new(key, &directory), 0);
    return directory;
}

/* A generator that a test can know: user points to its state. */
static void random_bytes(void *user, void *ret_bytes, size_t len)
{
    uint64_t *state = user;
    for (size_t i = 0; i < len; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ((uint8_t *)ret_bytes)[i] = (uint8_t)(*state >> 56);
    }
}

static struct directory_new_key make(const struct directory *directory, uint64_t seed)
{
    struct directory_new_key key;
    directory_make_key(directory, random_bytes, &seed, &key);
    return key;
}

static int put(struct directory *directory, uint32_t handle, const char *id, const char *document)
{
    struct records_entity entity = {.kind = METE_API_KEY,
                                    .handle = handle,
                                    .organization = {1},
                                    .id = slice_of(id),
                                    .document = slice_of(document)};
    return directory_put(directory, &entity);
}

static int put_key(struct directory *directory, uint32_t handle,
                   const struct directory_new_key *key, const char *more)
{
    char document[2048];
    snprintf(document, sizeof document, "{\"name\":\"n\",\"hash\":\"%s\"%s}", key->hash, more);
    return put(directory, handle, key->id, document);
}

/* Long after any overlap. */
static const struct directory_key *find(const struct directory *directory, struct slice text)
{
    return directory_find_key(directory, text, INT64_MAX, NULL);
}

static void a_made_key_is_found_by_its_text_alone(void **state)
{
    (void)state;
    struct directory *directory = fresh(secret), *other = fresh(other_secret);
    struct directory_new_key key = make(directory, 7);
    assert_int_equal(strlen(key.text), KEY_TEXT);
    assert_int_equal(strlen(key.id), KEY_ID);
    assert_memory_equal(key.text, key.prefix, KEY_PREFIX);
    assert_memory_equal(key.text + 8, key.id + 4, 12);
    assert_null(find(directory, slice_of(key.text)));
    assert_int_equal(put_key(directory, 9, &key, ""), 0);
    const struct directory_key *found = find(directory, slice_of(key.text));
    assert_non_null(found);
    assert_int_equal(found->scope.n, 9);
    assert_int_equal(found->organization.n, 1);
    assert_int_equal(found->expires_at_us, 0);
    assert_false(found->revoked);
    assert_null(found->more);
    /* The same document in another installation opens nothing. */
    assert_int_equal(put_key(other, 9, &key, ""), 0);
    assert_null(find(other, slice_of(key.text)));
    directory_free(other);
    directory_free(directory);
}

static void a_changed_letter_anywhere_makes_it_unknown(void **state)
{
    (void)state;
    struct directory *directory = fresh(secret);
    struct directory_new_key key = make(directory, 7);
    assert_int_equal(put_key(directory, 9, &key, ""), 0);
    char text[KEY_TEXT + 2];
    for (size_t i = 0; i < KEY_TEXT; i++) {
        memcpy(text, key.text, KEY_TEXT + 1);
        text[i] = text[i] == 'x' ? 'y' : 'x';
        assert_null(find(directory, slice_of(text)));
    }
    memcpy(text, key.text, KEY_TEXT);
    text[KEY_TEXT] = 'x';
    assert_null(find(directory, (struct slice){text, KEY_TEXT + 1}));
    for (size_t len = 1; len < KEY_TEXT;
         len++) { /* in as much room: ASan sees what is read beyond */
        char *shorter = malloc(len);
        assert_non_null(shorter);
        memcpy(shorter, key.text, len);
        assert_null(find(directory, (struct slice){shorter, len}));
        free(shorter);
    }
    assert_null(find(directory, (struct slice){NULL, 0}));
    directory_free(directory);
}

/* CRC-32 of "mete_sk_" + 42 zeros by another implementation (Python's zlib): 0x526015be. */
static const uint32_t sum_of_zeros = UINT32_C(0x526015be);

static void a_right_checksum_with_a_wrong_secret_is_unknown(void **state)
{
    (void)state;
    struct directory *directory = fresh(secret);
    struct directory_new_key key = make(directory, 7);
    memset(key.id + 4, '0', 12);
    assert_int_equal(put_key(directory, 9, &key, ""), 0);
    char text[KEY_TEXT + 1] = "mete_sk_";
    memset(text + 8, '0', 42);
    base62_encode(sum_of_zeros, text + 50, 6);
    assert_null(find(directory, slice_of(text)));
    directory_free(directory);
}

static void the_checksum_is_crc_32(void **state)
{
    (void)state;
    struct directory *directory = fresh(secret);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct directory_new_key key = make(directory, seed);
        uint32_t crc = UINT32_MAX; /* bit by bit, by the definition */
        for (size_t i = 0; i < 50; i++) {
            crc ^= (uint8_t)key.text[i];
            for (int bit = 0; bit < 8; bit++)
                crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
        }
        uint64_t said = 0;
        assert_int_equal(base62_decode((struct slice){key.text + 50, 6}, &said), 0);
        assert_int_equal(said, ~crc);
    }
    directory_free(directory);
}

static void a_later_document_replaces_the_earlier(void **state)
{
    (void)state;
    struct directory *directory = fresh(secret);
    struct directory_new_key key = make(directory, 7);
    assert_int_equal(put_key(directory, 9, &key, ",\"models\":[\"gpt-*\",\"\\u006f3\"]"), 0);
    const struct directory_key *found = find(directory, slice_of(key.text));
    assert_true(directory_allows_model(found, SLICE_LITERAL("gpt-4o")));
    assert_true(directory_allows_model(found, SLICE_LITERAL("o3")));
    assert_false(directory_allows_model(found, SLICE_LITERAL("o3-mini")));
    assert_int_equal(put_key(directory, 9, &key,
                             ",\"models\":[],\"revoked\":true,"
                             "\"expires_at\":\"2026-11-21T00:00:00Z\""),
                     0);
    found = find(directory, slice_of(key.text));
    assert_true(found->revoked);
    assert_int_equal(found->expires_at_us, INT64_C(1795219200000000));
    assert_true(directory_allows_model(found, SLICE_LITERAL("o3-mini")));
    directory_free(directory);
}

static void a_wrong_document_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct directory *directory = fresh(secret);
    struct directory_new_key key = make(directory, 7);
    assert_int_equal(put_key(directory, 9, &key, ",\"models\":[\"a\"]"), 0);
    const char *const more[] = {",\"revoked\":1",
                                ",\"revoked\":null",
                                ",\"expires_at\":5",
                                ",\"expires_at\":\"soon\"",
                                ",\"models\":\"a\"",
                                ",\"models\":[1]",
                                ",\"models\":[\"\"]",
                                ",\"models\":[\"a\",[]]",
                                ",\"hash\":\"00\"",
                                ",\"hash\":7",
                                ",",
                                ",\"hash\":\"zz"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        assert_int_equal(put_key(directory, 8, &key, more[i]), METE_E_SYNTAX);
        const struct directory_key *found = find(directory, slice_of(key.text));
        assert_non_null(found);
        assert_int_equal(found->scope.n, 9);
        assert_int_equal(found->more->models_len, 1);
    }
    assert_int_equal(put(directory, 8, key.id, "[]"), METE_E_SYNTAX);
    struct buffer many;
    buffer_init(&many, 1024);
    assert_int_equal(buffer_text(&many, ",\"models\":[\"a\""), 0);
    for (int i = 1; i < DIRECTORY_MODELS_MAX; i++)
        assert_int_equal(buffer_text(&many, ",\"a\""), 0);
    assert_int_equal(buffer_append(&many, (struct slice){"]", 2}), 0);
    assert_int_equal(put_key(directory, 9, &key, many.data), 0);
    buffer_consume(&many, 0);
    memcpy(many.data + many.len - 2, ",", 2);
    many.len--;
    assert_int_equal(buffer_append(&many, (struct slice){"\"a\"]", 5}), 0);
    assert_int_equal(put_key(directory, 9, &key, many.data), METE_E_SYNTAX);
    buffer_done(&many);
    directory_free(directory);
}

static void what_is_no_key_is_passed(void **state)
{
    (void)state;
    struct directory *directory = fresh(secret);
    assert_int_equal(put(directory, 1, "key_0123456789ab", "{}"), 0);
    assert_int_equal(put(directory, 1, "key_0123456789ab", ""), 0);
    assert_int_equal(put(directory, 1, "batch-job", "{\"hash\":1}"), 0);
    struct records_entity user = {.kind = METE_USER,
                                  .handle = 2,
                                  .id = SLICE_LITERAL("key_0123456789ab"),
                                  .document = SLICE_LITERAL("not read")};
    assert_int_equal(directory_put(directory, &user), 0);
    directory_free(directory);
}

static void ten_thousand_keys_are_each_found(void **state)
{
    (void)state;
    enum { KEYS = 10000 };
    struct directory *directory = fresh(secret);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct directory_new_key key = make(directory, i);
        assert_int_equal(put_key(directory, i + 1, &key, i % 3 ? "" : ",\"models\":[\"m*\"]"), 0);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        struct directory_new_key key = make(directory, i);
        const struct directory_key *found = find(directory, slice_of(key.text));
        assert_non_null(found);
        assert_int_equal(found->scope.n, i + 1);
        assert_int_equal(found->more ? found->more->models_len : 0, i % 3 ? 0 : 1);
    }
    directory_free(directory);
}

static bool glob(const char *pattern, const char *text)
{
    return glob_matches(slice_of(pattern), slice_of(text));
}

static void a_star_stands_for_any_bytes(void **state)
{
    (void)state;
    const char *const yes[][2] = {
        {"*", ""},          {"*", "a"},        {"", ""},
        {"a", "a"},         {"a*", "a"},       {"*a", "a"},
        {"a*", "ab"},       {"*b", "ab"},      {"a*b", "ab"},
        {"a*b", "axxb"},    {"a*b*c", "abbc"}, {"**", "x"},
        {"a**b", "ab"},     {"*ab*", "aab"},   {"gpt-4*-mini*", "gpt-4o-mini-2024"},
        {"*a*a*a*", "aaa"}, {"*aab", "aaab"},  {"?", "?"},
        {"[a]", "[a]"}};
    const char *const no[][2] = {{"", "a"},         {"a", ""},        {"a", "b"},
                                 {"a", "ab"},       {"a*", "ba"},     {"*a", "ab"},
                                 {"a*a", "a"},      {"ab*ba", "aba"}, {"a*b*c", "acb"},
                                 {"*a*a*a*", "aa"}, {"?", "a"},       {"A*", "a"}};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(glob(yes[i][0], yes[i][1]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(glob(no[i][0], no[i][1]));
}

/* Every glob and text of up to five and six letters of {a, b, *}, against the textbook table. */
static bool slow_glob(const char *pattern, const char *text)
{
    bool matches[8][8] = {{false}};
    size_t m = strlen(pattern), n = strlen(text);
    matches[0][0] = true;
    for (size_t i = 1; i <= m; i++)
        for (size_t j = 0; j <= n; j++)
            matches[i][j] = pattern[i - 1] == '*'
                                ? matches[i - 1][j] || (j && matches[i][j - 1])
                                : j && matches[i - 1][j - 1] && pattern[i - 1] == text[j - 1];
    return matches[m][n];
}

static size_t nth(size_t n, const char *letters, char room[8])
{
    size_t base = strlen(letters), len = 0;
    for (; n; n = (n - 1) / base)
        room[len++] = letters[(n - 1) % base];
    room[len] = 0;
    return len;
}

static void globs_agree_with_the_textbook(void **state)
{
    (void)state;
    char pattern[8], text[8];
    for (size_t i = 0; nth(i, "a*b", pattern) <= 5; i++)
        for (size_t j = 0; nth(j, "ab", text) <= 6; j++)
            assert_int_equal(glob(pattern, text), slow_glob(pattern, text));
}

static void secrets_are_compared_whole(void **state)
{
    (void)state;
    assert_true(directory_same_secret(SLICE_LITERAL("abc"), SLICE_LITERAL("abc")));
    assert_false(directory_same_secret(SLICE_LITERAL("abc"), SLICE_LITERAL("abd")));
    assert_false(directory_same_secret(SLICE_LITERAL("abc"), SLICE_LITERAL("abcd")));
    assert_false(directory_same_secret(SLICE_LITERAL("abc"), SLICE_LITERAL("")));
    assert_true(directory_same_secret((struct slice){NULL, 0}, SLICE_LITERAL("")));
}

/* ---- Over real records ----------------------------------------------------------------------- */

enum { ACME = 1, OTHER = 2 };

struct place {
    char path[64];
    struct records_reader *reader;
};

static void put_entity(struct records *records, struct records_entity entity)
{
    entity.at_us = 5000000;
    entity.seq = 1;
    assert_int_equal(records_put_entity(records, &entity), 0);
}

static void fill(const char *path, const struct directory_new_key *key)
{
    struct records *records = NULL;
    char document[256];
    int len = snprintf(document, sizeof document, "{\"hash\":\"%s\"}", key->hash);
    assert_int_equal(records_open(os_system(), path, &records), 0);
    assert_int_equal(records_begin(records), 0);
    put_entity(records, (struct records_entity){.kind = METE_ORGANIZATION,
                                                .handle = ACME,
                                                .id = SLICE_LITERAL("acme")});
    put_entity(records, (struct records_entity){.kind = METE_ORGANIZATION,
                                                .handle = OTHER,
                                                .id = SLICE_LITERAL("other")});
    for (uint32_t i = 0; i < 10; i++)
        put_entity(records, (struct records_entity){.kind = METE_USER,
                                                    .handle = 10 + i,
                                                    .organization = {i % 2 ? ACME : OTHER},
                                                    .parent = {i % 2 ? ACME : OTHER},
                                                    .id = {&"abcdefghij"[i], 1},
                                                    .document = SLICE_LITERAL("{}")});
    put_entity(records, (struct records_entity){.kind = RECORDS_BUDGET,
                                                .handle = 10,
                                                .organization = {ACME},
                                                .parent = {11},
                                                .id = SLICE_LITERAL("b1")});
    put_entity(records, (struct records_entity){.kind = METE_API_KEY,
                                                .handle = 30,
                                                .organization = {ACME},
                                                .parent = {11},
                                                .id = slice_of(key->id),
                                                .document = {document, (size_t)len}});
    assert_int_equal(records_end(records, 1), 0);
    records_close(records);
}

static struct directory_new_key open_place(struct place *place)
{
    struct directory *directory = fresh(secret);
    struct directory_new_key key = make(directory, 7);
    directory_free(directory);
    snprintf(place->path, sizeof place->path, "/tmp/mete-directory-XXXXXX");
    assert_non_null(mkdtemp(place->path));
    fill(place->path, &key);
    assert_int_equal(records_reader_open(os_system(), place->path, &place->reader), 0);
    return key;
}

static void close_place(struct place *place)
{
    records_reader_close(place->reader);
    const char *const files[] = {"records.db", "records.db-wal", "records.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char file[128];
        snprintf(file, sizeof file, "%s/%s", place->path, files[i]);
        remove(file);
    }
    assert_int_equal(rmdir(place->path), 0);
}

/* Collects the first letters of ids. */
static int collect(void *user, const struct directory_entity *entity)
{
    char *ids = user;
    size_t len = strlen(ids);
    ids[len] = entity->id.data[0];
    ids[len + 1] = 0;
    assert_int_equal(entity->changed_at_us, 5000000);
    return 0;
}

static int stop(void *user, const struct directory_entity *entity)
{
    (void)user;
    return (int)entity->handle;
}

static void a_list_shows_one_organization_and_pages(void **state)
{
    (void)state;
    struct place place;
    struct mete_scope_id acme = {ACME}, other = {OTHER}, none = {0};
    (void)open_place(&place);
    char ids[16] = "";
    assert_int_equal(directory_list(place.reader, METE_USER, acme, 0, 3, collect, ids), 0);
    assert_string_equal(ids, "bdf");
    assert_int_equal(directory_list(place.reader, METE_USER, acme, 15, 3, collect, ids), 0);
    assert_string_equal(ids, "bdfhj");
    ids[0] = 0;
    assert_int_equal(directory_list(place.reader, METE_USER, other, 0, 9, collect, ids), 0);
    assert_string_equal(ids, "acegi");
    ids[0] = 0;
    assert_int_equal(directory_list(place.reader, METE_ORGANIZATION, none, 0, 9, collect, ids), 0);
    assert_string_equal(ids, "ao");
    ids[0] = 0;
    assert_int_equal(directory_list(place.reader, RECORDS_BUDGET, acme, 0, 9, collect, ids), 0);
    assert_string_equal(ids, "b");
    assert_int_equal(directory_list(place.reader, METE_USER, acme, 0, 9, stop, NULL), 11);
    close_place(&place);
}

static void nothing_of_another_organization_is_found(void **state)
{
    (void)state;
    struct place place;
    struct mete_scope_id acme = {ACME}, other = {OTHER}, none = {0};
    struct slice b = SLICE_LITERAL("b");
    (void)open_place(&place);
    char ids[16] = "";
    assert_int_equal(directory_find(place.reader, METE_USER, acme, b, collect, ids), 0);
    assert_string_equal(ids, "b");
    assert_int_equal(directory_find(place.reader, METE_USER, other, b, collect, ids),
                     METE_E_NOT_FOUND);
    assert_int_equal(
        directory_find(place.reader, METE_ORGANIZATION, none, SLICE_LITERAL("acme"), stop, NULL),
        ACME);
    close_place(&place);
}

static void keys_are_loaded_from_the_records(void **state)
{
    (void)state;
    struct place place;
    struct directory_new_key key = open_place(&place);
    struct directory *directory = fresh(secret);
    assert_int_equal(directory_load(directory, place.reader), 0);
    const struct directory_key *found = find(directory, slice_of(key.text));
    assert_non_null(found);
    assert_int_equal(found->scope.n, 30);
    assert_int_equal(found->organization.n, ACME);
    directory_free(directory);
    close_place(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_made_key_is_found_by_its_text_alone),
        cmocka_unit_test(a_changed_letter_anywhere_makes_it_unknown),
        cmocka_unit_test(a_right_checksum_with_a_wrong_secret_is_unknown),
        cmocka_unit_test(the_checksum_is_crc_32),
        cmocka_unit_test(a_later_document_replaces_the_earlier),
        cmocka_unit_test(a_wrong_document_is_refused_and_changes_nothing),
        cmocka_unit_test(what_is_no_key_is_passed),
        cmocka_unit_test(ten_thousand_keys_are_each_found),
        cmocka_unit_test(a_star_stands_for_any_bytes),
        cmocka_unit_test(globs_agree_with_the_textbook),
        cmocka_unit_test(secrets_are_compared_whole),
        cmocka_unit_test(a_list_shows_one_organization_and_pages),
        cmocka_unit_test(nothing_of_another_organization_is_found),
        cmocka_unit_test(keys_are_loaded_from_the_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
