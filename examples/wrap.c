/* SPDX-License-Identifier: Apache-2.0
 * wrap - a budget around a function that spends, with neither the function nor its callers changed.
 * translate() is somebody else's; the linker's --wrap sends every call of it to __wrap_translate()
 * below, which asks spend() first. What callers see of it is one more error: REFUSED.
 *
 *   cc wrap.c translate.c -Wl,--wrap=translate $(pkg-config --cflags --libs mete) -o wrap
 *
 * Without a linker that can do this, call spend() where translate() was called. */
#include "spend.h"
#include "translate.h"

#include <stdio.h>
#include <stdlib.h>

enum { REFUSED = -2, TOKENS = 40 };

static void must(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "%s: %s\n", what, mete_error_text(error));
        exit(1);
    }
}

/* ---- Between the callers and the function ---- */

static struct mete_port *port; /* of the only thread that translates */
static struct mete_scope_id payer;

int __real_translate(const char *text, int64_t *ret_tokens);
int __wrap_translate(const char *text, int64_t *ret_tokens);

struct translation {
    const char *text;
    int64_t *ret_tokens;
};

static int run(void *argument, int64_t *ret_used)
{
    struct translation *translation = argument;
    int error = __real_translate(translation->text, translation->ret_tokens);
    *ret_used = error ? 0 : *translation->ret_tokens;
    return error;
}

int __wrap_translate(const char *text, int64_t *ret_tokens)
{
    struct translation translation = {text, ret_tokens};
    struct spend_result result;
    struct spend what = {.scope = payer,
                         .meter = METE_TOTAL_TOKENS,
                         .estimate = (int64_t)strlen(text), /* it never bills more than this */
                         .run = run,
                         .argument = &translation};
    must(spend(port, &what, &result), "spend");
    return result.allowed ? result.failed : REFUSED;
}

/* ---- A program that knows nothing of all this ---- */

static void use(const char *text)
{
    int64_t tokens = 0;
    int error = translate(text, &tokens);
    printf("\"%s\": %s, %lld tokens\n", text,
           error == REFUSED ? "refused" : (error ? "failed" : "translated"), (long long)tokens);
}

static struct mete *start(void)
{
    struct mete_options options = {.directory = NULL}; /* in memory */
    struct mete_change changes[] = {
        {.kind = METE_PUT_SCOPE, .scope = {.kind = METE_ORGANIZATION, .id = {"acme", 4}}},
        {.kind = METE_PUT_BUDGET,
         .budget = {.id = {"tokens", 6},
                    .scope = {METE_FROM_CHANGE(0)},
                    .meter = METE_TOTAL_TOKENS,
                    .limit = TOKENS,
                    .period = METE_TOTAL}},
    };
    struct mete_apply apply = {.changes = changes, .len = 2, .actor = {"wrap", 4}};
    struct mete_applied applied;
    uint32_t handles[2];
    struct mete *mete;
    must(mete_open(&options, &mete), "open");
    must(mete_port_open(mete, &port), "port");
    must(mete_apply(port, &apply, handles, &applied), "administration");
    payer.n = handles[0];
    return mete;
}

int main(void)
{
    struct mete *mete = start();
    use("Where is the station?");    /* 21 tokens of 40 */
    use("");                         /* the service fails: nothing is charged */
    use("How much does this cost?"); /* 24 are not left */
    use("Thank you.");               /* 10 are */
    mete_port_close(port);
    mete_close(mete);
    return 0;
}
