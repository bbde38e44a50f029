/* SPDX-License-Identifier: Apache-2.0
 * Proves that whatever details are agreed to read back as they were, whichever of them are there,
 * and in the same bytes; that a shorter piece of them, and bytes that say anything twice or out of
 * its range, are no details. */
#include "base/details.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct mete_text text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static const struct mete_part some[] = {
    {METE_INPUT, 0}, {METE_OUTPUT, METE_AMOUNT_MAX}, {METE_VIDEO_SECONDS, 7}};

/* Which of them are there: bits 0 to 8. */
static struct mete_details details_of(unsigned which)
{
    struct mete_details details = {0};
    details.stream = which & 1;
    details.has_confidence = (which & 2) != 0;
    details.confidence_ppm = which & 2 ? 875000 : 0;
    if (which & 4)
        details.model = text("gpt-4o-2024-08-06");
    if (which & 8)
        details.upstream_id = text("chatcmpl-9");
    if (which & 16)
        details.dialect = text("openai-chat");
    if (which & 64)
        details.provider = text("second");
    if (which & 128)
        details.actor = text("token:acme/st_1");
    if (which & 256)
        details.tariff = text("standard hd 1024x1792");
    if (which & 32) {
        details.parts = some;
        details.parts_len = 3;
    }
    return details;
}

static void same(struct mete_text a, struct mete_text b)
{
    assert_int_equal(a.len, b.len);
    if (a.len)
        assert_memory_equal(a.data, b.data, a.len);
}

/* In memory of just its length, so that reading past it is seen. */
static bool reads(const uint8_t *bytes, size_t len)
{
    struct mete_part parts[METE_PARTS_MAX];
    struct mete_details details;
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    bool is = details_read((struct slice){(const char *)copy, len}, parts, &details);
    free(copy);
    return is;
}

static void they_read_back_whichever_are_there(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 512; which++) {
        uint8_t room[DETAILS_MAX], again[DETAILS_MAX];
        struct mete_part parts[METE_PARTS_MAX];
        struct mete_details back, details = details_of(which);
        assert_int_equal(details_check(&details), 0);
        size_t len = details_write(&details, room);
        assert_int_equal(len > 0, which > 0);
        assert_true(details_read((struct slice){(const char *)room, len}, parts, &back));
        assert_int_equal(back.stream, details.stream);
        assert_int_equal(back.has_confidence, details.has_confidence);
        assert_int_equal(back.confidence_ppm, details.confidence_ppm);
        same(back.model, details.model);
        same(back.upstream_id, details.upstream_id);
        same(back.dialect, details.dialect);
        same(back.provider, details.provider);
        same(back.actor, details.actor);
        same(back.tariff, details.tariff);
        assert_int_equal(back.parts_len, details.parts_len);
        for (size_t i = 0; i < back.parts_len; i++)
            assert_true(back.parts[i].meter == some[i].meter && back.parts[i].nano == some[i].nano);
        assert_int_equal(details_write(&back, again), len);
        assert_memory_equal(room, again, len);
        for (size_t cut = 1; cut < len; cut++)
            assert_false(reads(room, cut));
    }
}

