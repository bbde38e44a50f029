/* SPDX-License-Identifier: Apache-2.0
 * What an authority call may be. */
#ifndef API_VERBS_H
#define API_VERBS_H

enum verb { VERB_CHECK = 1, VERB_RESERVE, VERB_DEDUCT, VERB_RELEASE, VERB_RECORD };

#endif
