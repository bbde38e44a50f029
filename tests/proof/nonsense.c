/* SPDX-License-Identifier: Apache-2.0
 * Nonsense: every function of mete.h is called with arguments of which a field or two are what they
 * may not be, or only just: ends of ranges, lengths past their limits, bytes that are no text,
 * handles of nothing.
 *
 * THE RULE
 *   Each call gives 0 or an error that mete.h names for it, and an error has changed nothing: the
 *   state hash is the one before. The process does not end. Now and then all is looked at.
 *
 *   usage: nonsense [--calls N] [--seed S] */
#include "unit/engine_help.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 20000, FIELDS_MAX = 48 };

enum sort { NUMBER, TEXT };

struct field {
    size_t at, size;
    enum sort sort;
};

#define N(type, member)                                                                            \
    {                                                                                              \
        offsetof(struct type, member), sizeof((struct type *)0)->member, NUMBER                    \
    }
#define T(type, member)                                                                            \
    {                                                                                              \
        offsetof(struct type, member), sizeof(struct mete_text), TEXT                              \
    }

static const struct field reserve_fields[] = {
    N(mete_reserve, scope),     T(mete_reserve, request_id), N(mete_reserve, content),
    T(mete_reserve, model),     T(mete_reserve, provider),   T(mete_reserve, session),
    N(mete_reserve, floor),     N(mete_reserve, wish),       N(mete_reserve, ttl_ms),
    N(mete_reserve, on_expiry), N(mete_reserve, flags),
};
static const struct field demand_fields[] = {N(mete_demand, meter), N(mete_demand, currency),
                                             N(mete_demand, fixed), N(mete_demand, per_million)};
static const struct field usage_fields[] = {N(mete_usage, meter), N(mete_usage, currency),
                                            N(mete_usage, amount)};
static const struct field extend_fields[] = {N(mete_extend, reservation), N(mete_extend, floor),
                                             N(mete_extend, wish), N(mete_extend, shrink),
                                             N(mete_extend, ttl_ms)};
static const struct field outcome_fields[] = {N(mete_outcome, ending), N(mete_outcome, flags),
                                              T(mete_outcome, price_list), T(mete_outcome, note)};
static const struct field record_fields[] = {N(mete_record, scope),    T(mete_record, request_id),
                                             N(mete_record, content),  T(mete_record, model),
                                             T(mete_record, provider), T(mete_record, session)};
static const struct field change_fields[] = {
    N(mete_change, kind),   N(mete_change, flags),   N(mete_change, end),
    N(mete_change, at),     N(mete_change, parent),  N(mete_change, end_rate),
    N(mete_change, refund), N(mete_change, amount),  N(mete_change, end_increase),
    T(mete_change, meter),  T(mete_change, document)};
static const struct field scope_fields[] = {
    N(mete_scope_spec, kind),   T(mete_scope_spec, id),         N(mete_scope_spec, organization),
    N(mete_scope_spec, parent), N(mete_scope_spec, expires_at), N(mete_scope_spec, revoked)};
static const struct field budget_fields[] = {T(mete_budget_spec, id),
                                             N(mete_budget_spec, scope),
                                             N(mete_budget_spec, for_kind),
                                             N(mete_budget_spec, meter),
                                             N(mete_budget_spec, currency),
                                             N(mete_budget_spec, limit),
                                             N(mete_budget_spec, period),
                                             T(mete_budget_spec, time_zone),
                                             N(mete_budget_spec, anchor),
                                             N(mete_budget_spec, window_seconds),
                                             N(mete_budget_spec, matches[0].kind),
                                             T(mete_budget_spec, matches[0].pattern),
                                             N(mete_budget_spec, matches_len),
                                             N(mete_budget_spec, mode),
                                             N(mete_budget_spec, thresholds_ppm[0]),
                                             N(mete_budget_spec, thresholds_ppm[1]),
                                             N(mete_budget_spec, thresholds_len),
                                             N(mete_budget_spec, soft_limit),
                                             N(mete_budget_spec, rollover_cap),
                                             N(mete_budget_spec, controls.throttle_ppm),
                                             N(mete_budget_spec, controls.throttle_rate_ppm),
                                             N(mete_budget_spec, controls.stop_ppm),
                                             N(mete_budget_spec, controls.downgrade_ppm),
                                             N(mete_budget_spec, controls.grace_s),
                                             N(mete_budget_spec, controls.cooldown_s),
                                             N(mete_budget_spec, starts_at),
                                             N(mete_budget_spec, ends_at)};
