/* Keys of the configuration file: one row each. The parser, --check-config and docs/reference come
 * from here.
 * ROW(SECTION, key, field, TYPE, default, min, max, text)
 * SECTION: where the key stands: TOP of the file; a mapping named in TOP; PROVIDER an element of
 * providers; COST a value of model_costs. field: of struct config (PROVIDER, COST: of their struct).
 * TYPE: TEXT; DURATION ("250ms", "30s", "5m", "1h"; kept in ms); SIZE ("64KiB", "10MiB"; bytes);
 * INTEGER; BOOLEAN; a CHOICE_; PRICE (an exact decimal), PRICE_1K (the same per thousand); SECTION_
 * and others: structure. default: as it would be written; NULL: none. min and max in the kept unit. */
#ifndef ROW
#error "define ROW before including tables/config.h"
#endif
ROW(TOP, listen, listen, TEXT, "127.0.0.1:8081", 1, 255, "Address of gateway and API. Port 0: a free one.")
ROW(TOP, metrics_listen, metrics_listen, TEXT, "127.0.0.1:9091", 0, 255, "Address of /metrics; empty: none.")
ROW(TOP, data, data, TEXT, NULL, 1, 1024, "Data directory, made if missing. Default: $METE_DATA, else mete-data.")
ROW(TOP, stop_timeout, stop_timeout_ms, DURATION, "30s", 0, 3600000, "How long open calls may go on after a signal to stop.")
ROW(TOP, workers, workers, INTEGER, "2", 1, 16, "Threads that read the records.")
ROW(TOP, providers, providers_len, PROVIDERS, NULL, 0, 0, "Who answers calls. Default: OpenAI, if OPENAI_API_KEY is set in the environment.")
ROW(TOP, model_costs, costs_len, COSTS, NULL, 0, 0, "Prices by model; they replace the built-in ones of that name whole.")
ROW(TOP, unpriced, ceiling, UNPRICED, "deny", 0, 0, "What becomes of a model without a price: deny, or a mapping with the price it gets.")
ROW(TOP, gateway, gateway, SECTION_GATEWAY, NULL, 0, 0, "How calls are treated.")
ROW(TOP, limits, max_connections, SECTION_LIMITS, NULL, 0, 0, "What a client may send.")
ROW(TOP, log, log_level, SECTION_LOG, NULL, 0, 0, "What is written to standard error.")
ROW(PROVIDER, name, name, TEXT, NULL, 1, 64, "Its name in records.")
ROW(PROVIDER, dialect, dialect, CHOICE_DIALECT, "openai", 0, 0, "The wire format it speaks.")
ROW(PROVIDER, base_url, base_url, TEXT, NULL, 8, 1024, "Where it is, with the version: https://api.openai.com/v1")
ROW(PROVIDER, api_key, api_key, TEXT, "", 0, 4096, "Its credential, best as ${NAME}; empty: none is sent.")
ROW(PROVIDER, models, models_len, GLOBS, NULL, 1, 128, "Models it answers, * for any text; the first provider that matches answers. Default: all.")
ROW(COST, provider, provider, TEXT, "", 0, 64, "Whose model it is.")
ROW(COST, currency, currency, TEXT, "USD", 3, 3, "ISO 4217.")
ROW(COST, max_output_tokens, output_max, INTEGER, "0", 0, 16777216, "What it can make in one call; bounds the reservation. 0: not known.")
ROW(COST, input_per_million, prices[PRICE_INPUT], PRICE, NULL, 0, 0, "Price of a million input tokens.")
ROW(COST, output_per_million, prices[PRICE_OUTPUT], PRICE, NULL, 0, 0, "Of a million output tokens.")
ROW(COST, cached_input_per_million, prices[PRICE_CACHED_INPUT], PRICE, NULL, 0, 0, "Of input read from the provider's cache. Default: as input.")
ROW(COST, cache_write_per_million, prices[PRICE_CACHE_WRITE], PRICE, NULL, 0, 0, "Of input written to it. Default: as input.")
ROW(COST, reasoning_per_million, prices[PRICE_REASONING], PRICE, NULL, 0, 0, "Of output spent on reasoning. Default: as output.")
ROW(COST, input_cost_per_1k, prices[PRICE_INPUT], PRICE_1K, NULL, 0, 0, "The same for a thousand tokens.")
ROW(COST, output_cost_per_1k, prices[PRICE_OUTPUT], PRICE_1K, NULL, 0, 0, "The same for a thousand tokens.")
ROW(COST, cached_input_cost_per_1k, prices[PRICE_CACHED_INPUT], PRICE_1K, NULL, 0, 0, "The same for a thousand tokens.")
ROW(COST, cache_write_cost_per_1k, prices[PRICE_CACHE_WRITE], PRICE_1K, NULL, 0, 0, "The same for a thousand tokens.")
ROW(COST, reasoning_cost_per_1k, prices[PRICE_REASONING], PRICE_1K, NULL, 0, 0, "The same for a thousand tokens.")
ROW(GATEWAY, disconnect, gateway.disconnect, CHOICE_DISCONNECT, "drain", 0, 0, "A client that leaves: drain the provider's answer to the end and bill it, or cancel it.")
ROW(GATEWAY, clamp, gateway.clamp, BOOLEAN, "true", 0, 1, "Lower max tokens to what is affordable; else such a call is refused.")
ROW(GATEWAY, floor_tokens, gateway.floor_tokens, INTEGER, "1", 1, 16777216, "Fewest output tokens worth calling for.")
ROW(GATEWAY, default_output_tokens, gateway.default_output_tokens, INTEGER, "4096", 1, 16777216, "Reserved when neither the caller nor the price list bounds the output.")
ROW(GATEWAY, connect_timeout, gateway.connect_timeout_ms, DURATION, "10s", 1, 600000, "To have a connection to the provider.")
ROW(GATEWAY, first_byte_timeout, gateway.first_byte_timeout_ms, DURATION, "10m", 1, 86400000, "From sending to the first byte of the answer.")
ROW(GATEWAY, idle_timeout, gateway.idle_timeout_ms, DURATION, "2m", 1, 86400000, "Between bytes of an answer.")
ROW(GATEWAY, total_timeout, gateway.total_timeout_ms, DURATION, "1h", 1, 86400000, "For a whole call.")
ROW(GATEWAY, max_response_bytes, gateway.response_max, SIZE, "32MiB", 1024, 1073741824, "A plain answer, or one event of a stream.")
ROW(LIMITS, max_connections, max_connections, INTEGER, "8192", 1, 16384, "Clients connected at once; more wait in the kernel's queue.")
ROW(LIMITS, max_header_bytes, max_header_bytes, SIZE, "32KiB", 1024, 1048576, "A request's head; more is 431.")
ROW(LIMITS, max_body_bytes, max_body_bytes, SIZE, "16MiB", 1024, 33554432, "A request's body; more is 413.")
ROW(LIMITS, request_timeout, request_timeout_ms, DURATION, "30s", 100, 3600000, "To send a whole request; then 408.")
ROW(LIMITS, keepalive_timeout, keepalive_timeout_ms, DURATION, "75s", 1000, 3600000, "An idle connection, or a client that takes nothing of its reply.")
ROW(LOG, level, log_level, CHOICE_LEVEL, "info", 0, 0, "The least important level written.")
ROW(LOG, format, log_format, CHOICE_FORMAT, "json", 0, 0, "One event a line, as JSON or as key=value.")
#undef ROW
