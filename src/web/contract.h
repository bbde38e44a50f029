/* SPDX-License-Identifier: Apache-2.0
 * The contract of the HTTP door, docs/openapi.yaml as it is linked into the binary: as JSON for
 * programs, and as a page for people. The page is plain HTML without scripts.
 * COST of each some milliseconds; ask once. */
#ifndef WEB_CONTRACT_H
#define WEB_CONTRACT_H

#include "base/buffer.h"

/* The YAML as it is. */
struct slice contract_yaml(void);
/* Into an initialised buffer. METE_E_MEMORY, TOO_LARGE (the buffer's maximum). */
__attribute__((warn_unused_result)) int contract_json(struct buffer *to);
__attribute__((warn_unused_result)) int contract_page(struct buffer *to);

#endif
