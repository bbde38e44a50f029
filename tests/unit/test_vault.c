/* SPDX-License-Identifier: Apache-2.0
 * Proves what vault/vault.h promises: what was sealed is found again under the same key and by no
 * other, each byte of the file matters, entries can be moved neither to another name nor to another
 * time, a change is there whole or not at all, and a key file that others could read, or that the
 * data carry along, is no key. The secret is nowhere on the disk. */
#include "os/whole.h"
#include "unit/temp.h"
#include "vault/key.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#define SECRET "sk-a-provider-secret-of-the-vault-test"
#define FILE_NAME "credentials.sealed"
enum { ROOM = 64 * 1024 };

struct place {
    char root[64], data[96], key_file[96];
    char id[VAULT_KEY_ID + 1], detail[VAULT_DETAIL];
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    if (!place || temp_make(place->root, sizeof place->root))
        return -1;
    snprintf(place->data, sizeof place->data, "%s/data", place->root);
    snprintf(place->key_file, sizeof place->key_file, "%s/sealing.key", place->root);
    assert_int_equal(mkdir(place->data, 0700), 0);
    assert_int_equal(vault_key_make(place->key_file, place->id, place->detail), 0);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    int rc = temp_remove(place->root);
    free(place);
    return rc;
}

static struct vault *opened(struct place *place)
{
    struct vault_key *key = NULL;
    struct vault *vault = NULL;
    if (vault_key_read(place->key_file, place->data, &key, place->detail) ||
        vault_open(place->data, key, &vault, place->detail))
        fail_msg("%s", place->detail);
    return vault;
}

static void make(struct vault *vault, int rc, struct vault_change *change)
{
    assert_int_equal(rc, 0);
    assert_int_equal(vault_change_write(change), 0);
    vault_change_apply(vault, change);
}

static void put(struct vault *vault, const char *name, const char *secret, int64_t now_us)
{
    struct vault_change *change = NULL;
    int rc = vault_put(vault, slice_of(name), slice_of(secret), now_us, &change);
    make(vault, rc, change);
}

static void finds(const struct vault *vault, const char *name, const char *secret)
{
    struct slice found = {0};
    int rc = vault_unseal(vault, slice_of(name), &found);
    if (!secret) {
        assert_int_equal(rc, METE_E_NOT_FOUND);
        return;
    }
    assert_int_equal(rc, 0);
    assert_true(slice_is(found, secret));
    vault_forget(found);
}

static size_t file_read(const struct place *place, uint8_t *room)
{
    ssize_t len = whole_get(place->data, FILE_NAME, room, ROOM);
    assert_true(len >= 0 && len < ROOM);
    return (size_t)len;
}

/* Whether the vault can be opened; NULL: with its own key. */
static int opens(struct place *place, const char *key_file)
{
    struct vault_key *key = NULL;
    struct vault *vault = NULL;
    assert_int_equal(
        vault_key_read(key_file ? key_file : place->key_file, place->data, &key, place->detail), 0);
    int rc = vault_open(place->data, key, &vault, place->detail);
    if (rc)
        vault_key_free(key);
    vault_close(vault);
    return rc;
}

static void what_was_sealed_is_found_again(void **state)
{
    struct place *place = *state;
    char longest[LIMIT_CREDENTIAL + 1];
    memset(longest, '~', LIMIT_CREDENTIAL);
    longest[LIMIT_CREDENTIAL] = 0;
    assert_false(vault_is_in(place->data));
    struct vault *vault = opened(place);
    finds(vault, "openai", NULL);
    put(vault, "openai", SECRET, 1000);
    put(vault, "azure", "a", 2000);
    put(vault, "mistral", longest, 3000);
    put(vault, "openai", SECRET "-2", 4000);
    struct vault_entry entry;
    for (int again = 0; again < 2; again++) {
        assert_true(vault_is_in(place->data));
        assert_int_equal(vault_len(vault), 3);
        finds(vault, "openai", SECRET "-2");
        finds(vault, "azure", "a");
        finds(vault, "mistral", longest);
        finds(vault, "opena", NULL);
        assert_int_equal(vault_find(vault, slice_of("openai"), &entry), 0);
        assert_int_equal(entry.version, 4);
        assert_int_equal(entry.sealed_at_us, 4000);
        vault_at(vault, 0, &entry);
        assert_string_equal(entry.name, "azure");
        assert_string_equal(vault_sealed_under(vault), place->id);
        vault_close(vault);
        vault = opened(place);
    }
    struct vault_change *change = NULL;
    assert_int_equal(vault_remove(vault, slice_of("nobody"), &change), METE_E_NOT_FOUND);
    int rc = vault_remove(vault, slice_of("openai"), &change);
    make(vault, rc, change);
    finds(vault, "openai", NULL);
    finds(vault, "azure", "a");
    put(vault, "openai", "new", 5000);
    assert_int_equal(vault_find(vault, slice_of("openai"), &entry), 0);
    assert_int_equal(entry.version, 6); /* the removal was one: no version comes twice */
    vault_close(vault);
}

