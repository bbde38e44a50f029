/* SPDX-License-Identifier: Apache-2.0
 * mete audit - lists the audit log, takes it away whole, and proves its chain. What it lists and
 * exports it asks of the server, or of the data when none runs; the chain it reads itself, beside a
 * server too. That the rows are what the journal's entries did is mete verify's to say. */
#include "cli/cli.h"
#include "cli/client_words.h"
#include "server/home.h"
#include "store/audit.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: mete audit list [--organization O] [--actor A] [--action A] [--kind K] [--id ID]\n"
    "                       [--from T] [--to T] [--limit N]\n"
    "       mete audit export [--format jsonl|csv] [the same but --limit]\n"
    "       mete audit verify [--head HASH] [--data DIR] [--json]\n"
    "list and export take --json, --data DIR, --server URL and --token T. With a server running\n"
    "on the data directory they ask it; with none they open the data themselves.\n"
    "Who changed what, before and after, newest first: --limit rows, 100 if absent, of a list, "
    "all\n"
    "of an export. An action is such as budget.update, a kind such as api_key, T an instant such\n"
    "as 2030-01-31T00:00:00Z.\n"
    "verify proves that each row is chained to the one before it, also while a server runs, and\n"
    "with --head that the chain has a hash that was kept elsewhere; mete verify compares the rows\n"
    "with the journal.\n"
    "Exit: 0 done, 1 not as it should be, 2 usage, 3 it failed.\n";

enum { EXPORT_ROWS = 1000 };

struct audit_options {
    struct client_options client;
    const char *organization, *actor, *action, *kind, *id, *from, *to, *limit, *format, *head;
    const char *subject; /* none is taken */
};

static int wrong(const char *why, const char *what)
{
    return client_words_wrong("audit", usage, why, what);
}

/* ---- Asking -----------------------------------------------------------------------------------
 */

static void put_query(struct buffer *path, const char *name, const char *value, int *rc)
{
    if (!value || *rc)
        return;
    const char *mark = memchr(path->data, '?', path->len) ? "&" : "?";
    *rc = buffer_format(path, "%s%s=", mark, name);
    if (!*rc)
        client_encode(path, value);
}

/* The list's path with its filter; ends without a NUL. */
static int put_path(const struct audit_options *options, struct buffer *path)
{
    int rc = buffer_text(path, options->organization ? "/api/v1/organizations/" : "/api/v1");
    if (!rc && options->organization)
        client_encode(path, options->organization);
    if (!rc)
        rc = buffer_text(path, "/audit");
    put_query(path, "actor", options->actor, &rc);
    put_query(path, "action", options->action, &rc);
    put_query(path, "kind", options->kind, &rc);
    put_query(path, "id", options->id, &rc);
    put_query(path, "from", options->from, &rc);
    put_query(path, "to", options->to, &rc);
    return rc ? wrong("too long", "") : CLI_DONE;
}

/* One page of the path; CLI_DONE: reply is to be done by the caller. */
static int get(struct client *client, struct buffer *path, struct client_reply *ret_reply)
{
    if (buffer_append(path, (struct slice){"", 1}))
        return wrong("too long", "");
    int code = client_call(client, "GET", path->data, (struct slice){0}, ret_reply);
    path->len--;
    if (code)
        return code;
    code = client_problem(ret_reply);
    if (code)
        client_reply_done(ret_reply);
    return code;
}

static int list(struct client *client, const struct audit_options *options, struct buffer *path)
{
    static const struct client_column columns[] = {
        {"seq", "seq"},       {"at", "at"}, {"who", "actor"},
        {"action", "action"}, {"id", "id"}, {"organization", "organization"},
    };
    struct client_reply reply;
    int rc = 0;
    put_query(path, "limit", options->limit, &rc);
    int code = rc ? wrong("too long", "") : get(client, path, &reply);
    if (code)
        return code;
    code = client_print_data(buffer_slice(&reply.body), &options->client, columns,
                             sizeof columns / sizeof columns[0]);
    client_reply_done(&reply);
    return code;
}

