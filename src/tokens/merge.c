/* SPDX-License-Identifier: Apache-2.0
 * Three ways to merge bytes, all with the same outcome:
 *
 *   few      up to 62 bytes: the places that are left are the bits of a word, the lowest rank is
 *            found by looking at all
 *   repeats  where bytes stand in rows of equal ones ("=====", "----"): a row is one entry, and
 *            one merge is made in all of it at once, so that 64 equal bytes cost six steps
 *   many     any number: a tree of minima, 16 to a node, over the ranks of all pairs
 *
 * A merge's product ranks after what it was made of. So all merges of one rank are made before any
 * that they allow, and the order among them matters only where they overlap: in a row of equals,
 * from the left.
 *
 * Longer pieces are made in steps (a run): each merges some bytes together with the last tokens
 * before them, and more of those as long as the seam does not hold. What the last step had to merge
 * again is the least that the next one adds, so all of them together are linear. A row of equal
 * bytes is a step of its own. And what repeats, token by token, is not merged at all: if a token
 * stands beside itself once, it may do so again.
 */
#include "tokens/merge.h"

#include "base/assert.h"
#include "base/errors.h"

#include <stdlib.h>

enum {
    PLACES = 64,       /* as a word has bits */
    SIDE_BY_SIDE = 16, /* pieces */
    NODE = 16,         /* children of a node in the tree */
    LEVELS = 7,        /* of the tree: for 2^24 bytes */
    REPEATS = 64       /* rows of equal tokens */
};

static inline int32_t least_of(const int32_t *keys)
{
    int32_t a = keys[0], b = keys[1], c = keys[2], d = keys[3];
    for (int i = 4; i < NODE; i += 4) {
        a = keys[i] < a ? keys[i] : a;
        b = keys[i + 1] < b ? keys[i + 1] : b;
        c = keys[i + 2] < c ? keys[i + 2] : c;
        d = keys[i + 3] < d ? keys[i + 3] : d;
    }
    a = b < a ? b : a;
    c = d < c ? d : c;
    return c < a ? c : a;
}

/* ---- Few ------------------------------------------------------------------------------------- */

/* Places 1 to len are the bytes'; the one before and the one behind are of no token, so that each
 * has neighbours. */
struct few {
    int32_t keys[PLACES]; /* rank of the pair that begins here << 6 | place */
    uint32_t tokens[PLACES];
    uint64_t left; /* places where a token begins */
    uint32_t places;
    uint32_t before, place, behind; /* the last merge's, and its neighbours' */
    const uint64_t *pair_before, *pair_behind;
};

static int32_t few_key(uint32_t rank, uint32_t place)
{
    return (int32_t)(rank << 6 | place);
}

static void few_open(const struct vocabulary *v, struct few *few, struct slice bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.data;
    uint32_t len = (uint32_t)bytes.len;
    ASSERT(len > 0 && len <= MERGE_FEW);
    few->places = (len + 2 + NODE - 1) / NODE * NODE;
    few->left = UINT64_MAX >> (PLACES - len - 2);
    few->tokens[0] = few->tokens[len + 1] = VOCABULARY_NONE;
    few->keys[0] = INT32_MAX;
    for (uint32_t i = len; i < few->places; i++)
        few->keys[i] = INT32_MAX;
    for (uint32_t i = 0; i < len; i++)
        few->tokens[i + 1] = v->of_byte[at[i]];
    for (uint32_t i = 0; i + 1 < len; i++)
        few->keys[i + 1] = few_key(v->of_bytes[at[i] * 256 + at[i + 1]], i + 1);
}

/* Makes the next merge, up to what it makes possible with its neighbours. False: there is none. */
static inline bool few_merge(const struct vocabulary *v, struct few *few)
{
    int32_t least = least_of(few->keys);
    for (uint32_t i = NODE; i < few->places; i += NODE) {
        int32_t other = least_of(few->keys + i);
        least = other < least ? other : least;
    }
    if (least >= few_key(VOCABULARY_NONE, 0))
        return false;
    uint32_t place = (uint32_t)least & (PLACES - 1), rank = (uint32_t)least >> 6;
    uint64_t behind = few->left & UINT64_MAX << place << 1;
    uint32_t second = (uint32_t)__builtin_ctzll(behind);
    few->before = 63 - (uint32_t)__builtin_clzll(few->left & ((UINT64_C(1) << place) - 1));
    few->place = place;
    few->behind = (uint32_t)__builtin_ctzll(behind & (behind - 1));
    few->left ^= UINT64_C(1) << second;
    few->tokens[place] = rank;
    few->keys[second] = INT32_MAX;
    few->pair_before = vocabulary_look_pair(v, few->tokens[few->before], rank);
    few->pair_behind = vocabulary_look_pair(v, rank, few->tokens[few->behind]);
    return true;
}

