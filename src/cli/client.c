/* SPDX-License-Identifier: Apache-2.0
 * The server's address stands in the data directory; if nothing listens there (it crashed), the
 * data is opened here as if there were none. The engine's lock decides: two can never have it open.
 * Not done: talking to a server through its files or a socket of its own; one door is enough. */
#include "cli/client.h"

#include "api/local.h"
#include "base/limits.h"
#include "server/home.h"
#include "server/switches.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct client {
    CURL *curl;
    char base[HOME_ADDRESS + 16]; /* "http://127.0.0.1:8081" */
    char pin[HOME_ADDRESS]; /* the server's key, which its data directory vouches for; or "" */
    struct curl_slist *headers;
    struct local *local; /* instead */
    struct vault *vault; /* of local, or NULL */
    struct home home;
    char authorization[HOME_TOKEN + 16];
    bool is_patient;
};

bool client_wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || (i == 1 && !strcmp(argv[i], "help")))
            return true;
    return false;
}

int client_option(int argc, char **argv, int *at, struct client_options *options)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = {
        {"--data", &options->data}, {"--server", &options->server}, {"--token", &options->token}};
    if (!strcmp(argv[*at], "--json")) {
        options->json = true;
        ++*at;
        return 1;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(argv[*at], known[i].name) != 0)
            continue;
        if (*at + 1 >= argc || !argv[*at + 1][0])
            return -1;
        *known[i].value = argv[*at + 1];
        *at += 2;
        return 1;
    }
    return 0;
}

/* ---- Over HTTP ---------------------------------------------------------------------------------
 */

static size_t take_bytes(char *bytes, size_t size, size_t count, void *user)
{
    struct buffer *body = user;
    return buffer_append(body, (struct slice){bytes, size * count}) ? 0 : size * count;
}

/* The value of the line, if it is of this header (in small letters, with its colon). */
static void keep_header(struct slice line, const char *name, char *room, size_t room_len)
{
    size_t at = strlen(name), end = line.len;
    bool is_it = line.len > at;
    for (size_t i = 0; is_it && i < at; i++)
        is_it = (line.data[i] | 0x20) == (name[i] | 0x20);
    while (is_it && at < line.len && line.data[at] == ' ')
        at++;
    while (is_it && end > at && (unsigned char)line.data[end - 1] <= ' ')
        end--;
    if (is_it)
        snprintf(room, room_len, "%.*s", (int)(end - at), line.data + at);
}

static size_t take_header(char *bytes, size_t size, size_t count, void *user)
{
    struct client_reply *reply = user;
    struct slice line = {bytes, size * count};
    keep_header(line, "etag:", reply->etag, sizeof reply->etag);
    keep_header(line, "next-cursor:", reply->next_cursor, sizeof reply->next_cursor);
    return line.len;
}

/* CURLE_ codes; the reply's body is kept by whoever calls. */
static CURLcode http_call(struct client *client, const char *method, const char *path,
                          struct slice body, struct client_reply *reply)
{
    char url[2048];
    int len = snprintf(url, sizeof url, "%s%s", client->base, path);
    if (len < 0 || (size_t)len >= sizeof url)
        return CURLE_URL_MALFORMAT;
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, client->is_patient ? 0L : 60L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
    if (client->pin[0]) { /* in place of a name and a chain: it may listen on any address */
        curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, client->pin);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (body.data) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.len);
    }
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    return code;
}

static int open_http(struct client *client)
{
    char header[sizeof client->authorization + 32];
    snprintf(header, sizeof header, "Authorization: %s", client->authorization);
    client->curl = curl_easy_init();
    client->headers = curl_slist_append(NULL, header);
    struct curl_slist *more =
        client->headers ? curl_slist_append(client->headers, "Content-Type: application/json")
                        : NULL;
    if (!client->curl || !more) {
        fprintf(stderr, "mete: %s\n", mete_error_text(METE_E_MEMORY));
        return CLI_FAILED;
    }
    return CLI_DONE;
}

/* Whether something answers at the address. */
static bool answers(struct client *client)
{
    struct client_reply reply = {0};
    buffer_init(&reply.body, LIMIT_REPLY);
    CURLcode code = http_call(client, "GET", "/healthz", (struct slice){0}, &reply);
    buffer_done(&reply.body);
    return code != CURLE_COULDNT_CONNECT;
}

static void close_http(struct client *client)
{
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    client->curl = NULL;
    client->headers = NULL;
}

/* ---- In this process ---------------------------------------------------------------------------
 */

/* With no key there is no vault, and the API says so. */
static int open_vault(struct client *client, const struct client_options *options,
                      char ret_detail[VAULT_DETAIL])
{
    struct vault_key *key = NULL;
    const char *file = options->key_file ? options->key_file : getenv("METE_SEALING_KEY_FILE");
    if (!options->seals || !file || !*file)
        return 0;
    int rc = vault_key_read(file, client->home.path, &key, ret_detail);
    if (!rc) {
        rc = vault_open(client->home.path, key, &client->vault, ret_detail);
        if (rc)
            vault_key_free(key);
    }
    return rc;
}