static const struct field rate_fields[] = {
    T(mete_rate_spec, id),         N(mete_rate_spec, scope),    N(mete_rate_spec, concurrent),
    N(mete_rate_spec, meter),      N(mete_rate_spec, currency), N(mete_rate_spec, limit),
    N(mete_rate_spec, period_ms),  N(mete_rate_spec, burst),    N(mete_rate_spec, mode),
    N(mete_rate_spec, matches_len)};
static const struct field grant_fields[] = {
    T(mete_grant_spec, id),         N(mete_grant_spec, scope),  N(mete_grant_spec, meter),
    N(mete_grant_spec, currency),   N(mete_grant_spec, amount), N(mete_grant_spec, priority),
    N(mete_grant_spec, expires_at), T(mete_grant_spec, source)};
static const struct field increase_fields[] = {
    N(mete_increase_spec, budget), N(mete_increase_spec, amount), N(mete_increase_spec, from),
    N(mete_increase_spec, until)};
static const struct field exchange_fields[] = {
    N(mete_exchange_spec, from), N(mete_exchange_spec, to), N(mete_exchange_spec, numerator),
    N(mete_exchange_spec, denominator), N(mete_exchange_spec, effective_at)};
static const struct field query_fields[] = {N(mete_query, kind),         N(mete_query, scope),
                                            N(mete_query, budget),       N(mete_query, reservation),
                                            N(mete_query, scope_kind),   T(mete_query, id),
                                            N(mete_query, organization), N(mete_query, meter),
                                            N(mete_query, currency),     N(mete_query, after)};

#define MANGLE(what, fields) mangle(what, fields, sizeof fields / sizeof fields[0])

static uint64_t dice, calls, errors, by_error[32];
static char printable[ROOM], odd[ROOM];
static struct mete *mete;
static struct mete_port *port;
static uint64_t latest; /* a reservation */

