/* SPDX-License-Identifier: Apache-2.0
 * What the files of sim/ share. Internal. */
#ifndef SIM_INSIDE_H
#define SIM_INSIDE_H

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json_scan.h"
#include "mete.h"
#include "sim/sim.h"

enum { MODEL_RAW = 256, REASON_ROOM = 160 };

/* ---- A request, read (sim_request.c) --------------------------------------------------------- */

/* What a call may ask of the simulator; -1: it did not. */
struct sim_wish {
    int64_t fail, latency_ms, cut_after, output_tokens, usage;
};

struct sim_request {
    struct slice model; /* raw JSON, quotes included */
    int64_t input_tokens;
    int64_t max_tokens; /* of one choice; INT64_MAX: not bounded */
    int64_t choices;
    bool stream, include_usage;
    struct sim_wish wish;
};

/* Why a body is refused, for the error's message and param. */
struct sim_fault {
    const char *param; /* NULL: the body as a whole */
    char message[REASON_ROOM];
};

/* false: *ret_fault says why, else untouched. */
bool sim_request_read(const struct exchange *exchange, struct sim_request *ret_request,
                      struct sim_fault *ret_fault);

/* ---- One answer, written (sim_text.c) -------------------------------------------------------- */

struct sim_answer {
    uint64_t number; /* of the call: 1, 2, 3 */
    struct slice model;
    int64_t input_tokens, length, choices; /* length: tokens of one choice */
    bool bounded;                          /* by max_tokens: finish_reason is length */
    bool report;                           /* usage is reported */
    bool include_usage;
    struct slice head, tail; /* of each chunk, around "INDEX,\"delta\":{...}" */
};

/* All of these append to out and fail as buffers do. */
METE_MUST_USE int sim_text_plain(const struct sim_answer *answer, struct buffer *out);
METE_MUST_USE int sim_text_head(const struct sim_answer *answer, struct buffer *out);
METE_MUST_USE int sim_text_tail(const struct sim_answer *answer, struct buffer *out);
METE_MUST_USE int sim_text_begin(const struct sim_answer *answer, struct buffer *out);
/* Tokens from..to of all choices, in turn; 0 <= from <= to <= length * choices. */
METE_MUST_USE int sim_text_tokens(const struct sim_answer *answer, int64_t from, int64_t to,
                                  struct buffer *out);
METE_MUST_USE int sim_text_end(const struct sim_answer *answer, struct buffer *out);
METE_MUST_USE int sim_text_error(int status, const char *message, const char *param,
                                 struct buffer *out);

/* ---- What was billed (sim_account.c) --------------------------------------------------------- */

struct sim_billed {
    uint64_t number;
    int64_t input_tokens, output_tokens;
    int64_t images, characters, audio_seconds, video_seconds;
    bool usage_reported;
    size_t model_len;
    char model[MODEL_RAW];
};

struct sim_account {
    uint64_t calls, failed, cut; /* calls: all that were valid */
    int64_t input_tokens, output_tokens;
    uint64_t billed; /* how many were ever put; the last LIMIT_SIM_BILLED are kept */
    struct sim_billed *kept;
};

METE_MUST_USE int sim_account_init(struct sim_account *account);
void sim_account_done(struct sim_account *account);
void sim_account_reset(struct sim_account *account);
void sim_account_bill(struct sim_account *account, const struct sim_answer *answer,
                      int64_t output_tokens, bool usage_reported);
/* One of pieces. */
void sim_account_put(struct sim_account *account, const struct sim_billed *billed);
METE_MUST_USE int sim_account_json(const struct sim_account *account, struct buffer *out);

/* ---- Pictures, sound and video (sim_media.c) ------------------------------------------------- */

enum sim_media { SIM_PICTURES = 0, SIM_TRANSCRIPT, SIM_VIDEO, SIM_MODERATION };

/* The answer into out, and its bill; 400: an error is in out, and nothing is billed; else as
 * buffers fail. */
METE_MUST_USE int sim_media_answer(const struct exchange *exchange, enum sim_media kind,
                                   struct sim_billed *bill, struct buffer *out);
/* Bytes of sound, and their bill; -1: the request is wrong. */
int64_t sim_media_speak(const struct exchange *exchange, struct sim_billed *bill);
/* NOT_FOUND: no job of the simulator's. */
METE_MUST_USE int sim_media_job(struct slice id, struct buffer *out);

#endif
