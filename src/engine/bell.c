/* SPDX-License-Identifier: Apache-2.0
 * Sleeping on a futex: one system call to sleep and one to wake, none when nobody sleeps. (A
 * condition variable would take a lock on every ring.) */
#include "engine/bell.h"

#include "base/assert.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void bell_sleep(struct bell *bell, int64_t timeout_us)
{
    ASSERT(sizeof bell->state == sizeof(uint32_t));
    struct timespec timeout = {.tv_sec = timeout_us / 1000000,
                               .tv_nsec = timeout_us % 1000000 * 1000};
    if (atomic_load(&bell->state) == BELL_ASLEEP)
        syscall(SYS_futex, &bell->state, FUTEX_WAIT_PRIVATE, BELL_ASLEEP,
                timeout_us < 0 ? NULL : &timeout, NULL, 0);
}

void bell_wake(struct bell *bell)
{
    syscall(SYS_futex, &bell->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
