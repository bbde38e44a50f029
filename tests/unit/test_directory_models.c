/* SPDX-License-Identifier: Apache-2.0
 * Proves that what was said of models is found by its name and told in order, however it came; that
 * drafts are counted as they come and go; and that a document reads back as it was, or is refused.
 */
#include "codec/json_scan.h"
#include "directory/models.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct model named(const char *name, bool draft)
{
    struct model model = {.name_len = strlen(name), .draft = draft};
    memcpy(model.name, name, model.name_len);
    return model;
}

static void put(struct models *models, const char *name, bool draft)
{
    struct model model = named(name, draft);
    assert_int_equal(models_put(models, &model), 0);
}

static void they_are_found_and_told_in_order(void **state)
{
    (void)state;
    struct models *models;
    char name[16];
    assert_int_equal(models_new(&models), 0);
    assert_null(models_find(models, SLICE_LITERAL("m-000")));
    assert_null(models_next(models, (struct slice){0}));
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "m-%03d", i * 7 % 500);
        put(models, name, false);
    }
    const struct model *each = models_next(models, (struct slice){0});
    for (int i = 0; i < 500; i++, each = models_next(models, model_name(each))) {
        snprintf(name, sizeof name, "m-%03d", i);
        assert_true(slice_is(model_name(each), name));
        assert_ptr_equal(models_find(models, slice_of(name)), each);
    }
    assert_null(each);
    assert_null(models_find(models, SLICE_LITERAL("m-00")));
    assert_true(slice_is(model_name(models_next(models, SLICE_LITERAL("m-00"))), "m-000"));
    models_free(models);
}

static void drafts_are_counted(void **state)
{
    (void)state;
    struct models *models;
    assert_int_equal(models_new(&models), 0);
    put(models, "a", true);
    put(models, "b", true);
    put(models, "b", true);
    assert_int_equal(models_drafts(models), 2);
    put(models, "a", false);
    put(models, "c", false);
    assert_int_equal(models_drafts(models), 1);
    models_free(models);
}

static void reads_back(struct model model)
{
    struct buffer text;
    struct json document;
    struct model back;
    buffer_init(&text, LIMIT_DOCUMENT);
    assert_int_equal(model_write(&model, &text), 0);
    assert_int_equal(json_scan(buffer_slice(&text), &document, NULL), 0);
    assert_int_equal(model_read(document, &back), 0);
    assert_true(slice_equal(model_name(&back), model_name(&model)));
    assert_true(slice_equal(model_alias(&back), model_alias(&model)));
    assert_int_equal(back.type, model.type);
    assert_int_equal(back.context, model.context);
    assert_int_equal(back.output_max, model.output_max);
    assert_int_equal(back.seen_us, model.seen_us);
    assert_true(back.disabled == model.disabled && back.draft == model.draft);
    buffer_done(&text);
}

static void a_document_reads_back(void **state)
{
    (void)state;
    struct model model = named("vendor/\"m\"\\1", true);
    reads_back(model);
    model.seen_us = INT64_C(1767225600123456);
    reads_back(model);
    model = named("fast", false);
    model.alias_len = 4;
    memcpy(model.alias_of, "slow", 4);
    model.type = MODEL_VIDEO;
    model.context = 1 << 30;
    model.output_max = 7;
    model.disabled = true;
    reads_back(model);
    model.name_len = LIMIT_ID;
    memset(model.name, 'x', LIMIT_ID);
    reads_back(model);
}

static void refused(const char *text)
{
    struct json document;
    struct model back;
    assert_int_equal(json_scan(slice_of(text), &document, NULL), 0);
    assert_int_equal(model_read(document, &back), METE_E_CORRUPT);
}

static void what_is_no_document_is_refused(void **state)
{
    (void)state;
    refused("{}");
    refused("{\"model\":\"\",\"context_tokens\":0,\"max_output_tokens\":0}");
    refused("{\"model\":\"m\",\"context_tokens\":-1,\"max_output_tokens\":0}");
    refused("{\"model\":\"m\",\"context_tokens\":0}");
    refused(
        "{\"model\":\"m\",\"context_tokens\":0,\"max_output_tokens\":0,\"first_seen_at\":\"x\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_found_and_told_in_order),
        cmocka_unit_test(drafts_are_counted),
        cmocka_unit_test(a_document_reads_back),
        cmocka_unit_test(what_is_no_document_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
