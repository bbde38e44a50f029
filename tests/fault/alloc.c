/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/alloc.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct {
    _Atomic uint64_t count, nth;
    _Atomic int64_t live;
    _Atomic bool is_sticky, struck;
    sqlite3_mem_methods sqlite;
} memory;

/* One is asked for: whether it fails. */
static bool fails(void)
{
    uint64_t number = atomic_fetch_add(&memory.count, 1) + 1;
    uint64_t nth = atomic_load(&memory.nth);
    if (!nth || number < nth || (number > nth && !atomic_load(&memory.is_sticky)))
        return false;
    atomic_store(&memory.struck, true);
    return true;
}

static void *kept(void *block)
{
    if (block)
        atomic_fetch_add(&memory.live, 1);
    return block;
}

/* ---- The C library's ------------------------------------------------------------------------- */

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *block, size_t len);
void *__real_aligned_alloc(size_t alignment, size_t len);
char *__real_strdup(const char *text);
void __real_free(void *block);
void *__real_mmap(void *at, size_t len, int protection, int flags, int file, off_t offset);
int __real_munmap(void *at, size_t len);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __real_eventfd(unsigned count, int flags);

void *__wrap_malloc(size_t len);
void *__wrap_malloc(size_t len)
{
    return fails() ? NULL : kept(__real_malloc(len));
}

void *__wrap_calloc(size_t count, size_t len);
void *__wrap_calloc(size_t count, size_t len)
{
    return fails() ? NULL : kept(__real_calloc(count, len));
}

void *__wrap_realloc(void *block, size_t len);
void *__wrap_realloc(void *block, size_t len)
{
    if (fails())
        return NULL;
    void *grown = __real_realloc(block, len);
    return block ? grown : kept(grown);
}

void *__wrap_aligned_alloc(size_t alignment, size_t len);
void *__wrap_aligned_alloc(size_t alignment, size_t len)
{
    return fails() ? NULL : kept(__real_aligned_alloc(alignment, len));
}

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : kept(__real_strdup(text));
}

void __wrap_free(void *block);
void __wrap_free(void *block)
{
    if (block)
        atomic_fetch_sub(&memory.live, 1);
    __real_free(block);
}

void *__wrap_mmap(void *at, size_t len, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int file, off_t offset)
{
    if (fails()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    void *mapped = __real_mmap(at, len, protection, flags, file, offset);
    if (mapped != MAP_FAILED)
        atomic_fetch_add(&memory.live, (int64_t)len);
    return mapped;
}

int __wrap_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len)
{
    atomic_fetch_sub(&memory.live, (int64_t)len);
    return __real_munmap(at, len);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    return fails() ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
    if (!fails())
        return __real_eventfd(count, flags);
    errno = EMFILE;
    return -1;
}

/* ---- SQLite's -------------------------------------------------------------------------------- */

static void *sqlite_malloc(int len)
{
    return fails() ? NULL : kept(memory.sqlite.xMalloc(len));
}

static void sqlite_free(void *block)
{
    if (block)
        atomic_fetch_sub(&memory.live, 1);
    memory.sqlite.xFree(block);
}

static void *sqlite_realloc(void *block, int len)
{
    if (fails())
        return NULL;
    void *grown = memory.sqlite.xRealloc(block, len);
    return block ? grown : kept(grown);
}

void alloc_init(bool with_sqlite)
{
    if (!with_sqlite)
        return;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory.sqlite))
        abort();
    sqlite3_mem_methods methods = memory.sqlite;
    methods.xMalloc = sqlite_malloc;
    methods.xFree = sqlite_free;
    methods.xRealloc = sqlite_realloc;
    /* A connection's own little store would hide most of the points. */
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0))
        abort();
}

void alloc_arm(uint64_t nth, bool is_sticky)
{
    atomic_store(&memory.nth, nth);
    atomic_store(&memory.is_sticky, is_sticky);
    atomic_store(&memory.count, 0);
    atomic_store(&memory.live, 0);
    atomic_store(&memory.struck, false);
}

uint64_t alloc_count(void)
{
    return atomic_load(&memory.count);
}

bool alloc_struck(void)
{
    return atomic_load(&memory.struck);
}

int64_t alloc_live(void)
{
    return atomic_load(&memory.live);
}
