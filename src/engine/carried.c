/* SPDX-License-Identifier: Apache-2.0
 * Every window is kept, because a call may end long after its own, and what it leaves moves all
 * that was handed on since. */
#include "engine/carried.h"

#include "base/assert.h"
#include "base/checked.h"

#include <stdlib.h>

struct window {
    int64_t start_us, committed, held;
    int64_t base, cap; /* when it ended; of the last one: not known yet */
    uint64_t idle;     /* windows between it and the next one */
};

struct carried {
    struct window *windows;
    size_t len, room;
    int64_t first; /* handed to the first one */
    bool is_doubtful;
};

static int add(struct carried *carried, int64_t start_us, int64_t committed)
{
    if (carried->len == carried->room) {
        size_t room = carried->room ? 2 * carried->room : 16;
        struct window *windows = realloc(carried->windows, room * sizeof *windows);
        if (!windows)
            return METE_E_MEMORY;
        carried->windows = windows;
        carried->room = room;
    }
    carried->windows[carried->len++] =
        (struct window){.start_us = start_us, .committed = committed};
    return 0;
}

int carried_new(const struct mete_budget_view *view, struct carried **ret_carried)
{
    struct carried *carried = calloc(1, sizeof *carried);
    if (!carried)
        return METE_E_MEMORY;
    carried->first = view->carried;
    if (add(carried, view->window_start.us, view->committed)) {
        carried_free(carried);
        return METE_E_MEMORY;
    }
    *ret_carried = carried;
    return 0;
}

void carried_free(struct carried *carried)
{
    if (carried)
        free(carried->windows);
    free(carried);
}

void carried_doubt(struct carried *carried)
{
    carried->is_doubtful = true;
}

int carried_turn(struct carried *carried, const struct mete_budget_view *view, uint64_t idle)
{
    struct window *over = &carried->windows[carried->len - 1];
    ASSERT(view->window_start.us > over->start_us);
    over->base = view->base_limit;
    over->cap = view->rollover_cap;
    over->idle = idle;
    return add(carried, view->window_start.us, 0);
}

/* The window of an instant; NULL: it is before the first. */
static struct window *find(struct carried *carried, int64_t at_us)
{
    size_t low = 0, high = carried->len; /* the first that begins after it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (carried->windows[middle].start_us <= at_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &carried->windows[low - 1] : NULL;
}

void carried_charge(struct carried *carried, int64_t start_us, int64_t amount)
{
    struct window *window = find(carried, start_us);
    if (window)
        window->committed += amount;
}

void carried_hold(struct carried *carried, int64_t at_us, int64_t amount)
{
    struct window *window = find(carried, at_us);
    if (window)
        window->held += amount;
}

static int128 within(int128 amount, int64_t cap)
{
    return amount < 0 ? 0 : amount > cap ? cap : amount;
}

int carried_is(struct carried *carried, int64_t amount)
{
    int128 handed = carried->first;
    for (size_t i = 0; i + 1 < carried->len; i++) {
        struct window *window = &carried->windows[i];
        int128 left = window->base + handed - window->committed - window->held;
        handed = within(left, window->cap);
        handed = within(handed + (int128)window->base * (int128)window->idle, window->cap);
        window->held = 0;
    }
    carried->windows[carried->len - 1].held = 0;
    return carried->is_doubtful || handed == amount;
}