static void each_byte_of_the_file_matters(void **state)
{
    struct place *place = *state;
    static uint8_t bytes[ROOM];
    struct vault *vault = opened(place);
    put(vault, "openai", SECRET, 1000);
    put(vault, "azure", "another", 2000);
    vault_close(vault);
    size_t len = file_read(place, bytes);
    assert_null(memmem(bytes, len, SECRET, 8));
    for (size_t i = 0; i < len; i++) {
        uint8_t was = bytes[i];
        bytes[i] = (uint8_t)(was ^ (1 << i % 8));
        assert_int_equal(whole_put(place->data, FILE_NAME, bytes, len), 0);
        int rc = opens(place, NULL);
        assert_true(rc == METE_E_CORRUPT || (rc == METE_E_FORBIDDEN && i >= 8 && i < 24));
        assert_null(strstr(place->detail, SECRET));
        bytes[i] = was;
    }
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(whole_put(place->data, FILE_NAME, bytes, i), 0);
        assert_int_equal(opens(place, NULL), METE_E_CORRUPT);
    }
    bytes[len] = 0;
    assert_int_equal(whole_put(place->data, FILE_NAME, bytes, len + 1), 0);
    assert_int_equal(opens(place, NULL), METE_E_CORRUPT);
    assert_int_equal(whole_put(place->data, FILE_NAME, bytes, len), 0);
    assert_int_equal(opens(place, NULL), 0);
}

static void another_key_opens_nothing(void **state)
{
    struct place *place = *state;
    char file[128], id[VAULT_KEY_ID + 1], detail[VAULT_DETAIL];
    snprintf(file, sizeof file, "%s/other.key", place->root);
    assert_int_equal(vault_key_make(file, id, detail), 0);
    assert_string_not_equal(id, place->id);
    struct vault *vault = opened(place);
    put(vault, "openai", SECRET, 1000);
    vault_close(vault);
    assert_int_equal(opens(place, file), METE_E_FORBIDDEN);
    assert_non_null(strstr(place->detail, place->id));
    assert_non_null(strstr(place->detail, id));
}

/* The file's tag would find it, so the test makes that right again: an entry is bound for itself to
 * its name, its version and its time. */
static void a_secret_belongs_to_its_name_version_and_time(void **state)
{
    struct place *place = *state;
    static uint8_t bytes[ROOM], changed[ROOM];
    struct vault_key *key = NULL;
    struct vault *vault = opened(place);
    put(vault, "aaaa", SECRET, 1000);
    put(vault, "bbbb", SECRET, 2000);
    vault_close(vault);
    assert_int_equal(vault_key_read(place->key_file, place->data, &key, place->detail), 0);
    size_t len = file_read(place, bytes), entry = (len - 36 - 32) / 2, bound = 1 + 4 + 8 + 8 + 2;
    uint8_t *first = changed + 36, *second = first + entry;
    /* The sealed secret of the other; the other name; version; time. */
    const struct {
        size_t at, len;
    } parts[] = {{bound, entry - bound}, {1, 4}, {5, 8}, {13, 8}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        memcpy(changed, bytes, len);
        memcpy(first + parts[i].at, bytes + 36 + entry + parts[i].at, parts[i].len);
        memcpy(second + parts[i].at, bytes + 36 + parts[i].at, parts[i].len);
        if (i == 1) { /* in order of their names all the same */
            memcpy(second, changed + 36, entry);
            memcpy(first, bytes + 36 + entry, entry);
            memcpy(first + 1, "aaaa", 4);
        }
        crypto_generichash(changed + len - 32, 32, changed, len - 32, key->tag, sizeof key->tag);
        assert_int_equal(whole_put(place->data, FILE_NAME, changed, len), 0);
        vault = opened(place);
        struct slice secret;
        assert_int_equal(vault_unseal(vault, slice_of("aaaa"), &secret), METE_E_CORRUPT);
        assert_int_equal(vault_unseal(vault, slice_of("bbbb"), &secret), METE_E_CORRUPT);
        vault_close(vault);
    }
    vault_key_free(key);
}

