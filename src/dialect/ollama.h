/* SPDX-License-Identifier: Apache-2.0
 * Ollama's own formats (the dialects "ollama-chat" and "ollama-generate"): their parts. */
#ifndef DIALECT_OLLAMA_H
#define DIALECT_OLLAMA_H

#include "dialect/dialect.h"

extern const struct dialect_neutral ollama_neutral;

#endif