/* The rest of it. */
static inline void few_merged(struct few *few)
{
    uint32_t rank = few->tokens[few->place];
    few->keys[few->place] =
        few_key(vocabulary_of_pair(few->pair_behind, rank, few->tokens[few->behind]), few->place);
    few->keys[few->before] =
        few_key(vocabulary_of_pair(few->pair_before, few->tokens[few->before], rank), few->before);
}

static uint32_t few_tokens(const struct few *few, uint32_t *ret_tokens)
{
    uint32_t made = 0;
    uint64_t left = few->left & (few->left - 1);
    for (; left & (left - 1); left &= left - 1)
        ret_tokens[made++] = few->tokens[__builtin_ctzll(left)];
    return made;
}

static uint32_t merge_few(const struct vocabulary *v, struct slice bytes, uint32_t *ret_tokens)
{
    struct few few;
    few_open(v, &few, bytes);
    while (few_merge(v, &few))
        few_merged(&few);
    return few_tokens(&few, ret_tokens);
}

/* ret_tokens: NULL, their number is enough. */
static inline void several(const struct vocabulary *v, const struct slice *pieces, unsigned len,
                           uint32_t *const *ret_tokens, unsigned *ret_counts)
{
    struct few places[SIDE_BY_SIDE], *open[SIDE_BY_SIDE];
    unsigned of[SIDE_BY_SIDE], open_len = 0, begun = 0;
    for (; begun < len && begun < SIDE_BY_SIDE; begun++) {
        open[open_len] = places + begun;
        of[open_len++] = begun;
        few_open(v, places + begun, pieces[begun]);
    }
    while (open_len) {
        for (unsigned i = 0; i < open_len;) {
            if (few_merge(v, open[i])) {
                i++;
                continue;
            }
            ret_counts[of[i]] = ret_tokens ? few_tokens(open[i], ret_tokens[of[i]])
                                           : (unsigned)__builtin_popcountll(open[i]->left) - 2;
            if (begun < len) { /* the next one takes its place */
                of[i] = begun;
                few_open(v, open[i], pieces[begun++]);
            } else {
                of[i] = of[--open_len];
                open[i] = open[open_len];
            }
        }
        for (unsigned i = 0; i < open_len; i++)
            few_merged(open[i]);
    }
}

void merge_several(const struct vocabulary *v, const struct slice *pieces, unsigned len,
                   unsigned *ret_counts)
{
    several(v, pieces, len, NULL, ret_counts);
}

void merge_several_tokens(const struct vocabulary *v, const struct slice *pieces, unsigned len,
                          uint32_t *const *ret_tokens, unsigned *ret_counts)
{
    several(v, pieces, len, ret_tokens, ret_counts);
}

/* ---- Repeats --------------------------------------------------------------------------------- */

/* What two pairs merge into is kept, since a row and its neighbours seldom change. */
struct repeat {
    uint32_t token, times;
    uint32_t within;     /* of two of it; UNKNOWN */
    uint32_t next, over; /* of its last one and the token next */
};
struct repeats {
    struct repeat rows[REPEATS]; /* neighbours differ */
    uint32_t len;
    bool full;
};
enum { UNKNOWN = VOCABULARY_NONE + 1 }; /* neither a token nor none */

static void repeats_add(struct repeats *repeats, const struct repeat *row, uint32_t times)
{
    struct repeat *last = repeats->rows + repeats->len;
    if (times == 0)
        return;
    if (repeats->len && last[-1].token == row->token) {
        times += last[-1].times;
        last--;
    } else if (repeats->len == REPEATS) {
        repeats->full = true;
        return;
    } else {
        repeats->len++;
    }
    *last = *row;
    last->times = times;
}

static void repeats_add_token(struct repeats *repeats, uint32_t token, uint32_t times)
{
    repeats_add(repeats, &(struct repeat){.token = token, .within = UNKNOWN, .next = UNKNOWN},
                times);
}