static void sealed_again_under_a_new_key_the_old_one_is_worthless(void **state)
{
    struct place *place = *state;
    char file[128], id[VAULT_KEY_ID + 1];
    struct vault_key *key = NULL;
    struct vault_change *change = NULL;
    snprintf(file, sizeof file, "%s/new.key", place->root);
    assert_int_equal(vault_key_make(file, id, place->detail), 0);
    struct vault *vault = opened(place);
    put(vault, "openai", SECRET, 1000);
    put(vault, "azure", "another", 2000);
    assert_int_equal(vault_key_read(file, place->data, &key, place->detail), 0);
    assert_int_equal(vault_reseal(vault, key, &change), 0);
    vault_change_free(change); /* and not written: nothing has happened */
    finds(vault, "openai", SECRET);
    assert_int_equal(opens(place, NULL), 0);
    assert_int_equal(vault_key_read(file, place->data, &key, place->detail), 0);
    int rc = vault_reseal(vault, key, &change);
    make(vault, rc, change);
    assert_string_equal(vault_sealed_under(vault), id);
    finds(vault, "openai", SECRET);
    finds(vault, "azure", "another");
    struct vault_entry entry;
    assert_int_equal(vault_find(vault, slice_of("openai"), &entry), 0);
    assert_int_equal(entry.version, 1); /* the credential is the same */
    assert_int_equal(entry.sealed_at_us, 1000);
    put(vault, "openai", "rotated", 3000);
    vault_close(vault);
    assert_int_equal(opens(place, NULL), METE_E_FORBIDDEN);
    assert_int_equal(opens(place, file), 0);
}

/* The same secret twice is two different entries: nonces are never used again. */
static void equal_secrets_are_sealed_differently(void **state)
{
    struct place *place = *state;
    static uint8_t bytes[ROOM];
    struct vault *vault = opened(place);
    put(vault, "a", SECRET, 1000);
    put(vault, "b", SECRET, 1000);
    vault_close(vault);
    size_t len = file_read(place, bytes), same = 0, entry = (len - 36 - 32) / 2;
    for (size_t i = 0; i < entry; i++)
        same += bytes[36 + i] == bytes[36 + entry + i];
    assert_in_range(same, 1, 30); /* lengths and time, of 100 bytes and more */
}

static void a_change_that_is_not_written_has_not_happened(void **state)
{
    struct place *place = *state;
    static uint8_t before[ROOM], after[ROOM];
    struct vault_change *change = NULL;
    struct vault *vault = opened(place);
    put(vault, "openai", SECRET, 1000);
    size_t len = file_read(place, before);
    assert_int_equal(vault_put(vault, slice_of("openai"), slice_of("next"), 2000, &change), 0);
    finds(vault, "openai", SECRET);
    vault_change_free(change);
    finds(vault, "openai", SECRET);
    assert_int_equal(file_read(place, after), len);
    assert_memory_equal(before, after, len);
    /* A directory that is gone: the change fails, and the vault is as it was. */
    char away[128];
    snprintf(away, sizeof away, "%s/away", place->root);
    assert_int_equal(vault_put(vault, slice_of("openai"), slice_of("next"), 2000, &change), 0);
    assert_int_equal(rename(place->data, away), 0);
    assert_int_equal(vault_change_write(change), METE_E_STORAGE);
    assert_int_equal(rename(away, place->data), 0);
    vault_change_free(change);
    finds(vault, "openai", SECRET);
    vault_close(vault);
}

