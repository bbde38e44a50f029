/* SPDX-License-Identifier: Apache-2.0
 * Proves that bytes that say something else than was written never end the process, whichever
 * number of them it is: each number of each entry of a life, and each number of what is saved of
 * it, becomes other numbers, near it and at the ends of ranges, one at a time. (tests/proof/damage
 * does it at random, in larger lives.)
 *
 * An entry so changed is refused as CORRUPT or FORMAT, or it might have been, and the ledger checks
 * out; a state is refused as CORRUPT, FORMAT or FULL, or found unsound, or it might have been, and
 * is the same when it is saved and loaded again. */
#include "ledger/state.h"
#include "unit/ledger_world.h"
#include "unit/twist.h"

enum { ENTRY_ROOM = 1 << 12, ENTRIES_MAX = 128, EACH_KIND = 3 };

static const struct ledger_room room = {16, 32, 8, 16};

/* What lived, entry for entry: its bytes as the first of a group, and the state before it. */
static struct {
    size_t len;
    struct {
        enum entry_kind kind;
        uint64_t seq;
        size_t len;
        uint8_t bytes[ENTRY_ROOM];
        struct saved before;
    } at[ENTRIES_MAX];
    struct saved end;
} life;

static void save(const struct ledger *ledger, struct saved *ret_saved)
{
    *ret_saved = (struct saved){0};
    assert_int_equal(ledger_save(ledger, saved_put, ret_saved), 0);
}

static void remember(struct bench *b, const struct entry *entry)
{
    assert_true(life.len < ENTRIES_MAX && entry_size_max(entry) + VARINT_MAX <= ENTRY_ROOM);
    size_t i = life.len++;
    struct writer w = {life.at[i].bytes, life.at[i].bytes + ENTRY_ROOM};
    entry_write(&w, entry, 0);
    life.at[i].kind = entry->kind;
    life.at[i].seq = entry->seq;
    life.at[i].len = (size_t)(w.at - life.at[i].bytes);
    save(b->ledger, &life.at[i].before);
}

static int live(void **state)
{
    (void)state;
    struct bench *b = world_bench(&room);
    b->watch = remember;
    world_live(b);
    save(b->ledger, &life.end);
    ledger_close(b->ledger);
    ledger_close(b->copy);
    free(b);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    for (size_t i = 0; i < life.len; i++)
        free(life.at[i].before.bytes);
    free(life.end.bytes);
    return 0;
}

