/* SPDX-License-Identifier: Apache-2.0
 * What is signed (docs.aws.amazon.com, "Create a signed AWS API request"):
 *
 *   canonical = method \n path \n query \n headers \n\n names of headers \n hash of body
 *   to sign   = AWS4-HMAC-SHA256 \n date \n scope \n hash of canonical
 *   key       = hmac(hmac(hmac(hmac("AWS4" secret, day), region), service), "aws4_request")
 *
 * The path is encoded as it stands in the URL, so that what was encoded there is encoded twice. Of
 * headers the host and those of the signature are signed: the fewest AWS takes. */
#include "net/upstream_sign.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/timestamp.h"
#include "os/os.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { HASH = crypto_hash_sha256_BYTES, HEX = 2 * HASH + 1, CANONICAL_MAX = 16 * 1024 };
enum { ARGUMENTS_MAX = 32 };

struct parts {
    struct slice id, secret, token;
    struct slice host, path, query, region;
};

/* ---- Taking apart -----------------------------------------------------------------------------
 */

/* text up to a mark, which is passed over; all of it if there is none. */
static struct slice part_until(struct slice *text, char mark)
{
    const char *end = text->len ? memchr(text->data, mark, text->len) : NULL;
    struct slice part = slice_part(*text, 0, end ? (size_t)(end - text->data) : text->len);
    *text = slice_from(*text, part.len + (end != NULL));
    return part;
}

/* As the Host header has it: without the scheme's own port. */
static struct slice shown_host(struct slice host, bool tls)
{
    struct slice port = tls ? SLICE_LITERAL(":443") : SLICE_LITERAL(":80");
    bool usual =
        host.len > port.len && !memcmp(host.data + host.len - port.len, port.data, port.len);
    return usual ? slice_part(host, 0, host.len - port.len) : host;
}

static struct slice region_of(struct slice host)
{
    struct slice last = {0};
    while (host.len) {
        struct slice label = part_until(&host, '.');
        if (slice_is(label, "amazonaws"))
            return last;
        last = label;
    }
    return (struct slice){0};
}

static int take_apart(const struct upstream_request *request, struct parts *parts)
{
    struct slice credential = request->sign_with, url = slice_of(request->url);
    bool tls = slice_starts(url, SLICE_LITERAL("https://"));
    parts->id = part_until(&credential, ':');
    parts->secret = part_until(&credential, ':');
    parts->token = credential;
    url = slice_from(url, tls ? strlen("https://") : strlen("http://"));
    size_t host_len = 0;
    while (host_len < url.len && url.data[host_len] != '/' && url.data[host_len] != '?')
        host_len++;
    parts->host = shown_host(slice_part(url, 0, host_len), tls);
    parts->query = slice_from(url, host_len);
    parts->path = part_until(&parts->query, '?');
    if (!parts->path.len)
        parts->path = SLICE_LITERAL("/");
    const char *region = request->wire ? request->wire->aws_region : NULL;
    parts->region = region && *region ? slice_of(region) : region_of(parts->host);
    return parts->id.len && parts->secret.len && parts->region.len ? 0 : METE_E_INVALID;
}

/* ---- Putting together -------------------------------------------------------------------------
 */

static int append_hex(struct buffer *out, const uint8_t hash[HASH])
{
    char hex[HEX];
    sodium_bin2hex(hex, sizeof hex, hash, HASH);
    return buffer_text(out, hex);
}

static int append_encoded(struct buffer *out, struct slice path)
{
    static const char digits[] = "0123456789ABCDEF", plain[] = "-._~/";
    int rc = 0;
    for (size_t i = 0; i < path.len && !rc; i++) {
        unsigned char c = (unsigned char)path.data[i];
        bool kept = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    (c && strchr(plain, c));
        const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        rc = buffer_append(out, kept ? slice_part(path, i, 1) : (struct slice){escape, 3});
    }
    return rc;
}

static int compare(const void *a, const void *b)
{
    const struct slice *first = a, *second = b;
    size_t len = first->len < second->len ? first->len : second->len;
    int order = len ? memcmp(first->data, second->data, len) : 0;
    return order ? order : (first->len > second->len) - (first->len < second->len);
}

/* In order of their names, each with its equals sign. */
static int append_query(struct buffer *out, struct slice query)
{
    struct slice list[ARGUMENTS_MAX];
    size_t len = 0;
    while (query.len && len < ARGUMENTS_MAX)
        list[len++] = part_until(&query, '&');
    if (query.len)
        return METE_E_INVALID;
    qsort(list, len, sizeof *list, compare);
    int rc = 0;
    for (size_t i = 0; i < len && !rc; i++) {
        rc = i ? buffer_text(out, "&") : 0;
        if (!rc)
            rc = buffer_append(out, list[i]);
        if (!rc && !memchr(list[i].data, '=', list[i].len))
            rc = buffer_text(out, "=");
    }
    return rc;
}

static void hash_body(const struct upstream_request *request, uint8_t ret_hash[HASH])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < request->body_len; i++)
        crypto_hash_sha256_update(&state, (const uint8_t *)request->body[i].data,
                                  request->body[i].len);
    crypto_hash_sha256_final(&state, ret_hash);
}

