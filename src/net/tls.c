/* SPDX-License-Identifier: Apache-2.0
 * A pair is a gnutls credentials object, counted by the sessions that use it; the present one is
 * counted once more.
 *
 * Files are told apart by what stat() says of them. Not done: inotify. Certificates are replaced
 * by rename, by symbolic link and in place, on file systems that notify and some that do not; three
 * stat() calls a second see all of it. */
#include "net/tls.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 3, KEY_DER_MAX = 8192, DIGEST_LEN = 32 };

struct tls_pair {
    gnutls_certificate_credentials_t credentials;
    uint32_t users;
    int64_t expires_s;
    char pin[TLS_PIN_ROOM];
};

struct file_look { /* zeroed: it is not there */
    int64_t size, changed_s, changed_ns;
    uint64_t device, node;
};

struct tls {
    struct tls_files files;
    gnutls_priority_t priorities;
    struct tls_pair *pair;
    struct file_look read[FILES], seen[FILES];
};

static const char *name_of(const struct tls_files *files, int i)
{
    const char *const names[FILES] = {files->certificate, files->key, files->client_ca};
    return names[i] ? names[i] : "";
}

static void look(const struct tls_files *files, struct file_look ret_looks[FILES])
{
    for (int i = 0; i < FILES; i++) {
        struct stat status;
        ret_looks[i] = (struct file_look){0};
        if (!*name_of(files, i) || stat(name_of(files, i), &status) != 0)
            continue;
        ret_looks[i] = (struct file_look){status.st_size, status.st_mtim.tv_sec,
                                          status.st_mtim.tv_nsec, status.st_dev, status.st_ino};
    }
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

static int wrong(char ret_detail[256], const char *name, const char *why)
{
    snprintf(ret_detail, 256, "%.160s: %.80s", name, why);
    return METE_E_INVALID;
}

/* The file whole; ret_bytes->data is to be freed. */
static int file_whole(const char *name, gnutls_datum_t *ret_bytes, char ret_detail[256])
{
    unsigned char *bytes = malloc(TLS_FILE_MAX);
    if (!bytes)
        return METE_E_MEMORY;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t len = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && len < TLS_FILE_MAX) {
        got = read(fd, bytes + len, TLS_FILE_MAX - len);
        len += got > 0 ? (size_t)got : 0;
    }
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0 || len == TLS_FILE_MAX) {
        free(bytes);
        return wrong(ret_detail, name, got < 0 ? strerror(saved) : "too large");
    }
    *ret_bytes = (gnutls_datum_t){bytes, (unsigned)len};
    return 0;
}

static void forget(gnutls_datum_t *bytes)
{
    if (bytes->data)
        gnutls_memset(bytes->data, 0, bytes->size); /* a key does not stay in free memory */
    free(bytes->data);
    *bytes = (gnutls_datum_t){0};
}

