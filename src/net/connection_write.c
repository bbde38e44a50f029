/* SPDX-License-Identifier: Apache-2.0
 * The bytes that wait for a client: one buffer, from whose front the kernel takes.
 *
 *   out   ....sent....|....waiting....|   room
 *         0           out_from        len
 *
 * They are sent in the listener's turn, so that what was written in one round, a reply's head and
 * its body or a hundred events of a stream, is one system call and one segment. A buffer that has
 * been emptied is given back but for a little: a thousand silent streams keep next to nothing. */
#include "net/connection.h"

#include "base/assert.h"

int connection_put(struct connection *connection, struct slice bytes)
{
    int rc = buffer_append(&connection->out, bytes);
    if (!rc)
        connection_note(connection, CONNECTION_SEND);
    return rc;
}

void connection_drop_queue(struct connection *connection)
{
    size_t max = connection->out.max;
    buffer_done(&connection->out);
    buffer_init(&connection->out, max);
    connection->out_from = 0;
}

static void shrink_queue(struct connection *connection)
{
    struct buffer *out = &connection->out;
    if (connection->out_from == out->len && out->room > CONNECTION_KEPT) {
        connection_drop_queue(connection);
    } else if (connection->out_from > out->len / 2) {
        buffer_consume(out, connection->out_from); /* amortised: as much was taken */
        connection->out_from = 0;
    }
    if (connection->queue_high && connection_waiting(connection) <= EXCHANGE_QUEUE_LOW) {
        connection->queue_high = false;
        connection_note(connection, CONNECTION_TELL_DRAINED);
    }
}

/* False: the connection is closed. */
static bool send_waiting(struct connection *connection)
{
    while (!connection->blocked && connection_waiting(connection)) {
        struct slice bytes = slice_from(buffer_slice(&connection->out), connection->out_from);
        ssize_t sent = wire_send(connection, bytes);
        if (sent == WIRE_AGAIN) {
            connection->blocked = true;
        } else if (sent < 0) {
            connection->peer_gone = true;
            connection_close(connection);
            return false;
        } else {
            connection->out_from += (size_t)sent;
        }
    }
    shrink_queue(connection);
    return true;
}

void connection_send(struct connection *connection)
{
    if (connection->fd < 0 || connection->phase == CONNECTION_LINGER)
        return;
    if (connection->cut && !connection->owned) {
        connection_over(connection); /* without the rest */
        return;
    }
    if (!send_waiting(connection))
        return;
    if (connection->phase == CONNECTION_REPLY && !connection->owned &&
        !connection_waiting(connection))
        connection_over(connection);
}