/* ---- Taking away ------------------------------------------------------------------------------
 */

/* Rows in a page, and the number of the last one, which each line begins with. */
static size_t rows_of(struct slice lines, bool is_csv, unsigned long long *ret_last)
{
    size_t rows = 0;
    while (lines.len) {
        const char *end = memchr(lines.data, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.data) + 1 : lines.len;
        char digits[24] = "";
        size_t skip = is_csv ? 0 : sizeof "{\"seq\":" - 1;
        if (len > skip)
            snprintf(digits, sizeof digits, "%.*s", (int)(len - skip), lines.data + skip);
        *ret_last = strtoull(digits, NULL, 10);
        lines = slice_from(lines, len);
        rows++;
    }
    return rows;
}

/* Of CSV the titles, which the first page alone has to show. */
static struct slice without_titles(struct slice body)
{
    const char *end = body.len ? memchr(body.data, '\n', body.len) : NULL;
    return end ? slice_from(body, (size_t)(end - body.data) + 1) : body;
}

static int export(struct client *client, const struct audit_options *options, struct buffer *path)
{
    bool is_csv = options->format && !strcmp(options->format, "csv");
    unsigned long long last = 0;
    size_t rows = EXPORT_ROWS, len = path->len;
    int code = CLI_DONE;
    while (!code && rows == EXPORT_ROWS) {
        char cursor[32] = "";
        struct client_reply reply;
        int rc = 0;
        path->len = len;
        put_query(path, "format", is_csv ? "csv" : "jsonl", &rc);
        put_query(path, "limit", "1000", &rc);
        snprintf(cursor, sizeof cursor, "%llu", last);
        put_query(path, "cursor", last ? cursor : NULL, &rc);
        code = rc ? wrong("too long", "") : get(client, path, &reply);
        if (code)
            break;
        struct slice body = buffer_slice(&reply.body), lines = is_csv ? without_titles(body) : body;
        struct slice shown = last ? lines : body;
        if (shown.len && fwrite(shown.data, 1, shown.len, stdout) != shown.len)
            code = CLI_FAILED;
        rows = rows_of(lines, is_csv, &last);
        client_reply_done(&reply);
    }
    return code;
}

/* ---- Proving ----------------------------------------------------------------------------------
 */

struct proof {
    unsigned long long rows, wrong; /* wrong: the row that is not chained; 0: none */
    uint8_t head[AUDIT_HASH];
    char wanted[2 * AUDIT_HASH + 1]; /* --head; empty: none */
    bool is_found;
};

static void write_hex(const uint8_t hash[AUDIT_HASH], char room[2 * AUDIT_HASH + 1])
{
    for (size_t i = 0; i < AUDIT_HASH; i++)
        snprintf(room + 2 * i, 3, "%02x", hash[i]);
}

static int walk(struct audit_book *book, struct proof *proof)
{
    struct audit_row row;
    char hex[2 * AUDIT_HASH + 1];
    int found, error;
    while (!(error = audit_next(book, &row, &found)) && found) {
        uint8_t hash[AUDIT_HASH];
        audit_hash(proof->head, &row, hash);
        if (memcmp(hash, row.chain, AUDIT_HASH) != 0) {
            proof->wrong = row.seq;
            return 0;
        }
        memcpy(proof->head, hash, AUDIT_HASH);
        proof->rows++;
        write_hex(hash, hex);
        proof->is_found |= !strcmp(hex, proof->wanted);
    }
    return error;
}

