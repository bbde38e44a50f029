/* SPDX-License-Identifier: Apache-2.0
 * Idea: an entry is its kind, the time since the entry before it, and its fields in a fixed order,
 * each a varint or a text with its length (docs/journal-format.md has the table). There is one way
 * to write an entry: whatever reads back without a fault writes the same bytes again, so that a
 * chain hash over bytes is a hash over meaning.
 *
 * Reading trusts nothing: every number is held against its range here, so that the ledger has to
 * ask only whether an entry fits its state. A fault sets reader.bad, later reads give zeros, and
 * one look at the end tells.
 *
 * Considered and not done: fixed-size structs (a plain reserve would be 150 bytes instead of 60);
 * a general format such as CBOR (names or tags in every entry, and many ways to say one thing). */
#include "base/details.h"
#include "ledger/entry_bytes.h"

/* Bits of the byte that opens a reserve. */
enum {
    HAS_ID = 1,
    IS_CALL = 2,
    CHARGES = 4,
    HAS_GRANT = 8,
    HAS_SESSION = 16,
    HAS_TAGS = 32,
    HAS_CONTENT = 64, /* though no id */
    RESERVE_BITS = 127
};

/* An outcome has no such byte; its flags tell, above those of mete.h. */
enum {
    OUTCOME_FLAGS = METE_OUTCOME_PROVISIONAL | METE_OUTCOME_COUNTED,
    RECORD_HAS_SESSION = 4,
    RECORD_HAS_TAGS = 8,
    HAS_DETAILS = 16
};

enum {
    FIXED_MAX = 40 * VARINT_MAX, /* all that is not text or an amount, of the largest entry */
    AMOUNT_MAX = 3 * VARINT_MAX,
    SLOT_BITS = 28, /* of a reservation's id; the rest is its generation */
    GENERATION_BITS = 64 - SLOT_BITS
};

/* ---- Ranges ---------------------------------------------------------------------------------- */

bool entry_is_id(struct slice id)
{
    if (id.len < 1 || id.len > LIMIT_ID)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] < 0x21 || id.data[i] > 0x7e)
            return false;
    return true;
}

bool entry_is_unit(uint16_t meter, uint32_t currency)
{
    if (meter != METE_COST)
        return currency == 0 && (meter < METE_METERS_BUILTIN || meter >= METE_METER_CUSTOM);
    for (unsigned shift = 0; shift <= 16; shift += 8) {
        uint32_t letter = currency >> shift & 0xff;
        if (letter < 'A' || letter > 'Z')
            return false;
    }
    return currency >> 24 == 0;
}

bool entry_is_window(int64_t start_us, int64_t end_us)
{
    if (end_us == INT64_MAX)
        return start_us == 0;
    return start_us >= 0 && end_us > start_us && end_us <= ENTRY_INSTANT_MAX_US;
}

bool entry_is_thresholds(const uint32_t *ppm, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (ppm[i] < 1 || ppm[i] > 1000000 || (i > 0 && ppm[i] <= ppm[i - 1]))
            return false;
    return true;
}

bool entry_is_controls(const struct mete_controls *controls)
{
    enum { PPM = 1000000 };
    return controls->throttle_ppm <= PPM && controls->throttle_rate_ppm <= PPM &&
           (controls->throttle_ppm || !controls->throttle_rate_ppm) && controls->stop_ppm <= PPM &&
           controls->downgrade_ppm <= PPM && controls->grace_s <= LIMIT_CONTROL_S &&
           controls->cooldown_s <= LIMIT_CONTROL_S;
}

bool entry_is_dates(const struct mete_budget_spec *spec)
{
    int64_t starts_us = spec->starts_at.us, ends_us = spec->ends_at.us;
    return starts_us >= 0 && ends_us >= 0 && starts_us <= ENTRY_INSTANT_MAX_US &&
           ends_us <= ENTRY_INSTANT_MAX_US && (!ends_us || starts_us < ends_us) &&
           (!starts_us || !spec->rollover_cap);
}

bool entry_is_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return true;
}

bool entry_is_match(const struct mete_match *match)
{
    return match->kind >= METE_MATCH_MODEL && match->kind <= METE_MATCH_SESSION &&
           match->pattern.len >= 1 && match->pattern.len <= LIMIT_SESSION &&
           entry_is_text(of_text(match->pattern));
}

