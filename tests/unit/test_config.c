/* SPDX-License-Identifier: Apache-2.0
 * Proves that a configuration is taken as written or refused with the place and the key: every row
 * of the table has its default, every kind of mistake is named, variables are expanded, prices are
 * exact, and the environment alone makes a working gateway. */
#include "base/assert.h"
#include "server/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct config *good(const char *text)
{
    char detail[512];
    struct config *config = NULL;
    if (config_parse("t.yaml", slice_of(text), &config, detail))
        fail_msg("%s", detail);
    return config;
}

static void bad(const char *text, const char *where, const char *what)
{
    char detail[512] = "";
    struct config *config = NULL;
    assert_int_equal(config_parse("t.yaml", slice_of(text), &config, detail), METE_E_SYNTAX);
    assert_null(config);
    if (!strstr(detail, where) || !strstr(detail, what))
        fail_msg("wanted %s and %s: %s", where, what, detail);
}

static int forget_environment(void **state)
{
    (void)state;
    unsetenv("OPENAI_API_KEY");
    unsetenv("OPENAI_BASE_URL");
    unsetenv("METE_DATA");
    return 0;
}

static void nothing_gives_the_defaults(void **state)
{
    (void)state;
    const char *const texts[] = {"", "# only a comment\n", "gateway: {}\nlimits: {}\nlog: {}\n"};
    for (size_t i = 0; i < 3; i++) {
        struct config *config = good(texts[i]);
        assert_string_equal(config->listen, "127.0.0.1:8081");
        assert_string_equal(config->metrics_listen, "127.0.0.1:9091");
        assert_string_equal(config->data, "mete-data");
        assert_int_equal(config->providers_len, 0);
        assert_false(config->has_ceiling);
        struct gateway_config gateway;
        config_gateway(config, &gateway);
        assert_true(gateway.clamp);
        assert_true(gateway.count_tokens);
        assert_int_equal(gateway.disconnect, GATEWAY_DRAIN);
        assert_int_equal(gateway.connect_timeout_ms, 10000);
        assert_int_equal(gateway.response_max, 32 << 20);
        config_free(config);
    }
}

static void the_environment_alone_makes_a_gateway(void **state)
{
    (void)state;
    setenv("OPENAI_API_KEY", "sk-test", 1);
    setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/", 1);
    setenv("METE_DATA", "/elsewhere", 1);
    struct config *config = good("");
    assert_int_equal(config->providers_len, 1);
    assert_string_equal(config->providers[0].name, "openai");
    assert_string_equal(config->providers[0].base_url, "http://127.0.0.1:1/v1");
    assert_string_equal(config->providers[0].api_key, "sk-test");
    assert_string_equal(config->data, "/elsewhere");
    config_free(config);
    config = good("providers: [{name: a, base_url: \"http://a/v1\"}]\ndata: here\n");
    assert_int_equal(config->providers_len, 1);
    assert_string_equal(config->providers[0].name, "a");
    assert_string_equal(config->data, "here");
    config_free(config);
    forget_environment(NULL);
}

static const char whole[] = "listen: \"[::1]:80\"\n"
                            "metrics_listen: \"\"\n"
                            "data: ${CONFIG_TEST_DIR}/data\n"
                            "stop_timeout: 250ms\n"
                            "providers:\n"
                            "  - name: one\n"
                            "    dialect: openai\n"
                            "    base_url: https://one.example/v1//\n"
                            "    api_key: a${CONFIG_TEST_KEY}b${CONFIG_TEST_KEY}\n"
                            "    models: [\"gpt-*\", o3]\n"
                            "  - {name: two, base_url: \"http://two\"}\n"
                            "model_costs:\n"
                            "  exact: {input_per_million: 0.1, output_per_million: \"1e-7\",\n"
                            "          max_output_tokens: 100}\n"
                            "  small: {input_cost_per_1k: 0.00015, output_cost_per_1k: 1.5e-05,\n"
                            "          provider: two}\n"
                            "unpriced: {input_per_million: 10, output_per_million: 20}\n"
                            "gateway: {disconnect: cancel, clamp: false, idle_timeout: 5m,\n"
                            "          count_tokens: false, max_response_bytes: 2MiB}\n"
                            "limits: {max_body_bytes: 64KiB, max_connections: 10}\n"
                            "log: {level: debug, format: words}\n";

