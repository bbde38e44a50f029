/* SPDX-License-Identifier: Apache-2.0
 * What a request says of a key: read and checked, and as the key's document will have it. */
#ifndef API_KEYS_KEY_IN_H
#define API_KEYS_KEY_IN_H

#include "api/request.h"

/* What can be said, in the order in which a document has it. */
enum key_member {
    KEY_NAME = 0,
    KEY_MODELS,
    KEY_ENDPOINTS,
    KEY_RANGES,
    KEY_LABELS,
    KEY_QUOTA,
    KEY_REQUESTS,
    KEY_TOKENS,
    KEY_CONCURRENT,
    KEY_DISCONNECT,
    KEY_EXPIRES,
    KEY_MEMBERS
};

struct key_in {
    struct slice user, department; /* of a key that is made */
    bool said[KEY_MEMBERS];
    struct slice json[KEY_MEMBERS]; /* of what was said; empty: none, from now on */
    int64_t limits[KEY_MEMBERS];    /* KEY_QUOTA to KEY_CONCURRENT; -1: none */
    int64_t expires_at_us;          /* 0: never */
};

/* "monthly_request_quota": its name in documents. */
const char *key_member_name(enum key_member member);

/* A JSON object, that of a new key or (creates false) of a change; path: "" or where the object
 * stands. A null takes away what was there. Uses request->out. Returns 0, or the problem is set. */
METE_MUST_USE int key_in_read(struct request *request, struct json object, const char *path,
                              bool creates, struct key_in *ret_in);

/* A label's name: 1 .. LIMIT_KEY_LABEL_NAME of an id's characters. */
bool key_in_is_label(struct slice name);

#endif
