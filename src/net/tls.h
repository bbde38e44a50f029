/* SPDX-License-Identifier: Apache-2.0
 * What the door shows of itself over TLS: a certificate and its key from files, read again when the
 * files change or somebody asks, without touching a connection that is open. Over GnuTLS. One
 * owner, the loop's thread.
 *
 * PROMISES  a new pair is looked at whole before it takes the place of the old one: a key of
 * another certificate, half a file or a missing one is refused, and the old pair goes on. A
 * connection keeps the pair it began with to its end. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "mete.h"

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

enum tls_version { TLS_1_2 = 0, TLS_1_3 };

struct tls_files {           /* names, borrowed for the life of what is made of them */
    const char *certificate; /* PEM: the server's, then those that lead to its root */
    const char *key;         /* PEM, not encrypted */
    const char *client_ca;   /* PEM; NULL or "": clients need no certificate; else one of these */
    enum tls_version min_version;
};

struct tls;
struct tls_pair; /* a certificate with its key, as long as somebody uses it */

enum { TLS_PIN_ROOM = 64, TLS_FILE_MAX = 1024 * 1024 };

/* INVALID: the files are not what they should be, ret_detail says which and why; MEMORY. */
METE_MUST_USE int tls_open(const struct tls_files *files, struct tls **ret_tls,
                           char ret_detail[256]);
void tls_close(struct tls *tls); /* nobody may be inside */

/* Reads the files and puts them in place of the present pair. Errors as tls_open(): then nothing
 * has changed. Costs some file reads and the parsing of a key: a few milliseconds at most. */
METE_MUST_USE int tls_reload(struct tls *tls, char ret_detail[256]);
/* Whether the files look otherwise than when they were last read, and as they did at the last look:
 * two files are seldom replaced in one moment. A few stat() calls; made for once a second. */
bool tls_changed(struct tls *tls);

int64_t tls_expires_s(const struct tls *tls); /* of the present certificate, since 1970 */
/* Of the present certificate's public key, as curl pins it: "sha256//" and base 64. */
const char *tls_pin(const struct tls *tls);

/* A session of a server on a socket that does not block, with the present pair; its handshake is to
 * come. NULL: no memory, and there is none. */
struct tls_pair *tls_enter(struct tls *tls, int fd, gnutls_session_t *ret_session);
/* The session is over, and freed; NULL is legal for both. */
void tls_leave(struct tls *tls, gnutls_session_t session, struct tls_pair *pair);

#endif