static void the_longest_fit_their_room(void **state)
{
    (void)state;
    static char x[LIMIT_ID + 1];
    memset(x, 'x', sizeof x);
    struct mete_part parts[METE_PARTS_MAX];
    size_t len = 0;
    for (uint16_t meter = METE_INPUT; meter < METE_METERS_BUILTIN; meter++)
        if (meter != METE_TOTAL_TOKENS && meter != METE_LIST_COST)
            parts[len++] = (struct mete_part){meter, METE_AMOUNT_MAX};
    assert_true(len <= METE_PARTS_MAX); /* each meter has a place */
    struct mete_details details = {{x, LIMIT_ID},
                                   {x, LIMIT_ID},
                                   {x, LIMIT_PROVIDER},
                                   {x, LIMIT_PROVIDER},
                                   {x, LIMIT_ID},
                                   1,
                                   1,
                                   1000000,
                                   parts,
                                   len,
                                   {x, LIMIT_PROVIDER}};
    uint8_t room[DETAILS_MAX];
    assert_int_equal(details_check(&details), 0);
    size_t packed = details_write(&details, room);
    assert_true(reads(room, packed));
    room[packed] = 0;
    assert_false(reads(room, packed + 1)); /* nothing stands behind them */
    details.model.len = LIMIT_ID + 1;
    assert_int_equal(details_check(&details), METE_E_TOO_LARGE);
    details.model.len = 0;
    details.upstream_id.len = LIMIT_ID + 1;
    assert_int_equal(details_check(&details), METE_E_TOO_LARGE);
    details.upstream_id.len = 0;
    details.dialect.len = LIMIT_PROVIDER + 1;
    assert_int_equal(details_check(&details), METE_E_TOO_LARGE);
    details.dialect.len = 0;
    details.provider.len = LIMIT_PROVIDER + 1;
    assert_int_equal(details_check(&details), METE_E_TOO_LARGE);
    details.provider.len = 0;
    details.actor.len = LIMIT_ID + 1;
    assert_int_equal(details_check(&details), METE_E_TOO_LARGE);
    details.actor.len = 0;
    details.tariff.len = LIMIT_PROVIDER + 1;
    assert_int_equal(details_check(&details), METE_E_TOO_LARGE);
    details.tariff.len = 0;
    details.parts_len = METE_PARTS_MAX + 1;
    assert_int_equal(details_check(&details), METE_E_TOO_LARGE);
}

static void wrong(struct mete_part second)
{
    const struct mete_part parts[] = {{METE_INPUT, 1}, second};
    const struct mete_details details = {.parts = parts, .parts_len = 2};
    uint8_t room[DETAILS_MAX];
    assert_int_equal(details_check(&details), METE_E_INVALID);
    size_t len = details_write(&details, room);
    assert_false(reads(room, len));
}

static void what_is_out_of_range_is_refused_both_ways(void **state)
{
    (void)state;
    wrong((struct mete_part){METE_INPUT, 1}); /* twice */
    wrong((struct mete_part){METE_COST, 1});
    wrong((struct mete_part){METE_TOTAL_TOKENS, 1});
    wrong((struct mete_part){METE_METERS_BUILTIN, 1});
    wrong((struct mete_part){METE_LIST_COST, 1});
    wrong((struct mete_part){METE_OUTPUT, METE_AMOUNT_MAX + 1});
    struct mete_details details = {.confidence_ppm = 1}; /* without being there */
    assert_int_equal(details_check(&details), METE_E_INVALID);
    details.has_confidence = 1;
    details.confidence_ppm = 1000001;
    assert_int_equal(details_check(&details), METE_E_INVALID);
    uint8_t room[DETAILS_MAX];
    assert_false(reads(room, details_write(&details, room)));
    details = (struct mete_details){.upstream_id = text("a\nb")};
    assert_int_equal(details_check(&details), METE_E_INVALID);
    assert_false(reads(room, details_write(&details, room)));
    assert_false(reads((const uint8_t[]){0x80, 1}, 2));    /* said to be there */
    assert_false(reads((const uint8_t[]){0x80, 4, 1}, 3)); /* a bit of tomorrow */
    assert_false(reads((const uint8_t[]){0}, 1));          /* nothing, at length */
    assert_false(reads((const uint8_t[]){4, 0}, 2));       /* there, and empty */
    assert_false(reads((const uint8_t[]){32, 0}, 2));
    assert_false(reads((const uint8_t[]){2, 0x81, 0}, 3)); /* not the shortest form */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_read_back_whichever_are_there),
        cmocka_unit_test(the_longest_fit_their_room),
        cmocka_unit_test(what_is_out_of_range_is_refused_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
