/* SPDX-License-Identifier: Apache-2.0
 * Counts what is told by kind, and puts a rule's figures to it at the end: the same counts make
 * the expected figure and the bound. Texts are counted one by one, since no token reaches over the
 * edge of a message; parts of one message are taken as texts of their own too, which may cost a
 * token between two of them. */
#include "prompts/prompt.h"

#include "base/checked.h"
#include "base/errors.h"
#include "base/limits.h"
#include "prompts/sound.h"

void prompt_begin(struct prompt *prompt, const struct prompt_rule *rule,
                  struct tokenizer *tokenizer)
{
    *prompt = (struct prompt){.rule = rule, .tokenizer = tokenizer, .left = INT64_MAX};
}

static bool given(struct json value)
{
    return value.type != JSON_NONE && value.type != JSON_NULL;
}

/* Whether so much text is still counted. */
static bool takes(struct prompt *prompt, struct json text)
{
    prompt->left -= (int64_t)text.raw.len;
    if (prompt->left >= 0)
        return true;
    prompt->left = 0;
    prompt->spent = true;
    prompt_unknown(prompt);
    return false;
}

static int64_t told(struct prompt *prompt, int64_t count)
{
    if (count >= 0)
        return count;
    prompt->error = METE_E_MEMORY;
    return 0;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void count_call(struct prompt *prompt, bool more);

static void close_calls(struct prompt *prompt)
{
    if (prompt->call_waits)
        count_call(prompt, false);
    prompt->call_waits = prompt->stored = false;
}

static void end_turn(struct prompt *prompt)
{
    prompt->past_thoughts += prompt->thoughts;
    prompt->past_sealed += prompt->sealed;
    prompt->thoughts = prompt->sealed = 0;
}

void prompt_message(struct prompt *prompt, enum prompt_role role)
{
    close_calls(prompt);
    prompt->part = (struct json){0};
    prompt->role = role;
    if (role == PROMPT_USER)
        end_turn(prompt);
    if (role == PROMPT_SYSTEM)
        prompt->systems++;
    if (role == PROMPT_ASSISTANT)
        prompt->assistants++;
    prompt->messages++;
}

void prompt_name(struct prompt *prompt, struct json name)
{
    if (!given(name) || !takes(prompt, name))
        return;
    prompt->names++;
    prompt->text += told(prompt, feed_count(prompt->tokenizer, name, &prompt->marks));
}

static int64_t count_json(struct prompt *prompt, struct json value, struct feed_marks *marks)
{
    struct feed feed;
    feed_begin(&feed, prompt->tokenizer);
    feed_json(&feed, value);
    feed_add(marks, feed.marks);
    return told(prompt, feed_end(&feed));
}

/* Found again it takes a hundredth of the time. */
static bool is_found(struct prompt *prompt, struct json text, struct memo_count *ret_count)
{
    enum { PART = 64 };
    const struct encoding *encoding = tokenizer_encoding(prompt->tokenizer);
    if (!prompt->memo || text.type != JSON_STRING ||
        !memo_find(prompt->memo, encoding, text.raw, ret_count))
        return false;
    prompt->left = max_i64(prompt->left - (int64_t)text.raw.len / PART, 0);
    return true;
}

static struct memo_count count_text(struct prompt *prompt, struct json text)
{
    struct memo_count count = {0};
    struct feed_marks marks = {0};
    if (text.type != JSON_STRING) {
        prompt->guessed = true;
        count.tokens = count_json(prompt, text, &marks);
        count.wide = marks.wide;
        count.digits = marks.digits;
        return count;
    }
    count.tokens = told(prompt, feed_count(prompt->tokenizer, text, &marks));
    count.wide = marks.wide;
    count.digits = marks.digits;
    if (prompt->memo && !prompt->error)
        memo_put(prompt->memo, tokenizer_encoding(prompt->tokenizer), text.raw, count);
    return count;
}

/* A place where no piece reaches over: a space between a letter or digit of ASCII and what is no
 * space. The first in text from at on, going back or forth; text.len: there is none near. */
static size_t seam(struct slice text, size_t at, bool back)
{
    enum { NEAR = 64 };
    for (size_t i = 0; i < NEAR && at >= 3 && at + 1 < text.len; i++, back ? at-- : at++) {
        unsigned char c = (unsigned char)text.data[at - 1];
        bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        unsigned char next = (unsigned char)text.data[at + 1];
        if (text.data[at] == ' ' && word && text.data[at - 2] != '\\' && next > ' ' && next != '\\')
            return at;
    }
    return text.len;
}

/* The parts of a message are one text: what a piece that reaches over their edge comes to. */
static void join_parts(struct prompt *prompt, struct json text)
{
    struct slice before = prompt->part.raw, after = text.raw;
    prompt->part = text;
    size_t from = before.len < 8 ? before.len : seam(before, before.len - 3, true);
    size_t to = seam(after, 3, false);
    if (from == before.len)
        return;
    if (to == after.len && after.len > 64)
        return;
    struct json tail = {JSON_STRING, slice_from(before, from - 1)};
    struct json head = {JSON_STRING, slice_part(after, 0, to == after.len ? to : to + 1)};
    struct feed feed;
    int64_t apart = 0;
    struct feed_marks marks = {0};
    feed_begin(&feed, prompt->tokenizer);
    feed_string(&feed, tail);
    feed_string(&feed, head);
    int64_t joined = told(prompt, feed_end(&feed));
    apart = told(prompt, feed_count(prompt->tokenizer, tail, &marks));
    apart += told(prompt, feed_count(prompt->tokenizer, head, &marks));
    prompt->text += joined - apart;
}

void prompt_text(struct prompt *prompt, struct json text)
{
    struct memo_count count;
    if (!given(text))
        return;
    if (!is_found(prompt, text, &count)) {
        if (!takes(prompt, text))
            return;
        count = count_text(prompt, text);
    }
    prompt->text += count.tokens;
    feed_add(&prompt->marks, (struct feed_marks){count.wide, count.digits});
    if (text.type == JSON_STRING && prompt->rule->own)
        join_parts(prompt, text);
    if (prompt->role != PROMPT_SYSTEM)
        return;
    prompt->system_text += count.tokens;
    if (!prompt->led_by && text.raw.len > 2)
        prompt->led_by = text.raw.data[text.raw.len - 2];
}

/* ---- Tools ----------------------------------------------------------------------------------- */

static void feed_arguments(struct feed *feed, struct json arguments)
{
    if (!given(arguments))
        return;
    if (arguments.type == JSON_STRING)
        feed_json_text(feed, arguments);
    else
        feed_json(feed, arguments);
}

static void end_feed(struct prompt *prompt, struct feed *feed)
{
    feed_add(&prompt->marks, feed->marks);
    prompt->text += told(prompt, feed_end(feed));
}

/* OpenAI's recipient of it; and the name again, above the answer, where the provider knows whose
 * answer it is. */
static void count_recipient(struct prompt *prompt)
{
    struct feed feed;
    feed_begin(&feed, prompt->tokenizer);
    feed_text(&feed, SLICE_LITERAL("functions."));
    feed_string(&feed, prompt->call_name);
    end_feed(prompt, &feed);
    if (prompt->responses && !(prompt->stored && prompt->rule->legacy))
        return;
    feed_begin(&feed, prompt->tokenizer);
    feed_string(&feed, prompt->call_name);
    end_feed(prompt, &feed);
}

/* One of several: a member of the list that is the wrapper's argument. */
static void count_wrapped(struct prompt *prompt, bool more)
{
    struct feed feed;
    feed_begin(&feed, prompt->tokenizer);
    if (!prompt->wrapped) {
        feed_text(&feed, SLICE_LITERAL("{\"tool_uses\":[{\""));
        prompt->groups++;
    }
    feed_text(&feed, SLICE_LITERAL("recipient_name\":\"functions."));
    feed_string(&feed, prompt->call_name);
    feed_text(&feed, SLICE_LITERAL("\",\"parameters\":"));
    feed_arguments(&feed, prompt->call_arguments);
    feed_text(&feed, more ? SLICE_LITERAL("},{\"") : SLICE_LITERAL("}]}"));
    end_feed(prompt, &feed);
}

/* The call that waits. more: there is another behind it in its message. */
static void count_call(struct prompt *prompt, bool more)
{
    bool typescript = prompt->rule->typescript;
    if (typescript && prompt->rule->legacy && (more || prompt->wrapped)) {
        count_wrapped(prompt, more);
        prompt->wrapped = more;
        return;
    }
    struct feed feed;
    prompt->calls++;
    if (typescript) {
        count_recipient(prompt);
    } else {
        feed_begin(&feed, prompt->tokenizer);
        feed_string(&feed, prompt->call_name);
        end_feed(prompt, &feed);
    }
    feed_begin(&feed, prompt->tokenizer);
    feed_arguments(&feed, prompt->call_arguments);
    end_feed(prompt, &feed);
}

void prompt_stored(struct prompt *prompt)
{
    prompt->stored = true;
}

void prompt_call(struct prompt *prompt, struct json name, struct json arguments)
{
    prompt->guessed = true;
    if (prompt->call_waits)
        count_call(prompt, true);
    prompt->call_waits = takes(prompt, name) && takes(prompt, arguments);
    prompt->call_name = name;
    prompt->call_arguments = arguments;
}

void prompt_result(struct prompt *prompt)
{
    prompt->guessed = true;
    prompt->results++;
}

static bool has_members(struct json object)
{
    size_t at = 0;
    struct json key, value;
    return object.type == JSON_OBJECT && json_next(object, &at, &key, &value);
}

/* Some providers put in what a schema refers to, each time it does. */
static void count_schema(struct prompt *prompt, struct json whole)
{
    struct feed feed;
    feed_begin(&feed, prompt->tokenizer);
    if (prompt->rule->loose)
        feed_shape(&feed, whole, true);
    else
        feed_json(&feed, whole);
    feed_add(&prompt->schema_marks, feed.marks);
    int64_t count = told(prompt, feed_end(&feed));
    struct slice rest = whole.raw, word = SLICE_LITERAL("\"$ref\"");
    prompt->schema += count;
    for (const char *at; rest.len && (at = memchr(rest.data, '$', rest.len - 1));) {
        rest = slice_from(rest, (size_t)(at - rest.data) + 1);
        if (slice_starts((struct slice){at - 1, rest.len + 2}, word))
            prompt->referred += count;
    }
}

void prompt_tool(struct prompt *prompt, struct json whole, struct json name,
                 struct json description, struct json parameters)
{
    prompt->guessed = true;
    if (!takes(prompt, whole))
        return;
    if (prompt->rule->typescript)
        prompt_typescript(prompt, name, description, parameters);
    else
        count_schema(prompt, whole);
    if (!prompt->tools++)
        prompt->first_tool = told(prompt, feed_count(prompt->tokenizer, name, &prompt->marks));
    if (!has_members(json_member(parameters, "properties")))
        prompt->empty_tools++;
}

void prompt_format(struct prompt *prompt, struct json name, struct json description,
                   struct json schema)
{
    if (!given(schema) || !takes(prompt, schema))
        return;
    prompt->guessed = true;
    prompt->formats++;
    if (given(name))
        prompt->shape += told(prompt, feed_count(prompt->tokenizer, name, &prompt->shape_marks));
    if (given(description)) {
        prompt->shape +=
            told(prompt, feed_count(prompt->tokenizer, description, &prompt->shape_marks));
        prompt->shape += 2; /* "//", and the end of the line */
    }
    struct feed feed;
    feed_begin(&feed, prompt->tokenizer);
    if (prompt->rule->typescript)
        feed_shape(&feed, schema, false);
    else
        feed_json(&feed, schema);
    feed_add(&prompt->shape_marks, feed.marks);
    prompt->shape += told(prompt, feed_end(&feed));
}

void prompt_json(struct prompt *prompt)
{
    prompt->json = true;
}

/* ---- What is no text ------------------------------------------------------------------------- */

/* Around an image, in recorded calls; what is documented does not have it. */
static int64_t around(enum image_kind kind)
{
    return kind == IMAGE_PATCHES ? 1 : kind == IMAGE_CLAUDE ? 3 : 0;
}

/* What is encoded in data; empty: it is not there. */
static struct slice encoded(struct json data)
{
    struct slice text = data.raw;
    if (data.type != JSON_STRING || memchr(text.data, '\\', text.len))
        return (struct slice){0};
    text = slice_part(text, 1, text.len - 2);
    const char *comma = slice_starts(text, SLICE_LITERAL("data:"))
                            ? memchr(text.data, ',', text.len < 256 ? text.len : 256)
                            : NULL;
    return comma ? slice_from(text, (size_t)(comma - text.data) + 1) : text;
}

void prompt_image(struct prompt *prompt, struct json data, bool low_detail)
{
    prompt->guessed = true;
    struct image_size size = image_size_of(encoded(data));
    const struct prompt_rule *rule = prompt->rule;
    int64_t tokens = image_tokens(*rule->image, size, low_detail), most = tokens;
    if (rule->image_too->kind)
        most = max_i64(most, image_tokens(*rule->image_too, size, low_detail));
    if (rule->image->kind == IMAGE_NONE)
        most = LIMIT_IMAGE_TOKENS;
    prompt->images_expected += tokens + around(rule->image->kind);
    prompt->images_bound += most + most / 50 + 8;
}

void prompt_sound(struct prompt *prompt, struct json data)
{
    prompt->guessed = true;
    struct sound_length length = sound_length_of(encoded(data));
    if (!length.most_ms || !prompt->rule->bound->sound)
        prompt_unknown(prompt);
    prompt->sounds++;
    prompt->sounds_ms += length.expected_ms;
    prompt->sounds_most_ms += length.most_ms;
}

void prompt_thought(struct prompt *prompt, struct json text)
{
    if (text.type != JSON_STRING || !takes(prompt, text))
        return;
    prompt->guessed = true;
    prompt->thoughts += told(prompt, feed_count(prompt->tokenizer, text, &prompt->marks));
}

void prompt_sealed(struct prompt *prompt, struct json sealed)
{
    if (sealed.type != JSON_STRING)
        return;
    prompt->guessed = true;
    int64_t bytes = (int64_t)sealed.raw.len - prompt->rule->sealed_head;
    prompt->sealed += bytes > 0 ? bytes : 0;
}

void prompt_forced(struct prompt *prompt)
{
    prompt->forced = true;
}

void prompt_thinking(struct prompt *prompt)
{
    prompt->thinks = true;
}

void prompt_unknown(struct prompt *prompt)
{
    prompt->guessed = true;
    prompt->unbounded = true;
}

void prompt_beyond(struct prompt *prompt)
{
    prompt_unknown(prompt);
    prompt->beyond = true;
}

/* ---- The figures ----------------------------------------------------------------------------- */

static int64_t scaled(int64_t count, int32_t per_mille)
{
    return (count * per_mille + 999) / 1000;
}

static int64_t marked(struct feed_marks marks, const struct rule_figures *f)
{
    return scaled(marks.wide, f->wide) + scaled(marks.digits, f->digits);
}

/* A system message that ends like a sentence shares its last token with the line behind it. */
static bool ends_apart(char last)
{
    bool letter = (last | 0x20) >= 'a' && (last | 0x20) <= 'z';
    return letter || (last >= '0' && last <= '9') || (unsigned char)last >= 0x80;
}

static int64_t tools_of(const struct prompt *p, const struct rule_figures *f)
{
    if (!p->tools)
        return 0;
    bool led = p->led_by, api = p->responses && f->api;
    bool only = p->responses && p->forced && p->tools == 1 && f->only;
    int64_t sum = api ? f->api : f->tools + (led ? 0 : f->alone);
    if (led && p->rule->legacy && ends_apart(p->led_by))
        sum++;
    sum += p->tools * f->tool + p->empty_tools * f->empty + (p->described ? f->described : 0);
    sum += scaled(p->schema, f->schema) + scaled(p->referred, f->reference);
    sum += marked(p->schema_marks, f) + (p->forced ? f->forced : 0);
    return sum + (only ? f->only + p->first_tool : 0);
}

static int64_t formats_of(const struct prompt *p, const struct rule_figures *f)
{
    bool beside = p->tools || (p->responses && p->rule->own);
    int64_t each = beside ? f->beside : f->format + (p->led_by || !p->rule->own ? 0 : f->alone);
    return p->formats * each + (p->json ? f->json : 0) + scaled(p->shape, f->shape) +
           marked(p->shape_marks, f);
}

static int64_t total(const struct prompt *p, const struct rule_figures *f)
{
    int64_t texts = p->text, messages = p->messages;
    int64_t sealed = p->sealed + (p->rule->keeps ? p->past_sealed : 0);
    if (p->rule->deaf) {
        texts -= p->system_text;
        messages -= p->systems;
    }
    int64_t sum = scaled(texts, f->text) + marked(p->marks, f);
    if (p->bare)
        return sum;
    sum += f->base + (p->responses ? f->base_api : 0);
    sum += messages * f->message + p->assistants * f->assistant + p->names * f->name;
    sum += tools_of(p, f);
    sum += p->calls * f->call + (p->responses ? p->calls * f->call_api : 0) + p->groups * f->calls;
    sum += p->results * f->result + (p->thinks ? f->thinking : 0) + formats_of(p, f);
    return sum + scaled(p->thoughts, f->thought) + scaled(sealed, f->sealed);
}

static int64_t sounds_of(const struct prompt *p)
{
    enum { AROUND = 4 }; /* of OpenAI's, in recorded calls */
    return scaled(p->sounds_ms, p->rule->expected->sound) + (p->rule->own ? p->sounds * AROUND : 0);
}

/* A bound has what was thought in turns that are over, too. */
static int64_t bound_of(const struct prompt *prompt)
{
    struct prompt all = *prompt;
    all.thoughts += all.past_thoughts;
    all.sealed += prompt->rule->keeps ? 0 : all.past_sealed;
    enum { AROUND = 8 };
    int64_t sounds = scaled(prompt->sounds_most_ms, prompt->rule->bound->sound);
    return total(&all, prompt->rule->bound) + prompt->images_bound + sounds +
           prompt->sounds * AROUND;
}

int prompt_end(struct prompt *prompt, struct prompt_figures *ret_figures)
{
    close_calls(prompt);
    if (prompt->error)
        return prompt->error;
    const struct prompt_rule *rule = prompt->rule;
    struct prompt_figures figures = {
        .expected = total(prompt, rule->expected) + prompt->images_expected + sounds_of(prompt),
        .bound = bound_of(prompt),
        .exact = rule->own && !prompt->guessed && !prompt->responses,
        .beyond = rule->beyond || prompt->beyond,
    };
    if (figures.expected < 0)
        figures.expected = 0;
    if (figures.bound < figures.expected)
        figures.bound = figures.expected;
    if (prompt->unbounded || !rule->bounded)
        figures.bound = PROMPT_UNBOUNDED;
    *ret_figures = figures;
    return 0;
}
