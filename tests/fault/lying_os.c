/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/lying_os.h"

#include "fault/disk.h"
#include "os/os.h"
#include "store/db.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    _Atomic int64_t wall_us, monotonic_us;
} * clocks;

void lying_os_restart(int64_t wall_us)
{
    atomic_store(&clocks->wall_us, wall_us);
    atomic_store(&clocks->monotonic_us, wall_us % 1000003);
}

void lying_os_init(int64_t wall_us)
{
    if (!clocks)
        clocks =
            mmap(NULL, sizeof *clocks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (clocks == MAP_FAILED)
        abort();
    lying_os_restart(wall_us);
}

void lying_os_pass(int64_t us)
{
    atomic_fetch_add(&clocks->wall_us, us);
    atomic_fetch_add(&clocks->monotonic_us, us);
}

int64_t lying_os_wall_us(void)
{
    return atomic_load(&clocks->wall_us);
}

static int64_t wall_us(void *user)
{
    (void)user;
    return lying_os_wall_us();
}

static int64_t monotonic_us(void *user)
{
    (void)user;
    return atomic_load(&clocks->monotonic_us);
}

static void random_bytes(void *user, void *ret_bytes, size_t len)
{
    (void)user;
    memset(ret_bytes, 0x5a, len);
}

static void die(void *user, const char *why)
{
    (void)user, (void)why;
    _exit(LYING_OS_DIED);
}

const struct os *__wrap_os_system(void);
const struct os *__wrap_os_system(void)
{
    static const struct os os = {
        .wall_us = wall_us, .monotonic_us = monotonic_us, .random = random_bytes, .die = die};
    return &os;
}

int __wrap_db_make_directory(const char *directory);
int __wrap_db_make_directory(const char *directory)
{
    (void)directory;
    return 0;
}

int __wrap_db_sync_directory(const char *directory);
int __wrap_db_sync_directory(const char *directory)
{
    (void)directory;
    disk_flush_directory();
    return 0;
}
