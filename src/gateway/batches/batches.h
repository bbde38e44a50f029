/* SPDX-License-Identifier: Apache-2.0
 * Files and batches, as OpenAI has them: calls that a provider makes within a day, at a lower
 * price.
 *
 *   POST   /v1/files                      upload.c
 *   GET    /v1/files, /v1/files/{id}      files.c; DELETE too
 *   GET    /v1/files/{id}/content         content.c
 *   POST   /v1/batches                    create.c
 *   GET    /v1/batches, /v1/batches/{id}  refresh.c; POST /v1/batches/{id}/cancel too
 *
 * MONEY  A file is priced line by line before its provider has seen it. The whole of its worst case
 *   is reserved once, when a batch of it is begun, and lives as long as the provider may take and
 *   two hours more, over restarts. It ends once: by the usage in the file of answers, the first
 *   time that it has gone by whole; by nothing, where the provider says that it has answered
 *   nothing; by itself, at the worst case and provisionally, where neither came in time, and then
 *   by its true figures if they are fetched within a day more (INV-03).
 * WHOSE  a file or batch is its organization's; to others it is a 404 (INV-12). */
#ifndef GATEWAY_BATCHES_BATCHES_H
#define GATEWAY_BATCHES_BATCHES_H

#include "gateway/batches/errand.h"

/* False: the path is none of these. */
bool batches_begin(struct gateway *gateway, struct exchange *exchange);

void upload_begin(struct gateway *gateway, struct exchange *exchange);
void files_list(struct gateway *gateway, struct exchange *exchange);
void files_show(struct gateway *gateway, struct exchange *exchange, struct slice id);
void files_delete(struct gateway *gateway, struct exchange *exchange, struct slice id);
void content_begin(struct gateway *gateway, struct exchange *exchange, struct slice id);
void create_begin(struct gateway *gateway, struct exchange *exchange);
void refresh_begin(struct gateway *gateway, struct exchange *exchange, struct slice id);
void refresh_cancel(struct gateway *gateway, struct exchange *exchange, struct slice id);
void refresh_list(struct gateway *gateway, struct exchange *exchange);

/* Of what may be used of a provider's: whether it takes files and batches as OpenAI does. */
bool batches_are_taken(const struct provider *provider);
extern const struct dialect_error batches_model_disabled, batches_provider_disabled;

#endif