/* The pair of the lowest rank: within a row, or of a row's last and the next one's first. */
static uint32_t repeats_least(const struct vocabulary *v, struct repeats *repeats,
                              uint32_t *ret_left, uint32_t *ret_right)
{
    uint32_t least = VOCABULARY_NONE;
    for (uint32_t i = 0; i < repeats->len; i++) {
        struct repeat *row = repeats->rows + i;
        if (row->within == UNKNOWN && row->times > 1)
            row->within = vocabulary_pair(v, row->token, row->token);
        if (row->times > 1 && row->within < least) {
            least = row->within;
            *ret_left = *ret_right = row->token;
        }
        if (i + 1 == repeats->len)
            break;
        if (row->next != row[1].token) {
            row->next = row[1].token;
            row->over = vocabulary_pair(v, row->token, row->next);
        }
        if (row->over < least) {
            least = row->over;
            *ret_left = row->token;
            *ret_right = row->next;
        }
    }
    return least;
}

static void repeats_merge(const struct repeats *from, uint32_t left, uint32_t right, uint32_t made,
                          struct repeats *to)
{
    to->len = 0;
    to->full = false;
    uint32_t taken = 0; /* of this row's first ones */
    for (uint32_t i = 0; i < from->len; i++) {
        const struct repeat *row = from->rows + i;
        uint32_t times = row->times - taken;
        taken = 0;
        if (row->token == left && left == right) {
            repeats_add_token(to, made, times / 2);
            repeats_add(to, row, times % 2);
        } else if (row->token == left && i + 1 < from->len && row[1].token == right) {
            repeats_add(to, row, times - 1);
            repeats_add_token(to, made, 1);
            taken = 1;
        } else {
            repeats_add(to, row, times);
        }
    }
}

/* 0: the bytes do not repeat enough. */
static uint32_t merge_repeats(const struct vocabulary *v, const uint8_t *bytes, uint32_t len,
                              uint32_t *ret_tokens)
{
    struct repeats both[2], *now = both, *next = both + 1;
    uint32_t rows_max = len / 8 < REPEATS / 4 ? len / 8 : REPEATS / 4, made = 0;
    now->len = 0;
    now->full = false;
    for (uint32_t i = 0, end; i < len; i = end) {
        for (end = i + 1; end < len && bytes[end] == bytes[i];)
            end++;
        if (now->len >= rows_max)
            return 0;
        repeats_add_token(now, v->of_byte[bytes[i]], end - i);
    }
    uint32_t rank, left = 0, right = 0;
    while ((rank = repeats_least(v, now, &left, &right)) != VOCABULARY_NONE) {
        repeats_merge(now, left, right, rank, next);
        if (next->full)
            return 0;
        struct repeats *swap = now;
        now = next;
        next = swap;
    }
    for (uint32_t i = 0; i < now->len; i++) {
        for (uint32_t k = 0; k < now->rows[i].times; k++)
            ret_tokens[made++] = now->rows[i].token;
    }
    return made;
}

/* ---- Many ------------------------------------------------------------------------------------ */

/* Room for len bytes: keys, and bits of the places that are left. */
enum { MANY_KEYS = MERGE_MAX + MERGE_MAX / 15 + NODE * LEVELS };
static size_t many_keys(size_t len)
{
    return len + len / 15 + NODE * LEVELS;
}

struct many {
    int32_t *keys[LEVELS]; /* [0]: the rank of the pair that begins here; [1]: the least of 16 */
    uint32_t len[LEVELS];
    uint32_t levels;
    uint64_t *left;
    uint32_t *tokens;
};

static void many_set(struct many *many, uint32_t place, uint32_t rank)
{
    int32_t key = rank == VOCABULARY_NONE ? INT32_MAX : (int32_t)rank;
    many->keys[0][place] = key;
    for (uint32_t level = 1; level < many->levels; level++) {
        place /= NODE;
        key = least_of(many->keys[level - 1] + place * NODE);
        if (many->keys[level][place] == key)
            break;
        many->keys[level][place] = key;
    }
}