static int open_local(struct client *client, const struct client_options *options)
{
    char detail[VAULT_DETAIL] = "", file[HOME_PATH + 16];
    snprintf(file, sizeof file, "%s/secret.key", options->data);
    if (access(file, F_OK) != 0) { /* or opening it would make one */
        fprintf(stderr, "mete: %s is no data directory, and no server runs on it (mete init)\n",
                options->data);
        return CLI_FAILED;
    }
    int rc = home_open(options->data, &client->home, detail);
    struct api_budget_defaults budgets = {0};
    if (!rc)
        rc = switches_read(&budgets, detail);
    if (!rc)
        rc = open_vault(client, options, detail);
    if (!rc) {
        struct local_options local = {.directory = client->home.path,
                                      .admin_token = client->home.admin_token,
                                      .vault = client->vault,
                                      .budgets = budgets};
        memcpy(local.secret, client->home.secret, sizeof local.secret);
        rc = local_open(&local, &client->local);
    }
    if (rc) {
        fprintf(stderr, "mete: %s: %s%s%s\n", options->data, mete_error_text(rc),
                detail[0] ? " " : "", detail);
        return CLI_FAILED;
    }
    snprintf(client->authorization, sizeof client->authorization, "Bearer %s",
             options->token ? options->token : client->home.admin_token);
    return CLI_DONE;
}

static int local_request(struct client *client, const char *method, const char *path,
                         struct slice body, struct client_reply *reply)
{
    struct local_call call = {.method = method,
                              .target = path,
                              .authorization = slice_of(client->authorization),
                              .body = body};
    local_ask(client->local, &call);
    reply->status = call.status;
    memcpy(reply->etag, call.etag, sizeof reply->etag);
    memcpy(reply->next_cursor, call.next_cursor, sizeof reply->next_cursor);
    reply->body = call.reply; /* moved */
    return CLI_DONE;
}

/* ---- Either -------------------------------------------------------------------------------------
 */

/* "HOST:PORT", or "https://HOST:PORT#PIN". */
static void take_address(struct client *client, char *address)
{
    char *mark = strchr(address, '#');
    bool https = strncmp(address, "https://", 8) == 0;
    if (mark) {
        snprintf(client->pin, sizeof client->pin, "%s", mark + 1);
        *mark = 0;
    }
    snprintf(client->base, sizeof client->base, "%s%s", https ? "" : "http://", address);
}

/* Finds the server and the token for it. true: there is a server to try. */
static bool find_server(struct client *client, const struct client_options *options)
{
    char address[HOME_ADDRESS], token[HOME_TOKEN] = "";
    if (options->server) {
        size_t len = strlen(options->server);
        while (len && options->server[len - 1] == '/')
            len--;
        snprintf(client->base, sizeof client->base, "%.*s", (int)len, options->server);
    } else if (home_server(options->data, address)) {
        return false;
    } else {
        take_address(client, address);
    }
    if (options->token)
        snprintf(token, sizeof token, "%s", options->token);
    else if (home_token(options->data, token))
        token[0] = 0; /* the server will say that one is needed */
    snprintf(client->authorization, sizeof client->authorization, "Bearer %s", token);
    return true;
}

static int open_client(struct client *client, const struct client_options *options)
{
    if (find_server(client, options)) {
        int code = open_http(client);
        if (code || options->server || answers(client))
            return code;
        close_http(client);
    }
    return open_local(client, options);
}

int client_open(const struct client_options *options, struct client **ret_client)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client) {
        fprintf(stderr, "mete: %s\n", mete_error_text(METE_E_MEMORY));
        return CLI_FAILED;
    }
    struct client_options known = *options;
    if (!known.data)
        known.data = home_default();
    int code = open_client(client, &known);
    if (code) {
        client_close(client);
        return code;
    }
    *ret_client = client;
    return CLI_DONE;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    close_http(client);
    local_close(client->local);
    vault_close(client->vault);
    free(client);
}

void client_be_patient(struct client *client)
{
    client->is_patient = true;
}

int client_call(struct client *client, const char *method, const char *path, struct slice body,
                struct client_reply *ret_reply)
{
    struct client_reply reply = {0};
    buffer_init(&reply.body, LIMIT_REPLY);
    if (client->local) {
        int code = local_request(client, method, path, body, &reply);
        *ret_reply = reply;
        return code;
    }
    CURLcode code = http_call(client, method, path, body, &reply);
    if (code != CURLE_OK) {
        fprintf(stderr, "mete: %s: %s\n", client->base, curl_easy_strerror(code));
        buffer_done(&reply.body);
        return CLI_FAILED;
    }
    *ret_reply = reply;
    return CLI_DONE;
}

void client_reply_done(struct client_reply *reply)
{
    buffer_done(&reply->body);
}

int client_problem(const struct client_reply *reply)
{
    if (reply->status >= 200 && reply->status < 300)
        return CLI_DONE;
    struct json problem;
    char detail[512] = "", field[160] = "";
    if (!json_scan(buffer_slice(&reply->body), &problem, NULL)) {
        client_member(problem, "detail", detail, sizeof detail);
        client_member(problem, "field", field, sizeof field);
    }
    fprintf(stderr, "mete: %s%s%s (%d)\n", field, field[0] ? ": " : "",
            detail[0] ? detail : "the server does not speak as mete does", reply->status);
    if (reply->status >= 500 && reply->status != 501)
        return CLI_FAILED;
    return reply->status == 400 ? CLI_USAGE : CLI_NO;
}

void client_encode(struct buffer *path, const char *text)
{
    static const char hex[] = "0123456789ABCDEF", plain[] = "-._~:@";
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool safe = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    strchr(plain, c);
        char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
        int rc = buffer_append(path, safe ? (struct slice){text, 1} : (struct slice){escape, 3});
        if (rc)
            return; /* too long: the server will not know it */
    }
}