static void what_is_written_is_taken(void **state)
{
    (void)state;
    setenv("CONFIG_TEST_DIR", "/var", 1);
    setenv("CONFIG_TEST_KEY", "{x}", 1);
    struct config *config = good(whole);
    assert_string_equal(config->listen, "[::1]:80");
    assert_string_equal(config->metrics_listen, "");
    assert_string_equal(config->data, "/var/data");
    assert_int_equal(config->stop_timeout_ms, 250);
    assert_int_equal(config->providers_len, 2);
    assert_string_equal(config->providers[0].base_url, "https://one.example/v1");
    assert_string_equal(config->providers[0].api_key, "a{x}b{x}");
    assert_int_equal(config->providers[0].models_len, 2);
    assert_string_equal(config->providers[0].models[1], "o3");
    assert_string_equal(config->providers[1].api_key, "");
    assert_int_equal(config->costs_len, 2);
    assert_string_equal(config->costs[0].prices[PRICE_INPUT], "0.1");
    assert_string_equal(config->costs[0].prices[PRICE_OUTPUT], "0.0000001");
    assert_string_equal(config->costs[1].prices[PRICE_INPUT], "0.15");
    assert_string_equal(config->costs[1].prices[PRICE_OUTPUT], "0.015");
    assert_null(config->costs[1].prices[PRICE_REASONING]);
    assert_true(config->has_ceiling);
    struct gateway_config gateway;
    config_gateway(config, &gateway);
    assert_int_equal(gateway.disconnect, GATEWAY_CANCEL);
    assert_false(gateway.clamp);
    assert_false(gateway.count_tokens);
    assert_int_equal(gateway.idle_timeout_ms, 300000);
    assert_int_equal(gateway.providers_len, 2);
    assert_string_equal(gateway.providers[0].models[0], "gpt-*");
    assert_int_equal(config->max_body_bytes, 65536);
    assert_int_equal(config->log_level, LOG_DEBUG);
    config_free(config);
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    unsetenv("CONFIG_TEST_UNSET");
    bad("trusted_proxies: 10.0.0.0/8\n", "t.yaml:1:18", "must be a list");
    bad("trusted_proxies: [10.0.0.1, proxy.example]\n", "t.yaml:1:18", "proxy.example is no range");
    bad("trusted_proxies: [10.0.0.1/8]\n", "t.yaml:1:18", "10.0.0.1/8 is no range");
    bad("trusted_proxies: [[10.0.0.0/8]]\n", "t.yaml:1:19", "each must be a text");
    bad("tls: {certificate: a.pem}\n", "t.yaml:1:6", "tls needs certificate and key");
    bad("tls: {certificate: a, key: b, min_version: \"1.1\"}\n", "t.yaml:1:", "1.2 or 1.3");
    bad("lissten: x\n", "t.yaml:1:1", "lissten");
    bad("gateway:\n  clamp: true\n  clampp: true\n", "t.yaml:3:3", "gateway.clampp");
    bad("providers:\n  - name: a\n    apikey: x\n", "t.yaml:3:5", "apikey");
    bad("listen: a:1\nlisten: b:1\n", "t.yaml:2:1", "listen");
    bad("listen: [a]\n", "t.yaml:1", "listen");
    bad("listen:\n", "t.yaml:1", "listen");
    bad("listen: ${CONFIG_TEST_UNSET}\n", "t.yaml:1", "CONFIG_TEST_UNSET");
    bad("listen: ${\n", "t.yaml:1", "${");
    bad("listen: ${}\n", "t.yaml:1", "${");
    bad("- a\n", "t.yaml:1", "keys");
    bad("just a text\n", "t.yaml:1", "keys");
    bad("listen: [1, 2\n", "t.yaml:2", "");
    bad("a: b\n---\nc: d\n", "t.yaml:1", "a");
    bad("listen: a:1\n---\nlisten: b:1\n", "t.yaml", "more than one");
    bad("? [a]\n: b\n", "t.yaml:1", "key");
    bad("stop_timeout: 5\n", "t.yaml:1", "duration");
    bad("stop_timeout: 1.5s\n", "t.yaml:1", "duration");
    bad("stop_timeout: -1s\n", "t.yaml:1", "duration");
    bad("stop_timeout: 99999999999999999999s\n", "t.yaml:1", "duration");
    bad("stop_timeout: 2h\n", "t.yaml:1", "3600000");
    bad("workers: 17\n", "t.yaml:1", "16");
    bad("workers: two\n", "t.yaml:1", "whole number");
    bad("limits: {max_body_bytes: 1TB}\n", "t.yaml:1", "size");
    bad("gateway: {clamp: yes}\n", "t.yaml:1", "true or false");
    bad("gateway: {disconnect: flee}\n", "t.yaml:1", "drain or cancel");
    bad("gateway: true\n", "t.yaml:1", "gateway");
    bad("providers: {}\n", "t.yaml:1", "list");
    bad("providers: [{base_url: \"http://a\"}]\n", "t.yaml:1", "name");
    bad("providers: [{name: a}]\n", "t.yaml:1", "base_url");
    bad("providers: [{name: a, base_url: \"file:///x\"}]\n", "t.yaml:1", "base_url");
    bad("providers: [{name: a, base_url: \"http://a\", dialect: telegraph}]\n", "t.yaml:1",
        "dialect");
    bad("providers: [{name: a, base_url: \"http://a\", models: x}]\n", "t.yaml:1", "models");
    bad("providers: [{name: a, base_url: \"http://a\", api_key: \"a\\nb\"}]\n", "t.yaml:1",
        "api_key");
    bad("providers:\n  - {name: a, base_url: \"http://a\"}\n  - {name: a, base_url: "
        "\"http://b\"}\n",
        "t.yaml:3", "twice");
#define PASS(more)                                                                                 \
    "providers:\n  - name: a\n    base_url: \"http://a\"\n    pass_through: " more "\n"
    bad(PASS("1"), "t.yaml:4", "list");
    bad(PASS("[{price_per_request: 1}]"), "t.yaml:4", "path is missing");
    bad(PASS("[{path: /rerank, price_per_request: 1}]"), "t.yaml:4", "/v1/");
    bad(PASS("[{path: \"/v1/*/x\", price_per_request: 1}]"), "t.yaml:4", "/v1/");
    bad(PASS("[{path: /v1/../x, price_per_request: 1}]"), "t.yaml:4", "/v1/");
    bad(PASS("[{path: /v1/rerank}]"), "t.yaml:4", "over 0");
    bad(PASS("[{path: /v1/rerank, price_per_request: 0}]"), "t.yaml:4", "over 0");
    bad(PASS("[{path: /v1/rerank, price_per_request: 1001}]"), "t.yaml:4", "over 0");
    bad(PASS("[{path: /v1/chat/completions, price_per_request: 1}]"), "t.yaml:4", "answers itself");
    bad(PASS("[{path: /v1/models, price_per_request: 1}]"), "t.yaml:4", "answers itself");
    bad(PASS("[{path: /v1/a, price_per_request: 1, methods: [HEAD]}]"), "t.yaml:4", "DELETE");
    bad(PASS("[{path: /v1/a, price_per_request: 1, methods: [GET, GET]}]"), "t.yaml:4", "once");
    bad(PASS("[{path: /v1/a, price_per_request: 1, methods: GET}]"), "t.yaml:4", "list");
    bad(PASS("[{path: /v1/a, price_per_request: 1, currency: usd}]"), "t.yaml:4", "currency");
    bad(PASS("[{path: /v1/a, price_per_request: 1}, {path: /v1/a, price_per_request: 1}]"),
        "t.yaml:4", "twice");
    bad("model_costs: [a]\n", "t.yaml:1", "model_costs");
    bad("model_costs:\n  m:\n    input_per_million: \"-1\"\n", "t.yaml:3", "input_per_million");
    bad("model_costs:\n  m:\n    input_per_million: cheap\n", "t.yaml:3", "input_per_million");
    bad("model_costs:\n  m:\n    input_per_million: 1e-19\n", "t.yaml:3", "input_per_million");
    bad("model_costs:\n  m: {input_per_million: 1, input_cost_per_1k: 1}\n", "t.yaml:2", "twice");
    bad("model_costs:\n  m: {}\n  m: {}\n", "t.yaml:3", "twice");
    bad("model_costs:\n  m: {tiers: 1}\n", "t.yaml:2", "list");
    bad("model_costs:\n  m:\n    tiers: [{above: 5, input_per_million: 1}]\n", "t.yaml:3",
        "output_per_million");
    bad("model_costs:\n  m:\n    tiers: [{input_per_million: 1, output_per_million: 1}]\n",
        "t.yaml:3", "above");
    bad("model_costs:\n  m:\n    tiers: [{above: -1}]\n", "t.yaml:3", "whole number");
    bad("model_costs:\n  m:\n    tiers: [{service: quick}]\n", "t.yaml:3", "flex");
    bad("model_costs:\n  m:\n    tiers:\n"
        "    - {above: 5, input_per_million: 1, output_per_million: 1}\n"
        "    - {above: 5, input_per_million: 2, output_per_million: 2}\n",
        "t.yaml:5", "twice");
    bad("model_costs:\n  m:\n    tiers: [{quality: best, per_image: 1}]\n", "t.yaml:3", "hd");
    bad("model_costs:\n  m:\n    tiers: [{size: large, per_image: 1}]\n", "t.yaml:3", "1024x1792");
    bad("model_costs:\n  m:\n    tiers: [{size: 8x8}]\n", "t.yaml:3", "per_image");
    bad("model_costs:\n  m:\n    tiers: [{size: 8x8, per_image: 1, input_per_million: 1}]\n",
        "t.yaml:3", "only");
    bad("model_costs:\n  m:\n    tiers: [{size: 8x8, above: 1, per_image: 1}]\n", "t.yaml:3",
        "not of both");
    bad("model_costs:\n  m:\n    tiers: [{above: 1, per_image: 1, input_per_million: 1,\n"
        "            output_per_million: 1}]\n",
        "t.yaml:3", "needs a quality or size");
    bad("model_costs:\n  m:\n    tiers: [{size: 8x8, per_image: 1}, {size: 8x8, per_image: 2}]\n",
        "t.yaml:3", "twice");
    bad("model_costs:\n  m: {per_image: dear}\n", "t.yaml:2", "per_image");
    bad("unpriced: allow\n", "t.yaml:1", "deny");
    bad("unpriced: {input_per_million: 1}\n", "t.yaml:1", "output_per_million");
}

