/* SPDX-License-Identifier: Apache-2.0
 * Random sequences of what can happen to keys (made, changed, given another text, revoked, deleted,
 * many at once, time passing, restarts) against a naive model that knows of each text until when it
 * works. After each step every text there ever was is shown to the API: it works if and only if the
 * model says so, and what a key may be given is what the model says it may. */
#include "api/local.h"
#include "codec/json_scan.h"
#include "property/tape.h"
#include "unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { KEYS_MAX = 5, TEXTS_MAX = 24, STEPS_MAX = 24 };
#define SECOND INT64_C(1000000)

struct text {
    char text[KEY_TEXT + 1];
    size_t key;
    int64_t until_us; /* INT64_MAX: the present one */
};

struct key {
    char id[KEY_ID + 1];
    int64_t expires_us; /* INT64_MAX: never */
    bool revoked, deleted;
};

struct world {
    char directory[64];
    struct local *local;
    int64_t now_us;
    struct key keys[KEYS_MAX];
    struct text texts[TEXTS_MAX];
    size_t keys_len, texts_len;
    struct local_call call;
};

static int64_t now(void *user)
{
    return ((struct world *)user)->now_us;
}

static int open_world(struct world *world)
{
    const struct local_options options = {.directory = world->directory,
                                          .secret = {7},
                                          .admin_token = "root-token",
                                          .clock = {now, world}};
    return local_open(&options, &world->local);
}

static int ask(struct world *world, const char *token, const char *method, const char *target,
               const char *body)
{
    char authorization[96];
    snprintf(authorization, sizeof authorization, "Bearer %s", token);
    local_call_done(&world->call);
    world->call = (struct local_call){.method = method,
                                      .target = target,
                                      .authorization = slice_of(authorization),
                                      .body = slice_of(body)};
    local_ask(world->local, &world->call);
    return world->call.status;
}

static int admin(struct world *world, const char *method, const char *target, const char *body)
{
    return ask(world, "root-token", method, target, body);
}

static void member(struct world *world, const char *name, char *room, size_t room_len)
{
    struct json reply;
    room[0] = 0;
    if (json_scan(buffer_slice(&world->call.reply), &reply, NULL))
        return;
    long len = json_string_copy(json_member(reply, name), room, room_len - 1);
    room[len < 0 ? 0 : len] = 0;
}

/* The instant so many seconds from now, as JSON. */
static int64_t later(const struct world *world, int64_t seconds, char room[40])
{
    int64_t s = world->now_us / SECOND - INT64_C(1795251600) + seconds; /* since 09:00:00 */
    snprintf(room, 40, "\"2026-11-21T%02d:%02d:%02dZ\"", (int)(9 + s / 3600), (int)(s / 60 % 60),
             (int)(s % 60));
    return (INT64_C(1795251600) + s) * SECOND;
}

static void keep_text(struct world *world, size_t key)
{
    struct text *text = &world->texts[world->texts_len++];
    *text = (struct text){.key = key, .until_us = INT64_MAX};
    member(world, "key", text->text, sizeof text->text);
}

static bool is_over(const struct world *world, const struct key *key)
{
    return key->revoked || key->deleted || world->now_us >= key->expires_us;
}

/* ---- Steps ------------------------------------------------------------------------------------
 */

static int make(struct world *world, struct tape *tape)
{
    char body[128], instant[40] = "null";
    struct key key = {.expires_us = INT64_MAX};
    if (world->keys_len == KEYS_MAX || world->texts_len == TEXTS_MAX)
        return 0;
    if (tape_chance(tape, 30))
        key.expires_us = later(world, tape_range(tape, 1, 9), instant);
    snprintf(body, sizeof body, "{\"name\":\"n\",\"expires_at\":%s}", instant);
    HOLDS(admin(world, "POST", "/api/v1/organizations/acme/api-keys", body) == 201);
    member(world, "id", key.id, sizeof key.id);
    keep_text(world, world->keys_len);
    world->keys[world->keys_len++] = key;
    return 0;
}

static int change(struct world *world, struct tape *tape, struct key *key)
{
    char path[64], body[96], instant[40] = "null";
    int64_t expires_us = INT64_MAX;
    bool expires = tape_chance(tape, 70);
    snprintf(path, sizeof path, "/api/v1/api-keys/%s", key->id);
    if (expires && tape_chance(tape, 60))
        expires_us = later(world, tape_range(tape, 1, 9), instant);
    snprintf(body, sizeof body, expires ? "{\"expires_at\":%s}" : "{\"labels\":{\"a\":%s}}",
             expires ? instant : "\"b\"");
    int status = admin(world, "PUT", path, body);
    HOLDS(status == (key->deleted ? 404 : 200));
    if (expires && !key->deleted)
        key->expires_us = expires_us;
    return 0;
}

static int64_t previous_until(const struct world *world, size_t key)
{
    int64_t until_us = 0;
    for (size_t i = 0; i < world->texts_len; i++)
        if (world->texts[i].key == key && world->texts[i].until_us != INT64_MAX &&
            world->texts[i].until_us > until_us)
            until_us = world->texts[i].until_us;
    return until_us;
}

