/*
 * What the files of aws_creds share.
 *
 *   aws_creds.c            kept keys and their refresh
 *   aws_creds_settings.c   the environment, the files, settings in them
 *   aws_creds_chain.c      who is asked, in which order
 *   aws_creds_profile.c    keys and roles of a profile
 *   aws_creds_process.c    credential_process
 *   aws_creds_sts.c        AssumeRole, AssumeRoleWithWebIdentity
 *   aws_creds_container.c  containers and Pod Identity
 *   aws_creds_imds.c       machines: IMDSv2
 *   aws_creds_http.c       the requests of the last three
 */
#ifndef MOONKEEP_STORE_AWS_CREDS_INTERNAL_H
#define MOONKEEP_STORE_AWS_CREDS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "aws_config.h"
#include "aws_creds.h"
#include "aws_keys.h"
#include "moonkeep/buf.h"
#include "moonkeep/http.h"

/* Profiles that may name one another as source_profile. */
#define AWS_ROLES_MAX 10

/* A process that neither ends nor writes for so long is ended. */
#define AWS_PROCESS_STALL_MS 60000

struct aws_creds {
        struct aws_config *config; /* as it was at first: settings are borrowed from it */
        char *config_path, *credentials_path; /* NULL: there is no HOME */
        char *profile;
        bool profile_given;             /* by the caller: then it comes before the environment */
        char *region;                   /* given by the caller; or NULL */
        char *ca_file;                  /* or NULL */
        _Atomic int64_t clock_ahead_ms; /* what servers' clocks are ahead of ours */

        pthread_mutex_t lock; /* guards what follows */
        struct aws_keys keys; /* kept; id is NULL: none */
        char source[160];     /* where they come from, for messages */
        bool renewable;       /* asking again may give other ones */
        int64_t taken_ms;     /* monotonic */
        int64_t try_at_ms;    /* not before then, while those at hand are good */
        struct cancel *busy;  /* set when the refresh under way is over; NULL: there is none */
        unsigned long refreshes;
        struct err failure; /* of the last refresh; ERR_NONE: it succeeded */
        char *refused;      /* id of keys that the server called expired; or NULL */

        struct aws_config *profiles; /* for whoever refreshes: the files, read again; or NULL */
};

/* Keys that were found. */
struct aws_found {
        struct aws_keys keys;
        char source[160];
        bool renewable;
};

/*
 * Sources.  They return 1 with *out set, 0 when there is no such source
 * (*out is as it was), or -1: it is there, and failed.
 */

int aws_environment_keys(struct aws_found *out, struct err *err);

/* aws_chain_keys: of the first source that there is; never 0. */
int aws_chain_keys(
    struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err);

/* aws_profiles: the files as they were last read. */
const struct aws_config *aws_profiles(const struct aws_creds *it);

/* aws_profile_role: of the role_arn of the profile (and no token file). */
int aws_profile_role(
    struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err);

/* aws_profile_web_identity: of a token file; use_env: that of the environment comes first. */
int aws_profile_web_identity(struct aws_creds *it, const char *profile, bool use_env,
    struct aws_found *out, struct cancel *cancel, struct err *err);

/* aws_profile_keys: the profile's own, of the files or of a process. */
int aws_profile_keys(struct aws_creds *it, const char *profile, struct aws_found *out,
    struct cancel *cancel, struct err *err);

/* aws_process_keys: what the command prints; never 0. */
int aws_process_keys(
    const char *command, struct aws_keys *out, struct cancel *cancel, struct err *err);

int aws_container_keys(
    struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err);

/* aws_imds_keys: 0 when it is switched off. */
int aws_imds_keys(
    struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err);

/* A role that is asked for. */
struct aws_role {
        const char *arn;
        const char *session;     /* or NULL: one is made up */
        const char *external_id; /* or NULL */
        const char *duration;    /* seconds; or NULL */
        struct secret *token;    /* web identity; or NULL: */
        struct aws_keys *keys;   /* who asks */
};

/* aws_sts_keys: ask STS for it. */
int aws_sts_keys(struct aws_creds *it, const struct aws_role *role, struct aws_keys *out,
    struct cancel *cancel, struct err *err);

/* Settings. */

/* aws_settings_find: where the files are. */
int aws_settings_find(struct aws_creds *it, struct err *err);

/* aws_settings_read: the files as they are now. */
struct aws_config *aws_settings_read(const struct aws_creds *it, struct err *err);

/* aws_settings_check: is the profile there (if it was named), and what it names? */
int aws_settings_check(const struct aws_creds *it, bool named, struct err *err);

/* aws_env: a variable of the environment; NULL when it is not set, or empty. */
const char *aws_env(const char *name);

/* aws_service_endpoint: AWS_ENDPOINT_URL_STS and what comes after it, for "sts"; or NULL. */
const char *aws_service_endpoint(const struct aws_creds *it, const char *service);

/* aws_is_true: "true" in any case. */
bool aws_is_true(const char *text);

/* aws_creds_now_ms: unix, by the clock of the servers as far as it is known. */
int64_t aws_creds_now_ms(const struct aws_creds *it);

/* aws_secret_file: a token as a secret, without the line break at its end. */
struct secret *aws_secret_file(const char *what, const char *path, struct err *err);

/* aws_failed: err becomes ERR_CREDENTIALS, unless it is about us (cancelled, memory).  -1. */
int aws_failed(struct err *err);

/* Requests. */

#define AWS_ASK_HEADERS_MAX 6

struct aws_ask {
        const char *method;
        const char *url;
        struct {
                const char *name;
                const char *value;     /* or NULL */
                struct secret *secret; /* borrowed */
        } headers[AWS_ASK_HEADERS_MAX];
        const char *body; /* or NULL */
        size_t body_len;
        const char *ca_file; /* or NULL */
        bool no_proxy;
        unsigned attempts;
        int64_t stall_ms;
        int64_t total_ms; /* of one attempt */
};

/*
 * aws_ask: send it, and again after a pause when the connection fails or the
 * server answers 5xx or 429.  0 with any other complete answer, or the last
 * one.  The answer is to be given to aws_answer_clear, which wipes it.
 */
int aws_ask(struct aws_creds *it, const struct aws_ask *ask, struct http_answer *answer,
    struct cancel *cancel, struct err *err);
void aws_answer_clear(struct http_answer *answer);

#endif