static uint64_t roll(uint64_t below)
{
    uint64_t z = dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static uint64_t odd_number(void)
{
    static const int64_t ends[] = {0,
                                   1,
                                   -1,
                                   2,
                                   63,
                                   64,
                                   65,
                                   1000000,
                                   1000001,
                                   86400,
                                   86401,
                                   31622400,
                                   31622401,
                                   86400001,
                                   INT32_MAX,
                                   UINT32_MAX,
                                   METE_USD,
                                   METE_CURRENCY('E', 'U', 'R'),
                                   METE_CURRENCY('e', 'U', 'R'),
                                   INT64_C(1000000000000000000),
                                   INT64_C(1000000000000000001),
                                   INT64_C(1790000100000000),
                                   METE_AMOUNT_MAX,
                                   METE_AMOUNT_MAX + 1,
                                   INT64_MAX,
                                   INT64_MIN,
                                   (int64_t)METE_FROM_CHANGE(0),
                                   (int64_t)METE_FROM_CHANGE(9)};
    uint64_t choice = roll(3);
    if (choice == 0)
        return roll(12);
    return choice == 1 ? (uint64_t)ends[roll(sizeof ends / sizeof ends[0])] : roll(UINT64_MAX);
}

static struct mete_text odd_text(void)
{
    static const size_t lens[] = {0, 1, 2, 64, 65, 117, 118, 128, 129, 4096, 4097, 16384, 16385};
    static const char *const words[] = {"key", "acme", "b1", "Europe/Berlin", "Nowhere/At_All",
                                        "*",   "gpt*", "g1"};
    if (roll(3) == 0)
        return help_text(words[roll(sizeof words / sizeof words[0])]);
    size_t len = lens[roll(sizeof lens / sizeof lens[0])];
    return (struct mete_text){roll(2) ? printable : odd + roll(64), len};
}

static void mangle_one(void *what, const struct field *field)
{
    char *at = (char *)what + field->at;
    if (field->sort == TEXT) {
        struct mete_text text = odd_text();
        memcpy(at, &text, sizeof text);
        return;
    }
    uint64_t number = odd_number();
    memcpy(at, &number, field->size < sizeof number ? field->size : sizeof number);
}

static void mangle(void *what, const struct field *fields, size_t len)
{
    for (uint64_t left = roll(3); left; left--)
        mangle_one(what, &fields[roll(len)]);
}

/* ---- Calls: what would be well, and then something of it is not ------------------------------ */

static struct mete_demand demands[METE_DEMANDS_MAX + 1];
static struct mete_usage usage[METE_DEMANDS_MAX + 1];
static struct mete_text tags[METE_TAGS_MAX + 1];

static size_t odd_len(size_t max)
{
    return roll(8) ? 1 + roll(2) : roll(2) ? 0 : max + 1;
}

static struct mete_reserve odd_reserve(void)
{
    for (size_t i = 0; i <= METE_DEMANDS_MAX; i++) {
        demands[i] = (struct mete_demand){(uint16_t)(i % 10), i % 10 ? 0 : METE_USD,
                                          (int64_t)roll(9), (int64_t)roll(3)};
        tags[i] = help_text("red");
    }
    if (roll(2))
        MANGLE(&demands[0], demand_fields);
    if (roll(4) == 0)
        tags[0] = odd_text();
    struct mete_reserve args = {.scope = {HELP_KEY},
                                .model = help_text("gpt-4o"),
                                .demands = demands,
                                .demands_len = odd_len(METE_DEMANDS_MAX),
                                .tags = tags,
                                .tags_len = roll(4) ? 0 : odd_len(METE_TAGS_MAX),
                                .ttl_ms = 60000};
    MANGLE(&args, reserve_fields);
    return args;
}

static int call_reserve(void)
{
    struct mete_verdict verdict;
    struct mete_refusal refusals[2];
    struct mete_reserve args = odd_reserve();
    int error = roll(4) ? mete_reserve(port, &args, refusals, 2, &verdict)
                        : mete_check(port, &args, refusals, 2, &verdict);
    if (!error && verdict.reservation.n)
        latest = verdict.reservation.n;
    return error;
}

static int call_extend(void)
{
    struct mete_verdict verdict;
    for (size_t i = 0; i <= METE_DEMANDS_MAX; i++)
        demands[i] = (struct mete_demand){(uint16_t)(i % 10), i % 10 ? 0 : METE_USD, 1, 0};
    if (roll(2))
        MANGLE(&demands[0], demand_fields);
    struct mete_extend args = {.reservation = {latest},
                               .demands = demands,
                               .demands_len = odd_len(METE_DEMANDS_MAX),
                               .ttl_ms = 1000};
    MANGLE(&args, extend_fields);
    return mete_extend(port, &args, NULL, 0, &verdict);
}

static size_t odd_usage(void)
{
    for (size_t i = 0; i <= METE_DEMANDS_MAX; i++)
        usage[i] = (struct mete_usage){(uint16_t)(i % 10), i % 10 ? 0 : METE_USD, (int64_t)roll(9)};
    if (roll(2))
        MANGLE(&usage[0], usage_fields);
    return odd_len(METE_DEMANDS_MAX);
}

static int call_end(void)
{
    struct mete_receipt receipt;
    struct mete_commit args = {.reservation = {latest}, .usage = usage, .usage_len = odd_usage()};
    if (roll(8) == 0)
        args.reservation.n = odd_number();
    MANGLE(&args.outcome, outcome_fields);
    return roll(6) ? mete_commit(port, &args, &receipt)
                   : mete_release(port, args.reservation, &receipt);
}

static int call_record(void)
{
    struct mete_receipt receipt;
    struct mete_record args = {.scope = {HELP_KEY},
                               .usage = usage,
                               .usage_len = odd_usage(),
                               .outcome = {.ending = METE_ENDED_RECORDED}};
    MANGLE(&args, record_fields);
    MANGLE(&args.outcome, outcome_fields);
    return mete_record(port, &args, &receipt);
}

static void fill_change(struct mete_change *change, char ids[3][16])
{
    snprintf(ids[0], 16, "%c%u", 's', (unsigned)roll(40));
    snprintf(ids[1], 16, "%c%u", 'b', (unsigned)roll(12));
    snprintf(ids[2], 16, "%c%u", 'g', (unsigned)roll(6));
    *change = help_budget(ids[1], 1 + (uint32_t)roll(4), METE_DAILY, 1000000);
    change->kind = (enum mete_change_kind)(1 + roll(METE_PUT_METER));
    change->scope = (struct mete_scope_spec){
        .kind = METE_API_KEY, .id = help_text(ids[0]), .organization = {1}, .parent = {HELP_USER}};
    change->budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, help_text("gpt*")};
    change->end.n = 1 + (uint32_t)roll(6);
    change->at.n = 5 + (uint32_t)roll(6);
    change->parent.n = HELP_USER;
    change->rate = (struct mete_rate_spec){.id = help_text(ids[1]),
                                           .scope = {1 + (uint32_t)roll(4)},
                                           .meter = METE_REQUESTS,
                                           .limit = 1000,
                                           .period_ms = 1000};
    change->rate.matches[0] = change->budget.matches[0];
    change->end_rate.n = 1 + (uint32_t)roll(4);
    change->grant = (struct mete_grant_spec){.id = help_text(ids[2]),
                                             .scope = {1 + (uint32_t)roll(4)},
                                             .meter = METE_IMAGES,
                                             .amount = 1000};
    change->refund.n = 1 + (uint32_t)roll(3);
    change->amount = 1;
    change->increase = (struct mete_increase_spec){.budget = {1 + (uint32_t)roll(4)},
                                                   .amount = 10,
                                                   .from = {INT64_C(1790000000000000)},
                                                   .until = {INT64_C(1799000000000000)}};
    change->end_increase = 1;
    change->exchange = (struct mete_exchange_spec){
        METE_USD, METE_CURRENCY('E', 'U', 'R'), 9, 10, {INT64_C(1790000000000000)}};
    change->meter = help_text(ids[0]);
}

