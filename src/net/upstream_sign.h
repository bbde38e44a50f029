/* SPDX-License-Identifier: Apache-2.0
 * AWS Signature Version 4 over one request: the headers that make AWS believe it is ours. libcurl's
 * own (CURLOPT_AWS_SIGV4, 7.88) neither encodes the path a second time, as every service but S3
 * wants it, which the colon in most of Bedrock's model names needs, nor hashes a body in pieces.
 * COST  one SHA-256 over the body. */
#ifndef NET_UPSTREAM_SIGN_H
#define NET_UPSTREAM_SIGN_H

#include "gateway/upstream.h"
#include "mete.h"

enum { UPSTREAM_SIGN_AUTHORIZATION = 512, UPSTREAM_SIGN_DATE = 17, UPSTREAM_SIGN_HEADERS = 3 };

struct upstream_signature {
    char authorization[UPSTREAM_SIGN_AUTHORIZATION]; /* terminated, as date */
    char date[UPSTREAM_SIGN_DATE];                   /* x-amz-date */
    struct slice token; /* x-amz-security-token; of the credential; empty: none */
};

/* request->sign_with is "ID:SECRET" or "ID:SECRET:TOKEN"; region empty: the label before
 * .amazonaws.com in the URL's host. INVALID: either is not there, or something is too long. */
METE_MUST_USE int upstream_sign(const struct upstream_request *request, const char *service,
                                int64_t now_us, struct upstream_signature *ret_signature);

/* The same, of Bedrock and now, as headers that go with the request; they point into the signature
 * and the credential. */
METE_MUST_USE int upstream_sign_headers(const struct upstream_request *request,
                                        struct upstream_signature *ret_signature,
                                        struct exchange_header ret_headers[UPSTREAM_SIGN_HEADERS],
                                        size_t *ret_len);

#endif
