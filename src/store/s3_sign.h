/*
 * AWS Signature Version 4, in the Authorization header.
 *
 * Source: AWS General Reference, "Signature Version 4 signing process"; Amazon
 * S3 API Reference, "Authenticating Requests: Using the Authorization Header".
 */
#ifndef MOONKEEP_STORE_S3_SIGN_H
#define MOONKEEP_STORE_S3_SIGN_H

#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/digest.h"
#include "moonkeep/err.h"

/* Bound on what is signed: the headers of a request and its URL. */
#define S3_CANONICAL_MAX ((size_t)256 * 1024)

struct s3_pair {
        const char *name;
        const char *value;
};

/* A request, as it is sent. */
struct s3_signing {
        const char *method;
        const char *path;              /* encoded, once */
        const char *query;             /* as s3_query writes it */
        const struct s3_pair *headers; /* each is signed; in any order, names in any case */
        size_t header_count;
        const char *payload_hash; /* SHA-256 of the body in hexadecimal */
        const char *date;         /* "20130524T000000Z", as x-amz-date says it, too */
        const char *region;
        const char *service; /* "s3" */
        const char *key_id;
        const unsigned char *key; /* of s3_signing_key for that date, region and service */
};

/* The SHA-256 of nothing, in hexadecimal. */
extern const char s3_hash_of_nothing[SHA256_HEX_SIZE];

/* s3_query: the pairs, encoded and sorted: "a=1&b=", appended to out; a NULL value is "". */
int s3_query(const struct s3_pair *pairs, size_t count, struct buf *out, struct err *err);

/* s3_signing_key: good for one day (of date), region and service. */
int s3_signing_key(const char *secret, size_t secret_len, const char *date, const char *region,
    const char *service, unsigned char out[SHA256_SIZE], struct err *err);

/*
 * s3_canonical: the canonical request, appended to out, and the names of the
 * signed headers, appended to names.  Values in it may be secret.
 */
int s3_canonical(const struct s3_signing *it, struct buf *out, struct buf *names, struct err *err);

/* s3_authorization: the value of the Authorization header, appended to out. */
int s3_authorization(const struct s3_signing *it, struct buf *out, struct err *err);

#endif