static void many_open(const struct vocabulary *v, struct many *many, const uint8_t *bytes,
                      uint32_t len, int32_t *room)
{
    many->levels = 0;
    for (uint32_t n = len; many->levels == 0 || n > 1; n = n / NODE) {
        n = (n + NODE - 1) / NODE * NODE;
        many->keys[many->levels] = room;
        many->len[many->levels++] = n;
        room += n;
    }
    many->keys[many->levels] = room; /* the root */
    many->len[many->levels++] = 1;
    for (uint32_t i = 0; i < many->len[0]; i++) {
        uint32_t rank = i + 1 < len ? v->of_bytes[bytes[i] * 256 + bytes[i + 1]] : VOCABULARY_NONE;
        many->keys[0][i] = rank == VOCABULARY_NONE ? INT32_MAX : (int32_t)rank;
    }
    for (uint32_t level = 1; level < many->levels; level++) {
        for (uint32_t i = 0; i < many->len[level]; i++)
            many->keys[level][i] = i * NODE < many->len[level - 1]
                                       ? least_of(many->keys[level - 1] + (size_t)i * NODE)
                                       : INT32_MAX;
    }
    for (uint32_t i = 0; i < len; i++)
        many->tokens[i] = v->of_byte[bytes[i]];
    memset(many->left, 0xFF, (len + 63) / 64 * sizeof *many->left);
    if (len % 64)
        many->left[len / 64] = (UINT64_C(1) << len % 64) - 1;
}

