/* SPDX-License-Identifier: Apache-2.0
 * Nothing comes from the environment: a proxy is always set, if to none, and so is the list of
 * hosts that go without (no_proxy would let a call pass by a configured proxy). A custom CA stands
 * in place of the system's, for the provider and for a proxy spoken to over TLS alike.
 *
 * CAPATH stays empty: with it each new TLS connection loads certificates for 20 ms. libcurl keeps
 * what it read of a CA file; a configured one is short and may be replaced, so it is read again
 * after a minute, the system's after a day. */
#include "net/upstream_wire.h"

#include <stdlib.h>
#include <string.h>

enum { CUSTOM_CA_S = 60, SYSTEM_CA_S = 86400 };

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static bool is_given(const char *text)
{
    return text && *text;
}

int upstream_wire_copy(const struct upstream_wire *wire, struct upstream_wire *ret_copy)
{
    static const struct upstream_wire plain;
    const struct upstream_wire *from = wire ? wire : &plain;
    struct upstream_wire copy = *from;
    copy.proxy = strdup(text_of(from->proxy));
    copy.ca_file = strdup(text_of(from->ca_file));
    copy.cert_file = strdup(text_of(from->cert_file));
    copy.key_file = strdup(text_of(from->key_file));
    copy.aws_region = NULL; /* it is no matter of the connection */
    if (!copy.proxy || !copy.ca_file || !copy.cert_file || !copy.key_file) {
        upstream_wire_done(&copy);
        return METE_E_MEMORY;
    }
    *ret_copy = copy;
    return 0;
}

static void text_free(const char *text)
{
    char *own; /* const for those who read it, made by strdup() */
    memcpy(&own, &text, sizeof own);
    free(own);
}

void upstream_wire_done(struct upstream_wire *copy)
{
    text_free(copy->proxy);
    text_free(copy->ca_file);
    text_free(copy->cert_file);
    text_free(copy->key_file);
    *copy = (struct upstream_wire){0};
}

bool upstream_wire_equal(const struct upstream_wire *a, const struct upstream_wire *b)
{
    return a->http == b->http && a->connections_max == b->connections_max &&
           a->idle_max == b->idle_max && !strcmp(text_of(a->proxy), text_of(b->proxy)) &&
           !strcmp(text_of(a->ca_file), text_of(b->ca_file)) &&
           !strcmp(text_of(a->cert_file), text_of(b->cert_file)) &&
           !strcmp(text_of(a->key_file), text_of(b->key_file));
}

static long http_version(const struct upstream_wire *wire, bool tls)
{
    if (wire->http == UPSTREAM_HTTP_1_1 || (!tls && wire->http == UPSTREAM_HTTP_AUTO))
        return CURL_HTTP_VERSION_1_1;
    return tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

static const char *system_ca(void)
{
    static const char *file;
    if (!file)
        file = curl_version_info(CURLVERSION_NOW)->cainfo;
    return file;
}

static CURLcode set_text(CURL *easy, CURLoption option, const char *text)
{
    return curl_easy_setopt(easy, option, is_given(text) ? text : NULL);
}

static CURLcode set_certificates(CURL *easy, const struct upstream_wire *wire)
{
    bool own = is_given(wire->ca_file);
    const char *ca = own ? wire->ca_file : system_ca();
    CURLcode code = set_text(easy, CURLOPT_CAINFO, ca);
    if (!code)
        code = set_text(easy, CURLOPT_PROXY_CAINFO, ca);
    if (!code)
        code = set_text(easy, CURLOPT_SSLCERT, wire->cert_file);
    if (!code)
        code = set_text(easy, CURLOPT_SSLKEY, wire->key_file);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT,
                                own ? (long)CUSTOM_CA_S : (long)SYSTEM_CA_S);
    return code;
}

int upstream_wire_set(CURL *easy, const struct upstream_wire *wire, bool tls)
{
    long version = http_version(wire, tls);
    bool many = version != CURL_HTTP_VERSION_1_1;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXY, text_of(wire->proxy));
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (!code)
        code = set_certificates(easy, wire);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    /* Wait for a connection that is being made: it may carry this request too. */
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_PIPEWAIT, many ? 1L : 0L);
    return !code ? 0 : code == CURLE_OUT_OF_MEMORY ? METE_E_MEMORY : METE_E_INVALID;
}
