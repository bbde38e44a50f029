/* SPDX-License-Identifier: Apache-2.0
 * Proves that a spreadsheet of prices becomes the list that the API takes, digit by digit: lines of
 * a model are one model, its tiers are tiers, a price a line is the price it names; and that what
 * is wrong is refused with its line, its column and why. */
#include "mete.h"
#include "pricing/price_csv.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int read_text(const char *csv, struct buffer *out, struct price_csv_fault *fault)
{
    size_t len = strlen(csv);
    char *text = malloc(len + 1);
    assert_non_null(text);
    memcpy(text, csv, len + 1);
    buffer_init(out, 65536);
    int rc = price_csv_read(text, len, out, fault);
    free(text);
    return rc;
}

static void becomes(const char *csv, const char *json)
{
    struct price_csv_fault fault = {0};
    struct buffer out;
    int rc = read_text(csv, &out, &fault);
    if (rc)
        fail_msg("line %zu, %s: %s", fault.line, fault.field, fault.why);
    assert_int_equal(buffer_append(&out, (struct slice){"", 1}), 0);
    assert_string_equal(out.data, json);
    buffer_done(&out);
}

static void refused(const char *csv, size_t line, const char *field)
{
    struct price_csv_fault fault = {0};
    struct buffer out;
    assert_int_equal(read_text(csv, &out, &fault), METE_E_SYNTAX);
    assert_int_equal(fault.line, line);
    assert_string_equal(fault.field, field);
    assert_non_null(fault.why);
    buffer_done(&out);
}

static void a_line_is_a_model(void **state)
{
    (void)state;
    becomes("model,provider,input_per_million,output_per_million,max_output_tokens\n"
            "a,openai,0.150,0.6,4096\n"
            "\"b\",,1e-3,,\n",
            "[{\"model\":\"a\",\"provider\":\"openai\",\"max_output_tokens\":4096,"
            "\"prices\":{\"input_per_million\":\"0.150\",\"output_per_million\":\"0.6\"},"
            "\"tiers\":[]},"
            "{\"model\":\"b\",\"prices\":{\"input_per_million\":\"1e-3\"},\"tiers\":[]}]");
}

static void what_spreadsheets_write_is_read(void **state)
{
    (void)state;
    becomes("\xef\xbb\xbf"
            "# prices of ours\r\n"
            "model, per_image \r\n"
            "\r\n"
            "\"a \"\"b\"\"\", 0.04\r\n"
            "   \n"
            "c,0.05",
            "[{\"model\":\"a \\\"b\\\"\",\"prices\":{\"per_image\":\"0.04\"},\"tiers\":[]},"
            "{\"model\":\"c\",\"prices\":{\"per_image\":\"0.05\"},\"tiers\":[]}]");
}

static void lines_of_a_model_are_its_tiers(void **state)
{
    (void)state;
    becomes("model,input_per_million,output_per_million,service,above,quality,size,per_image\n"
            "a,2,4,,,,,\n"
            "a,1,2,batch,,,,\n"
            "a,3,6,,200000,,,\n"
            "a,,,,,hd,1024x1024,0.08\n"
            "b,1,1,,x,,,\n",
            "[{\"model\":\"a\",\"prices\":{\"input_per_million\":\"2\",\"output_per_million\":"
            "\"4\"},\"tiers\":[{\"service\":\"batch\",\"prices\":{\"input_per_million\":\"1\","
            "\"output_per_million\":\"2\"}},{\"above\":200000,\"prices\":{\"input_per_million\":"
            "\"3\",\"output_per_million\":\"6\"}},{\"quality\":\"hd\",\"size\":\"1024x1024\","
            "\"prices\":{\"per_image\":\"0.08\"}}]},{\"model\":\"b\",\"prices\":{},\"tiers\":[{"
            "\"above\":\"x\",\"prices\":{\"input_per_million\":\"1\",\"output_per_million\":\"1\"}"
            "}]}]");
}

static void a_price_a_line(void **state)
{
    (void)state;
    becomes("model_code,pricing_type,unit_price,unit,currency\n"
            "qwen-max,input_token,0.002,per_1k_tokens,CNY\n"
            "qwen-max,output_token,0.006,per_1k_tokens,\n"
            "speaker,audio_minute,0.006,,\n",
            "[{\"model\":\"qwen-max\",\"currency\":\"CNY\",\"prices\":{\"input_per_million\":\"2\","
            "\"output_per_million\":\"6\"},\"tiers\":[]},{\"model\":\"speaker\",\"prices\":{"
            "\"audio_per_second\":\"0.0001\"},\"tiers\":[]}]");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    refused("", 0, "");
    refused("model,input_per_million\n", 1, "");
    refused("provider,input_per_million\nopenai,1\n", 1, "model");
    refused("model,input_per_millio\n", 1, "input_per_millio");
    refused("model,model_code\n", 1, "model_code");
    refused("model,input_per_million\n,1\n", 2, "model");
    refused("model,input_per_million\na,1\nb,1,2\n", 3, "");
    refused("model,input_per_million\na,\"1\n", 2, "");
    refused("model,input_per_million\na,1\nb,1\na,2\n", 4, "a");
    refused("model,provider,input_per_million\na,x,1\na,y,1\n", 3, "provider");
    refused("model,pricing_type,unit_price\na,tea,1\n", 2, "pricing_type");
    refused("model,pricing_type,unit_price,unit\na,image,1,per_token\n", 2, "unit");
    refused("model,pricing_type,unit_price\na,input,-1\n", 2, "unit_price");
    refused("model,pricing_type,unit_price,service\na,input,1,batch\n", 2, "pricing_type");
}

static void a_list_has_an_end(void **state)
{
    (void)state;
    struct price_csv_fault fault = {0};
    struct buffer text, out;
    buffer_init(&text, 1 << 20);
    buffer_init(&out, 1 << 20);
    assert_int_equal(buffer_text(&text, "model,per_image\n"), 0);
    for (int i = 0; i <= PRICE_LIST_MAX; i++)
        assert_int_equal(buffer_format(&text, "m%d,1\n", i), 0);
    assert_int_equal(price_csv_read(text.data, text.len, &out, &fault), METE_E_SYNTAX);
    assert_int_equal(fault.line, PRICE_LIST_MAX + 2);
    buffer_done(&text);
    buffer_done(&out);
    buffer_init(&out, 8); /* of the reply */
    char small[] = "model,per_image\na,1\n";
    assert_int_equal(price_csv_read(small, strlen(small), &out, &fault), METE_E_TOO_LARGE);
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_model),
        cmocka_unit_test(what_spreadsheets_write_is_read),
        cmocka_unit_test(lines_of_a_model_are_its_tiers),
        cmocka_unit_test(a_price_a_line),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_list_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