static int odd_models;

static void count_odd(void *user, const struct config_cost *cost)
{
    (void)user;
    odd_models++;
    assert_string_equal(cost->model, "gpt-4o");
}

static void a_providers_wire_is_taken_or_named(void **state)
{
    (void)state;
    static struct gateway_config gateway;
    struct config *config = good("providers:\n"
                                 "  - {name: a, base_url: \"https://a/v1\"}\n"
                                 "  - name: b\n"
                                 "    base_url: https://b/v1\n"
                                 "    proxy: socks5h://u:p@127.0.0.1:1080\n"
                                 "    ca_file: /dev/null\n"
                                 "    client_certificate: /dev/null\n"
                                 "    client_key: /dev/zero\n"
                                 "    http_version: 1.1\n"
                                 "    max_connections: 7\n"
                                 "    max_idle_connections: 3\n");
    config_gateway(config, &gateway);
    const struct upstream_wire *wire = &gateway.providers[0].wire;
    assert_string_equal(wire->proxy, "");
    assert_string_equal(wire->ca_file, "");
    assert_int_equal(wire->http, UPSTREAM_HTTP_AUTO);
    assert_int_equal(wire->connections_max, 0);
    wire = &gateway.providers[1].wire;
    assert_string_equal(wire->proxy, "socks5h://u:p@127.0.0.1:1080");
    assert_string_equal(wire->ca_file, "/dev/null");
    assert_string_equal(wire->cert_file, "/dev/null");
    assert_string_equal(wire->key_file, "/dev/zero");
    assert_int_equal(wire->http, UPSTREAM_HTTP_1_1);
    assert_int_equal(wire->connections_max, 7);
    assert_int_equal(wire->idle_max, 3);
    config_free(config);
#define WITH(member) "providers:\n  - {name: a, base_url: \"https://a/v1\", " member "}\n"
    bad(WITH("proxy: \"127.0.0.1:3128\""), "t.yaml:2", "providers[].proxy must begin");
    bad(WITH("proxy: \"http://\""), "t.yaml:2", "proxy");
    bad(WITH("ca_file: /nonexistent/ca.pem"), "t.yaml:2", "ca_file names a file");
    bad(WITH("client_key: /dev/null"), "t.yaml:2", "client_key is of no use");
    bad(WITH("http_version: 3"), "t.yaml:2", "auto, 1.1 or 2");
#undef WITH
}