/* The id of the first certificate's public key. A code of GnuTLS's. */
static int certificate_id(const gnutls_datum_t *pem, unsigned char ret_id[DIGEST_LEN])
{
    gnutls_x509_crt_t *list = NULL;
    unsigned len = 0;
    size_t id_len = DIGEST_LEN;
    int code = gnutls_x509_crt_list_import2(&list, &len, pem, GNUTLS_X509_FMT_PEM, 0);
    if (code < 0)
        return code;
    code = len ? gnutls_x509_crt_get_key_id(list[0], GNUTLS_KEYID_USE_SHA256, ret_id, &id_len)
               : GNUTLS_E_NO_CERTIFICATE_FOUND;
    for (unsigned i = 0; i < len; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    return code;
}

static int key_id(const gnutls_datum_t *pem, unsigned char ret_id[DIGEST_LEN])
{
    gnutls_x509_privkey_t key;
    size_t id_len = DIGEST_LEN;
    int code = gnutls_x509_privkey_init(&key);
    if (code < 0)
        return code;
    code = gnutls_x509_privkey_import2(key, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (code >= 0)
        code = gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, ret_id, &id_len);
    gnutls_x509_privkey_deinit(key);
    return code;
}

/* Looked at before GnuTLS does, which loses 10 KB with every pair that does not match (3.7.9). */
static int match(const gnutls_datum_t *certificate, const gnutls_datum_t *key)
{
    unsigned char theirs[DIGEST_LEN], ours[DIGEST_LEN];
    int code = certificate_id(certificate, theirs);
    if (code >= 0)
        code = key_id(key, ours);
    if (code < 0)
        return code;
    return memcmp(theirs, ours, sizeof ours) ? GNUTLS_E_CERTIFICATE_KEY_MISMATCH : 0;
}

static int load_key(struct tls_pair *pair, const struct tls_files *files, char ret_detail[256])
{
    gnutls_datum_t certificate = {0}, key = {0};
    int error = file_whole(files->certificate, &certificate, ret_detail);
    if (!error)
        error = file_whole(files->key, &key, ret_detail);
    int code = error ? 0 : match(&certificate, &key);
    if (!error && code >= 0)
        code = gnutls_certificate_set_x509_key_mem2(pair->credentials, &certificate, &key,
                                                    GNUTLS_X509_FMT_PEM, NULL, 0);
    forget(&key);
    forget(&certificate);
    return code < 0 ? wrong(ret_detail, files->certificate, gnutls_strerror(code)) : error;
}

static int load_client_ca(struct tls_pair *pair, const char *name, char ret_detail[256])
{
    gnutls_datum_t bytes = {0};
    int error = file_whole(name, &bytes, ret_detail);
    if (error)
        return error;
    int code =
        gnutls_certificate_set_x509_trust_mem(pair->credentials, &bytes, GNUTLS_X509_FMT_PEM);
    forget(&bytes);
    if (code > 0)
        return 0;
    return wrong(ret_detail, name, code ? gnutls_strerror(code) : "no certificate is in it");
}

/* "sha256//" and the base 64 of the digest of the certificate's public key. */
static int pin_of(gnutls_x509_crt_t certificate, char ret_pin[TLS_PIN_ROOM])
{
    static const char how[] = "sha256//";
    unsigned char digest[DIGEST_LEN], der[KEY_DER_MAX];
    char text[TLS_PIN_ROOM];
    size_t digest_len = sizeof digest, der_len = sizeof der, text_len = sizeof text;
    gnutls_pubkey_t key;
    int code = gnutls_pubkey_init(&key);
    if (code < 0)
        return code;
    code = gnutls_pubkey_import_x509(key, certificate, 0);
    if (code >= 0)
        code = gnutls_pubkey_export(key, GNUTLS_X509_FMT_DER, der, &der_len);
    gnutls_pubkey_deinit(key);
    if (code < 0)
        return code;
    const gnutls_datum_t bytes = {der, (unsigned)der_len};
    code = gnutls_fingerprint(GNUTLS_DIG_SHA256, &bytes, digest, &digest_len);
    if (code < 0)
        return code;
    gnutls_datum_t encoded = {0};
    const gnutls_datum_t of = {digest, (unsigned)digest_len};
    code = gnutls_base64_encode2(&of, &encoded);
    if (code < 0)
        return code;
    text_len = (size_t)snprintf(text, sizeof text, "%s%.*s", how, (int)encoded.size,
                                (const char *)encoded.data);
    gnutls_free(encoded.data);
    ASSERT(text_len < sizeof text);
    memcpy(ret_pin, text, text_len + 1);
    return 0;
}

/* What is to be known of the pair's own certificate. */
static int describe(struct tls_pair *pair, const char *name, char ret_detail[256])
{
    gnutls_x509_crt_t *certificates = NULL;
    unsigned len = 0;
    int code = gnutls_certificate_get_x509_crt(pair->credentials, 0, &certificates, &len);
    if (code < 0)
        return wrong(ret_detail, name, gnutls_strerror(code));
    code = len ? pin_of(certificates[0], pair->pin) : GNUTLS_E_NO_CERTIFICATE_FOUND;
    if (len)
        pair->expires_s = gnutls_x509_crt_get_expiration_time(certificates[0]);
    for (unsigned i = 0; i < len; i++)
        gnutls_x509_crt_deinit(certificates[i]);
    gnutls_free(certificates);
    return code < 0 ? wrong(ret_detail, name, gnutls_strerror(code)) : 0;
}

static void pair_free(struct tls_pair *pair)
{
    if (!pair)
        return;
    if (pair->credentials)
        gnutls_certificate_free_credentials(pair->credentials);
    free(pair);
}

static int load(const struct tls_files *files, struct tls_pair **ret_pair, char ret_detail[256])
{
    struct tls_pair *pair = calloc(1, sizeof *pair);
    snprintf(ret_detail, 256, "%s", mete_error_text(METE_E_MEMORY));
    if (!pair || gnutls_certificate_allocate_credentials(&pair->credentials) < 0) {
        pair_free(pair);
        return METE_E_MEMORY;
    }
    int error = load_key(pair, files, ret_detail);
    if (!error)
        error = describe(pair, files->certificate, ret_detail);
    if (!error && *name_of(files, FILES - 1))
        error = load_client_ca(pair, files->client_ca, ret_detail);
    if (error) {
        pair_free(pair);
        return error;
    }
    pair->users = 1;
    *ret_pair = pair;
    return 0;
}

/* ---- Life -------------------------------------------------------------------------------------
 */

int tls_open(const struct tls_files *files, struct tls **ret_tls, char ret_detail[256])
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return METE_E_MEMORY;
    tls->files = *files;
    const char *versions = files->min_version == TLS_1_3 ? "NORMAL:-VERS-ALL:+VERS-TLS1.3"
                                                         : "NORMAL:-VERS-ALL:+VERS-TLS1.3"
                                                           ":+VERS-TLS1.2";
    int error = gnutls_priority_init(&tls->priorities, versions, NULL) < 0 ? METE_E_MEMORY : 0;
    if (!error)
        error = tls_reload(tls, ret_detail);
    if (error) {
        gnutls_priority_deinit(tls->priorities);
        free(tls);
        return error;
    }
    *ret_tls = tls;
    return 0;
}

