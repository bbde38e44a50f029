/* SPDX-License-Identifier: Apache-2.0
 * Lines of the transcript: a letter, then integers. */
#include "model/words.h"
#include "model/world.h"

#include <string.h>
#include <unistd.h>

const char *const words[WORDS] = {"",
                                  "gpt-4o",
                                  "gpt-4o-mini",
                                  "claude-3",
                                  "openai",
                                  "azure",
                                  "s-1",
                                  "s-22",
                                  "red",
                                  "green",
                                  "blue",
                                  "*",
                                  "gpt-4o*",
                                  "c*",
                                  "az*",
                                  "s-2*",
                                  "g*",
                                  "purchase",
                                  "UTC",
                                  "Europe/Berlin",
                                  "America/New_York",
                                  "Asia/Kolkata",
                                  "Australia/Lord_Howe",
                                  "America/Sao_Paulo",
                                  "Asia/Kathmandu",
                                  "Pacific/Chatham"};

static char buffer[1 << 16];
static size_t len;
int tell_at_once;

void tell_flush(void)
{
    for (size_t at = 0; at < len;) {
        ssize_t written = write(STDOUT_FILENO, buffer + at, len - at);
        if (written <= 0)
            _exit(3); /* the reader has seen enough */
        at += (size_t)written;
    }
    len = 0;
}

static void put(const char *bytes, size_t bytes_len)
{
    if (len + bytes_len > sizeof buffer)
        tell_flush();
    memcpy(buffer + len, bytes, bytes_len);
    len += bytes_len;
}

void tell_letter(char letter)
{
    put(&letter, 1);
}

void tell(int64_t number)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0)
        digits[--at] = '-';
    digits[--at] = ' ';
    put(digits + at, sizeof digits - at);
}

void tell_instant(struct mete_instant instant)
{
    tell(instant.us == INT64_MAX ? -1 : instant.us);
}

void tell_text(struct mete_text text)
{
    size_t i = 0;
    while (text.len && i < WORDS && words[i] != text.data)
        i++;
    tell(i < WORDS ? (int64_t)i : -1);
}

void tell_words(void)
{
    for (size_t i = 0; i < WORDS; i++) {
        tell_letter('X');
        tell((int64_t)i);
        put(" ", 1);
        put(words[i], strlen(words[i]));
        tell_end();
    }
}

void tell_end(void)
{
    put("\n", 1);
    if (tell_at_once)
        tell_flush();
}
