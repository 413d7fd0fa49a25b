#include "aws_creds_internal.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/log.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/*
 * Keys that last no longer are asked for anew: at first by one, while others
 * take the old ones; then all wait for the new ones.
 */
#define SOON_MS ((int64_t)5 * 60 * 1000)
#define DUE_MS ((int64_t)2 * 60 * 1000)

/* How long old keys do after an attempt that gave none, or none that last. */
#define RETRY_SOON_MS 60000
#define RETRY_DUE_MS 10000

/*
 * Requests that were under way with the keys before are refused after the new
 * ones have come; for so long that says nothing about these.
 */
#define LATE_MS 5000

enum state {
        FRESH,
        SOON,
        DUE,
        GONE
};

static char *
copy_of(const char *text, struct err *err)
{
        return text != NULL ? mem_strdup(text, err) : NULL;
}

struct aws_creds *
aws_creds_new(const struct aws_creds_opts *opts, struct err *err)
{
        const char *named = opts->profile;
        struct aws_creds *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        pthread_mutex_init(&it->lock, NULL);
        if (named == NULL)
                named = aws_env("AWS_PROFILE");
        if (named == NULL)
                named = aws_env("AWS_DEFAULT_PROFILE");
        it->profile_given = opts->profile != NULL;
        it->profile = mem_strdup(named != NULL ? named : "default", err);
        it->region = copy_of(opts->region, err);
        it->ca_file = copy_of(opts->ca_file, err);
        if (it->profile == NULL || (it->region == NULL) != (opts->region == NULL) ||
            (it->ca_file == NULL) != (opts->ca_file == NULL))
                goto fail;
        if (aws_settings_find(it, err) < 0)
                goto fail;
        it->config = aws_settings_read(it, err);
        if (it->config == NULL || aws_settings_check(it, named != NULL, err) < 0)
                goto fail;
        return it;

fail:
        aws_creds_free(it);
        return NULL;
}

void
aws_creds_free(struct aws_creds *it)
{
        if (it == NULL)
                return;
        aws_keys_clear(&it->keys);
        aws_config_free(it->profiles);
        aws_config_free(it->config);
        mem_free(it->config_path);
        mem_free(it->credentials_path);
        mem_free(it->profile);
        mem_free(it->region);
        mem_free(it->ca_file);
        mem_free(it->refused);
        pthread_mutex_destroy(&it->lock);
        mem_free(it);
}

const struct aws_config *
aws_profiles(const struct aws_creds *it)
{
        return it->profiles != NULL ? it->profiles : it->config;
}

/* Tools that log in write new keys into the files.  When that goes wrong, the old ones stand. */
static void
read_again(struct aws_creds *it)
{
        struct err why;
        struct aws_config *config = aws_settings_read(it, &why);

        if (config == NULL) {
                log_msg(LOG_DEBUG, "AWS profiles stay as they were: %s", why.msg);
                return;
        }
        aws_config_free(it->profiles);
        it->profiles = config;
}

static enum state
judge(const struct aws_creds *it)
{
        int64_t left = it->keys.expires_ms - aws_creds_now_ms(it);

        if (it->keys.id == NULL)
                return GONE;
        if (it->keys.expires_ms == 0 || left > SOON_MS)
                return FRESH;
        if (left > DUE_MS)
                return SOON;
        return left > 0 ? DUE : GONE;
}

/* Keys that were found, but are no longer good.  Called with the lock. */
static int
check_found(const struct aws_creds *it, const struct aws_found *found, struct err *err)
{
        char when[TIME_ISO_SIZE];

        if (it->refused != NULL && strcmp(it->refused, found->keys.id) == 0) {
                err_set(err, ERR_CREDENTIALS,
                    "the server says that the keys of %s expired, and there are no new ones",
                    found->source);
                return err_hint(err, "log in again, or ask who renews them");
        }
        if (found->keys.expires_ms == 0 || found->keys.expires_ms > aws_creds_now_ms(it))
                return 0;
        time_iso(found->keys.expires_ms, when);
        err_set(err, ERR_CREDENTIALS, "the keys of %s expired at %s", found->source, when);
        return err_hint(err, "%s",
            found->renewable ? "they are given out like that: check the clock of this machine"
                             : "get new ones, and set them again");
}

/* New keys; without the lock, which others need to see that we are at it. */
static int
find(struct aws_creds *it, bool again, struct aws_found *found, struct cancel *cancel,
    struct err *err)
{
        if (again)
                read_again(it);
        *found = (struct aws_found){ .renewable = false };
        return aws_chain_keys(it, found, cancel, err) < 0 ? -1 : 0;
}

