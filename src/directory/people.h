/* SPDX-License-Identifier: Apache-2.0
 * Who may administer, in memory: members and service tokens, read at the start and kept up to date;
 * sessions and the tries that guess, which a restart forgets.
 * THREAD one (the event loop), but where a part says otherwise. */
#ifndef DIRECTORY_PEOPLE_H
#define DIRECTORY_PEOPLE_H

#include "directory/members.h"
#include "directory/service_tokens.h"
#include "directory/sessions.h"
#include "directory/tries.h"
#include "store/records.h"

struct people {
    struct members *members;
    struct service_tokens *tokens;
    struct sessions *sessions;
    struct tries *tries;
};

/* secret: 32 bytes of the installation. METE_E_MEMORY. */
METE_MUST_USE int people_new(const uint8_t secret[32], struct people **ret_people);
void people_free(struct people *people);
/* Reads every member's and service token's document. STORAGE, MEMORY, CORRUPT. */
METE_MUST_USE int people_load(struct people *people, struct records_reader *reader);
/* An organization has ended: nobody of it may do anything any more. */
void people_forget(struct people *people, struct mete_scope_id organization);

#endif
