#include "azure_creds.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "azure_creds_internal.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* A token that expires sooner than this is replaced. */
#define MARGIN_MS (5 * INT64_C(60000))

/* One that expires sooner than this is not used any more. */
#define GRACE_MS INT64_C(15000)

/* So long after an attempt that failed, or brought no better token, nobody tries again. */
#define RETRY_MS INT64_C(30000)

struct azure_creds *
azure_creds_new(const char *account, const char *resource, struct err *err)
{
        struct azure_creds *creds = mem_zalloc(sizeof(*creds), err);

        if (creds == NULL)
                return NULL;
        pthread_mutex_init(&creds->lock, NULL);
        creds->turn = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        if (creds->turn < 0) {
                err_sys(err, "cannot make an eventfd");
                goto fail;
        }
        creds->resource = mem_strdup(resource, err);
        if (creds->resource == NULL || azure_creds_find(creds, account, err) < 0)
                goto fail;
        return creds;

fail:
        azure_creds_free(creds);
        return NULL;
}

void
azure_creds_free(struct azure_creds *creds)
{
        if (creds == NULL)
                return;
        azure_connection_clear(&creds->fixed);
        azure_identity_clear(&creds->identity);
        azure_token_clear(&creds->token);
        mem_free(creds->resource);
        mem_free(creds->looked);
        if (creds->turn >= 0)
                close(creds->turn);
        pthread_mutex_destroy(&creds->lock);
        mem_free(creds);
}

enum azure_auth_kind
azure_creds_kind(const struct azure_creds *creds)
{
        return creds->kind;
}

const char *
azure_creds_source(const struct azure_creds *creds)
{
        return creds->source;
}

const char *
azure_creds_endpoint(const struct azure_creds *creds)
{
        return creds->fixed.endpoint;
}

int64_t
azure_creds_expires(const struct azure_creds *creds)
{
        return creds->fixed.sas.expires_ms;
}

/* Tokens. */

enum state {
        NONE,  /* or expired: wait for a new one */
        STALE, /* good enough for now; a new one would be better */
        GOOD
};

/* A reference to the kept token, unless there is none. */
static enum state
look(struct azure_creds *creds, struct secret **out)
{
        enum state state = NONE;

        *out = NULL;
        pthread_mutex_lock(&creds->lock);
        int64_t left_ms = creds->token.expires_ms - time_now_ms();
        bool tried = creds->tried_ms != 0 && time_mono_ms() - creds->tried_ms < RETRY_MS;
        if (creds->token.secret != NULL && left_ms > GRACE_MS) {
                state = left_ms > MARGIN_MS || tried ? GOOD : STALE;
                *out = secret_ref(creds->token.secret);
        }
        pthread_mutex_unlock(&creds->lock);
        return state;
}

/* 1: it is our turn; 0: it is somebody else's, and we do not wait; -1: cancelled. */
static int
take_turn(struct azure_creds *creds, bool wait, struct cancel *cancel, struct err *err)
{
        uint64_t value;

        while (read(creds->turn, &value, sizeof(value)) < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        return err_sys(err, "cannot read an eventfd");
                if (!wait)
                        return 0;
                if (cancel_wait_fd(cancel, creds->turn, POLLIN, -1, err) < 0)
                        return -1;
        }
        return 1;
}

static void
give_turn(struct azure_creds *creds)
{
        uint64_t one = 1;

        (void)!write(creds->turn, &one, sizeof(one));
}

/*
 * The machine has no identity: nobody answered at that address, or somebody who is not
 * Azure.  Nothing else was set, or it was asked last.
 */
static void
explain(const struct azure_creds *creds, struct err *err)
{
        struct err why;

        if (creds->identity.kind != AZURE_MACHINE || err == NULL || *err->hint != '\0' ||
            (err->code != ERR_NETWORK && err->code != ERR_TIMEOUT && err->code != ERR_CREDENTIALS))
                return;
        why = *err;
        err_set(err, ERR_CREDENTIALS, "no credentials: looked in %s and asked the machine: %s",
            creds->looked, why.msg);
        err->http = why.http;
        err->retryable = why.code == ERR_CREDENTIALS && why.retryable;
        err_hint(err, "set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or "
                      "AZURE_STORAGE_CONNECTION_STRING, or give the pod or machine an identity");
}

static int
renew(struct azure_creds *creds, struct cancel *cancel, struct err *err)
{
        struct azure_token token = { 0 }, old = { 0 };

        int rc = azure_identity_token(&creds->identity, creds->resource, &token, cancel, err);
        pthread_mutex_lock(&creds->lock);
        creds->tried_ms = time_mono_ms();
        if (rc == 0) {
                old = creds->token;
                creds->token = token;
        }
        pthread_mutex_unlock(&creds->lock);
        azure_token_clear(&old);
        if (rc < 0)
                explain(creds, err);
        return rc;
}

/* The token that was just received. */
static struct secret *
fresh(struct azure_creds *creds, struct err *err)
{
        struct secret *token;

        if (look(creds, &token) == NONE)
                err_set(err, ERR_CREDENTIALS,
                    "cannot get a token from %s: the one that it gave has expired already",
                    creds->source);
        return token;
}

static struct secret *
get_token(struct azure_creds *creds, struct cancel *cancel, struct err *err)
{
        struct secret *token, *newer;
        struct err why;
        enum state state = look(creds, &token);

        if (state == GOOD)
                return token;
        err_init(&why);
        int turn = take_turn(creds, state == NONE, cancel, err);
        if (turn <= 0)
                return token;
        /* Who had the turn before us may have brought one. */
        if (look(creds, &newer) != GOOD) {
                secret_unref(newer);
                newer = renew(creds, cancel, &why) == 0 ? fresh(creds, &why) : NULL;
                if (newer == NULL && token != NULL)
                        newer = secret_ref(token);
                else if (newer == NULL && err != NULL)
                        *err = why;
        }
        give_turn(creds);
        secret_unref(token);
        return newer;
}

struct secret *
azure_creds_get(struct azure_creds *creds, struct cancel *cancel, struct err *err)
{
        switch (creds->kind) {
        case AZURE_AUTH_KEY:
                return secret_ref(creds->fixed.key);
        case AZURE_AUTH_SAS:
                return secret_ref(creds->fixed.sas.query);
        default:
                return get_token(creds, cancel, err);
        }
}

bool
azure_creds_refused(struct azure_creds *creds)
{
        struct azure_token old = { 0 };

        if (creds->kind != AZURE_AUTH_TOKEN)
                return false;
        pthread_mutex_lock(&creds->lock);
        /* Requests under way went out with the one before: that is what was refused. */
        if (creds->tried_ms == 0 || time_mono_ms() - creds->tried_ms >= RETRY_MS) {
                old = creds->token;
                memset(&creds->token, 0, sizeof(creds->token));
        }
        pthread_mutex_unlock(&creds->lock);
        azure_token_clear(&old);
        return true;
}
