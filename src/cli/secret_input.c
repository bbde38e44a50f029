/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret_input.h"

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static size_t read_some(int fd, char *room, size_t room_len)
{
    size_t len = 0;
    ssize_t part = 1;
    while (part > 0 && len < room_len) {
        part = read(fd, room + len, room_len - len);
        len += part > 0 ? (size_t)part : 0;
        if (memchr(room, '\n', len) && isatty(fd))
            break;
    }
    return part < 0 ? 0 : len;
}

/* Without showing what is typed. */
static size_t read_typed(const char *prompt, char *room, size_t room_len)
{
    struct termios before, silent;
    if (tcgetattr(STDIN_FILENO, &before))
        return read_some(STDIN_FILENO, room, room_len);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    size_t len = read_some(STDIN_FILENO, room, room_len);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return len;
}

int secret_input(const struct secret_question *question, char *room, size_t room_len,
                 struct slice *ret_secret)
{
    size_t len;
    if (question->file) {
        int fd = open(question->file, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            fprintf(stderr, "mete %s: %s: %s\n", question->command, question->file,
                    strerror(errno));
            return CLI_FAILED;
        }
        len = read_some(fd, room, room_len);
        close(fd);
    } else {
        len = isatty(STDIN_FILENO) ? read_typed(question->prompt, room, room_len)
                                   : read_some(STDIN_FILENO, room, room_len);
    }
    while (len && (room[len - 1] == '\n' || room[len - 1] == '\r'))
        len--;
    *ret_secret = (struct slice){room, len};
    return CLI_DONE;
}
