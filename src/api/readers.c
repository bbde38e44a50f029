/* SPDX-License-Identifier: Apache-2.0
 * A stack of idle readers behind a mutex; a worker takes one, reads, gives it back. As many are
 * ever open as workers read at once. Not done: a reader in thread-local storage, which nobody would
 * close when the API goes. */
#include "api/readers.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdlib.h>

enum { IDLE_MAX = 16 }; /* more workers than that close theirs */

struct readers {
    const struct os *os;
    const char *directory;
    pthread_mutex_t lock;
    struct records_reader *idle[IDLE_MAX];
    size_t idle_len;
};

int readers_new(const struct os *os, const char *directory, struct readers **ret_readers)
{
    struct readers *readers = calloc(1, sizeof *readers);
    if (!readers)
        return METE_E_MEMORY;
    readers->os = os ? os : os_system();
    readers->directory = directory;
    int rc = pthread_mutex_init(&readers->lock, NULL);
    ASSERT(rc == 0);
    *ret_readers = readers;
    return 0;
}

void readers_free(struct readers *readers)
{
    if (!readers)
        return;
    for (size_t i = 0; i < readers->idle_len; i++)
        records_reader_close(readers->idle[i]);
    pthread_mutex_destroy(&readers->lock);
    free(readers);
}

int readers_take(struct readers *readers, struct records_reader **ret_reader)
{
    struct records_reader *reader = NULL;
    pthread_mutex_lock(&readers->lock);
    if (readers->idle_len)
        reader = readers->idle[--readers->idle_len];
    pthread_mutex_unlock(&readers->lock);
    if (reader) {
        *ret_reader = reader;
        return 0;
    }
    if (!readers->directory) /* an engine in memory keeps no records */
        return METE_E_STORAGE;
    return records_reader_open(readers->os, readers->directory, ret_reader);
}

void readers_give(struct readers *readers, struct records_reader *reader)
{
    pthread_mutex_lock(&readers->lock);
    bool kept = readers->idle_len < IDLE_MAX;
    if (kept)
        readers->idle[readers->idle_len++] = reader;
    pthread_mutex_unlock(&readers->lock);
    if (!kept)
        records_reader_close(reader);
}
