/* SPDX-License-Identifier: Apache-2.0
 * How much a model of Anthropic's is asked to think, of what the neutral form says: an effort, or
 * tokens. An effort is written as a budget of tokens, at most half of what may be made; for a model
 * that adapts, as an effort. It goes with no tuning, no tool that must be called, and not within a
 * turn that has called tools without it: there it is left out, for it is a wish.
 *
 * Not done: a table of models. What they take follows their version, and a table would be wrong for
 * each new one. */
#include "dialect/chat.h"
#include "dialect/messages.h"

/* Whether the turn under way has called tools without having thought as Anthropic's models do. */
static bool in_silent_turn(const struct neutral_request *request)
{
    bool called = false;
    for (size_t i = request->parts_len; i--;) {
        const struct neutral_part *part = &request->parts[i];
        if (part->role == NEUTRAL_USER || messages_is_signed(part))
            return called && !messages_is_signed(part);
        called = called || part->kind == NEUTRAL_CALL;
    }
    return called;
}

/* Whether a Claude thinks by a budget (up to 4.5) or as much as it finds right (from 4.6; later
 * ones refuse a budget). The version is the first short number behind "claude", and the next one,
 * if that is no date: claude-opus-4-7, claude-3-7-sonnet-20250219, claude-sonnet-4-20250514. A name
 * without one says nothing: a budget. */
static bool adapts(struct slice model)
{
    enum { ADAPTS_FROM = 406 };
    int version = 0, found = 0;
    size_t from = 0;
    while (from < model.len && !slice_starts(slice_from(model, from), SLICE_LITERAL("claude")))
        from++;
    for (size_t i = from; i < model.len && found < 2;) {
        size_t digits = 0;
        int number = 0;
        for (; i + digits < model.len && digits < 3; digits++) {
            char c = model.data[i + digits];
            if (c < '0' || c > '9')
                break;
            number = number * 10 + (c - '0');
        }
        if (digits > 2 || (found && !digits && model.data[i] != '-' && model.data[i] != '.'))
            break;
        if (digits)
            version += found++ ? number : number * 100;
        i += digits ? digits : 1;
    }
    return version >= ADAPTS_FROM;
}

/* Whether there may be thinking at all. */
static bool may_think(const struct neutral_request *request)
{
    struct json effort = {JSON_STRING, request->effort};
    bool wanted = request->thinking_max > 0 ||
                  (request->effort.len && !request->thinking_max &&
                   !json_string_is(effort, "none") && !json_string_is(effort, "minimal"));
    return wanted && request->choice != NEUTRAL_REQUIRED && request->choice != NEUTRAL_NAMED &&
           !in_silent_turn(request);
}

int64_t messages_budget(const struct neutral_request *request)
{
    enum { LEAST = 1024, HIGH = 16384 };
    struct json effort = {JSON_STRING, request->effort};
    int64_t most = request->output_max, budget = min_i64(request->thinking_max, most - 1);
    if (!may_think(request) || adapts(request->model))
        return 0;
    if (!request->thinking_max) {
        budget = json_string_is(effort, "low")      ? CHAT_LOW_EFFORT
                 : json_string_is(effort, "medium") ? CHAT_MEDIUM_EFFORT
                                                    : HIGH;
        budget = min_i64(budget, most / 2);
    }
    return budget < LEAST ? 0 : budget;
}

const char *messages_effort(const struct neutral_request *request)
{
    struct json effort = {JSON_STRING, request->effort};
    int64_t tokens = request->thinking_max;
    if (!may_think(request) || !adapts(request->model))
        return NULL;
    if (json_string_is(effort, "low") || (tokens && tokens <= CHAT_LOW_EFFORT))
        return "low";
    bool medium = json_string_is(effort, "medium") || (tokens && tokens <= CHAT_MEDIUM_EFFORT);
    return medium ? "medium" : "high";
}