static int regenerate(struct world *world, struct tape *tape, size_t at)
{
    char path[64], body[64];
    const struct key *key = &world->keys[at];
    int64_t overlap_s = tape_range(tape, 0, 5);
    if (world->texts_len == TEXTS_MAX)
        return 0;
    snprintf(path, sizeof path, "/api/v1/api-keys/%s/regenerate", key->id);
    snprintf(body, sizeof body, "{\"overlap_seconds\":%d}", (int)overlap_s);
    bool waits = overlap_s && previous_until(world, at) > world->now_us;
    int wanted = key->deleted ? 404 : is_over(world, key) || waits ? 409 : 200;
    HOLDS(admin(world, "POST", path, body) == wanted);
    if (wanted != 200)
        return 0;
    for (size_t i = 0; i < world->texts_len; i++) {
        struct text *text = &world->texts[i];
        if (text->key != at)
            continue;
        if (text->until_us == INT64_MAX)
            text->until_us = overlap_s ? world->now_us + overlap_s * SECOND : 0;
        else
            text->until_us = 0; /* of two before the present one, one works at most */
    }
    keep_text(world, at);
    return 0;
}

static int revoke_key(struct world *world, struct key *key)
{
    char path[64];
    snprintf(path, sizeof path, "/api/v1/api-keys/%s/revoke", key->id);
    HOLDS(admin(world, "POST", path, "") == (key->deleted ? 404 : 200));
    key->revoked |= !key->deleted;
    return 0;
}

static int delete_key(struct world *world, struct key *key)
{
    char path[64];
    snprintf(path, sizeof path, "/api/v1/api-keys/%s", key->id);
    HOLDS(admin(world, "DELETE", path, "") == (key->deleted ? 404 : 204));
    key->deleted = true;
    return 0;
}

/* All keys there are, or none of them. */
static int batch(struct world *world, struct tape *tape)
{
    char body[512];
    bool strict = tape_chance(tape, 50), deletes = tape_chance(tape, 30), any_gone = false;
    size_t len =
        (size_t)snprintf(body, sizeof body, "{\"operation\":\"%s\",\"all_or_none\":%s,\"ids\":[",
                         deletes ? "delete" : "revoke", strict ? "true" : "false");
    for (size_t i = 0; i < world->keys_len; i++) {
        len += (size_t)snprintf(body + len, sizeof body - len, "%s\"%s\"", i ? "," : "",
                                world->keys[i].id);
        any_gone |= world->keys[i].deleted;
    }
    snprintf(body + len, sizeof body - len, "]}");
    HOLDS(admin(world, "POST", "/api/v1/organizations/acme/api-keys/batch-operations", body) ==
          200);
    if (strict && any_gone)
        return 0;
    for (size_t i = 0; i < world->keys_len; i++) {
        world->keys[i].revoked |= !world->keys[i].deleted && !deletes;
        world->keys[i].deleted |= deletes;
    }
    return 0;
}

static int reopen(struct world *world)
{
    local_call_done(&world->call);
    world->call = (struct local_call){0};
    local_close(world->local);
    return open_world(world);
}

static int step(struct world *world, struct tape *tape)
{
    size_t what = tape_pick(tape, 16), key = 0;
    if (!world->keys_len || what < 2)
        return make(world, tape);
    key = tape_pick(tape, world->keys_len);
    switch (what) {
    case 2:
    case 3:
    case 4:
        return change(world, tape, &world->keys[key]);
    case 5:
    case 6:
    case 7:
    case 8:
        return regenerate(world, tape, key);
    case 9:
        return revoke_key(world, &world->keys[key]);
    case 10:
        return delete_key(world, &world->keys[key]);
    case 11:
        return tape_chance(tape, 30) ? batch(world, tape) : 0;
    case 12:
        return reopen(world);
    default:
        world->now_us += tape_range(tape, 1, 4) * SECOND;
        return 0;
    }
}

static int compare(struct world *world)
{
    for (size_t i = 0; i < world->texts_len; i++) {
        const struct text *text = &world->texts[i];
        bool works = !is_over(world, &world->keys[text->key]) && world->now_us < text->until_us;
        HOLDS(ask(world, text->text, "GET", "/api/v1/me", "") == (works ? 200 : 401));
    }
    return 0;
}

static int run(struct world *world, struct tape *tape)
{
    HOLDS(admin(world, "POST", "/api/v1/organizations", "{\"id\":\"acme\",\"name\":\"A\"}") == 201);
    for (int i = 0; i < STEPS_MAX && !tape_done(tape); i++) {
        int rc = step(world, tape);
        if (!rc)
            rc = compare(world);
        if (rc)
            return rc;
    }
    return 0;
}

static int which_texts_work(struct tape *tape)
{
    struct world *world = calloc(1, sizeof *world);
    if (!world || temp_make(world->directory, sizeof world->directory))
        abort();
    world->now_us = INT64_C(1795251600) * SECOND; /* 2026-11-21T09:00:00Z */
    int rc = open_world(world);
    if (!rc)
        rc = run(world, tape);
    local_call_done(&world->call);
    local_close(world->local);
    rc |= temp_remove(world->directory);
    free(world);
    return rc;
}

static void texts(void **state)
{
    (void)state;
    assert_int_equal(tape_run("which_texts_work", which_texts_work, 100, 80), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
