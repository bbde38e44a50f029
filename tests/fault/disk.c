/* SPDX-License-Identifier: Apache-2.0
 * Files are inodes, the directory gives them names; both are private memory, so that a forked child
 * changes its own. The recording is shared: an array of events, and behind it their bytes.
 *
 * A walk keeps of each inode the bytes that are surely on the disk and the events since, of the
 * directory the same. A flush that failed decides at once, by dice, what of the events before it is
 * on the disk: no later flush will write the rest, because the system thinks it clean. */
#include "fault/disk.h"
#include "fault/disk_parts.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct recording *recording;
static struct names names;
static struct inode inodes[INODES];
static int inodes_len;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct disk_fault fault;
static bool is_unrecorded;
static _Thread_local bool is_spared;
static uint64_t count_writes, count_flushes, count_reads, count_events;

static struct {
    size_t at;
    struct content content[INODES];
    struct pending pending[INODES], directory;
    struct names names;
    uint64_t dice;
    size_t last_write; /* event, of those walked; SIZE_MAX: none */
} walk;

static void require(bool well, const char *what)
{
    if (well)
        return;
    fprintf(stderr, "disk: %s\n", what);
    abort();
}

static uint64_t roll(uint64_t *dice)
{
    uint64_t z = *dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- Contents -------------------------------------------------------------------------------- */

static void content_resize(struct content *content, size_t len)
{
    if (len > content->room) {
        size_t room = content->room ? content->room : 65536;
        while (room < len)
            room *= 2;
        content->bytes = realloc(content->bytes, room);
        require(content->bytes != NULL, "no memory");
        content->room = room;
    }
    if (len > content->len)
        memset(content->bytes + content->len, 0, len - content->len);
    content->len = len;
}

static void content_write(struct content *content, const void *from, size_t len, size_t at)
{
    if (at + len > content->len)
        content_resize(content, at + len);
    memcpy(content->bytes + at, from, len);
}

static void content_copy(struct content *to, const struct content *from)
{
    content_resize(to, from->len);
    if (from->len)
        memcpy(to->bytes, from->bytes, from->len);
}

static void content_free(struct content *content)
{
    free(content->bytes);
    *content = (struct content){0};
}

/* ---- Recording ------------------------------------------------------------------------------- */

static void record(enum event_kind kind, int inode, int64_t at, const void *bytes, size_t len)
{
    if (is_unrecorded)
        return;
    require(recording->events_len < EVENTS_MAX && recording->bytes_len + len <= bytes_max,
            "the recording is full");
    struct event *event = &recording->events[recording->events_len];
    *event = (struct event){kind, inode, at, recording->bytes_len, len};
    if (len)
        memcpy(recording->bytes + recording->bytes_len, bytes, len);
    recording->bytes_len += len;
    __atomic_store_n(&recording->events_len, recording->events_len + 1, __ATOMIC_RELEASE);
}

void disk_record(void)
{
    recording->events_len = recording->bytes_len = 0;
    recording->struck = false;
}

void disk_record_no_more(void)
{
    is_unrecorded = true;
}

size_t disk_events(void)
{
    return __atomic_load_n(&recording->events_len, __ATOMIC_ACQUIRE);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static int name_of(const char *path)
{
    for (int i = 0; i < recording->paths_len; i++)
        if (!strcmp(recording->paths[i], path))
            return i;
    require(recording->paths_len < NAMES && strlen(path) < PATH, "too many names");
    snprintf(recording->paths[recording->paths_len], PATH, "%s", path);
    return recording->paths_len++;
}

static void inode_free(struct inode *inode)
{
    content_free(&inode->content);
    for (int i = 0; i < SHM_PAGES; i++)
        free(inode->shm[i]);
    *inode = (struct inode){0};
}

void disk_clear(void)
{
    for (int i = 0; i < inodes_len; i++)
        inode_free(&inodes[i]);
    inodes_len = 0;
    for (int i = 0; i < NAMES; i++)
        names.inode[i] = -1;
    disk_record();
}

/* ---- Faults ---------------------------------------------------------------------------------- */

void disk_arm(struct disk_fault armed)
{
    fault = armed;
    count_writes = count_flushes = count_reads = count_events = 0;
    recording->struck = false;
}

bool disk_struck(void)
{
    return __atomic_load_n(&recording->struck, __ATOMIC_ACQUIRE);
}

uint64_t disk_reads(void)
{
    return count_reads;
}

void disk_spare_me(bool spared)
{
    is_spared = spared;
}

static bool strikes(uint64_t count, uint64_t len)
{
    bool is_now = count >= fault.nth && count - fault.nth < len;
    if (is_now)
        __atomic_store_n(&recording->struck, true, __ATOMIC_RELEASE);
    return is_now;
}

/* Before every event. */
static void may_cut(void)
{
    count_events++;
    if (fault.kind == DISK_POWER && strikes(count_events, 1))
        _exit(DISK_EXIT);
}

/* What becomes of a write: SQLITE_OK, or how it fails. */
static int fails_write(void)
{
    count_writes++;
    switch (fault.kind) {
    case DISK_WRITE:
        return strikes(count_writes, 1) ? SQLITE_IOERR_WRITE : SQLITE_OK;
    case DISK_TORN_WRITE:
        return strikes(count_writes, 1) ? SQLITE_FULL : SQLITE_OK;
    case DISK_FULL:
        return strikes(count_writes, fault.len) ? SQLITE_FULL : SQLITE_OK;
    case DISK_NO_FAULT:
    case DISK_POWER:
    case DISK_FLUSH:
    case DISK_READ:
    case DISK_SHORT_READ:
    case DISK_LIE:
    case DISK_FAULTS:
        break;
    }
    return SQLITE_OK;
}

/* ---- The file's methods ---------------------------------------------------------------------- */

static struct handle *handle_of(sqlite3_file *file)
{
    return (struct handle *)(void *)file;
}

static struct inode *inode_of(sqlite3_file *file)
{
    return &inodes[handle_of(file)->inode];
}

static void set_level(struct handle *handle, int level)
{
    struct inode *inode = &inodes[handle->inode];
    inode->shared += (level >= SQLITE_LOCK_SHARED) - (handle->level >= SQLITE_LOCK_SHARED);
    inode->reserved += (level >= SQLITE_LOCK_RESERVED) - (handle->level >= SQLITE_LOCK_RESERVED);
    inode->exclusive += (level == SQLITE_LOCK_EXCLUSIVE) - (handle->level == SQLITE_LOCK_EXCLUSIVE);
    handle->level = level;
}

static int file_lock(sqlite3_file *file, int level)
{
    pthread_mutex_lock(&lock);
    struct handle *handle = handle_of(file);
    const struct inode *inode = inode_of(file);
    int others = inode->shared - (handle->level >= SQLITE_LOCK_SHARED);
    int rc = SQLITE_OK;
    if (level > handle->level) {
        bool busy = inode->exclusive > (handle->level == SQLITE_LOCK_EXCLUSIVE) ||
                    (level >= SQLITE_LOCK_RESERVED &&
                     inode->reserved > (handle->level >= SQLITE_LOCK_RESERVED)) ||
                    (level == SQLITE_LOCK_EXCLUSIVE && others > 0);
        rc = busy ? SQLITE_BUSY : SQLITE_OK;
        if (!busy)
            set_level(handle, level);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int file_unlock(sqlite3_file *file, int level)
{
    pthread_mutex_lock(&lock);
    if (level < handle_of(file)->level)
        set_level(handle_of(file), level);
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *file, int *ret_reserved)
{
    pthread_mutex_lock(&lock);
    *ret_reserved = inode_of(file)->reserved > 0;
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static void unlink_name(int name)
{
    if (names.inode[name] < 0)
        return;
    may_cut();
    record(DELETED, names.inode[name], name, NULL, 0);
    names.inode[name] = -1;
}

static int file_close(sqlite3_file *file)
{
    file_unlock(file, SQLITE_LOCK_NONE);
    pthread_mutex_lock(&lock);
    struct handle *handle = handle_of(file);
    for (int i = 0; handle->deletes && i < NAMES; i++)
        if (names.inode[i] == handle->inode)
            unlink_name(i);
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    pthread_mutex_lock(&lock);
    count_reads += !is_spared;
    const struct content *content = &inode_of(file)->content;
    size_t from = (size_t)at, end = content->len;
    int rc = SQLITE_OK;
    if (!is_spared && fault.kind == DISK_READ && strikes(count_reads, fault.len))
        rc = SQLITE_IOERR_READ;
    if (!is_spared && fault.kind == DISK_SHORT_READ && strikes(count_reads, 1))
        end = from + (size_t)len / 2 < end ? from + (size_t)len / 2 : end;
    size_t got = from >= end ? 0 : end - from < (size_t)len ? end - from : (size_t)len;
    if (!rc) {
        if (got)
            memcpy(to, content->bytes + from, got);
        memset((char *)to + got, 0, (size_t)len - got);
        rc = got < (size_t)len ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static void put(int inode, const void *from, size_t len, size_t at)
{
    record(WROTE, inode, (int64_t)at, from, len);
    content_write(&inodes[inode].content, from, len, at);
}

/* The pieces of a write that fall into one sector each. */
static size_t piece_len(size_t at, size_t left)
{
    size_t room = SECTOR - at % SECTOR;
    return room < left ? room : left;
}

static int file_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
    pthread_mutex_lock(&lock);
    may_cut();
    int inode = handle_of(file)->inode;
    int rc = fails_write();
    if (!rc)
        put(inode, from, (size_t)len, (size_t)at);
    uint64_t dice = count_events;
    for (size_t done = 0; rc && fault.kind == DISK_TORN_WRITE && done < (size_t)len;) {
        size_t piece = piece_len((size_t)at + done, (size_t)len - done);
        if (roll(&dice) % 2)
            put(inode, (const char *)from + done, piece, (size_t)at + done);
        done += piece;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 len)
{
    pthread_mutex_lock(&lock);
    may_cut();
    int rc = fails_write();
    if (!rc) {
        record(TRUNCATED, handle_of(file)->inode, len, NULL, 0);
        content_resize(&inode_of(file)->content, (size_t)len);
    }
    pthread_mutex_unlock(&lock);
    return rc ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    pthread_mutex_lock(&lock);
    may_cut();
    count_flushes++;
    int rc = SQLITE_OK;
    if (fault.kind == DISK_FLUSH && strikes(count_flushes, 1))
        rc = SQLITE_IOERR_FSYNC;
    bool lies = fault.kind == DISK_LIE && strikes(count_flushes, UINT32_MAX);
    if (!lies)
        record(rc ? FLUSH_FAILED : FLUSHED, handle_of(file)->inode, 0, NULL, 0);
    if (!lies && !rc && inode_of(file)->flushes_directory)
        record(FLUSHED_DIRECTORY, -1, 0, NULL, 0);
    if (!rc)
        inode_of(file)->flushes_directory = false;
    pthread_mutex_unlock(&lock);
    return rc;
}

void disk_flush_directory(void)
{
    pthread_mutex_lock(&lock);
    may_cut();
    if (fault.kind != DISK_LIE || !strikes(++count_flushes, UINT32_MAX))
        record(FLUSHED_DIRECTORY, -1, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    pthread_mutex_lock(&lock);
    *ret_size = (sqlite3_int64)inode_of(file)->content.len;
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    (void)file, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
    (void)file;
    return 4096; /* as unix says, whatever the disk's own is */
}

static int file_traits(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- Shared memory: the records' readers ----------------------------------------------------- */

static int shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_at)
{
    pthread_mutex_lock(&lock);
    struct handle *handle = handle_of(file);
    struct inode *inode = inode_of(file);
    require(page < SHM_PAGES, "too much shared memory");
    if (!handle->has_shm)
        inode->shm_users++;
    handle->has_shm = true;
    if (!inode->shm[page] && extend)
        inode->shm[page] = calloc(1, (size_t)size);
    *ret_at = inode->shm[page];
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static void shm_release(struct handle *handle, int i)
{
    struct inode *inode = &inodes[handle->inode];
    if (handle->shm_shared & 1U << i)
        inode->shm_shared[i]--;
    if (handle->shm_exclusive & 1U << i)
        inode->shm_exclusive[i]--;
    handle->shm_shared &= ~(1U << i);
    handle->shm_exclusive &= ~(1U << i);
}

static bool shm_is_busy(const struct handle *handle, int i, bool exclusive)
{
    const struct inode *inode = &inodes[handle->inode];
    int mine = handle->shm_exclusive >> i & 1, mine_shared = handle->shm_shared >> i & 1;
    return inode->shm_exclusive[i] > mine || (exclusive && inode->shm_shared[i] > mine_shared);
}

static int shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    pthread_mutex_lock(&lock);
    struct handle *handle = handle_of(file);
    struct inode *inode = inode_of(file);
    bool exclusive = flags & SQLITE_SHM_EXCLUSIVE, busy = false;
    for (int i = offset; flags & SQLITE_SHM_LOCK && i < offset + n; i++)
        busy |= shm_is_busy(handle, i, exclusive);
    for (int i = offset; !busy && i < offset + n; i++) {
        shm_release(handle, i);
        if (!(flags & SQLITE_SHM_LOCK))
            continue;
        inode->shm_exclusive[i] += exclusive;
        inode->shm_shared[i] += !exclusive;
        handle->shm_exclusive |= (unsigned)exclusive << i;
        handle->shm_shared |= (unsigned)!exclusive << i;
    }
    pthread_mutex_unlock(&lock);
    return busy ? SQLITE_BUSY : SQLITE_OK;
}

static void shm_barrier(sqlite3_file *file)
{
    (void)file;
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

static int shm_unmap(sqlite3_file *file, int delete)
{
    (void)delete;
    pthread_mutex_lock(&lock);
    struct handle *handle = handle_of(file);
    struct inode *inode = inode_of(file);
    for (int i = 0; i < LOCKS; i++)
        shm_release(handle, i);
    bool is_last = handle->has_shm && --inode->shm_users == 0;
    handle->has_shm = false;
    for (int i = 0; is_last && i < SHM_PAGES; i++) {
        free(inode->shm[i]);
        inode->shm[i] = NULL;
    }
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- The file system's methods --------------------------------------------------------------- */

static int create(int name, int flags)
{
    require(inodes_len < INODES, "too many files");
    may_cut();
    int inode = inodes_len++;
    inodes[inode] = (struct inode){0};
    inodes[inode].flushes_directory =
        flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL);
    names.inode[name] = inode;
    record(CREATED, inode, name, NULL, 0);
    return inode;
}

static int disk_open(sqlite3_vfs *self, const char *path, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    (void)self;
    struct handle *handle = handle_of(file);
    memset(handle, 0, sizeof *handle);
    require(path != NULL, "a temporary file");
    pthread_mutex_lock(&lock);
    int name = name_of(path);
    int inode = names.inode[name];
    if (inode < 0 && flags & SQLITE_OPEN_CREATE)
        inode = create(name, flags);
    if (inode >= 0) {
        handle->base.pMethods = &methods;
        handle->inode = inode;
        handle->deletes = flags & SQLITE_OPEN_DELETEONCLOSE;
        if (ret_flags)
            *ret_flags = flags;
    }
    pthread_mutex_unlock(&lock);
    return inode < 0 ? SQLITE_CANTOPEN : SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *self, const char *path, int flush_directory)
{
    (void)self;
    pthread_mutex_lock(&lock);
    int name = name_of(path);
    bool was_there = names.inode[name] >= 0;
    unlink_name(name);
    if (was_there && flush_directory)
        record(FLUSHED_DIRECTORY, -1, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return was_there ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}

int disk_rename(const char *from, const char *to)
{
    pthread_mutex_lock(&lock);
    int old = name_of(from), new = name_of(to);
    int inode = names.inode[old], rc = inode < 0 ? SQLITE_IOERR : fails_write();
    if (!rc) {
        may_cut();
        record(RENAMED, inode, new, NULL, 0);
        if (!is_unrecorded)
            recording->events[recording->events_len - 1].bytes = (size_t)old;
        names.inode[old] = -1;
        names.inode[new] = inode;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void disk_each(const char *directory, void (*fn)(void *user, const char *name), void *user)
{
    size_t len = strlen(directory);
    for (int i = 0; i < NAMES; i++) { /* fn may remove the file */
        pthread_mutex_lock(&lock);
        const char *path = recording->paths[i];
        bool is_in = i < recording->paths_len && names.inode[i] >= 0 &&
                     !strncmp(path, directory, len) && path[len] == '/';
        pthread_mutex_unlock(&lock);
        if (is_in)
            fn(user, path + len + 1);
    }
}

/* As unix: an empty file counts as none. */
static int disk_access(sqlite3_vfs *self, const char *path, int flags, int *ret_there)
{
    (void)self;
    pthread_mutex_lock(&lock);
    int inode = names.inode[name_of(path)];
    *ret_there = inode >= 0 && (flags != SQLITE_ACCESS_EXISTS || inodes[inode].content.len > 0);
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *self, const char *path, int room, char *ret_path)
{
    (void)self;
    int len = snprintf(ret_path, (size_t)room, "%s", path);
    return len < room ? SQLITE_OK : SQLITE_CANTOPEN;
}

const char *disk_vfs(void)
{
    static sqlite3_vfs vfs;
    if (vfs.zName)
        return vfs.zName;
    size_t size = sizeof *recording + bytes_max;
    recording =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(recording != MAP_FAILED, "no memory for the recording");
    vfs = *sqlite3_vfs_find(NULL); /* dice, sleep and time are the real ones */
    vfs.zName = "disk";
    vfs.pNext = NULL;
    vfs.szOsFile = sizeof(struct handle);
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    vfs.xAccess = disk_access;
    vfs.xFullPathname = disk_full_path;
    require(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK, "not registered");
    disk_clear();
    return vfs.zName;
}

/* ---- Walking --------------------------------------------------------------------------------- */

static void pending_add(struct pending *pending, size_t event)
{
    if (pending->len == pending->room) {
        pending->room = pending->room ? pending->room * 2 : 64;
        pending->events = realloc(pending->events, pending->room * sizeof *pending->events);
        require(pending->events != NULL, "no memory");
    }
    pending->events[pending->len++] = event;
}

static void apply_sectors(struct content *to, const struct event *event, uint64_t *dice)
{
    for (size_t done = 0; done < event->len;) {
        size_t at = (size_t)event->at + done, piece = piece_len(at, event->len - done);
        if (roll(dice) % 2)
            content_write(to, recording->bytes + event->bytes + done, piece, at);
        done += piece;
    }
}

static void apply_event(struct content *to, const struct event *event)
{
    if (event->kind == TRUNCATED)
        content_resize(to, (size_t)event->at);
    else
        content_write(to, recording->bytes + event->bytes, event->len, (size_t)event->at);
}

static void apply_fate(struct content *to, size_t index, enum disk_fate fate, uint64_t *dice)
{
    const struct event *event = &recording->events[index];
    bool is_write = event->kind == WROTE;
    if (fate == DISK_FLUSHED || (!is_write && fate != DISK_ALL && roll(dice) % 2))
        return;
    if (fate == DISK_SUBSET && is_write && roll(dice) % 2)
        return;
    if (is_write && (fate == DISK_REORDERED || (fate == DISK_TORN && index == walk.last_write)))
        apply_sectors(to, event, dice);
    else
        apply_event(to, event);
}

static void apply_name(struct names *to, size_t index)
{
    const struct event *event = &recording->events[index];
    if (event->kind == RENAMED && to->inode[event->bytes] == event->inode)
        to->inode[event->bytes] = -1;
    to->inode[event->at] = event->kind == DELETED ? -1 : event->inode;
}

static void walk_event(size_t index)
{
    const struct event *event = &recording->events[index];
    struct pending *pending = event->inode >= 0 ? &walk.pending[event->inode] : &walk.directory;
    switch (event->kind) {
    case CREATED:
    case DELETED:
    case RENAMED:
        pending_add(&walk.directory, index);
        break;
    case WROTE:
        walk.last_write = index;
        pending_add(pending, index);
        break;
    case TRUNCATED:
        pending_add(pending, index);
        break;
    case FLUSHED:
    case FLUSH_FAILED:
        for (size_t i = 0; i < pending->len; i++)
            apply_fate(&walk.content[event->inode], pending->events[i],
                       event->kind == FLUSHED ? DISK_ALL : DISK_REORDERED, &walk.dice);
        pending->len = 0;
        break;
    case FLUSHED_DIRECTORY:
        for (size_t i = 0; i < walk.directory.len; i++)
            apply_name(&walk.names, walk.directory.events[i]);
        walk.directory.len = 0;
        break;
    }
}

void disk_walk_begin(void)
{
    disk_walk_end();
    walk.names = names;
    walk.last_write = SIZE_MAX;
    walk.dice = 1;
    for (int i = 0; i < inodes_len; i++)
        content_copy(&walk.content[i], &inodes[i].content);
}

void disk_walk_to(size_t events)
{
    require(events >= walk.at && events <= disk_events(), "a walk goes onwards, to the end");
    while (walk.at < events)
        walk_event(walk.at++);
}

void disk_walk_end(void)
{
    for (int i = 0; i < INODES; i++) {
        content_free(&walk.content[i]);
        free(walk.pending[i].events);
        walk.pending[i] = (struct pending){0};
    }
    free(walk.directory.events);
    memset(&walk, 0, sizeof walk);
}

static bool is_kept(enum disk_fate fate, uint64_t *dice)
{
    return fate == DISK_ALL || fate == DISK_TORN || (fate != DISK_FLUSHED && roll(dice) % 2);
}

/* Numbers the files anew, so that inodes nobody can name any more are gone. */
void disk_cut(enum disk_fate fate, uint64_t seed)
{
    uint64_t dice = seed;
    struct names kept = walk.names;
    for (size_t i = 0; i < walk.directory.len; i++)
        if (is_kept(fate, &dice))
            apply_name(&kept, walk.directory.events[i]);
    for (int i = 0; i < inodes_len; i++)
        inode_free(&inodes[i]);
    inodes_len = 0;
    for (int name = 0; name < NAMES; name++) {
        int from = kept.inode[name];
        names.inode[name] = from < 0 ? -1 : inodes_len;
        if (from < 0)
            continue;
        struct content *to = &inodes[inodes_len++].content;
        content_copy(to, &walk.content[from]);
        for (size_t i = 0; i < walk.pending[from].len; i++)
            apply_fate(to, walk.pending[from].events[i], fate, &dice);
    }
}