static void
take(struct aws_creds *it, struct aws_found *found)
{
        char until[TIME_ISO_SIZE] = "";

        aws_keys_clear(&it->keys);
        it->keys = found->keys;
        it->taken_ms = time_mono_ms();
        it->renewable = found->renewable;
        memcpy(it->source, found->source, sizeof(it->source));
        if (it->keys.expires_ms != 0)
                time_iso(it->keys.expires_ms, until);
        log_msg(LOG_DEBUG, "AWS keys %s of %s%s%s", it->keys.id, it->source,
            *until != '\0' ? ", until " : "", until);
}

/* Called and left with the lock. */
static int
refresh(struct aws_creds *it, struct cancel *cancel, struct err *err)
{
        struct aws_found found;
        struct err why;
        bool again = it->refreshes > 0;

        struct cancel *busy = cancel_new(NULL, err);
        if (busy == NULL)
                return -1;
        it->busy = busy;
        pthread_mutex_unlock(&it->lock);
        err_init(&why);
        int rc = find(it, again, &found, cancel, &why);
        pthread_mutex_lock(&it->lock);
        if (rc == 0 && (rc = check_found(it, &found, &why)) < 0)
                aws_keys_clear(&found.keys);
        if (rc == 0)
                take(it, &found);
        it->failure = why;
        it->refreshes++;
        it->try_at_ms = time_mono_ms() + (judge(it) == DUE ? RETRY_DUE_MS : RETRY_SOON_MS);
        it->busy = NULL;
        cancel_trigger(busy);
        cancel_unref(busy);
        if (rc < 0) {
                log_msg(LOG_DEBUG, "no new AWS keys: %s", why.msg);
                if (err != NULL)
                        *err = why;
        }
        return rc;
}

/* Called and left with the lock: wait for the refresh of another thread. */
static int
wait_for_other(struct aws_creds *it, struct cancel *cancel, struct err *err)
{
        struct cancel *busy = cancel_ref(it->busy);
        unsigned long before = it->refreshes;

        pthread_mutex_unlock(&it->lock);
        int rc = cancel_wait_fd(cancel, cancel_fd(busy), POLLIN, -1, err);
        pthread_mutex_lock(&it->lock);
        cancel_unref(busy);
        /* What went wrong for it would go wrong for us; but its being cancelled is not ours. */
        if (rc == 0 && it->refreshes == before + 1 && judge(it) == GONE &&
            it->failure.code != ERR_NONE && it->failure.code != ERR_CANCELLED) {
                if (err != NULL)
                        *err = it->failure;
                rc = -1;
        }
        return rc;
}

/* Called and left with the lock: see to it that the keys at hand are good. */
static int
renew(struct aws_creds *it, struct cancel *cancel, struct err *err)
{
        for (;;) {
                struct err why;
                enum state state = judge(it);
                if (state == FRESH || (state != GONE && time_mono_ms() < it->try_at_ms) ||
                    (state == SOON && it->busy != NULL))
                        return 0;
                if (it->busy != NULL) {
                        if (wait_for_other(it, cancel, err) < 0)
                                return -1;
                        continue;
                }
                if (refresh(it, cancel, &why) == 0)
                        return 0;
                if (why.code != ERR_CANCELLED && judge(it) != GONE)
                        return 0;
                if (err != NULL)
                        *err = why;
                return -1;
        }
}

int
aws_creds_get(struct aws_creds *creds, struct aws_keys *out, struct cancel *cancel, struct err *err)
{
        pthread_mutex_lock(&creds->lock);
        int rc = renew(creds, cancel, err);
        if (rc == 0)
                rc = aws_keys_copy(&creds->keys, out, err);
        pthread_mutex_unlock(&creds->lock);
        return rc;
}

/* Called with the lock. */
static void
drop(struct aws_creds *it)
{
        mem_free(it->refused);
        it->refused = it->keys.id;
        it->keys.id = NULL;
        aws_keys_clear(&it->keys);
}

bool
aws_creds_refused(struct aws_creds *creds, const char *id)
{
        bool others = true;

        pthread_mutex_lock(&creds->lock);
        /* Otherwise there are other ones already, or will be. */
        if (creds->keys.id != NULL && strcmp(creds->keys.id, id) == 0) {
                bool late = creds->refused != NULL && time_mono_ms() < creds->taken_ms + LATE_MS;
                others = creds->renewable;
                if (others && !late)
                        drop(creds);
        }
        pthread_mutex_unlock(&creds->lock);
        return others;
}
