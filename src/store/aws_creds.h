/*
 * Credentials of AWS, found and refreshed as its own tools do.  The first of
 * these that is set up counts: keys of the environment, a role of the profile,
 * web identity, keys or the process of the profile, the container, IMDSv2.
 */
#ifndef MOONKEEP_STORE_AWS_CREDS_H
#define MOONKEEP_STORE_AWS_CREDS_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/secret.h"

/* One set of keys, owned by who got it. */
struct aws_keys {
        char *id; /* AKIA...; not secret */
        struct secret *secret;
        struct secret *token; /* of a session; or NULL */
        int64_t expires_ms;   /* unix; 0: never */
};

void aws_keys_clear(struct aws_keys *keys);

struct aws_creds; /* any thread */

struct aws_creds_opts {
        /*
         * NULL: AWS_PROFILE, AWS_DEFAULT_PROFILE, "default".  One that is given
         * here comes before keys and web identity of the environment.
         */
        const char *profile;
        const char *region;  /* for STS; NULL: as aws_creds_setting says */
        const char *ca_file; /* or NULL */
};

/*
 * aws_creds_new: reads the environment and the shared files, contacts nobody.
 * ERR_CREDENTIALS: no such profile, a file that cannot be read or understood.
 */
struct aws_creds *aws_creds_new(const struct aws_creds_opts *opts, struct err *err);
void aws_creds_free(struct aws_creds *creds);

/*
 * aws_creds_get: keys that are good for some minutes yet: kept ones, or new
 * ones when these expire soon.  When new ones cannot be had and the old ones
 * are still good, those.  ERR_CREDENTIALS says which source was asked and why
 * it gave none: "expired", "token file ... unreadable", "no credentials: looked in ...".
 */
int aws_creds_get(
    struct aws_creds *creds, struct aws_keys *out, struct cancel *cancel, struct err *err);

/*
 * aws_creds_refused: the server said that the keys with that id have expired;
 * the next aws_creds_get fetches new ones.  Returns whether there can be any
 * (false for keys that nobody refreshes).  Said of keys that have just replaced
 * refused ones it is taken for a late word about those, and nothing happens.
 */
bool aws_creds_refused(struct aws_creds *creds, const char *id);

/*
 * aws_creds_setting: a setting of the environment or of the profile: "region"
 * (AWS_REGION, AWS_DEFAULT_REGION), "endpoint_url" (AWS_ENDPOINT_URL_S3,
 * AWS_ENDPOINT_URL, services section), "ca_bundle" (AWS_CA_BUNDLE),
 * "addressing_style" (s3 = addressing_style), "use_dualstack_endpoint",
 * "use_fips_endpoint"; borrowed, or NULL.
 */
const char *aws_creds_setting(const struct aws_creds *creds, const char *name);

#endif
