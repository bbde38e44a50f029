/* SPDX-License-Identifier: Apache-2.0 */
#include "os/os.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_us(void *user)
{
    (void)user;
    return clock_us(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(void *user)
{
    (void)user;
    return clock_us(CLOCK_MONOTONIC);
}

static void system_random(void *user, void *ret_bytes, size_t len)
{
    (void)user;
    randombytes_buf(ret_bytes, len);
}

static void system_die(void *user, const char *why)
{
    (void)user;
    fprintf(stderr, "mete: stopped to keep what is on disk true: %s\n", why);
    _exit(3);
}

const struct os *os_system(void)
{
    static const struct os system = {
        .wall_us = system_wall_us,
        .monotonic_us = system_monotonic_us,
        .random = system_random,
        .die = system_die,
    };
    return &system;
}
