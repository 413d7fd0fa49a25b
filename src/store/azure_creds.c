#include "azure_creds.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "azure_connection.h"
#include "azure_identity.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* A token that expires sooner than this is replaced. */
#define MARGIN_MS (5 * INT64_C(60000))

/* One that expires sooner than this is not used any more. */
#define GRACE_MS INT64_C(15000)

/* So long after an attempt that failed, or brought no better token, nobody tries again. */
#define RETRY_MS INT64_C(30000)

#define LOOKED_MAX ((size_t)512)

struct azure_creds {
        enum azure_auth_kind kind;
        const char *source;
        struct azure_connection fixed; /* key or SAS */
        struct azure_identity identity;
        char *resource;
        char *looked; /* in vain, before the identity was reached */

        /*
         * Whose turn it is to ask for a token: a descriptor that is readable
         * when it is nobody's, so that who waits can be cancelled.
         */
        int turn;

        pthread_mutex_t lock; /* guards what follows */
        struct azure_token token;
        int64_t tried_ms; /* monotonic: when one was asked for last; 0: never */
};

/* Finding. */

static const char *
setting(const char *name)
{
        const char *value = getenv(name);

        return value != NULL && *value != '\0' ? value : NULL;
}

static int
cannot_use(const char *name, struct err *err)
{
        if (err != NULL && err->code == ERR_INVALID)
                err->code = ERR_CREDENTIALS;
        return err_prefix(err, "cannot use %s", name);
}

/* Each of these: 1 when it is what we use, 0 when there is none for the account, -1. */

static int
try_connection(struct azure_creds *creds, const char *account, struct buf *looked, struct err *err)
{
        static const char name[] = "AZURE_STORAGE_CONNECTION_STRING";
        const char *text = setting(name);

        if (text == NULL)
                return buf_addf(looked, err, "%s", name);
        if (azure_connection_parse(text, &creds->fixed, err) < 0)
                return cannot_use(name, err);
        if (strcasecmp(creds->fixed.account, account) != 0) {
                int rc = buf_addf(
                    looked, err, "%s (of the account \"%.64s\")", name, creds->fixed.account);
                azure_connection_clear(&creds->fixed);
                return rc;
        }
        creds->source = name;
        creds->kind = creds->fixed.sas.query != NULL ? AZURE_AUTH_SAS : AZURE_AUTH_KEY;
        return 1;
}

static int
try_key(struct azure_creds *creds, bool other, struct buf *looked, struct err *err)
{
        static const char name[] = "AZURE_STORAGE_KEY";
        const char *text = setting(name);

        if (text == NULL || other)
                return buf_addf(looked, err, ", %s%s", name,
                    text != NULL ? " (of another AZURE_STORAGE_ACCOUNT)" : "");
        creds->fixed.key = azure_key_parse(text, err);
        if (creds->fixed.key == NULL)
                return cannot_use(name, err);
        creds->source = name;
        creds->kind = AZURE_AUTH_KEY;
        return 1;
}

static int
try_sas(struct azure_creds *creds, bool other, struct buf *looked, struct err *err)
{
        static const char name[] = "AZURE_STORAGE_SAS_TOKEN";
        const char *text = setting(name);

        if (text == NULL || other)
                return buf_addf(looked, err, ", %s%s", name,
                    text != NULL ? " (of another AZURE_STORAGE_ACCOUNT)" : "");
        if (azure_sas_parse(text, &creds->fixed.sas, err) < 0)
                return cannot_use(name, err);
        creds->source = name;
        creds->kind = AZURE_AUTH_SAS;
        return 1;
}

static int
try_fixed(struct azure_creds *creds, const char *account, struct buf *looked, struct err *err)
{
        const char *mode = setting("AZURE_STORAGE_AUTH_MODE");
        const char *named = setting("AZURE_STORAGE_ACCOUNT");
        bool other = named != NULL && strcasecmp(named, account) != 0;

        if (mode != NULL && strcasecmp(mode, "login") == 0)
                return buf_addstr(looked, "AZURE_STORAGE_AUTH_MODE (which is login)", err);
        int rc = try_connection(creds, account, looked, err);
        if (rc == 0)
                rc = try_key(creds, other, looked, err);
        if (rc == 0)
                rc = try_sas(creds, other, looked, err);
        return rc;
}

static int
find(struct azure_creds *creds, const char *account, struct err *err)
{
        static const char *const sources[] = { "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE",
                "IDENTITY_ENDPOINT", "the machine's managed identity" };
        struct buf looked;
        int rc = 0;

        buf_init(&looked, 4096);
        if (account != NULL)
                rc = try_fixed(creds, account, &looked, err);
        if (rc == 0) {
                creds->kind = AZURE_AUTH_TOKEN;
                rc = azure_identity_find(&creds->identity, &looked, err);
                creds->source = sources[creds->identity.kind];
        }
        if (rc == 0 && creds->kind == AZURE_AUTH_TOKEN) {
                const char *text = looked.data != NULL ? looked.data : "";
                creds->looked = mem_strdup(text + strspn(text, ", "), err);
                rc = creds->looked != NULL ? 0 : -1;
        }
        buf_free(&looked);
        return rc < 0 ? -1 : 0;
}

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
        if (creds->resource == NULL || find(creds, account, err) < 0)
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

/* Nobody answered at the machine's address: there is no identity, and nothing else was set. */
static void
explain(const struct azure_creds *creds, struct err *err)
{
        char why[sizeof(err->msg)];

        if (creds->identity.kind != AZURE_MACHINE || err == NULL ||
            (err->code != ERR_NETWORK && err->code != ERR_TIMEOUT))
                return;
        memcpy(why, err->msg, sizeof(why));
        err_set(err, ERR_CREDENTIALS, "no credentials: looked in %s and asked the machine: %s",
            creds->looked, why);
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
