/* SPDX-License-Identifier: Apache-2.0
 * What an administrator said of providers, as documents (PROVIDER), by the provider's name:
 * {"enabled": false}. Who has none is as the configuration has it: enabled. */
#ifndef API_CATALOG_PROVIDER_DOCUMENTS_H
#define API_CATALOG_PROVIDER_DOCUMENTS_H

#include "base/slice.h"
#include "directory/directory.h"

/* Calls enable for each. STORAGE, CORRUPT, MEMORY. */
METE_MUST_USE int
provider_documents_load(struct records_reader *reader,
                        void (*enable)(void *user, struct slice name, bool enabled), void *user);

#endif
