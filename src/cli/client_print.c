/* SPDX-License-Identifier: Apache-2.0
 * What a command prints of the API's answers: a table for people, JSON for programs. Widths are
 * counted in characters, so that names in any script line up where each is one column wide. */
#include "cli/client.h"

#include "base/limits.h"
#include "mete.h"

#include <stdio.h>

enum { CELL = 320, COLUMNS = 12 };

/* An array's elements with commas between; "-" for none. */
static long join(struct json array, char *room, size_t room_len)
{
    size_t at = 0, len = 0;
    struct json element;
    while (json_next(array, &at, NULL, &element) && len + 2 < room_len) {
        if (len)
            room[len++] = ',';
        long part = element.type == JSON_STRING
                        ? json_string_copy(element, room + len, room_len - len - 1)
                        : snprintf(room + len, room_len - len, "%.*s", (int)element.raw.len,
                                   element.raw.data);
        if (part < 0 || (size_t)part >= room_len - len)
            break;
        len += (size_t)part;
    }
    return len ? (long)len : snprintf(room, room_len, "-");
}

void client_member(struct json object, const char *path, char *room, size_t room_len)
{
    struct json value = object;
    while (*path) {
        char name[64];
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        value = json_member(value, name);
        path += len + (path[len] == '.');
    }
    long len = 0;
    if (value.type == JSON_STRING)
        len = json_string_copy(value, room, room_len - 1);
    else if (value.type == JSON_ARRAY)
        len = join(value, room, room_len);
    else if (value.type == JSON_NULL)
        len = snprintf(room, room_len, "-");
    else if (value.type != JSON_NONE)
        len = snprintf(room, room_len, "%.*s", (int)value.raw.len, value.raw.data);
    if (len < 0)
        len = 0;
    room[(size_t)len < room_len ? (size_t)len : room_len - 1] = 0;
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80; /* not in the middle of a character */
    return width;
}

static void print_cell(const char *text, size_t width, bool last)
{
    size_t used = width_of(text);
    fputs(text, stdout);
    if (last)
        putchar('\n');
    else
        printf("%*s", (int)(width - used + 2), "");
}

/* Each page's elements, appended to one array; commas between. */
static int collect(struct client *client, const char *path, struct buffer *all)
{
    struct buffer target = {0};
    char cursor[96] = "";
    int code = CLI_DONE;
    buffer_init(&target, 4096);
    do {
        struct client_reply reply;
        struct json page;
        buffer_clear(&target);
        const char *mark = strchr(path, '?') ? "&" : "?";
        if (buffer_format(&target, "%s%slimit=%d%s%s", path, mark, LIMIT_PAGE,
                          cursor[0] ? "&cursor=" : "", cursor) ||
            buffer_append(&target, (struct slice){"", 1})) {
            code = CLI_FAILED;
            break;
        }
        code = client_call(client, "GET", target.data, (struct slice){0}, &reply);
        if (code)
            break;
        code = client_problem(&reply);
        if (!code && json_scan(buffer_slice(&reply.body), &page, NULL))
            code = CLI_FAILED;
        if (!code) {
            struct slice data = json_member(page, "data").raw;
            struct slice inside = slice_part(data, 1, data.len >= 2 ? data.len - 2 : 0);
            if (all->len > 1 && inside.len && buffer_text(all, ","))
                code = CLI_FAILED;
            if (!code && buffer_append(all, inside))
                code = CLI_FAILED;
            client_member(page, "next_cursor", cursor, sizeof cursor);
        }
        client_reply_done(&reply);
    } while (!code && strcmp(cursor, "-") != 0 && cursor[0]);
    buffer_done(&target);
    return code;
}

static void print_table(struct json rows, const struct client_column *columns, size_t len)
{
    size_t widths[COLUMNS] = {0}, at = 0;
    char cell[CELL];
    struct json row;
    for (size_t i = 0; i < len; i++)
        widths[i] = width_of(columns[i].title);
    while (json_next(rows, &at, NULL, &row)) {
        for (size_t i = 0; i < len; i++) {
            client_member(row, columns[i].path, cell, sizeof cell);
            size_t width = width_of(cell);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (size_t i = 0; i < len; i++)
        print_cell(columns[i].title, widths[i], i + 1 == len);
    at = 0;
    while (json_next(rows, &at, NULL, &row)) {
        for (size_t i = 0; i < len; i++) {
            client_member(row, columns[i].path, cell, sizeof cell);
            print_cell(cell, widths[i], i + 1 == len);
        }
    }
}

void client_print_rows(struct json rows, const struct client_column *columns, size_t columns_len)
{
    print_table(rows, columns, columns_len < COLUMNS ? columns_len : COLUMNS);
}

int client_print_list(struct client *client, const char *path, const struct client_options *options,
                      const struct client_column *columns, size_t columns_len)
{
    struct buffer all = {0};
    struct json rows;
    buffer_init(&all, (size_t)LIMIT_REPLY * 8);
    int code = buffer_text(&all, "[") ? CLI_FAILED : collect(client, path, &all);
    if (!code && (buffer_text(&all, "]") || json_scan(buffer_slice(&all), &rows, NULL)))
        code = CLI_FAILED;
    if (!code && options->json)
        printf("{\"data\":%.*s}\n", (int)all.len, all.data);
    else if (!code)
        print_table(rows, columns, columns_len < COLUMNS ? columns_len : COLUMNS);
    buffer_done(&all);
    return code;
}

int client_print_item(struct client *client, const char *method, const char *below,
                      const char *name, struct slice body, const struct client_options *options,
                      const struct client_column *columns, size_t columns_len)
{
    struct buffer path;
    struct client_reply reply;
    int code = CLI_FAILED;
    buffer_init(&path, 4096);
    if (!buffer_text(&path, below)) {
        client_encode(&path, name);
        if (!buffer_append(&path, (struct slice){"", 1}))
            code = client_call(client, method, path.data, body, &reply);
    }
    buffer_done(&path);
    if (code)
        return code;
    code = client_problem(&reply);
    if (!code)
        client_print_one(buffer_slice(&reply.body), options, columns, columns_len);
    client_reply_done(&reply);
    return code;
}

int client_print_data(struct slice body, const struct client_options *options,
                      const struct client_column *columns, size_t columns_len)
{
    struct json page;
    if (json_scan(body, &page, NULL))
        return CLI_FAILED;
    if (options->json)
        printf("%.*s\n", (int)body.len, body.data);
    else
        print_table(json_member(page, "data"), columns,
                    columns_len < COLUMNS ? columns_len : COLUMNS);
    return CLI_DONE;
}

void client_print_one(struct slice json, const struct client_options *options,
                      const struct client_column *rows, size_t rows_len)
{
    struct json object;
    char cell[CELL];
    size_t width = 0;
    if (options->json || json_scan(json, &object, NULL)) {
        printf("%.*s\n", (int)json.len, json.data);
        return;
    }
    for (size_t i = 0; i < rows_len; i++)
        width = width_of(rows[i].title) > width ? width_of(rows[i].title) : width;
    for (size_t i = 0; i < rows_len; i++) {
        client_member(object, rows[i].path, cell, sizeof cell);
        if (!cell[0])
            continue;
        print_cell(rows[i].title, width, false);
        print_cell(cell, 0, true);
    }
}