static const char *signed_names(const struct parts *parts)
{
    return parts->token.len ? "host;x-amz-date;x-amz-security-token" : "host;x-amz-date";
}

static int canonical(const struct upstream_request *request, const struct parts *parts,
                     const char *date, uint8_t ret_hash[HASH])
{
    uint8_t body[HASH];
    struct buffer out;
    buffer_init(&out, CANONICAL_MAX);
    hash_body(request, body);
    int rc = buffer_format(&out, "%s\n", request->method);
    if (!rc)
        rc = append_encoded(&out, parts->path);
    if (!rc)
        rc = buffer_text(&out, "\n");
    if (!rc)
        rc = append_query(&out, parts->query);
    if (!rc)
        rc = buffer_format(&out, "\nhost:%.*s\nx-amz-date:%s\n", (int)parts->host.len,
                           parts->host.data, date);
    if (!rc && parts->token.len)
        rc = buffer_format(&out, "x-amz-security-token:%.*s\n", (int)parts->token.len,
                           parts->token.data);
    if (!rc)
        rc = buffer_format(&out, "\n%s\n", signed_names(parts));
    if (!rc)
        rc = append_hex(&out, body);
    if (!rc)
        crypto_hash_sha256(ret_hash, (const uint8_t *)out.data, out.len);
    if (out.room)
        explicit_bzero(out.data, out.room); /* the token */
    buffer_done(&out);
    return rc;
}

static void hmac(uint8_t key[HASH], size_t key_len, const uint8_t *start, struct slice text)
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, start ? start : key, key_len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)text.data, text.len);
    crypto_auth_hmacsha256_final(&state, key);
    explicit_bzero(&state, sizeof state);
}

static void hmac_chain(const struct parts *parts, struct slice day, struct slice service,
                       uint8_t ret_key[HASH])
{
    uint8_t secret[4 + LIMIT_CREDENTIAL] = "AWS4";
    size_t len = parts->secret.len;
    memcpy(secret + 4, parts->secret.data, len);
    hmac(ret_key, 4 + len, secret, day);
    hmac(ret_key, HASH, NULL, parts->region);
    hmac(ret_key, HASH, NULL, service);
    hmac(ret_key, HASH, NULL, SLICE_LITERAL("aws4_request"));
    explicit_bzero(secret, sizeof secret);
}

/* "20150830T123600Z" of "2015-08-30T12:36:00Z"; a fraction is left out. */
static void short_date(int64_t now_us, char ret_date[UPSTREAM_SIGN_DATE])
{
    char room[TIMESTAMP_ROOM];
    size_t len = 0;
    timestamp_format(now_us - now_us % 1000000, room);
    for (const char *c = room; *c && len < UPSTREAM_SIGN_DATE - 1; c++)
        if (*c != '-' && *c != ':')
            ret_date[len++] = *c;
    ret_date[len] = 0;
}

int upstream_sign(const struct upstream_request *request, const char *service, int64_t now_us,
                  struct upstream_signature *ret_signature)
{
    struct parts parts;
    uint8_t key[HASH], hash[HASH];
    char hex[HEX], scope[160], to_sign[400];
    struct upstream_signature signature;
    if (request->sign_with.len > LIMIT_CREDENTIAL || take_apart(request, &parts))
        return METE_E_INVALID;
    short_date(now_us, signature.date);
    int rc = canonical(request, &parts, signature.date, hash);
    if (rc)
        return rc;
    sodium_bin2hex(hex, sizeof hex, hash, HASH);
    int len = snprintf(scope, sizeof scope, "%.8s/%.*s/%s/aws4_request", signature.date,
                       (int)parts.region.len, parts.region.data, service);
    if (len < 0 || (size_t)len >= sizeof scope)
        return METE_E_INVALID;
    len = snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", signature.date, scope,
                   hex);
    hmac_chain(&parts, (struct slice){signature.date, 8}, slice_of(service), key);
    hmac(key, HASH, NULL, (struct slice){to_sign, (size_t)len});
    sodium_bin2hex(hex, sizeof hex, key, HASH);
    explicit_bzero(key, sizeof key);
    len = snprintf(signature.authorization, sizeof signature.authorization,
                   "AWS4-HMAC-SHA256 Credential=%.*s/%s, SignedHeaders=%s, Signature=%s",
                   (int)parts.id.len, parts.id.data, scope, signed_names(&parts), hex);
    if (len < 0 || (size_t)len >= sizeof signature.authorization)
        return METE_E_INVALID;
    signature.token = parts.token;
    *ret_signature = signature;
    return 0;
}

int upstream_sign_headers(const struct upstream_request *request,
                          struct upstream_signature *ret_signature,
                          struct exchange_header ret_headers[UPSTREAM_SIGN_HEADERS],
                          size_t *ret_len)
{
    int rc = upstream_sign(request, "bedrock", os_wall_us(os_system()), ret_signature);
    if (rc)
        return rc;
    ret_headers[0] = (struct exchange_header){"x-amz-date", slice_of(ret_signature->date)};
    ret_headers[1] =
        (struct exchange_header){"authorization", slice_of(ret_signature->authorization)};
    ret_headers[2] = (struct exchange_header){"x-amz-security-token", ret_signature->token};
    *ret_len = ret_signature->token.len ? 3 : 2;
    return 0;
}