static int call_apply(void)
{
    static char ids[2][3][16];
    struct mete_change changes[2];
    uint32_t handles[2];
    struct mete_applied applied;
    size_t len = 1 + roll(2);
    for (size_t i = 0; i < len; i++) {
        fill_change(&changes[i], ids[i]);
        if (roll(3) == 0)
            MANGLE(&changes[i], change_fields);
        MANGLE(&changes[i].scope, scope_fields);
        MANGLE(&changes[i].budget, budget_fields);
        MANGLE(&changes[i].rate, rate_fields);
        MANGLE(&changes[i].grant, grant_fields);
        MANGLE(&changes[i].increase, increase_fields);
        MANGLE(&changes[i].exchange, exchange_fields);
    }
    struct mete_apply args = {changes, roll(50) ? len : 0,
                              roll(20) ? help_text("root") : odd_text()};
    return mete_apply(port, &args, handles, &applied);
}

static int call_query(void)
{
    static struct mete_answer answer;
    static struct mete_budget_view budgets[2];
    static struct mete_rate_view rates[2];
    static struct mete_quota_view quotas[2];
    static struct mete_grant_view grants[2];
    static struct mete_reservation_view reservations[2];
    static struct mete_increase_view increases[2];
    static struct mete_exchange_view exchanges[2];
    struct mete_query args = {.kind = (enum mete_query_kind)(1 + roll(METE_QUERY_EXCHANGES)),
                              .scope = {1 + (uint32_t)roll(6)},
                              .budget = {1 + (uint32_t)roll(6)},
                              .reservation = {latest},
                              .scope_kind = METE_API_KEY,
                              .id = help_text("key"),
                              .organization = {1},
                              .budgets = budgets,
                              .budgets_max = roll(3),
                              .rates = rates,
                              .quotas = quotas,
                              .grants = grants,
                              .reservations = reservations,
                              .increases = increases,
                              .exchanges = exchanges,
                              .rows_max = roll(3),
                              .meter = METE_IMAGES};
    MANGLE(&args, query_fields);
    return mete_query(port, &args, &answer);
}