/* The first seed's sample prices are per 1K what they should be per 1M. */
static void a_price_quoted_per_thousand_that_is_per_million_is_said(void **state)
{
    (void)state;
    char detail[512];
    struct pricing *pricing = NULL;
    struct config *config =
        good("model_costs:\n"
             "  gpt-4o: {input_cost_per_1k: 2.5, output_cost_per_1k: 10}\n"
             "  gpt-4o-mini: {input_per_million: 0.16, output_per_million: 0.6}\n"
             "  unheard-of: {input_per_million: 7, output_per_million: 9}\n");
    assert_int_equal(config_pricing(config, &pricing, count_odd, NULL, detail), 0);
    assert_int_equal(odd_models, 1);
    const struct price_model *model = pricing_find(pricing, SLICE_LITERAL("unheard-of"));
    const struct pricing_usage usage = {.input = 1000000, .output = 1000000};
    int64_t nano = 0;
    assert_non_null(model);
    assert_int_equal(pricing_charge(model, &usage, &nano), 0);
    assert_int_equal(nano, INT64_C(16000000000));
    pricing_free(pricing);
    config_free(config);
    config = good("model_costs: {m: {input_per_million: 99999999, output_per_million: 1}}\n");
    assert_int_not_equal(config_pricing(config, &pricing, NULL, NULL, detail), 0);
    assert_non_null(strstr(detail, "m"));
    config_free(config);
}

