/* SPDX-License-Identifier: Apache-2.0
 * What the caller says a call belongs to: X-Mete-Session, one text, and X-Mete-Tags, a list with
 * commas. Narrowed budgets and rate limits match them. Neither goes on to the provider. */
#include "gateway/labels.h"

#include "base/limits.h"

static struct slice trim(struct slice text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_from(text, 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool fits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    return text.len <= LIMIT_SESSION;
}

static bool read_tags(struct slice list, struct labels *labels)
{
    while (list.len) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len;
        struct slice tag = trim(slice_part(list, 0, len));
        list = slice_from(list, comma ? len + 1 : len);
        if (!tag.len)
            continue;
        if (labels->tags_len == METE_TAGS_MAX || !fits(tag))
            return false;
        labels->tags[labels->tags_len++] = (struct mete_text){tag.data, tag.len};
    }
    return true;
}

bool labels_read(const struct exchange *exchange, struct labels *ret_labels,
                 struct dialect_error *ret_error)
{
    *ret_error = (struct dialect_error){
        .status = 400, .type = "invalid_request_error", .code = "invalid_value"};
    ret_labels->tags_len = 0;
    ret_labels->session = trim(exchange->ops->header(exchange, "x-mete-session"));
    if (!fits(ret_labels->session)) {
        ret_error->message = "X-Mete-Session must be at most 128 bytes of printable ASCII.";
        return false;
    }
    if (read_tags(exchange->ops->header(exchange, "x-mete-tags"), ret_labels))
        return true;
    ret_error->message =
        "X-Mete-Tags must be at most 16 tags with commas between, each at most 128 bytes of "
        "printable ASCII.";
    return false;
}
