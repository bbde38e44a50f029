/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_body.h"

static bool is_none(const char *text)
{
    return !strcmp(text, "none");
}

static void put_null(struct out *out, const char *name)
{
    out_key(out, name);
    out_null(out);
}

static void put(struct out *out, const char *name, const char *text)
{
    if (text && is_none(text))
        put_null(out, name);
    else
        client_put(out, name, text);
}

static void put_number(struct out *out, const char *name, const char *text)
{
    if (!text)
        return;
    out_key(out, name);
    if (is_none(text))
        out_null(out);
    else
        client_put_number(out, text);
}

static void put_list(struct out *out, const char *name, const char *const *texts, size_t len)
{
    if (!len)
        return;
    if (len == 1 && is_none(texts[0])) {
        put_null(out, name);
        return;
    }
    out_key(out, name);
    out_open(out, '[');
    for (size_t i = 0; i < len; i++)
        out_text(out, slice_of(texts[i]));
    out_close(out, ']');
}

/* NAME=VALUE; without an equals sign the value is empty. */
static void put_labels(struct out *out, const char *const *texts, size_t len)
{
    char name[256];
    if (!len)
        return;
    if (len == 1 && is_none(texts[0])) {
        put_null(out, "labels");
        return;
    }
    out_key(out, "labels");
    out_open(out, '{');
    for (size_t i = 0; i < len; i++) {
        struct slice text = slice_of(texts[i]);
        size_t name_len = strcspn(texts[i], "=");
        if (name_len >= sizeof name)
            name_len = sizeof name - 1; /* of which the API says that it is too long */
        memcpy(name, texts[i], name_len);
        name[name_len] = 0;
        bool has_value = name_len < text.len;
        out_text(out, slice_of(name));
        out_append(out, SLICE_LITERAL(":"));
        out_text(out, has_value ? slice_from(text, name_len + 1) : (struct slice){"", 0});
    }
    out_close(out, '}');
}

void key_body_write(const struct key_words *words, const char *name, struct out *out)
{
    out_open(out, '{');
    client_put(out, "name", words->name ? words->name : name);
    client_put(out, "user", words->user);
    client_put(out, "department", words->department);
    put(out, "expires_at", words->expires_at);
    put_number(out, "monthly_request_quota", words->monthly_requests);
    put_number(out, "requests_per_minute", words->requests_per_minute);
    put_number(out, "tokens_per_minute", words->tokens_per_minute);
    put_number(out, "concurrent_requests", words->concurrent);
    put(out, "disconnect", words->disconnect);
    put_list(out, "models", words->models, words->models_len);
    if (words->endpoints_len || words->ranges_len) {
        out_key(out, "permissions");
        out_open(out, '{');
        put_list(out, "endpoints", words->endpoints, words->endpoints_len);
        put_list(out, "ip_ranges", words->ranges, words->ranges_len);
        out_close(out, '}');
    }
    put_labels(out, words->labels, words->labels_len);
    out_close(out, '}');
}