static int64_t cost_of(const struct price_model *model, struct pricing_usage usage)
{
    int64_t nano = -1;
    assert_int_equal(pricing_charge(model, &usage, &nano), 0);
    return nano;
}

static void every_kind_of_price_can_be_given(void **state)
{
    (void)state;
    char detail[512];
    struct pricing *pricing = NULL;
    struct config *config = good("model_costs:\n"
                                 "  m:\n"
                                 "    input_per_million: 1\n"
                                 "    output_per_million: 2\n"
                                 "    cache_write_per_million: 3\n"
                                 "    cache_write_1h_per_million: 4\n"
                                 "    audio_input_per_million: 5\n"
                                 "    image_input_per_million: 6\n"
                                 "    audio_output_per_million: 7\n"
                                 "    image_output_per_million: 8\n"
                                 "    search_per_thousand: 10\n"
                                 "    searched_per_thousand: 20\n"
                                 "    request_per_thousand: 30\n"
                                 "    tiers:\n"
                                 "      - {above: 1000, input_per_million: 11,\n"
                                 "         output_per_million: 12}\n"
                                 "      - {service: priority, input_per_million: 21,\n"
                                 "         output_per_million: 22, audio_input_per_million: 25}\n"
                                 "unpriced: {input_per_million: 9, output_per_million: 9,\n"
                                 "           search_per_thousand: 1}\n");
    assert_int_equal(config_pricing(config, &pricing, NULL, NULL, detail), 0);
    const struct price_model *model = pricing_find(pricing, SLICE_LITERAL("m"));
    const int64_t call = 30000000;
    assert_int_equal(cost_of(model, (struct pricing_usage){0}), call);
    struct pricing_usage usage = {.input = 4,
                                  .cache_write = 2,
                                  .cache_write_1h = 1,
                                  .audio_input = 1,
                                  .image_input = 1,
                                  .output = 2,
                                  .audio_output = 1,
                                  .image_output = 1,
                                  .searches = 2};
    assert_int_equal(cost_of(model, usage), call + 33000 + 2 * 10000000 + 20000000);
    usage = (struct pricing_usage){.input = 1001, .output = 1};
    assert_int_equal(cost_of(model, usage), call + 1001 * 11000 + 12000);
    usage = (struct pricing_usage){
        .input = 2, .audio_input = 1, .output = 1, .service = PRICE_PRIORITY};
    assert_int_equal(cost_of(model, usage), call + 21000 + 25000 + 22000);
    usage.searches = 1;
    model = pricing_find(pricing, SLICE_LITERAL("unheard-of"));
    assert_int_equal(cost_of(model, usage), 27000 + 1000000);
    pricing_free(pricing);
    config_free(config);
}