/* ---- All ------------------------------------------------------------------------------------- */

static int64_t now_us(void *user)
{
    (void)user;
    return INT64_C(1790000000000000);
}

static void hash(uint8_t ret_hash[32])
{
    struct mete_answer answer;
    if (help_ask(port, METE_QUERY_HASH, &answer))
        abort();
    memcpy(ret_hash, answer.hash, 32);
}

static bool is_told(int error)
{
    switch (error) {
    case 0:
    case METE_E_INVALID:
    case METE_E_NOT_FOUND:
    case METE_E_EXISTS:
    case METE_E_CONTENT:
    case METE_E_IN_FLIGHT:
    case METE_E_ENDED:
    case METE_E_FULL:
    case METE_E_TOO_LARGE:
    case METE_E_NOT_YET:
        return true;
    default:
        return false;
    }
}

static int run(uint64_t len)
{
    static int (*const all[])(void) = {call_reserve, call_extend, call_end,   call_record,
                                       call_apply,   call_apply,  call_apply, call_query};
    static const char *const names[] = {"reserve", "extend", "end",   "record",
                                        "apply",   "apply",  "apply", "query"};
    uint8_t before[32], after[32];
    hash(before);
    for (; calls < len; calls++) {
        size_t which = roll(sizeof all / sizeof all[0]);
        uint64_t seed = dice;
        int error = all[which]();
        hash(after);
        errors += error != 0;
        by_error[error < 0 && error > -32 ? -error : 0]++;
        if (!is_told(error) || (error && memcmp(before, after, sizeof before))) {
            fprintf(stderr, "nonsense: call %llu (%s, dice %llu): %s%s\n",
                    (unsigned long long)calls, names[which], (unsigned long long)seed,
                    mete_error_name(error), is_told(error) ? ", and something changed" : "");
            return 1;
        }
        memcpy(before, after, sizeof before);
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t len = 20000, seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--calls"))
            len = strtoull(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    dice = seed * 1000003;
    memset(printable, 'x', sizeof printable);
    for (size_t i = 0; i < ROOM; i++)
        odd[i] = (char)roll(256);
    struct mete_options options = {.owner = METE_OWNER_CALLER,
                                   .clock = {now_us, NULL},
                                   .no_audit = 1,
                                   .scopes_max = 64,
                                   .budgets_max = 64,
                                   .reservations_max = 256,
                                   .outcomes_max = 256};
    if (mete_open(&options, &mete) || mete_port_open(mete, &port) ||
        help_tree(port, INT64_C(1000000000000)))
        return 1;
    int failed = run(len);
    mete_port_close(port);
    mete_close(mete);
    printf("nonsense: seed %llu, %llu calls, %llu errors, %d differences\n",
           (unsigned long long)seed, (unsigned long long)calls, (unsigned long long)errors, failed);
    return failed;
}
