/* SPDX-License-Identifier: Apache-2.0
 * The secret matters most: keys that were handed out are worth nothing without it. */
#include "server/home.h"

#include "base/slice.h"
#include "codec/base62.h"
#include "os/os.h"
#include "os/whole.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_PREFIX "mete_admin_"
enum { TOKEN_DIGITS = 43, TOKEN_LEAST = 16, FILE_PATH = HOME_PATH + 32 };

const char *home_default(void)
{
    const char *path = getenv("METE_DATA");
    return path && *path ? path : "mete-data";
}

static int failed(char ret_detail[256], const char *what)
{
    snprintf(ret_detail, 256, "%.180s: %s", what, strerror(errno));
    return METE_E_STORAGE;
}

/* The first word of a file; terminated. */
static int word_get(const char *directory, const char *name, char *room, size_t room_len)
{
    ssize_t got = whole_get(directory, name, room, room_len - 1);
    if (got < 0)
        return errno == ENOENT || errno == ENOTDIR ? METE_E_NOT_FOUND : METE_E_STORAGE;
    room[got] = 0;
    room[strcspn(room, " \r\n")] = 0;
    return room[0] ? 0 : METE_E_NOT_FOUND;
}

static int open_secret(struct home *home, char ret_detail[256])
{
    ssize_t got = whole_get(home->path, "secret.key", home->secret, sizeof home->secret);
    if (got == (ssize_t)sizeof home->secret)
        return 0;
    if (got >= 0) {
        snprintf(ret_detail, 256, "secret.key is not 32 bytes: put its backup in place");
        return METE_E_CORRUPT;
    }
    if (errno != ENOENT)
        return failed(ret_detail, "secret.key");
    const struct os *os = os_system();
    os->random(os->user, home->secret, sizeof home->secret);
    if (whole_put(home->path, "secret.key", home->secret, sizeof home->secret) != 0)
        return failed(ret_detail, "secret.key");
    return 0;
}

static void make_token(char room[HOME_TOKEN])
{
    const struct os *os = os_system();
    size_t len = sizeof TOKEN_PREFIX - 1, end = len + TOKEN_DIGITS;
    uint8_t random[64];
    memcpy(room, TOKEN_PREFIX, len);
    while (len < end) {
        os->random(os->user, random, sizeof random);
        len += base62_digits(random, sizeof random, room + len, end - len);
    }
    room[end] = 0;
}

static int check_token(const char *token, char ret_detail[256])
{
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++)
        if (token[i] <= ' ' || token[i] > '~')
            len = 0;
    if (len >= TOKEN_LEAST && len < HOME_TOKEN)
        return 0;
    snprintf(ret_detail, 256, "the admin token must have %d to %d printable bytes", TOKEN_LEAST,
             HOME_TOKEN - 1);
    return METE_E_INVALID;
}

static int open_token(struct home *home, char ret_detail[256])
{
    const char *given = getenv("METE_ADMIN_TOKEN");
    if (given && *given) {
        int error = check_token(given, ret_detail);
        if (error)
            return error;
        memcpy(home->admin_token, given, strlen(given) + 1);
        home->token_from_env = true;
    }
    char kept[HOME_TOKEN];
    int error = word_get(home->path, "admin.token", kept, sizeof kept);
    if (error == METE_E_STORAGE)
        return failed(ret_detail, "admin.token");
    if (error == METE_E_NOT_FOUND) {
        make_token(kept);
        char line[HOME_TOKEN + 1];
        int len = snprintf(line, sizeof line, "%s\n", kept);
        if (whole_put(home->path, "admin.token", line, (size_t)len) != 0)
            return failed(ret_detail, "admin.token");
        home->token_made = !home->token_from_env;
    }
    if (!home->token_from_env) {
        memcpy(home->admin_token, kept, sizeof kept);
        return check_token(home->admin_token, ret_detail);
    }
    return 0;
}

int home_open(const char *path, struct home *ret_home, char ret_detail[256])
{
    struct home home = {0};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof home.path) {
        snprintf(ret_detail, 256, "a data directory's path has 1 to %d bytes", HOME_PATH - 1);
        return METE_E_INVALID;
    }
    memcpy(home.path, path, len + 1);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return failed(ret_detail, path);
    int error = open_secret(&home, ret_detail);
    if (!error)
        error = open_token(&home, ret_detail);
    if (!error)
        *ret_home = home;
    return error;
}

int home_copy(const char *from, const char *to)
{
    static const char *const names[] = {"secret.key", "admin.token"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char bytes[HOME_TOKEN + 1];
        ssize_t got = whole_get(from, names[i], bytes, sizeof bytes);
        if (got < 0 && errno == ENOENT)
            continue;
        if (got < 0 || whole_put(to, names[i], bytes, (size_t)got) != 0)
            return METE_E_STORAGE;
    }
    return 0;
}

int home_publish(const struct home *home, const char *address)
{
    char line[HOME_ADDRESS + 1];
    int len = snprintf(line, sizeof line, "%s\n", address);
    return whole_put(home->path, "address", line, (size_t)len) == 0 ? 0 : METE_E_STORAGE;
}

void home_unpublish(const struct home *home)
{
    char path[FILE_PATH];
    snprintf(path, sizeof path, "%s/address", home->path);
    unlink(path);
}

int home_server(const char *path, char ret_address[HOME_ADDRESS])
{
    char room[HOME_ADDRESS];
    int error =
        strlen(path) < HOME_PATH ? word_get(path, "address", room, sizeof room) : METE_E_INVALID;
    if (!error)
        memcpy(ret_address, room, sizeof room);
    return error;
}

int home_token(const char *path, char ret_token[HOME_TOKEN])
{
    const char *given = getenv("METE_ADMIN_TOKEN");
    char room[HOME_TOKEN];
    if (given && *given && strlen(given) < sizeof room) {
        memcpy(ret_token, given, strlen(given) + 1);
        return 0;
    }
    int error = strlen(path) < HOME_PATH ? word_get(path, "admin.token", room, sizeof room)
                                         : METE_E_INVALID;
    if (!error)
        memcpy(ret_token, room, sizeof room);
    return error;
}