/* One of before and one of its own, in either place and not in both; what nothing reads yet is only
 * named, whatever is in it. */
static void a_cost_control_file_loads(void **state)
{
    (void)state;
    struct config *config = good("model_costs: {a: {input_per_million: 1, output_per_million: 2}}\n"
                                 "cost_control:\n"
                                 "  budgets: {user_daily: \"5.00\"}\n"
                                 "  model_costs: {b: {input_cost_per_1k: 1, output_cost_per_1k: 2,"
                                 " last_updated: 2025-01-01}}\n"
                                 "alerts: {url: \"${NOBODY_HAS_SET_THIS}\"}\n"
                                 "storage: {retention: {alerts: 20d}}\n");
    assert_int_equal(config->costs_len, 2);
    assert_string_equal(config->costs[1].prices[PRICE_OUTPUT], "2000");
    assert_int_equal(config->later_len, 2);
    assert_string_equal(config->later[0], "cost_control.budgets");
    assert_string_equal(config->later[1], "alerts");
    assert_int_equal(config->keep_alerts_ms, INT64_C(20) * 86400000);
    assert_int_equal(config->keep_records_ms, INT64_C(90) * 86400000);
    config_free(config);
    bad("model_costs: {a: {}}\ncost_control: {model_costs: {a: {}}}\n", "t.yaml:2:30", "twice");
    bad("retention: {records: 1d}\n", "t.yaml:1:22", "retention.records must be from");
    bad("alerts: {}\nalerts: {}\n", "t.yaml:2:1", "twice");
    bad("cost_control: {budget: {}}\n", "t.yaml:1:16", "cost_control.budget: there is no such key");
}

static void pieces_cost_what_the_file_says(void **state)
{
    (void)state;
    struct pricing *pricing = NULL;
    char detail[512];
    struct config *config = good("model_costs:\n"
                                 "  painter:\n"
                                 "    per_image: 0.04\n"
                                 "    tiers:\n"
                                 "      - {quality: hd, per_image: 0.08}\n"
                                 "      - {quality: hd, size: 1024x1792, per_image: 0.12}\n"
                                 "  speaker: {characters_per_million: 15}\n"
                                 "  listener: {audio_per_second: 0.0001}\n"
                                 "  camera: {video_per_second: 1.5,\n"
                                 "           tiers: [{size: 9x8, video_per_second: 2}]}\n");
    assert_int_equal(config_pricing(config, &pricing, NULL, NULL, detail), 0);
    const struct price_model *model = pricing_find(pricing, SLICE_LITERAL("painter"));
    struct pricing_usage usage = {.images = 3};
    assert_int_equal(cost_of(model, usage), 120000000);
    usage.grade = pricing_grade(SLICE_LITERAL("hd"), SLICE_LITERAL("8x8"));
    assert_int_equal(cost_of(model, usage), 240000000);
    usage.grade = pricing_grade(SLICE_LITERAL("hd"), SLICE_LITERAL("1024x1792"));
    assert_int_equal(cost_of(model, usage), 360000000);
    model = pricing_find(pricing, SLICE_LITERAL("speaker"));
    assert_int_equal(cost_of(model, (struct pricing_usage){.characters = 4}), 60000);
    model = pricing_find(pricing, SLICE_LITERAL("listener"));
    assert_int_equal(cost_of(model, (struct pricing_usage){.audio_seconds = 60}), 6000000);
    model = pricing_find(pricing, SLICE_LITERAL("camera"));
    usage = (struct pricing_usage){.video_seconds = 2,
                                   .grade = pricing_grade((struct slice){0}, SLICE_LITERAL("9x8"))};
    assert_int_equal(cost_of(model, usage), INT64_C(4000000000));
    pricing_free(pricing);
    config_free(config);
}