bool entry_is_rate(const struct mete_rate_spec *spec)
{
    if (spec->limit < 0 || spec->limit > METE_AMOUNT_MAX)
        return false;
    if (spec->concurrent)
        return spec->concurrent == 1;
    if (!entry_is_unit(spec->meter, spec->currency) || spec->period_ms < 1 ||
        spec->period_ms > LIMIT_RATE_PERIOD_MS || spec->burst < 0 || spec->burst > METE_AMOUNT_MAX)
        return false;
    return (int128)max_i64(spec->limit, spec->burst) * spec->period_ms * 1000 < ENTRY_DEBT_MAX;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_name(struct writer *w, const struct entry_name *name)
{
    write_varint(w, name->n);
    if (name->n)
        write_slice(w, name->text);
}

static void write_amounts(struct writer *w, const struct entry_amount *amounts, uint32_t len)
{
    ASSERT(len <= METE_DEMANDS_MAX);
    write_varint(w, len);
    for (uint32_t i = 0; i < len; i++) {
        write_varint(w, amounts[i].meter);
        if (amounts[i].meter == METE_COST)
            write_varint(w, amounts[i].currency);
        write_varint(w, (uint64_t)amounts[i].amount);
    }
}

static void write_tags(struct writer *w, const struct entry_tags *tags)
{
    ASSERT(tags->len <= METE_TAGS_MAX);
    write_varint(w, tags->len);
    for (size_t i = 0; i < tags->len; i++)
        write_slice(w, tags->texts[i]);
}

static void write_outcome(struct writer *w, const struct entry_outcome *outcome, uint32_t more)
{
    write_varint(w, (uint64_t)outcome->ending);
    write_varint(w, outcome->flags | more | (outcome->details.len ? HAS_DETAILS : 0));
    write_varint(w, outcome->status);
    write_varint(w, outcome->attempts);
    write_varint(w, outcome->latency_ms);
    write_varint(w, outcome->first_token_ms);
    write_name(w, &outcome->price_list);
    write_slice(w, outcome->note);
    if (outcome->details.len)
        write_slice(w, outcome->details);
}

static void write_reserve(struct writer *w, const struct entry *entry)
{
    unsigned bits = entry->u.reserve.request_id.len ? HAS_ID : 0;
    bits |= entry->u.reserve.flags & METE_RESERVE_CALL ? IS_CALL : 0;
    bits |= entry->u.reserve.on_expiry == METE_EXPIRY_CHARGE ? CHARGES : 0;
    bits |= entry->u.reserve.granted ? HAS_GRANT : 0;
    bits |= entry->u.reserve.session.len ? HAS_SESSION : 0;
    bits |= entry->u.reserve.tags.len ? HAS_TAGS : 0;
    bits |= entry->u.reserve.content && !(bits & HAS_ID) ? HAS_CONTENT : 0; /* of a call */
    write_byte(w, (uint8_t)bits);
    write_reservation(w, entry->u.reserve.reservation);
    write_varint(w, entry->u.reserve.scope);
    if (bits & HAS_ID)
        write_slice(w, entry->u.reserve.request_id);
    if (bits & (HAS_ID | HAS_CONTENT))
        write_u64(w, entry->u.reserve.content);
    write_name(w, &entry->u.reserve.model);
    write_name(w, &entry->u.reserve.provider);
    if (bits & HAS_SESSION)
        write_slice(w, entry->u.reserve.session);
    if (bits & HAS_TAGS)
        write_tags(w, &entry->u.reserve.tags);
    if (bits & HAS_GRANT)
        write_varint(w, (uint64_t)entry->u.reserve.granted);
    write_varint(w, (uint64_t)((entry->u.reserve.expires_at_us - entry->at_us) / 1000));
    write_amounts(w, entry->u.reserve.amounts, entry->u.reserve.amounts_len);
}

static bool names_rate(const struct mete_refusal *refusal)
{
    return refusal->reason == METE_RATE_LIMIT || refusal->reason == METE_CONCURRENCY;
}

static void write_refuse(struct writer *w, const struct entry *entry)
{
    const struct mete_refusal *primary = &entry->u.refuse.primary;
    write_varint(w, entry->u.refuse.scope);
    write_slice(w, entry->u.refuse.request_id);
    write_u64(w, entry->u.refuse.content);
    write_varint(w, (uint64_t)entry->u.refuse.retry_at_us);
    write_varint(w, (uint64_t)primary->reason);
    write_varint(w, primary->scope.n);
    write_varint(w, primary->budget.n);
    write_varint(w, primary->meter);
    write_varint(w, primary->currency);
    write_varint(w, (uint64_t)primary->limit);
    write_varint(w, (uint64_t)primary->committed);
    write_varint(w, (uint64_t)primary->held);
    write_varint(w, (uint64_t)primary->asked);
    write_varint(w, (uint64_t)primary->resets_at.us);
    if (names_rate(primary))
        write_varint(w, primary->rate.n);
}

static void write_record(struct writer *w, const struct entry *entry)
{
    uint32_t more = entry->u.record.session.len ? RECORD_HAS_SESSION : 0;
    more |= entry->u.record.tags.len ? RECORD_HAS_TAGS : 0;
    write_varint(w, entry->u.record.scope);
    write_slice(w, entry->u.record.request_id);
    if (entry->u.record.request_id.len)
        write_u64(w, entry->u.record.content);
    write_name(w, &entry->u.record.model);
    write_name(w, &entry->u.record.provider);
    write_amounts(w, entry->u.record.amounts, entry->u.record.amounts_len);
    write_outcome(w, &entry->u.record.outcome, more);
    if (more & RECORD_HAS_SESSION)
        write_slice(w, entry->u.record.session);
    if (more & RECORD_HAS_TAGS)
        write_tags(w, &entry->u.record.tags);
}

static void write_extend(struct writer *w, const struct entry *entry)
{
    write_byte(w, entry->u.extend.shrinks);
    write_reservation(w, entry->u.extend.reservation);
    write_varint(w, (uint64_t)entry->u.extend.granted);
    write_varint(w, (uint64_t)entry->u.extend.expires_at_us);
    write_amounts(w, entry->u.extend.amounts, entry->u.extend.amounts_len);
}

/* Added to a base's last entry: the audit log's hash follows. */
#define HAS_AUDIT (UINT64_C(1) << 62)

static void write_base(struct writer *w, const struct entry *entry)
{
    ASSERT(entry->u.base.seq < HAS_AUDIT);
    write_varint(w, entry->u.base.seq + (entry->u.base.has_audit ? HAS_AUDIT : 0));
    write_bytes(w, (struct slice){(const char *)entry->u.base.hash, sizeof entry->u.base.hash});
    if (entry->u.base.has_audit)
        write_bytes(w,
                    (struct slice){(const char *)entry->u.base.audit, sizeof entry->u.base.audit});
}

void entry_write(struct writer *w, const struct entry *entry, int64_t last_at_us)
{
    write_byte(w, (uint8_t)entry->kind);
    write_zigzag(w, entry->at_us - last_at_us);
    switch ((int)entry->kind) {
    case ENTRY_GENESIS:
        write_varint(w, entry->u.genesis.format);
        write_bytes(w, (struct slice){(const char *)entry->u.genesis.installation, 16});
        return;
    case ENTRY_RESERVE:
        write_reserve(w, entry);
        return;
    case ENTRY_REFUSE:
        write_refuse(w, entry);
        return;
    case ENTRY_COMMIT:
        write_reservation(w, entry->u.commit.reservation);
        write_amounts(w, entry->u.commit.amounts, entry->u.commit.amounts_len);
        write_outcome(w, &entry->u.commit.outcome, 0);
        return;
    case ENTRY_RELEASE:
    case ENTRY_EXPIRE:
        write_reservation(w, entry->u.end.reservation);
        return;
    case ENTRY_RECORD:
        write_record(w, entry);
        return;
    case ENTRY_EXTEND:
        write_extend(w, entry);
        return;
    case ENTRY_CORRECT:
        write_reservation(w, entry->u.correct.reservation);
        write_amounts(w, entry->u.correct.amounts, entry->u.correct.amounts_len);
        write_outcome(w, &entry->u.correct.outcome, 0);
        return;
    case ENTRY_BASE:
        write_base(w, entry);
        return;
    default: {
        bool is_written = entry_write_change(w, entry);
        ASSERT(is_written);
    }
    }
}

static size_t tags_size(const struct entry_tags *tags)
{
    size_t len = VARINT_MAX;
    for (size_t i = 0; i < tags->len; i++)
        len += VARINT_MAX + tags->texts[i].len;
    return len;
}

static size_t outcome_text_len(const struct entry_outcome *outcome)
{
    return outcome->price_list.text.len + outcome->note.len + outcome->details.len;
}

size_t entry_size_max(const struct entry *entry)
{
    size_t len = 1 + FIXED_MAX;
    switch ((int)entry->kind) {
    case ENTRY_RESERVE:
        len += entry->u.reserve.request_id.len + entry->u.reserve.model.text.len +
               entry->u.reserve.provider.text.len + entry->u.reserve.session.len +
               tags_size(&entry->u.reserve.tags) + entry->u.reserve.amounts_len * AMOUNT_MAX;
        break;
    case ENTRY_REFUSE:
        len += entry->u.refuse.request_id.len;
        break;
    case ENTRY_COMMIT:
        len +=
            entry->u.commit.amounts_len * AMOUNT_MAX + outcome_text_len(&entry->u.commit.outcome);
        break;
    case ENTRY_RECORD:
        len += entry->u.record.request_id.len + entry->u.record.model.text.len +
               entry->u.record.provider.text.len + entry->u.record.session.len +
               tags_size(&entry->u.record.tags) + entry->u.record.amounts_len * AMOUNT_MAX +
               outcome_text_len(&entry->u.record.outcome);
        break;
    case ENTRY_EXTEND:
        len += entry->u.extend.amounts_len * AMOUNT_MAX;
        break;
    case ENTRY_CORRECT:
        len +=
            entry->u.correct.amounts_len * AMOUNT_MAX + outcome_text_len(&entry->u.correct.outcome);
        break;
    default:
        len += entry_change_size(entry);
        break;
    }
    return len;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* A request id, which may be missing. */
static struct slice read_request_id(struct reader *r)
{
    struct slice id = read_slice(r, LIMIT_ID);
    require(r, id.len == 0 || entry_is_id(id));
    return id;
}

static struct entry_name read_name(struct reader *r, size_t len_max)
{
    struct entry_name name = {.n = (uint32_t)read_max(r, ENTRY_NAME_WHOLE)};
    if (name.n)
        name.text = read_slice(r, len_max);
    require(r, name.n != ENTRY_NAME_WHOLE || name.text.len > 0);
    return name;
}

static uint32_t read_amounts(struct reader *r, struct entry_amount *ret_amounts)
{
    uint32_t len = (uint32_t)read_max(r, METE_DEMANDS_MAX);
    for (uint32_t i = 0; i < len && !r->bad; i++) {
        struct entry_amount *amount = &ret_amounts[i];
        amount->meter = (uint16_t)read_max(r, UINT16_MAX);
        amount->currency = amount->meter == METE_COST ? read_u32(r) : 0;
        amount->amount = (int64_t)read_max(r, METE_AMOUNT_MAX);
        require(r, entry_is_unit(amount->meter, amount->currency));
        for (uint32_t j = 0; j < i; j++)
            require(r, ret_amounts[j].meter != amount->meter ||
                           ret_amounts[j].currency != amount->currency);
    }
    return r->bad ? 0 : len;
}

/* A session or tag that is said to be there. */
static struct slice read_session(struct reader *r)
{
    struct slice text = read_slice(r, LIMIT_SESSION);
    require(r, text.len > 0);
    return text;
}

static void read_tags(struct reader *r, struct entry_tags *ret_tags)
{
    ret_tags->len = (size_t)read_max(r, METE_TAGS_MAX);
    require(r, ret_tags->len > 0);
    for (size_t i = 0; i < ret_tags->len; i++)
        ret_tags->texts[i] = read_session(r);
}

static struct slice read_details(struct reader *r)
{
    struct mete_part parts[METE_PARTS_MAX];
    struct mete_details details;
    struct slice packed = read_slice(r, DETAILS_MAX);
    require(r, packed.len > 0 && details_read(packed, parts, &details));
    return packed;
}

/* may: those flags that may be set. */
static struct entry_outcome read_outcome(struct reader *r, uint32_t may)
{
    struct entry_outcome outcome = {0};
    outcome.ending = (enum mete_ending)read_max(r, METE_ENDINGS - 1);
    uint32_t flags = read_u32(r);
    require(r, !(flags & ~(may | HAS_DETAILS)));
    outcome.flags = flags & may;
    outcome.status = (uint16_t)read_max(r, UINT16_MAX);
    outcome.attempts = (uint16_t)read_max(r, UINT16_MAX);
    outcome.latency_ms = read_u32(r);
    outcome.first_token_ms = read_u32(r);
    outcome.price_list = read_name(r, LIMIT_PROVIDER);
    outcome.note = read_slice(r, LIMIT_NOTE);
    if (flags & HAS_DETAILS)
        outcome.details = read_details(r);
    return outcome;
}

static void read_reserve(struct reader *r, struct entry *entry)
{
    unsigned bits = read_byte(r);
    require(r, bits <= RESERVE_BITS);
    entry->u.reserve.reservation = read_reservation(r);
    entry->u.reserve.scope = read_handle(r);
    entry->u.reserve.request_id = (struct slice){0};
    entry->u.reserve.content = 0;
    if (bits & HAS_ID) {
        entry->u.reserve.request_id = read_request_id(r);
        require(r, entry->u.reserve.request_id.len > 0);
    }
    if (bits & (HAS_ID | HAS_CONTENT))
        entry->u.reserve.content = read_u64(r);
    bool may = bits & IS_CALL && !(bits & HAS_ID) && entry->u.reserve.content;
    require(r, may || !(bits & HAS_CONTENT));
    entry->u.reserve.model = read_name(r, LIMIT_ID);
    entry->u.reserve.provider = read_name(r, LIMIT_PROVIDER);
    entry->u.reserve.session = bits & HAS_SESSION ? read_session(r) : (struct slice){0};
    entry->u.reserve.tags.len = 0;
    if (bits & HAS_TAGS)
        read_tags(r, &entry->u.reserve.tags);
    entry->u.reserve.flags = bits & IS_CALL ? METE_RESERVE_CALL : 0;
    entry->u.reserve.on_expiry = bits & CHARGES ? METE_EXPIRY_CHARGE : METE_EXPIRY_RELEASE;
    entry->u.reserve.granted = bits & HAS_GRANT ? read_i64(r) : 0;
    require(r, !(bits & HAS_GRANT) || entry->u.reserve.granted > 0);
    int64_t ttl_ms = (int64_t)read_max(r, LIMIT_HOLD_MS);
    require(r, ttl_ms > 0);
    entry->u.reserve.expires_at_us = entry->at_us + ttl_ms * 1000;
    entry->u.reserve.amounts_len = read_amounts(r, entry->u.reserve.amounts);
    require(r, entry->u.reserve.amounts_len > 0);
}

static void read_refuse(struct reader *r, struct entry *entry)
{
    struct mete_refusal *primary = &entry->u.refuse.primary;
    *primary = (struct mete_refusal){0};
    entry->u.refuse.scope = read_handle(r);
    entry->u.refuse.request_id = read_request_id(r);
    require(r, entry->u.refuse.request_id.len > 0);
    entry->u.refuse.content = read_u64(r);
    entry->u.refuse.retry_at_us = read_i64(r);
    primary->reason = (enum mete_reason)read_max(r, METE_REASONS - 1);
    primary->scope.n = read_u32(r);
    primary->budget.n = read_u32(r);
    primary->meter = (uint16_t)read_max(r, UINT16_MAX);
    primary->currency = read_u32(r);
    primary->limit = read_i64(r);
    primary->committed = read_i64(r);
    primary->held = read_i64(r);
    primary->asked = read_i64(r);
    primary->resets_at.us = read_i64(r);
    primary->rate.n = names_rate(primary) ? read_handle(r) : 0;
}

static void read_record(struct reader *r, struct entry *entry)
{
    entry->u.record.scope = read_handle(r);
    entry->u.record.request_id = read_request_id(r);
    entry->u.record.content = entry->u.record.request_id.len ? read_u64(r) : 0;
    entry->u.record.model = read_name(r, LIMIT_ID);
    entry->u.record.provider = read_name(r, LIMIT_PROVIDER);
    entry->u.record.amounts_len = read_amounts(r, entry->u.record.amounts);
    require(r, entry->u.record.amounts_len > 0);
    entry->u.record.outcome = read_outcome(r, OUTCOME_FLAGS | RECORD_HAS_SESSION | RECORD_HAS_TAGS);
    uint32_t flags = entry->u.record.outcome.flags;
    entry->u.record.outcome.flags = flags & OUTCOME_FLAGS;
    entry->u.record.session = flags & RECORD_HAS_SESSION ? read_session(r) : (struct slice){0};
    entry->u.record.tags.len = 0;
    if (flags & RECORD_HAS_TAGS)
        read_tags(r, &entry->u.record.tags);
}

static void read_extend(struct reader *r, struct entry *entry)
{
    unsigned shrinks = read_byte(r);
    require(r, shrinks <= 1);
    entry->u.extend.shrinks = shrinks == 1;
    entry->u.extend.reservation = read_reservation(r);
    entry->u.extend.granted = read_i64(r);
    entry->u.extend.expires_at_us =
        (int64_t)read_max(r, ENTRY_INSTANT_MAX_US + LIMIT_HOLD_MS * INT64_C(1000));
    entry->u.extend.amounts_len = read_amounts(r, entry->u.extend.amounts);
}

static void read_hash(struct reader *r, uint8_t ret_hash[32])
{
    struct slice bytes = read_bytes(r, 32);
    if (bytes.len)
        memcpy(ret_hash, bytes.data, bytes.len);
}

static void read_base(struct reader *r, struct entry *entry)
{
    uint64_t seq = read_max(r, 2 * HAS_AUDIT - 1);
    entry->u.base.seq = seq % HAS_AUDIT;
    entry->u.base.has_audit = seq >= HAS_AUDIT;
    read_hash(r, entry->u.base.hash);
    memset(entry->u.base.audit, 0, sizeof entry->u.base.audit);
    if (entry->u.base.has_audit)
        read_hash(r, entry->u.base.audit);
}

/* The fields of entry->kind. false: no such kind. */
static bool read_fields(struct reader *r, struct entry *entry)
{
    struct slice bytes;
    switch ((int)entry->kind) {
    case ENTRY_GENESIS:
        entry->u.genesis.format = read_u32(r);
        bytes = read_bytes(r, sizeof entry->u.genesis.installation);
        if (bytes.len)
            memcpy(entry->u.genesis.installation, bytes.data, bytes.len);
        return true;
    case ENTRY_RESERVE:
        read_reserve(r, entry);
        return true;
    case ENTRY_REFUSE:
        read_refuse(r, entry);
        return true;
    case ENTRY_COMMIT:
        entry->u.commit.reservation = read_reservation(r);
        entry->u.commit.amounts_len = read_amounts(r, entry->u.commit.amounts);
        entry->u.commit.outcome = read_outcome(r, OUTCOME_FLAGS);
        return true;
    case ENTRY_RELEASE:
    case ENTRY_EXPIRE:
        entry->u.end.reservation = read_reservation(r);
        return true;
    case ENTRY_RECORD:
        read_record(r, entry);
        return true;
    case ENTRY_EXTEND:
        read_extend(r, entry);
        return true;
    case ENTRY_CORRECT:
        entry->u.correct.reservation = read_reservation(r);
        entry->u.correct.amounts_len = read_amounts(r, entry->u.correct.amounts);
        entry->u.correct.outcome = read_outcome(r, OUTCOME_FLAGS);
        return true;
    case ENTRY_BASE:
        read_base(r, entry);
        return true;
    default:
        return entry_read_change(r, entry);
    }
}

int entry_read(struct reader *r, int64_t last_at_us, struct entry *ret_entry)
{
    /* In place, and not set to zero first: an entry has over 1,000 bytes and a recovery reads
     * millions. */
    unsigned kind = read_byte(r);
    if (r->bad || kind == ENTRY_NONE)
        return METE_E_CORRUPT;
    if (kind >= ENTRY_KINDS)
        return METE_E_FORMAT;
    ret_entry->kind = (enum entry_kind)kind;
    ret_entry->seq = 0;
    int64_t step_us = read_zigzag(r);
    if (__builtin_add_overflow(last_at_us, step_us, &ret_entry->at_us) || ret_entry->at_us < 0 ||
        ret_entry->at_us > ENTRY_INSTANT_MAX_US)
        return METE_E_CORRUPT;
    if (!read_fields(r, ret_entry) || r->bad)
        return METE_E_CORRUPT;
    ASSERT(r->at <= r->end);
    return 0;
}
