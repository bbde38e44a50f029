/* SPDX-License-Identifier: Apache-2.0
 * Idle ones of all encodings in one short list behind a mutex. */
#include "tokens/pool.h"

#include "base/assert.h"
#include "base/errors.h"

#include <pthread.h>
#include <stdlib.h>

enum { IDLE_MAX = 2 }; /* when more are given back the oldest is closed: each has megabytes */

struct tokenizer_pool {
    pthread_mutex_t lock;
    struct tokenizer *idle[IDLE_MAX]; /* the newest last */
    size_t idle_len;
};

int tokenizer_pool_new(struct tokenizer_pool **ret_pool)
{
    struct tokenizer_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return METE_E_MEMORY;
    int rc = pthread_mutex_init(&pool->lock, NULL);
    ASSERT(rc == 0);
    *ret_pool = pool;
    return 0;
}

void tokenizer_pool_free(struct tokenizer_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->idle_len; i++)
        tokenizer_close(pool->idle[i]);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static struct tokenizer *remove_at(struct tokenizer_pool *pool, size_t at)
{
    struct tokenizer *tokenizer = pool->idle[at];
    pool->idle_len--;
    for (size_t i = at; i < pool->idle_len; i++)
        pool->idle[i] = pool->idle[i + 1];
    return tokenizer;
}

int tokenizer_pool_take(struct tokenizer_pool *pool, const struct encoding *encoding,
                        struct tokenizer **ret_tokenizer)
{
    struct tokenizer *tokenizer = NULL;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = pool->idle_len; i-- > 0 && !tokenizer;)
        if (tokenizer_encoding(pool->idle[i]) == encoding)
            tokenizer = remove_at(pool, i);
    pthread_mutex_unlock(&pool->lock);
    if (!tokenizer)
        return tokenizer_open(encoding, ret_tokenizer);
    *ret_tokenizer = tokenizer;
    return 0;
}

void tokenizer_pool_give(struct tokenizer_pool *pool, struct tokenizer *tokenizer)
{
    struct tokenizer *over = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->idle_len == IDLE_MAX)
        over = remove_at(pool, 0);
    pool->idle[pool->idle_len++] = tokenizer;
    pthread_mutex_unlock(&pool->lock);
    tokenizer_close(over);
}
