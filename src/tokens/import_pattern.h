/* SPDX-License-Identifier: Apache-2.0
 * The patterns of a tokenizer.json: which rule of split.h its pre_tokenizer is. */
#ifndef TOKENS_IMPORT_PATTERN_H
#define TOKENS_IMPORT_PATTERN_H

#include "codec/json_scan.h"
#include "tokens/import.h"

/* METE_E_INVALID: none, and why says what is not known. */
__attribute__((warn_unused_result)) int
import_rule_of(struct json pre_tokenizer, enum split_rule *ret_rule, char why[IMPORT_WHY]);
__attribute__((warn_unused_result)) int
import_rule_named(const char *name, enum split_rule *ret_rule, char why[IMPORT_WHY]);

#endif