static int say(const struct proof *proof, bool json)
{
    char hex[2 * AUDIT_HASH + 1], detail[96] = "";
    write_hex(proof->head, hex);
    if (proof->wrong)
        snprintf(detail, sizeof detail, "audit row %llu is not what was chained to the row before",
                 proof->wrong);
    else if (proof->wanted[0] && !proof->is_found)
        snprintf(detail, sizeof detail, "no row has the hash that --head says");
    if (json)
        printf("{\"clean\":%s,\"rows\":%llu,\"head\":\"%s\",\"detail\":\"%s\"}\n",
               detail[0] ? "false" : "true", proof->rows, hex, detail);
    else if (detail[0])
        printf("not clean: %s\n", detail);
    else
        printf("audit     %llu rows, each chained to the one before it\nhead      %s\nclean\n",
               proof->rows, hex);
    return detail[0] ? CLI_NO : CLI_DONE;
}

static int verify(const struct audit_options *options)
{
    const char *data = options->client.data ? options->client.data : home_default();
    struct records_reader *reader = NULL;
    struct audit_book *book;
    struct proof proof = {0};
    if (options->head && strlen(options->head) != 2 * AUDIT_HASH)
        return wrong("a hash has 64 hexadecimal digits, not: ", options->head);
    if (options->head)
        memcpy(proof.wanted, options->head, sizeof proof.wanted);
    int error = records_reader_open(os_system(), data, &reader);
    if (!error)
        error = records_reader_audit(reader, &book);
    if (!error)
        error = walk(book, &proof);
    records_reader_close(reader);
    if (!error)
        return say(&proof, options->client.json);
    fprintf(stderr, "mete audit: %s: %s\n", data,
            error == METE_E_NOT_FOUND ? "there are no records" : mete_error_text(error));
    return error == METE_E_CORRUPT ? CLI_NO : CLI_FAILED;
}

/* ---- The command ------------------------------------------------------------------------------
 */

static int read_options(int argc, char **argv, struct audit_options *options)
{
    const struct client_word known[] = {{"--organization", &options->organization},
                                        {"--actor", &options->actor},
                                        {"--action", &options->action},
                                        {"--kind", &options->kind},
                                        {"--id", &options->id},
                                        {"--from", &options->from},
                                        {"--to", &options->to},
                                        {"--limit", &options->limit},
                                        {"--format", &options->format},
                                        {"--head", &options->head}};
    const struct client_words words = {.command = "audit",
                                       .usage = usage,
                                       .options = &options->client,
                                       .subject = &options->subject,
                                       .known = known,
                                       .known_len = sizeof known / sizeof known[0]};
    int code = client_words_read(&words, argc, argv);
    if (!code && options->subject)
        code = wrong("unknown: ", options->subject);
    return code;
}

/* Whether an option was said that the word does not know. */
static bool is_strange(const char *word, const struct audit_options *options)
{
    bool verifies = !strcmp(word, "verify"), lists = !strcmp(word, "list");
    bool filters = options->organization || options->actor || options->action || options->kind ||
                   options->id || options->from || options->to;
    return (verifies && filters) || (options->head && !verifies) || (options->limit && !lists) ||
           (options->format && strcmp(word, "export") != 0);
}

static int ask(const char *word, const struct audit_options *options)
{
    struct client *client;
    struct buffer path;
    buffer_init(&path, 8192);
    int code = put_path(options, &path);
    if (!code)
        code = client_open(&options->client, &client);
    if (!code) {
        code =
            !strcmp(word, "list") ? list(client, options, &path) : export(client, options, &path);
        client_close(client);
    }
    buffer_done(&path);
    return code;
}

int cli_audit(int argc, char **argv)
{
    struct audit_options options = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (client_wants_help(argc, argv)) {
        fputs(usage, stdout);
        return CLI_DONE;
    }
    if (strcmp(word, "list") && strcmp(word, "export") && strcmp(word, "verify"))
        return wrong(word[0] ? "unknown: " : "say what to do", word);
    int code = read_options(argc, argv, &options);
    if (code)
        return code;
    if (is_strange(word, &options))
        return wrong("an option does not belong to ", word);
    if (options.format && strcmp(options.format, "jsonl") && strcmp(options.format, "csv"))
        return wrong("a format is jsonl or csv, not ", options.format);
    return !strcmp(word, "verify") ? verify(&options) : ask(word, &options);
}