void tls_close(struct tls *tls)
{
    if (!tls)
        return;
    ASSERT(tls->pair->users == 1);
    pair_free(tls->pair);
    gnutls_priority_deinit(tls->priorities);
    free(tls);
}

int tls_reload(struct tls *tls, char ret_detail[256])
{
    struct tls_pair *pair = NULL;
    look(&tls->files, tls->read); /* before: what changes meanwhile is read again */
    memcpy(tls->seen, tls->read, sizeof tls->seen);
    int error = load(&tls->files, &pair, ret_detail);
    if (error)
        return error;
    tls_leave(tls, NULL, tls->pair);
    tls->pair = pair;
    return 0;
}

bool tls_changed(struct tls *tls)
{
    struct file_look now[FILES];
    look(&tls->files, now);
    bool still = memcmp(now, tls->seen, sizeof now) == 0;
    memcpy(tls->seen, now, sizeof now);
    return still && memcmp(now, tls->read, sizeof now) != 0;
}

int64_t tls_expires_s(const struct tls *tls)
{
    return tls->pair->expires_s;
}

const char *tls_pin(const struct tls *tls)
{
    return tls->pair->pin;
}

/* ---- Sessions ---------------------------------------------------------------------------------
 */

static int session_open(struct tls *tls, int fd, gnutls_session_t session)
{
    static unsigned char http[] = "http/1.1";
    const gnutls_datum_t protocol = {http, sizeof http - 1};
    int code = gnutls_priority_set(session, tls->priorities);
    if (code >= 0)
        code = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->pair->credentials);
    if (code >= 0) /* a client that wants another one alone is still spoken to */
        code = gnutls_alpn_set_protocols(session, &protocol, 1, 0);
    if (*name_of(&tls->files, FILES - 1)) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(session, NULL, 0); /* in the handshake, which fails */
    }
    gnutls_transport_set_int(session, fd);
    return code;
}

struct tls_pair *tls_enter(struct tls *tls, int fd, gnutls_session_t *ret_session)
{
    gnutls_session_t session;
    if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return NULL;
    if (session_open(tls, fd, session) < 0) {
        gnutls_deinit(session);
        return NULL;
    }
    tls->pair->users++;
    *ret_session = session;
    return tls->pair;
}

void tls_leave(struct tls *tls, gnutls_session_t session, struct tls_pair *pair)
{
    (void)tls;
    if (session)
        gnutls_deinit(session); /* before its credentials */
    if (pair && --pair->users == 0)
        pair_free(pair);
}
