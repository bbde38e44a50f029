/* SPDX-License-Identifier: Apache-2.0
 * The first line is an X-Forwarded-For, the rest a Forwarded. Whatever they are: what the proxy
 * appends to either decides, and what stands left of it changes nothing. */
#include "codec/forwarded.h"
#include "mete.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const struct address proxy = {{[10] = 0xff, [11] = 0xff, [12] = 10}, true};
static const struct address client = {{0x20, 1, 0xd, 0xb8, [15] = 7}, true};
static const struct address_range range = {{[10] = 0xff, [11] = 0xff, [12] = 10}, 104};
static const struct forwarded_trust trust = {&range, 1};

static struct forwarded walked(enum forwarded_form form, struct slice text, const char *appended)
{
    struct forwarded forwarded;
    size_t more = strlen(appended);
    char *room = malloc(text.len + more + 1);
    must(room);
    if (text.len)
        memcpy(room, text.data, text.len);
    memcpy(room + text.len, appended, more);
    forwarded_begin(&forwarded, &proxy);
    forwarded_line(&forwarded, form, &trust, (struct slice){room, text.len + more});
    free(room);
    return forwarded;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    const char *mark = size ? memchr(text.data, '\n', size) : NULL;
    size_t len = mark ? (size_t)(mark - text.data) : size;
    struct slice list = slice_part(text, 0, len);
    struct slice pairs = mark ? slice_from(text, len + 1) : (struct slice){NULL, 0};
    struct forwarded one = walked(FORWARDED_LIST, list, ""),
                     two = walked(FORWARDED_PAIRS, pairs, "");
    struct address at = forwarded_client(&proxy, &one, &two);
    must(at.is_known || !memcmp(at.bytes, proxy.bytes, sizeof at.bytes));
    one = walked(FORWARDED_LIST, list, ", 2001:db8::7");
    two = walked(FORWARDED_PAIRS, pairs, ", for=\"[2001:db8::7]:80\"");
    must(one.at.is_known && !memcmp(one.at.bytes, client.bytes, sizeof client.bytes));
    must(!two.at.is_known || !memcmp(two.at.bytes, client.bytes, sizeof client.bytes));
    return 0;
}
