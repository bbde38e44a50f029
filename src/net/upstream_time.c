/* SPDX-License-Identifier: Apache-2.0
 * One nearest instant of four limits. */
#include "net/upstream_time.h"

void upstream_time_begin(struct upstream_time *time, const struct upstream_request *request)
{
    time->sending = time->paused = false;
    time->begun_us = upstream_time_now_us(time);
    time->sent_us = time->byte_us = 0;
    time->connect_us = request->connect_timeout_ms * 1000;
    time->first_byte_us = request->first_byte_timeout_ms * 1000;
    time->idle_us = request->idle_timeout_ms * 1000;
    time->total_us = request->total_timeout_ms * 1000;
}

static int64_t nearest_us(int64_t a_us, int64_t from_us, int64_t limit_us)
{
    return limit_us > 0 && from_us + limit_us < a_us ? from_us + limit_us : a_us;
}

int64_t upstream_time_limit_us(const struct upstream_time *time, const char **ret_why)
{
    int64_t step_us = INT64_MAX;
    if (!time->sending) {
        *ret_why = "no connection within the time limit";
        step_us = nearest_us(step_us, time->begun_us, time->connect_us);
    } else if (!time->byte_us) {
        *ret_why = "no answer within the time limit";
        step_us = nearest_us(step_us, time->sent_us, time->first_byte_us);
    } else if (!time->paused) {
        *ret_why = "nothing came for longer than the time limit";
        step_us = nearest_us(step_us, time->byte_us, time->idle_us);
    } else {
        step_us = nearest_us(step_us, upstream_time_now_us(time), time->idle_us);
    }
    int64_t total_us = nearest_us(INT64_MAX, time->begun_us, time->total_us);
    if (total_us > step_us)
        return step_us;
    *ret_why = "not finished within the time limit";
    return total_us;
}

void upstream_time_watch(struct upstream_time *time)
{
    const char *why;
    int64_t limit_us = upstream_time_limit_us(time, &why);
    if (limit_us == INT64_MAX || (time->timer.slot && time->timer.at_us <= limit_us))
        return;
    int64_t delay_us = limit_us - upstream_time_now_us(time);
    time->timers->set(time->timers, &time->timer, delay_us > 0 ? delay_us : 0);
}

void upstream_time_sent(struct upstream_time *time)
{
    time->sending = true;
    time->sent_us = upstream_time_now_us(time);
    upstream_time_watch(time);
}

void upstream_time_byte(struct upstream_time *time, int64_t now_us)
{
    bool first = !time->byte_us;
    time->byte_us = now_us;
    if (first)
        upstream_time_watch(time);
}

bool upstream_time_over(struct upstream_time *time, const char **ret_why)
{
    if (upstream_time_limit_us(time, ret_why) <= upstream_time_now_us(time))
        return true;
    upstream_time_watch(time);
    return false;
}
