/* SPDX-License-Identifier: Apache-2.0
 * How long records are kept, and the projector's part of it. For the files of this folder alone. */
#ifndef ENGINE_RETENTION_H
#define ENGINE_RETENTION_H

#include "mete.h"

#include <stdbool.h>

struct mete;

bool retention_is_valid(const struct mete_retention *retention);
/* Any thread. */
void retention_set(struct mete *mete, const struct mete_retention *retention);
/* Projector, between transactions: one small step of putting the records in order, if it is time to
 * look whether there is any. True: there was. */
bool retention_step(struct mete *mete);
/* How long the projector may sleep, in us; negative: for ever. */
int64_t retention_sleep_us(const struct mete *mete);

#endif
