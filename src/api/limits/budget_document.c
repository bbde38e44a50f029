/* SPDX-License-Identifier: Apache-2.0
 * Members that nobody said are not there, so that a plain budget's document stays short. */
#include "api/limits/budget_document.h"

#include "api/limits/controls.h"
#include "base/limits.h"
#include "codec/timestamp.h"

struct json budget_document_scan(struct slice text)
{
    struct json json = {0};
    if (text.len && json_scan(text, &json, NULL))
        json = (struct json){0};
    return json;
}

static struct slice raw_of(struct json json, const char *name, enum json_type type)
{
    struct json member = json_member(json, name);
    return member.type == type ? member.raw : (struct slice){0};
}

/* An instant of ours has no escapes: what is between the quotes is its text. */
static int64_t instant_of(struct slice raw)
{
    int64_t us;
    if (raw.len < 2 || timestamp_parse(slice_part(raw, 1, raw.len - 2), &us))
        return 0;
    return us;
}

void budget_document_read(struct json json, struct budget_document *ret_document)
{
    struct slice id = raw_of(json, "id", JSON_STRING);
    *ret_document = (struct budget_document){
        .name = raw_of(json, "name", JSON_STRING),
        .notify = raw_of(json, "notify", JSON_ARRAY),
        .pacing = raw_of(json, "pacing", JSON_OBJECT),
        .metadata = raw_of(json, "metadata", JSON_OBJECT),
        .made = raw_of(json, "created_at", JSON_STRING),
        .also = raw_of(json, "also", JSON_ARRAY),
        .soft_ppm = controls_soft_ppm(json),
        .is_quiet = json_member(json, "alert_enabled").type == JSON_FALSE,
    };
    if (id.len > 2) /* an id's characters need no escape */
        ret_document->id = slice_part(id, 1, id.len - 2);
    ret_document->made_us = instant_of(ret_document->made);
}

static void write_raw(struct out *out, const char *name, struct slice json)
{
    if (!json.len)
        return;
    out_key(out, name);
    out_raw(out, json);
}

int budget_document_write(struct request *request, const struct budget_document *document,
                          struct slice *ret_text)
{
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", document->id);
    write_raw(out, "name", document->name);
    controls_write_soft_ppm(out, document->soft_ppm);
    if (document->is_quiet)
        out_member_bool(out, "alert_enabled", false);
    write_raw(out, "notify", document->notify);
    write_raw(out, "pacing", document->pacing);
    write_raw(out, "metadata", document->metadata);
    write_raw(out, "also", document->also);
    if (document->made.len)
        write_raw(out, "created_at", document->made);
    else
        out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    struct slice text = arena_copy(&request->arena, buffer_slice(&out->bytes));
    bool failed = out->failed || !text.data;
    out_clear(out);
    if (failed)
        return problem_set(&request->problem, METE_E_MEMORY, NULL, NULL);
    if (text.len > LIMIT_DOCUMENT)
        return problem_set(&request->problem, METE_E_TOO_LARGE, "metadata",
                           "What is kept of a budget has at most %d bytes.", LIMIT_DOCUMENT);
    *ret_text = text;
    return 0;
}

struct slice budget_document_quote(struct request *request, struct slice text)
{
    if (!text.len)
        return (struct slice){0};
    out_clear(&request->out);
    out_text(&request->out, text);
    struct slice json = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    out_clear(&request->out);
    return json;
}

void budget_document_show_alerts(struct out *out, const struct budget_document *document)
{
    out_member_bool(out, "alert_enabled", !document->is_quiet);
    out_key(out, "notify");
    out_raw(out, document->notify.len ? document->notify : SLICE_LITERAL("[]"));
}

void budget_document_show(struct out *out, const struct budget_document *document)
{
    budget_document_show_alerts(out, document);
    write_raw(out, "pacing", document->pacing);
    write_raw(out, "metadata", document->metadata);
    write_raw(out, "also", document->also);
}
