/* SPDX-License-Identifier: Apache-2.0
 * A key file is one line of 64 hexadecimal digits. Nothing is sealed under them: two keys and a
 * name are derived (BLAKE2b, crypto_kdf), and the digits are forgotten.
 *
 * The file must be a plain one of ours or root's that nobody else may read, and outside the data
 * directory: a backup of the data must not bring the key along. Where it really lies decides, not
 * the path: a link out of the data directory is as good as a link into it is bad. */
#include "vault/key.h"

#include "base/assert.h"
#include "os/os.h"
#include "os/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY = crypto_kdf_KEYBYTES, DIGITS = 2 * KEY };
enum { FOR_SEAL = 1, FOR_TAG, FOR_ID };
static const char context[crypto_kdf_CONTEXTBYTES + 1] = "metevlt1";

static int refuse(char ret_detail[VAULT_DETAIL], int error, const char *file, const char *why)
{
    snprintf(ret_detail, VAULT_DETAIL, "%.160s %s", file, why);
    return error;
}

static int derive(const uint8_t master[KEY], struct vault_key *key)
{
    uint8_t name[crypto_kdf_BYTES_MIN];
    if (crypto_kdf_derive_from_key(key->seal, sizeof key->seal, FOR_SEAL, context, master) ||
        crypto_kdf_derive_from_key(key->tag, sizeof key->tag, FOR_TAG, context, master) ||
        crypto_kdf_derive_from_key(name, sizeof name, FOR_ID, context, master))
        return METE_E_INVALID;
    sodium_bin2hex(key->id, sizeof key->id, name, VAULT_KEY_ID / 2);
    return 0;
}

int vault_key_make(const char *file, char ret_id[VAULT_KEY_ID + 1], char ret_detail[VAULT_DETAIL])
{
    const struct os *os = os_system();
    uint8_t master[KEY];
    char line[DIGITS + 2];
    struct vault_key key;
    if (sodium_init() < 0)
        return refuse(ret_detail, METE_E_MEMORY, "libsodium", "does not start");
    os->random(os->user, master, sizeof master);
    sodium_bin2hex(line, sizeof line, master, sizeof master);
    line[DIGITS] = '\n';
    int error = derive(master, &key);
    ASSERT(error == 0);
    int made = whole_make(file, 0400, line, DIGITS + 1);
    if (made)
        error = refuse(ret_detail, errno == EEXIST ? METE_E_EXISTS : METE_E_STORAGE, file,
                       errno == EEXIST ? "is there already" : strerror(errno));
    else
        memcpy(ret_id, key.id, sizeof key.id);
    sodium_memzero(master, sizeof master);
    sodium_memzero(line, sizeof line);
    sodium_memzero(&key, sizeof key);
    return error;
}

static bool is_inside(const char *file, const char *directory)
{
    char *real_file = realpath(file, NULL), *real_directory = realpath(directory, NULL);
    bool inside = true; /* unless it can be shown that it is not */
    if (real_file && real_directory) {
        size_t len = strlen(real_directory);
        inside = len == 1 || (!strncmp(real_file, real_directory, len) && real_file[len] == '/');
    }
    free(real_file);
    free(real_directory);
    return inside;
}

static int look_at(int fd, const char *file, char ret_detail[VAULT_DETAIL])
{
    struct stat found;
    if (fstat(fd, &found))
        return refuse(ret_detail, METE_E_STORAGE, file, strerror(errno));
    if (!S_ISREG(found.st_mode))
        return refuse(ret_detail, METE_E_INVALID, file, "is no plain file");
    if (found.st_mode & 077)
        return refuse(ret_detail, METE_E_INVALID, file,
                      "may be used by others than its owner: chmod 0400");
    if (found.st_uid != geteuid() && found.st_uid != 0)
        return refuse(ret_detail, METE_E_INVALID, file, "belongs to somebody else");
    return 0;
}

static int read_key(int fd, const char *file, struct vault_key *key, char ret_detail[VAULT_DETAIL])
{
    char line[DIGITS + 8];
    uint8_t master[KEY];
    size_t len = 0;
    ssize_t got = read(fd, line, sizeof line);
    int error = got < 0 ? refuse(ret_detail, METE_E_STORAGE, file, strerror(errno)) : 0;
    while (got > 0 && (line[got - 1] == '\n' || line[got - 1] == '\r' || line[got - 1] == ' '))
        got--;
    if (!error &&
        (got != DIGITS || sodium_hex2bin(master, sizeof master, line, DIGITS, NULL, &len, NULL) ||
         len != sizeof master))
        error = refuse(ret_detail, METE_E_SYNTAX, file,
                       "is no sealing key: mete credential new-key makes one");
    if (!error)
        error = derive(master, key);
    sodium_memzero(line, sizeof line);
    sodium_memzero(master, sizeof master);
    return error;
}

int vault_key_read(const char *file, const char *directory, struct vault_key **ret_key,
                   char ret_detail[VAULT_DETAIL])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse(ret_detail, METE_E_STORAGE, file, strerror(errno));
    int error = look_at(fd, file, ret_detail);
    if (!error && directory && is_inside(file, directory))
        error = refuse(ret_detail, METE_E_INVALID, file,
                       "is in the data directory, which it is to protect");
    struct vault_key *key = NULL;
    if (!error && (sodium_init() < 0 || !(key = sodium_malloc(sizeof *key))))
        error = refuse(ret_detail, METE_E_MEMORY, file, "finds no memory");
    if (!error)
        error = read_key(fd, file, key, ret_detail);
    close(fd);
    if (error)
        vault_key_free(key);
    else
        *ret_key = key;
    return error;
}

const char *vault_key_id(const struct vault_key *key)
{
    return key->id;
}

void vault_key_free(struct vault_key *key)
{
    sodium_free(key); /* zeroes it */
}
