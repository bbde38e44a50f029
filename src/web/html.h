/* SPDX-License-Identifier: Apache-2.0
 * Writing HTML: texts are escaped, and once something does not fit, nothing more is written. */
#ifndef WEB_HTML_H
#define WEB_HTML_H

#include "base/buffer.h"

struct html {
    struct buffer *to;
    int error; /* the first one */
};

void html_raw(struct html *html, const char *tags);
void html_text(struct html *html, struct slice text);
/* <a href="#PREFIXname">name</a> */
void html_link(struct html *html, const char *prefix, struct slice name);
/* Paragraphs, lists ("* "), `code` and **bold**. */
void html_prose(struct html *html, struct slice text);

#endif
