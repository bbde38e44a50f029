/* SPDX-License-Identifier: Apache-2.0
 * What the formats of pictures, speech, transcripts and video share: bodies that are forms, and how
 * answers and streams tell their usage. */
#ifndef DIALECT_MEDIA_H
#define DIALECT_MEDIA_H

#include "dialect/openai.h"

/* A field of a form that is read. */
struct media_field {
    const char *name;
    struct slice value; /* as it stands in the body */
    bool is_there;
};

/* Begins *r->request and finds the fields of a form; one given twice is a fault, and so is a body
 * that is not a good form. */
int media_read_form(struct openai_reading *r, const struct dialect_target *target,
                    struct slice body, struct media_field *fields, size_t len);
/* The model, from its field of a form. */
int media_take_model(struct openai_reading *r, const struct media_field *field);
/* Whole number of 1 to most; *ret_number is untouched where the text is empty. */
int media_number(struct openai_reading *r, const char *name, struct slice text, int64_t most,
                 int64_t *ret_number);
/* A short string member as text; "?", which is none of anything's words, if it is none. */
struct slice media_word(struct json value, char room[32]);

/* What the answer is not asked to show, and nothing here can count: the provider's figures, or the
 * whole of what was set aside. */
void media_hide_output(struct dialect_request *request);

/* What a token of output is that no details name. */
enum media_output { MEDIA_TEXT = 0, MEDIA_PICTURES, MEDIA_SOUND };
/* Usage in tokens, or in seconds ("type":"duration"). False: it has none that can be believed. */
bool media_usage(struct json usage, enum media_output output, struct pricing_usage *ret_usage);

/* The event whose type ends in .completed or .done has the usage, and is the last. */
void media_read_event(struct dialect_stream *stream, const struct frame *event,
                      enum media_output output, struct dialect_event *ret_event);
/* A stream that is cut has no word of its format for that: an error. */
int media_write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                    struct slice cost, bool wants_usage, struct buffer *out);

#endif
