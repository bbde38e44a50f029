/* SPDX-License-Identifier: Apache-2.0
 * One event of a streamed answer, whatever framing it came in. */
#ifndef CODEC_FRAME_H
#define CODEC_FRAME_H

#include "base/slice.h"

struct frame {
    struct slice raw;  /* all of it, separators included, as received */
    struct slice name; /* what the framing calls it; empty: nothing */
    struct slice data; /* its payload; empty if none (comments, keep-alives) */
    bool has_data;
    bool failed; /* the framing itself says that it tells of an error */
};

#endif
