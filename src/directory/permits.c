/* SPDX-License-Identifier: Apache-2.0
 * What a key may do. A key that names none of a kind may use all of it. */
#include "base/assert.h"
#include "directory/directory.h"
#include "directory/glob.h"

static const char *const endpoints[] = {
#define ROW(name, word, text) word,
#include "tables/endpoints.h"
};
enum { ENDPOINTS = sizeof endpoints / sizeof endpoints[0] };
_Static_assert(ENDPOINTS <= 32, "a bit for each");

bool directory_allows_model(const struct directory_key *key, struct slice model)
{
    size_t len = key->more ? key->more->models_len : 0;
    for (size_t i = 0; i < len; i++)
        if (glob_matches(slice_of(key->more->models[i]), model))
            return true;
    return len == 0;
}

const char *directory_endpoint_at(size_t i)
{
    return i < ENDPOINTS ? endpoints[i] : NULL;
}

uint32_t directory_endpoint(struct slice word)
{
    for (size_t i = 0; i < ENDPOINTS; i++)
        if (slice_is(word, endpoints[i]))
            return UINT32_C(1) << i;
    return 0;
}

bool directory_allows_endpoint(const struct directory_key *key, const char *word)
{
    return !key->endpoints || (word && key->endpoints & directory_endpoint(slice_of(word)));
}

bool directory_allows_address(const struct directory_key *key, const struct address *address)
{
    size_t len = key->more ? key->more->ranges_len : 0;
    for (size_t i = 0; i < len; i++)
        if (address_is_in(address, &key->more->ranges[i]))
            return true;
    return len == 0;
}