/* The next place that is left behind this one; len: none. */
static uint32_t many_after(const struct many *many, uint32_t place, uint32_t len)
{
    uint32_t word = place / 64;
    uint64_t bits = many->left[word] & UINT64_MAX << place % 64 << 1;
    while (!bits) {
        if (++word * 64 >= len)
            return len;
        bits = many->left[word];
    }
    return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

static uint32_t many_before(const struct many *many, uint32_t place)
{
    uint32_t word = place / 64;
    uint64_t bits = many->left[word] & ((UINT64_C(1) << place % 64) - 1);
    while (!bits) {
        ASSERT(word > 0);
        bits = many->left[--word];
    }
    return word * 64 + 63 - (uint32_t)__builtin_clzll(bits);
}

static uint32_t many_least(const struct many *many)
{
    uint32_t place = 0;
    int32_t least = many->keys[many->levels - 1][0];
    for (uint32_t level = many->levels - 1; level-- > 0;) {
        place *= NODE;
        while (many->keys[level][place] != least)
            place++;
    }
    return place;
}

static uint32_t merge_many(const struct vocabulary *v, const uint8_t *bytes, uint32_t len,
                           uint32_t *ret_tokens, int32_t *keys, uint64_t *left)
{
    struct many many = {.left = left, .tokens = ret_tokens};
    many_open(v, &many, bytes, len, keys);
    for (int32_t rank; (rank = many.keys[many.levels - 1][0]) != INT32_MAX;) {
        uint32_t place = many_least(&many), second = many_after(&many, place, len);
        uint32_t after = many_after(&many, second, len);
        many.left[second / 64] ^= UINT64_C(1) << second % 64;
        ret_tokens[place] = (uint32_t)rank;
        many_set(&many, second, VOCABULARY_NONE);
        many_set(&many, place,
                 after < len ? vocabulary_pair(v, (uint32_t)rank, ret_tokens[after])
                             : VOCABULARY_NONE);
        if (place) {
            uint32_t before = many_before(&many, place);
            many_set(&many, before, vocabulary_pair(v, ret_tokens[before], (uint32_t)rank));
        }
    }
    uint32_t made = 0;
    for (uint32_t place = 0; place < len; place = many_after(&many, place, len))
        ret_tokens[made++] = ret_tokens[place];
    return made;
}

/* ---- Any way --------------------------------------------------------------------------------- */

/* len <= MERGE_MAX */
static uint32_t merge_bytes(const struct vocabulary *v, struct slice bytes, uint32_t *ret_tokens)
{
    const uint8_t *at = (const uint8_t *)bytes.data;
    uint32_t len = (uint32_t)bytes.len, made;
    if (len >= 16 && (made = merge_repeats(v, at, len, ret_tokens)))
        return made;
    if (len <= MERGE_FEW)
        return merge_few(v, bytes, ret_tokens);
    int32_t keys[MANY_KEYS];
    uint64_t left[MERGE_MAX / 64];
    return merge_many(v, at, len, ret_tokens, keys, left);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static int make_room(struct merge_run *run, size_t len)
{
    if (run->room >= len)
        return 0;
    size_t room = run->room ? run->room : 64;
    while (room < len)
        room *= 2;
    uint32_t *tokens = realloc(run->tokens, room * sizeof *tokens);
    if (!tokens)
        return METE_E_MEMORY;
    run->tokens = tokens;
    run->room = room;
    return 0;
}

/* A run's new end: its tokens before `from` stay, and these come behind them. */
struct end {
    size_t from, bytes_len;
    uint32_t made;
    const uint32_t *tokens; /* in room, or in more */
    uint32_t room[MERGE_MAX];
    void *more; /* the caller's to free: what a change needs that reaches back over MERGE_MAX */
};

static void copy_bytes(const struct vocabulary *v, const struct merge_run *run, size_t from,
                       struct slice behind, char *ret_bytes, size_t len)
{
    size_t at = 0;
    for (size_t i = from; i < run->len; i++) {
        struct slice token = vocabulary_bytes(v, run->tokens[i]);
        size_t left = len - behind.len - at, take = token.len < left ? token.len : left;
        memcpy(ret_bytes + at, token.data, take);
        at += take;
    }
    if (behind.len)
        memcpy(ret_bytes + at, behind.data, behind.len);
}

/* Merges as many of the run's bytes from token `from` on as are to stay, and behind. */
static int merge_end(const struct vocabulary *v, const struct merge_run *run, struct slice behind,
                     struct end *end)
{
    size_t len = end->bytes_len;
    if (len <= MERGE_MAX) {
        char bytes[MERGE_MAX];
        copy_bytes(v, run, end->from, behind, bytes, len);
        end->made = len ? merge_bytes(v, (struct slice){bytes, len}, end->room) : 0;
        end->tokens = end->room;
        return 0;
    }
    free(end->more);
    size_t left_len = (len + 63) / 64, keys_len = many_keys(len);
    end->more = len < 1u << 24 ? malloc(left_len * 8 + keys_len * 4 + len * 5) : NULL;
    if (!end->more)
        return METE_E_MEMORY;
    uint64_t *left = end->more;
    int32_t *keys = (int32_t *)(left + left_len);
    uint32_t *tokens = (uint32_t *)(keys + keys_len);
    char *bytes = (char *)(tokens + len);
    copy_bytes(v, run, end->from, behind, bytes, len);
    end->made = merge_many(v, (const uint8_t *)bytes, (uint32_t)len, tokens, keys, left);
    end->tokens = tokens;
    return 0;
}

/* The end that the run has without its last drop bytes and with behind. */
static int find_end(const struct vocabulary *v, struct merge_run *run, size_t drop,
                    struct slice behind, struct end *end)
{
    size_t bytes_len = 0;
    end->from = run->len;
    while (bytes_len < drop) {
        ASSERT(end->from > 0);
        bytes_len += vocabulary_len(v, run->tokens[--end->from]);
    }
    for (size_t back = 2;; back *= 2) {
        for (size_t i = 0; i < back && end->from > 0; i++)
            bytes_len += vocabulary_len(v, run->tokens[--end->from]);
        end->bytes_len = bytes_len - drop + behind.len;
        run->work += end->bytes_len;
        int status = merge_end(v, run, behind, end);
        if (status)
            return status;
        if (end->from == 0 || end->made == 0 || end->tokens[0] == run->tokens[end->from] ||
            vocabulary_joins(v, run->tokens[end->from - 1], end->tokens[0]))
            return 0;
    }
}

static int put_end(const struct vocabulary *v, struct merge_run *run, size_t drop,
                   struct slice behind, size_t *ret_merged)
{
    struct end end;
    end.more = NULL;
    int status = find_end(v, run, drop, behind, &end);
    if (status == 0)
        status = make_room(run, end.from + end.made);
    if (status == 0) {
        memcpy(run->tokens + end.from, end.tokens, end.made * sizeof *end.tokens);
        run->len = end.from + end.made;
        *ret_merged = end.bytes_len;
    }
    free(end.more);
    return status;
}

/* Where the run's last tokens, but for three at most, stand twice, cycle of them: so they may stand
 * again. 0: nowhere. from: where in the text the run ends, and then where they do. */
static size_t find_again(const struct vocabulary *v, const struct merge_run *run, size_t cycle,
                         size_t *from)
{
    size_t last = run->len;
    for (int i = 0; i < 4 && last >= 2 * cycle; i++) {
        const uint32_t *end = run->tokens + last;
        if (memcmp(end - cycle, end - 2 * cycle, cycle * sizeof *end) == 0)
            return last;
        size_t len = vocabulary_len(v, run->tokens[--last]);
        if (len > *from)
            return 0;
        *from -= len;
    }
    return 0;
}

/* Bytes, from at on, that are the run's last tokens once more, one or two of them in turn; a few of
 * those last may be given up for it. All before at is the run's. Moves at. */
static int put_again(const struct vocabulary *v, struct merge_run *run, struct slice bytes,
                     size_t *at)
{
    for (size_t cycle = 1; cycle <= 2; cycle++) {
        size_t from = *at, last = find_again(v, run, cycle, &from);
        if (last == 0)
            continue;
        char unit[2 * VOCABULARY_LONGEST];
        size_t len = 0;
        for (size_t i = last - cycle; i < last; i++) {
            struct slice token = vocabulary_bytes(v, run->tokens[i]);
            memcpy(unit + len, token.data, token.len);
            len += token.len;
        }
        size_t to = from;
        while (bytes.len - to >= len && memcmp(bytes.data + to, unit, len) == 0)
            to += len;
        if (to <= *at)
            continue;
        size_t more = (to - from) / len * cycle;
        int status = make_room(run, last + more);
        if (status)
            return status;
        run->len = last + more;
        for (size_t i = last; i < run->len; i++)
            run->tokens[i] = run->tokens[i - cycle];
        *at = to;
        return 0;
    }
    return 0;
}

/* The bytes of tokens from *at on, at least 8 if there are as many. Moves at. */
static struct slice next_bytes(const struct vocabulary *v, const struct merge_run *run, size_t *at,
                               char room[VOCABULARY_LONGEST + 8])
{
    size_t len = 0;
    for (; *at < run->len && len < 8; ++*at) {
        struct slice bytes = vocabulary_bytes(v, run->tokens[*at]);
        memcpy(room + len, bytes.data, bytes.len);
        len += bytes.len;
    }
    return (struct slice){room, len};
}

/* As soon as the run ends in a token where the other has the same one, what follows it there
 * follows here. */
int merge_join(const struct vocabulary *v, struct merge_run *run, const struct merge_run *other)
{
    for (size_t i = 0; i < other->len;) {
        uint32_t last = run->len ? run->tokens[run->len - 1] : VOCABULARY_NONE;
        if (run->len == 0 ||
            (i ? last == other->tokens[i - 1] : vocabulary_joins(v, last, other->tokens[0]))) {
            int status = make_room(run, run->len + other->len - i);
            if (status)
                return status;
            memcpy(run->tokens + run->len, other->tokens + i,
                   (other->len - i) * sizeof *other->tokens);
            run->len += other->len - i;
            return 0;
        }
        char room[VOCABULARY_LONGEST + 8];
        size_t merged;
        int status = put_end(v, run, 0, next_bytes(v, other, &i, room), &merged);
        if (status)
            return status;
    }
    return 0;
}

/* Whether bytes are rows of equal ones, which are quicker merged one by one. */
static bool in_rows(struct slice bytes)
{
    size_t changes = 0;
    for (size_t i = 1; i < bytes.len; i++)
        changes += bytes.data[i] != bytes.data[i - 1];
    return changes < bytes.len / 2;
}

enum { ABREAST = 8, PART = NODE * 2 - 2, PART_LEAST = 12 /* bytes */ };

/* Merges ABREAST parts of bytes at once, so that one's look-ups are on their way while another's
 * are there, and joins them. Each ends between characters. Returns how many bytes that were in
 * *ret_taken; bytes has more than PART_LEAST for each. */
static int put_abreast(const struct vocabulary *v, struct merge_run *run, struct slice bytes,
                       size_t *ret_taken)
{
    struct few parts[ABREAST];
    unsigned open[ABREAST], open_len = ABREAST;
    size_t at = 0, most = bytes.len / ABREAST < PART ? bytes.len / ABREAST : PART;
    for (unsigned i = 0; i < ABREAST; i++) {
        size_t len = most;
        while (len > most - 4 && at + len < bytes.len &&
               ((uint8_t)bytes.data[at + len] & 0xC0) == 0x80)
            len--;
        few_open(v, parts + i, slice_part(bytes, at, len));
        open[i] = i;
        at += len;
    }
    while (open_len) {
        unsigned still = 0;
        for (unsigned i = 0; i < open_len; i++) {
            open[still] = open[i];
            still += few_merge(v, parts + open[i]);
        }
        open_len = still;
        for (unsigned i = 0; i < open_len; i++)
            few_merged(parts + open[i]);
    }
    int status = 0;
    run->work += at;
    for (unsigned i = 0; status == 0 && i < ABREAST; i++) {
        uint32_t tokens[PART];
        struct merge_run part = {.tokens = tokens, .len = few_tokens(parts + i, tokens)};
        status = merge_join(v, run, &part);
    }
    *ret_taken = at;
    return status;
}

/* The row of equal bytes that bytes begin with: a token is often all of it, and the seams between
 * rows mostly hold. Returns how many bytes that were in *ret_taken. */
static int put_row(const struct vocabulary *v, struct merge_run *run, struct slice bytes,
                   size_t *ret_taken)
{
    uint32_t tokens[MERGE_FEW];
    size_t len = 1;
    while (len < MERGE_FEW && len < bytes.len && bytes.data[len] == bytes.data[0])
        len++;
    struct merge_run row = {.tokens = tokens, .len = 1};
    bytes = slice_part(bytes, 0, len);
    tokens[0] = len == 1 ? v->of_byte[(uint8_t)bytes.data[0]] : vocabulary_whole(v, bytes);
    bool made = tokens[0] != VOCABULARY_NONE && v->halves[2 * (size_t)tokens[0]] != tokens[0];
    if (len > 1 && !made)
        row.len = merge_bytes(v, bytes, tokens);
    run->work += len;
    *ret_taken = len;
    return merge_join(v, run, &row);
}

int merge_more(const struct vocabulary *v, struct merge_run *run, struct slice bytes)
{
    enum { STEP = 32, SEEN = ABREAST * PART };
    int status = 0;
    bool again = true; /* what repeats is not merged, so this is found out first */
    bool rows = false; /* of the bytes before seen */
    for (size_t at = 0, step = STEP, seen = 0; status == 0 && at < bytes.len;) {
        size_t left = bytes.len - at, take = left < step + step / 2 ? left : step, merged = 0;
        bool is_new = !again && step == STEP;
        if (is_new && at >= seen) {
            rows = in_rows(slice_part(bytes, at, left < SEEN ? left : SEEN));
            seen = at + SEEN;
        }
        if (is_new && rows) {
            status = put_row(v, run, slice_from(bytes, at), &take);
        } else if (is_new && left > ABREAST * PART_LEAST) {
            status = put_abreast(v, run, slice_from(bytes, at), &take);
        } else {
            status = put_end(v, run, 0, slice_part(bytes, at, take), &merged);
            step = merged - take > step / 2 ? merged - take : step / 2;
            step = step < STEP ? STEP : step > MERGE_MAX / 2 ? MERGE_MAX / 2 : step;
        }
        at += take;
        size_t before = at;
        bool ended = is_new && rows && take < MERGE_FEW; /* the row has, so nothing goes on */
        if (status == 0 && at < bytes.len && !ended)
            status = put_again(v, run, bytes, &at);
        again = at > before;
    }
    return status;
}

int merge_less(const struct vocabulary *v, struct merge_run *run, size_t drop)
{
    size_t merged;
    return drop ? put_end(v, run, drop, (struct slice){0}, &merged) : 0;
}

int merge_would(const struct vocabulary *v, struct merge_run *run, size_t drop, struct slice bytes,
                size_t *ret_len)
{
    struct end end;
    end.more = NULL;
    int status = find_end(v, run, drop, bytes, &end);
    if (status == 0)
        *ret_len = end.from + end.made;
    free(end.more);
    return status;
}

uint32_t merge_short(const struct vocabulary *v, struct slice bytes, uint32_t *ret_tokens)
{
    ASSERT(bytes.len <= MERGE_MAX);
    if (bytes.len <= MERGE_FEW)
        return merge_bytes(v, bytes, ret_tokens);
    struct merge_run run = {.tokens = ret_tokens, .room = bytes.len};
    int status = merge_more(v, &run, bytes);
    ASSERT(status == 0); /* it has all the room it may need */
    return (uint32_t)run.len;
}

void merge_clear(struct merge_run *run)
{
    run->len = 0;
}

void merge_done(struct merge_run *run)
{
    free(run->tokens);
    *run = (struct merge_run){0};
}
