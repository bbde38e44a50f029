/* SPDX-License-Identifier: Apache-2.0 */
#include "web/html.h"

#include <string.h>

static void put(struct html *html, struct slice bytes)
{
    if (!html->error)
        html->error = buffer_append(html->to, bytes);
}

void html_raw(struct html *html, const char *tags)
{
    put(html, slice_of(tags));
}

void html_text(struct html *html, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case '<':
            html_raw(html, "&lt;");
            break;
        case '>':
            html_raw(html, "&gt;");
            break;
        case '&':
            html_raw(html, "&amp;");
            break;
        case '"':
            html_raw(html, "&quot;");
            break;
        default:
            put(html, slice_part(text, i, 1));
        }
    }
}

void html_link(struct html *html, const char *prefix, struct slice name)
{
    html_raw(html, "<a href=\"#");
    html_raw(html, prefix);
    html_text(html, name);
    html_raw(html, "\">");
    html_text(html, name);
    html_raw(html, "</a>");
}

/* Where the mark stands again behind at; text.len: nowhere. */
static size_t find(struct slice text, size_t at, const char *mark)
{
    size_t len = strlen(mark);
    for (; at + len <= text.len; at++)
        if (!memcmp(text.data + at, mark, len))
            return at;
    return text.len;
}

static void write_line(struct html *html, struct slice text)
{
    for (size_t i = 0; i < text.len;) {
        const char *mark = text.data[i] == '`' ? "`" : "**";
        size_t len = strlen(mark), from = i + len;
        bool opens = find(text, i, mark) == i, is_code = len == 1;
        size_t end = opens ? find(text, from, mark) : text.len;
        if (end == text.len) {
            html_text(html, slice_part(text, i, 1));
            i++;
            continue;
        }
        html_raw(html, is_code ? "<code>" : "<b>");
        html_text(html, slice_part(text, from, end - from));
        html_raw(html, is_code ? "</code>" : "</b>");
        i = end + len;
    }
}

void html_prose(struct html *html, struct slice text)
{
    bool in_list = false, in_block = false;
    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        struct slice line = slice_part(text, 0, len);
        text = slice_from(text, len + (end != NULL));
        bool is_item = line.len > 2 && line.data[0] == '*' && line.data[1] == ' ';
        if (in_block && (is_item || !line.len)) {
            html_raw(html, in_list ? "</li>" : "</p>\n");
            in_block = false;
        }
        if (in_list && !is_item && !in_block) {
            html_raw(html, "</ul>\n");
            in_list = false;
        }
        if (!line.len)
            continue;
        if (is_item && !in_list)
            html_raw(html, "<ul>\n");
        if (!in_block)
            html_raw(html, is_item ? "<li>" : "<p>");
        else
            html_raw(html, " ");
        in_list = in_list || is_item;
        in_block = true;
        write_line(html, is_item ? slice_from(line, 2) : line);
    }
    if (in_block)
        html_raw(html, in_list ? "</li></ul>\n" : "</p>\n");
}
