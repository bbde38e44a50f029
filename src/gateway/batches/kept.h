/* SPDX-License-Identifier: Apache-2.0
 * Members of the documents that are kept of files and batches: written behind a first one, and read
 * without a copy. What was not there is empty, or 0. */
#ifndef GATEWAY_BATCHES_KEPT_H
#define GATEWAY_BATCHES_KEPT_H

#include "base/buffer.h"
#include "codec/json_scan.h"
#include "mete.h"

METE_MUST_USE int kept_put_text(struct buffer *out, const char *name, struct slice text);
METE_MUST_USE int kept_put_number(struct buffer *out, const char *name, int64_t number);
/* The last member: the provider's own words, or null. */
METE_MUST_USE int kept_put_object(struct buffer *out, struct slice object);

/* The object that a text is; JSON_NONE: it is none. */
struct json kept_scan(struct slice text);
/* Of texts that stand in their JSON as they are. */
struct slice kept_text(struct json whole, const char *name);
int64_t kept_number(struct json whole, const char *name);
struct slice kept_object_of(struct json whole);

/* An id that may stand in a document, a path and a URL as it is. */
bool kept_is_plain(struct slice id);
/* A provider's object as it may be kept: on one line, and not too long; else empty. room: of its
 * length. */
struct slice kept_object(struct slice object, char *room);

#endif