static void it_holds_so_many_and_no_more(void **state)
{
    struct place *place = *state;
    struct vault *vault = opened(place);
    struct vault_change *change = NULL;
    char name[VAULT_NAME_MAX + 1];
    for (int i = 0; i < LIMIT_CREDENTIALS; i++) {
        snprintf(name, sizeof name, "%064d", i);
        int rc = vault_put(vault, slice_of(name), slice_of(name), i, &change);
        assert_int_equal(rc, 0);
        vault_change_apply(vault, change);
    }
    assert_int_equal(vault_put(vault, slice_of("more"), slice_of("s"), 1, &change), METE_E_FULL);
    put(vault, name, "replaced", 1);
    vault_close(vault);
    vault = opened(place);
    assert_int_equal(vault_len(vault), LIMIT_CREDENTIALS);
    finds(vault, name, "replaced");
    vault_close(vault);
}

static void what_a_name_and_a_secret_may_be(void **state)
{
    (void)state;
    char long_name[VAULT_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    assert_true(vault_name_is_good(slice_of("Azure (EU)")));
    assert_false(vault_name_is_good(slice_of("")));
    assert_false(vault_name_is_good(slice_of(long_name)));
    assert_false(vault_secret_is_good(slice_of("")));
    assert_false(vault_secret_is_good(slice_of("a\r\nx-other: header")));
    assert_false(vault_secret_is_good((struct slice){"a\0b", 3}));
    assert_true(vault_secret_is_good(slice_of("AKIA:secret/with+signs=:token")));
}

static void refused(struct place *place, const char *file, int error, const char *why)
{
    struct vault_key *key = NULL;
    assert_int_equal(vault_key_read(file, place->data, &key, place->detail), error);
    assert_null(key);
    if (!strstr(place->detail, why))
        fail_msg("wanted %s: %s", why, place->detail);
}

static void a_key_file_that_cannot_be_trusted_is_refused(void **state)
{
    struct place *place = *state;
    char path[160], link_path[160], line[128] = {0};
    struct stat found;
    assert_int_equal(stat(place->key_file, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0400);
    assert_int_equal(vault_key_make(place->key_file, place->id, place->detail), METE_E_EXISTS);
    assert_int_equal(whole_get(place->root, "sealing.key", line, sizeof line), 65);
    const mode_t modes[] = {0440, 0404, 0420, 0410, 0604};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(place->key_file, modes[i]), 0);
        refused(place, place->key_file, METE_E_INVALID, "chmod 0400");
    }
    assert_int_equal(chmod(place->key_file, 0600), 0);
    snprintf(path, sizeof path, "%s/inside.key", place->data);
    assert_int_equal(whole_put(place->data, "inside.key", line, 65), 0);
    refused(place, path, METE_E_INVALID, "in the data directory");
    snprintf(link_path, sizeof link_path, "%s/link.key", place->root);
    assert_int_equal(symlink(path, link_path), 0);
    refused(place, link_path, METE_E_INVALID, "in the data directory");
    refused(place, place->root, METE_E_INVALID, "no plain file");
    refused(place, "/nonexistent/key", METE_E_STORAGE, "/nonexistent/key");
    const char *const texts[] = {"", "\n", "0123", "not hexadecimal", line};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t len = i < 4 ? strlen(texts[i]) : 63;
        assert_int_equal(whole_put(place->root, "bad.key", texts[i], len), 0);
        snprintf(path, sizeof path, "%s/bad.key", place->root);
        refused(place, path, METE_E_SYNTAX, "no sealing key");
        assert_null(len > 8 ? strstr(place->detail, texts[i]) : NULL);
    }
    struct vault_key *key = NULL;
    assert_int_equal(vault_key_read(place->key_file, place->data, &key, place->detail), 0);
    assert_string_equal(vault_key_id(key), place->id);
    vault_key_free(key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sealed_is_found_again),
        TEST(each_byte_of_the_file_matters),
        TEST(another_key_opens_nothing),
        TEST(a_secret_belongs_to_its_name_version_and_time),
        TEST(sealed_again_under_a_new_key_the_old_one_is_worthless),
        TEST(equal_secrets_are_sealed_differently),
        TEST(a_change_that_is_not_written_has_not_happened),
        TEST(it_holds_so_many_and_no_more),
        TEST(what_a_name_and_a_secret_may_be),
        TEST(a_key_file_that_cannot_be_trusted_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
