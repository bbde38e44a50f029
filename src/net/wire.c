/* SPDX-License-Identifier: Apache-2.0
 * A connection's socket, plain or with TLS over it. Nothing here blocks: what cannot go on says
 * WIRE_AGAIN, and the loop's watch (for edges) brings it back.
 *
 * A handshake goes on whenever the socket has something to say, until GnuTLS has nothing left to
 * do; how long it may take is the sweep's, as part of waiting for a request's head.
 *
 *   accepted --wire_shake()--> done: bytes go through the session
 *                \--WIRE_AGAIN: at the client's next bytes, or when ours go again --/
 *
 * A record that the socket did not take whole stays inside the session (held): GnuTLS is then asked
 * to go on with it, and says how many bytes of ours it was. */
#include "net/connection.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALERTS_MOST = 16 }; /* warnings of a client's that are passed over in a row */

static bool is_again(ssize_t code)
{
    return code == GNUTLS_E_INTERRUPTED || code == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

bool wire_open(struct connection *connection)
{
    struct tls *tls = connection->listener->tls;
    if (!tls)
        return true;
    connection->pair = tls_enter(tls, connection->fd, &connection->session);
    connection->shaking = true;
    return connection->pair != NULL;
}

bool wire_shake(struct connection *connection)
{
    int code = GNUTLS_E_INTERRUPTED;
    for (int i = 0; i < ALERTS_MOST && is_again(code); i++)
        code = gnutls_handshake(connection->session);
    if (code == GNUTLS_E_AGAIN) {
        connection->blocked = gnutls_record_get_direction(connection->session) == 1;
        return true;
    }
    connection->blocked = false;
    if (code < 0)
        (void)gnutls_alert_send_appropriate(connection->session, code);
    else
        connection->shaking = false;
    return code >= 0;
}

void wire_end(struct connection *connection)
{
    if (connection->session && !connection->shaking)
        (void)gnutls_bye(connection->session, GNUTLS_SHUT_WR);
    shutdown(connection->fd, SHUT_WR);
}

void wire_close(struct connection *connection)
{
    tls_leave(connection->listener->tls, connection->session, connection->pair);
    connection->session = NULL;
    connection->pair = NULL;
    close(connection->fd);
    connection->fd = -1;
}

static ssize_t secret_result(ssize_t code)
{
    if (code >= 0)
        return code;
    return code == GNUTLS_E_AGAIN ? WIRE_AGAIN : WIRE_LOST;
}

static ssize_t plain_result(ssize_t done)
{
    if (done >= 0)
        return done;
    return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_AGAIN : WIRE_LOST;
}

static ssize_t recv_plain(int fd, char *room, size_t len, int flags)
{
    ssize_t got;
    do {
        got = recv(fd, room, len, flags);
    } while (got < 0 && errno == EINTR);
    return plain_result(got);
}

ssize_t wire_recv(struct connection *connection, char *room, size_t len)
{
    if (!connection->session)
        return recv_plain(connection->fd, room, len, 0);
    ssize_t got = GNUTLS_E_INTERRUPTED;
    for (int i = 0; i < ALERTS_MOST && is_again(got); i++)
        got = gnutls_record_recv(connection->session, room, len);
    return got == GNUTLS_E_PREMATURE_TERMINATION ? 0 : secret_result(got);
}

ssize_t wire_drop(struct connection *connection, char *room, size_t len)
{
    return recv_plain(connection->fd, room, len, MSG_TRUNC); /* which copies nothing */
}

ssize_t wire_send(struct connection *connection, struct slice bytes)
{
    ssize_t sent;
    if (!connection->session) {
        do {
            sent = send(connection->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        } while (sent < 0 && errno == EINTR);
        return plain_result(sent);
    }
    if (connection->held)
        bytes = (struct slice){NULL, 0};
    do {
        sent = gnutls_record_send(connection->session, bytes.data, bytes.len);
    } while (sent == GNUTLS_E_INTERRUPTED);
    sent = secret_result(sent);
    connection->held = sent == WIRE_AGAIN;
    return sent;
}