static void what_passes_through_costs_what_the_file_says(void **state)
{
    (void)state;
    struct config *config =
        good(PASS("[{path: /v1/rerank, price_per_request: \"0.002\"},\n"
                  "      {path: \"/v1/jobs/*\", price_per_request: 1, methods: [DELETE, GET]}]"));
    struct gateway_config made;
    config_gateway(config, &made);
    const struct gateway_pass *passes = made.providers[0].passes;
    assert_int_equal(made.providers[0].passes_len, 2);
    assert_string_equal(passes[0].path, "/v1/rerank");
    assert_string_equal(passes[0].methods, "POST");
    assert_string_equal(passes[1].methods, "GET, DELETE");
    assert_true(passes[0].price.atto_per_million == (int128)2000 * INT64_C(1000000000000000000));
    assert_int_equal(passes[0].currency, METE_USD);
    config_free(config);
}

static void a_file_that_is_not_there_is_said(void **state)
{
    (void)state;
    char detail[512] = "";
    struct config *config = NULL;
    assert_int_equal(config_load("/nonexistent/mete.yaml", &config, detail), METE_E_STORAGE);
    assert_non_null(strstr(detail, "/nonexistent/mete.yaml"));
    assert_int_equal(config_load("/", &config, detail), METE_E_STORAGE);
}

/* A .tiktoken file of all bytes. Its path is for the caller to unlink. */
static void write_ranks(char path[64])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    snprintf(path, 64, "/tmp/mete_ranks_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    for (unsigned i = 0; i < 256; i++)
        fprintf(file, "%c%c== %u\n", digits[i >> 2], digits[i << 4 & 63], i);
    assert_int_equal(fclose(file), 0);
}

static void encodings_are_read_from_their_files(void **state)
{
    char path[64], text[300], detail[512];
    (void)state;
    write_ranks(path);
    snprintf(text, sizeof text,
             "encodings: [{name: bytes, file: %s, pattern: qwen, models: [Qwen3, x]}]", path);
    struct config *config = good(text);
    assert_int_equal(config->encodings_len, 1);
    assert_null(encoding_added(SLICE_LITERAL("qwen3-8b")));
    assert_int_equal(config_encodings_add(config, detail), 0);
    assert_ptr_equal(encoding_added(SLICE_LITERAL("qwen3-8b")), config->encodings[0].encoding);
    assert_ptr_equal(encoding_find(SLICE_LITERAL("bytes")), config->encodings[0].encoding);
    assert_null(encoding_added(SLICE_LITERAL("qwen2")));
    assert_int_equal(config_encodings_add(config, detail), METE_E_EXISTS);
    assert_null(encoding_added(SLICE_LITERAL("qwen3-8b")));
    encodings_forget();
    config_free(config);
    snprintf(text, sizeof text, "encodings:\n  - {name: bytes, file: %s}", path);
    bad(text, "t.yaml:2:5", "needs the name of its pattern");
    snprintf(text, sizeof text, "encodings:\n  - {name: o200k_base, file: %s, pattern: qwen}",
             path);
    bad(text, "t.yaml:2:5", "o200k_base is there already");
    bad("encodings:\n  - {name: a, file: /nonexistent/a.json}", "t.yaml:2:5", "No such file");
    bad("encodings: [{name: a}]", "t.yaml:1:13", "encodings[].file is missing");
    bad("encodings: [{name: a, file: b, models: qwen}]", "t.yaml:1:40",
        "encodings[].models must be");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings_are_read_from_their_files),
        cmocka_unit_test(nothing_gives_the_defaults),
        cmocka_unit_test(the_environment_alone_makes_a_gateway),
        cmocka_unit_test(what_is_written_is_taken),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(a_providers_wire_is_taken_or_named),
        cmocka_unit_test(a_price_quoted_per_thousand_that_is_per_million_is_said),
        cmocka_unit_test(every_kind_of_price_can_be_given),
        cmocka_unit_test(a_cost_control_file_loads),
        cmocka_unit_test(pieces_cost_what_the_file_says),
        cmocka_unit_test(what_passes_through_costs_what_the_file_says),
        cmocka_unit_test(a_file_that_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, forget_environment, NULL);
}
