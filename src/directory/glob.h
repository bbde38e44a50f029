/* SPDX-License-Identifier: Apache-2.0
 * Globs over model names: * stands for any bytes, none included; every other byte for itself. */
#ifndef DIRECTORY_GLOB_H
#define DIRECTORY_GLOB_H

#include "base/slice.h"

/* The whole text. Linear in the lengths of both. */
bool glob_matches(struct slice glob, struct slice text);

#endif