static struct ledger *load(struct saved *saved)
{
    struct ledger *ledger;
    assert_int_equal(ledger_open(&room, &ledger), 0);
    saved->at = 0;
    assert_int_equal(ledger_load(ledger, saved_get, saved), 0);
    return ledger;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static struct {
    unsigned refused, taken;
} by_kind[ENTRY_KINDS];

/* There is one way to write an entry. */
static void writes_the_same(const struct entry *entry, const uint8_t *bytes, size_t len)
{
    static uint8_t again[1 << 15];
    assert_true(entry_size_max(entry) <= sizeof again);
    struct writer w = {again, again + sizeof again};
    entry_write(&w, entry, 0);
    assert_int_equal(w.at - again, len);
    assert_memory_equal(again, bytes, len);
}

/* Applies an entry to a state; whether it was taken. */
static bool applies(struct saved *before, struct entry *entry)
{
    static struct ledger_effects effects;
    struct ledger *ledger = load(before);
    entry->seq = ledger_last_seq(ledger) + 1;
    int rc = ledger_apply(ledger, entry, &effects);
    assert_true(rc == 0 || rc == METE_E_CORRUPT || rc == METE_E_FORMAT);
    if (rc == 0)
        ledger_check(ledger);
    ledger_close(ledger);
    return rc == 0;
}

static void try_entry(struct saved *before, const uint8_t *bytes, size_t len)
{
    struct entry entry;
    struct reader r = {bytes, bytes + len, false};
    int rc = entry_read(&r, 0, &entry);
    assert_true(rc == 0 || rc == METE_E_CORRUPT || rc == METE_E_FORMAT);
    if (rc || r.at != r.end)
        return;
    writes_the_same(&entry, bytes, len);
    if (applies(before, &entry))
        by_kind[entry.kind].taken++;
    else
        by_kind[entry.kind].refused++;
}

static void an_entry_with_another_number_is_refused_or_might_have_been(void **state)
{
    (void)state;
    static uint8_t bytes[ENTRY_ROOM];
    unsigned seen[ENTRY_KINDS] = {0};
    for (size_t i = 0; i < life.len; i++) {
        if (seen[life.at[i].kind]++ >= EACH_KIND)
            continue;
        for (size_t at = 0; at < life.at[i].len; at++)
            for (unsigned n = 0; twist_begins(life.at[i].bytes, at) && n < TWISTS; n++) {
                size_t len = life.at[i].len;
                memcpy(bytes, life.at[i].bytes, len);
                if (twist_number(bytes, &len, at, n))
                    try_entry(&life.at[i].before, bytes, len);
            }
    }
    for (int kind = ENTRY_NONE + 1; kind < ENTRY_KINDS; kind++) {
        if (!seen[kind] || !by_kind[kind].taken || !by_kind[kind].refused)
            fail_msg("kind %d: %u in the life, %u refused, %u taken", kind, seen[kind],
                     by_kind[kind].refused, by_kind[kind].taken);
    }
}

/* What a journal whose groups were exchanged would say. */
static void an_entry_of_another_time_is_refused_or_might_have_been(void **state)
{
    (void)state;
    unsigned refused = 0, taken = 0;
    for (size_t i = 0; i < life.len; i++)
        for (size_t j = 0; j < life.len; j++) {
            struct entry entry;
            struct reader r = {life.at[i].bytes, life.at[i].bytes + life.at[i].len, false};
            assert_int_equal(entry_read(&r, 0, &entry), 0);
            struct saved *before = j + 1 < life.len ? &life.at[j + 1].before : &life.end;
            struct entry now;
            struct reader there = {life.at[j].bytes, life.at[j].bytes + life.at[j].len, false};
            assert_int_equal(entry_read(&there, 0, &now), 0);
            if (entry.at_us < now.at_us)
                entry.at_us = now.at_us;
            if (applies(before, &entry))
                taken++;
            else
                refused++;
        }
    assert_true(taken > 0 && refused > taken);
}

/* ---- States ---------------------------------------------------------------------------------- */

static struct {
    unsigned refused, unsound, sound, full;
} states;

static void try_state(const struct saved *changed)
{
    struct ledger *ledger;
    struct saved saved = *changed;
    char what[256];
    saved.at = 0;
    assert_int_equal(ledger_open(&room, &ledger), 0);
    int rc = ledger_load(ledger, saved_get, &saved);
    assert_true(rc == 0 || rc == METE_E_CORRUPT || rc == METE_E_FORMAT || rc == METE_E_FULL);
    states.full += rc == METE_E_FULL;
    if (rc)
        states.refused++;
    else if (!ledger_sound(ledger, what))
        states.unsound++;
    else {
        states.sound++;
        ledger = reload(ledger);
    }
    ledger_close(ledger);
}

static void try_numbers(const struct saved *saved, size_t stride)
{
    struct saved changed = {.bytes = malloc(saved->len + VARINT_MAX)};
    size_t piece;
    assert_non_null(changed.bytes);
    memcpy(&piece, saved->bytes, sizeof piece);
    assert_int_equal(saved->len, sizeof piece + piece); /* one piece is all */
    const uint8_t *bytes = (const uint8_t *)saved->bytes + sizeof piece;
    size_t turn = 0;
    for (size_t at = 0; at < piece; at++)
        for (unsigned n = 0; twist_begins(bytes, at) && n < TWISTS; n++) {
            size_t len = piece;
            if (turn++ % stride)
                continue;
            memcpy(changed.bytes, saved->bytes, saved->len);
            if (!twist_number((uint8_t *)changed.bytes + sizeof piece, &len, at, n))
                continue;
            memcpy(changed.bytes, &len, sizeof len);
            changed.len = sizeof len + len;
            try_state(&changed);
        }
    free(changed.bytes);
}

static void a_state_with_another_number_is_refused_or_unsound_or_might_have_been(void **state)
{
    (void)state;
    try_numbers(&life.end, 1);
    assert_true(states.refused > 0 && states.unsound > 0 && states.sound > 0 && states.full > 0);
}

/* Cut off anywhere, or with something behind it, it is none. */
static void a_part_of_a_state_is_no_state(void **state)
{
    (void)state;
    size_t whole = life.end.len - sizeof(size_t);
    struct saved part = {.bytes = malloc(life.end.len + 1)};
    assert_non_null(part.bytes);
    memcpy(part.bytes, life.end.bytes, life.end.len);
    part.bytes[life.end.len] = 0;
    for (size_t len = 0; len <= whole + 1; len++) {
        struct ledger *ledger;
        if (len == whole)
            continue;
        memcpy(part.bytes, &len, sizeof len);
        part.len = sizeof len + len;
        part.at = 0;
        assert_int_equal(ledger_open(&room, &ledger), 0);
        assert_int_equal(ledger_load(ledger, saved_get, &part), METE_E_CORRUPT);
        ledger_close(ledger);
    }
    free(part.bytes);
}

/* A walk up from a scope must end whatever is above it: found by fuzz_save. */
static void a_state_whose_scopes_go_in_a_circle_is_refused(void **state)
{
    (void)state;
    struct bench *b = world_bench(&room);
    struct saved saved;
    struct ledger *ledger;
    world_live(b);
    assert_true(b->dept && b->user);
    b->ledger->scopes[b->user].parent = b->user;
    b->ledger->scopes[b->dept].parent = b->user;
    save(b->ledger, &saved);
    assert_int_equal(ledger_open(&room, &ledger), 0);
    assert_int_equal(ledger_load(ledger, saved_get, &saved), METE_E_CORRUPT);
    ledger_close(ledger);
    free(saved.bytes);
    ledger_close(b->ledger);
    ledger_close(b->copy);
    free(b);
}

static int no_piece(void *user, struct slice piece)
{
    (void)piece;
    return *(int *)user;
}

static int no_more(void *user, struct slice *ret_piece)
{
    *ret_piece = (struct slice){"", 0};
    return *(int *)user;
}

static void what_the_store_says_of_a_piece_is_what_saving_and_loading_say(void **state)
{
    (void)state;
    int rc = METE_E_STORAGE;
    struct ledger *ledger = load(&life.end), *other;
    assert_int_equal(ledger_save(ledger, no_piece, &rc), METE_E_STORAGE);
    ledger_close(ledger);
    assert_int_equal(ledger_open(&room, &other), 0);
    assert_int_equal(ledger_load(other, no_more, &rc), METE_E_STORAGE);
    ledger_close(other);
}

static void a_state_needs_the_room_that_it_had(void **state)
{
    (void)state;
    struct ledger *ledger = load(&life.end);
    struct ledger_counts counts;
    ledger_counts(ledger, &counts);
    ledger_close(ledger);
    const struct ledger_room less[] = {{(uint32_t)counts.scopes, 32, 8, 16},
                                       {16, (uint32_t)counts.budgets, 8, 16},
                                       {16, 32, 1, 16},
                                       {16, 32, 8, 1}};
    for (size_t i = 0; i < sizeof less / sizeof less[0]; i++) {
        assert_int_equal(ledger_open(&less[i], &ledger), 0);
        life.end.at = 0;
        assert_int_equal(ledger_load(ledger, saved_get, &life.end), METE_E_FULL);
        ledger_close(ledger);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_with_another_number_is_refused_or_might_have_been),
        cmocka_unit_test(an_entry_of_another_time_is_refused_or_might_have_been),
        cmocka_unit_test(a_state_with_another_number_is_refused_or_unsound_or_might_have_been),
        cmocka_unit_test(a_part_of_a_state_is_no_state),
        cmocka_unit_test(a_state_whose_scopes_go_in_a_circle_is_refused),
        cmocka_unit_test(what_the_store_says_of_a_piece_is_what_saving_and_loading_say),
        cmocka_unit_test(a_state_needs_the_room_that_it_had)};
    return cmocka_run_group_tests(tests, live, forget);
}
