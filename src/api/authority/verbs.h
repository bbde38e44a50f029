/* SPDX-License-Identifier: Apache-2.0
 * What an authority call may be. VERB_SETTLE is of a usage record: settle.c. */
#ifndef API_AUTHORITY_VERBS_H
#define API_AUTHORITY_VERBS_H

enum verb {
    VERB_CHECK = 1,
    VERB_RESERVE,
    VERB_DEDUCT,
    VERB_RELEASE,
    VERB_RECORD,
    VERB_SETTLE,
    VERB_EXTEND
};

#endif
