#include "kube_creds.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "kube_plugin.h"
#include "kube_route.h"
#include "moonkeep/log.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* A token file is read so often at least, changed or not. */
#define REREAD_MS 60000
/* A credential is renewed so long before it expires, or a quarter of its life. */
#define SLACK_MS 60000
/* What was refused so soon after it was taken was refused to a request that had the one before. */
#define LATE_MS 5000

struct kube_creds {
        const struct kube_config *config;

        pthread_mutex_t lock;
        struct kube_route route;    /* of the configuration */
        bool has;                   /* there is something kept */
        struct secret *token;       /* of the file or the plugin; or NULL */
        struct http_route *own;     /* of the plugin's certificate; or NULL */
        int64_t taken_ms;           /* monotonic */
        int64_t due_ms;             /* unix; 0: it does not expire */
        struct kube_file_mark file; /* the token file that was read */
        bool was_refused;
        struct cancel *busy; /* set when the run under way is over; NULL: there is none */
        unsigned long runs;
        struct err failure; /* of the last run; ERR_NONE: it succeeded */
};

enum kind {
        FIXED,
        OF_FILE,
        OF_PLUGIN
};

static enum kind
kind_of(const struct kube_config *config)
{
        if (config->token_file != NULL)
                return OF_FILE;
        if (config->token != NULL || config->basic != NULL)
                return FIXED;
        return config->plugin != NULL ? OF_PLUGIN : FIXED;
}

struct kube_creds *
kube_creds_new(const struct kube_config *config, struct err *err)
{
        struct kube_creds *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->config = config;
        pthread_mutex_init(&it->lock, NULL);
        if (kube_route_init(&it->route, config, err) < 0) {
                kube_creds_free(it);
                return NULL;
        }
        return it;
}

/* Called with the lock. */
static void
drop(struct kube_creds *it)
{
        secret_unref(it->token);
        http_route_unref(it->own);
        it->token = NULL;
        it->own = NULL;
        it->has = false;
}

void
kube_creds_free(struct kube_creds *it)
{
        if (it == NULL)
                return;
        drop(it);
        kube_route_clear(&it->route);
        pthread_mutex_destroy(&it->lock);
        mem_free(it);
}

/* Is what is kept good?  Called with the lock. */
static bool
is_fresh(const struct kube_creds *it, enum kind kind)
{
        if (kind == FIXED)
                return true;
        if (!it->has)
                return false;
        if (kind == OF_PLUGIN)
                return it->due_ms == 0 || time_now_ms() < it->due_ms;
        return time_mono_ms() < it->taken_ms + REREAD_MS &&
               kube_file_is(it->config->token_file, &it->file);
}

/*
 * Called with the lock.  A file that cannot be read at the moment (it is being
 * replaced) leaves the token that was read before.
 */
static int
read_file(struct kube_creds *it, struct err *err)
{
        struct err why;

        err_init(&why);
        /* Before it is read: a change in between is seen next time. */
        struct kube_file_mark file = kube_file_mark(it->config->token_file);
        struct secret *token = kube_token_file(it->config->token_file, &why);
        if (token == NULL && it->has && why.code != ERR_NOMEM) {
                log_msg(LOG_DEBUG, "the token stays as it was: %s", why.msg);
                it->taken_ms = time_mono_ms();
                return 0;
        }
        if (token == NULL) {
                if (err != NULL)
                        *err = why;
                if (err != NULL && why.code != ERR_NOMEM)
                        err->code = ERR_CREDENTIALS;
                return err_prefix(
                    err, "cannot get credentials for context \"%s\"", it->config->context);
        }
        drop(it);
        it->token = token;
        it->has = true;
        it->taken_ms = time_mono_ms();
        it->file = file;
        return 0;
}

/* When to renew what expires then, as seen from now. */
static int64_t
due_of(int64_t expires_ms)
{
        int64_t left_ms = expires_ms - time_now_ms();

        if (expires_ms == 0)
                return 0;
        return expires_ms - (left_ms / 4 < SLACK_MS ? left_ms / 4 : SLACK_MS);
}

/* When it is of no use any more; 0: never. */
static int64_t
end_of(const struct kube_credential *got, const struct http_route *route)
{
        int64_t cert_ms = http_route_cert_ends_ms(route);

        if (got->expires_ms == 0 || (cert_ms != 0 && cert_ms < got->expires_ms))
                return cert_ms;
        return got->expires_ms;
}

/* Run the plugin, without the lock: others have to see that it runs. */
static int
ask(struct kube_creds *it, const struct buf *authority, struct kube_credential *got,
    struct http_route **route, struct cancel *cancel, struct err *err)
{
        if (kube_plugin_run(it->config, authority, got, cancel, err) < 0)
                return -1;
        if (got->cert_pem == NULL)
                return 0;
        *route =
            kube_route_with(it->config, got->cert_pem, strlen(got->cert_pem), got->key_pem, err);
        if (*route != NULL)
                return 0;
        if (err != NULL && err->code == ERR_INVALID)
                err->code = ERR_CREDENTIALS;
        return err_prefix(err, "cannot use the certificate of \"%s\"", it->config->plugin->argv[0]);
}

/* Called with the lock. */
static void
take(struct kube_creds *it, struct kube_credential *got, struct http_route *route)
{
        drop(it);
        it->token = secret_ref(got->token);
        it->own = route;
        it->has = true;
        it->taken_ms = time_mono_ms();
        it->due_ms = due_of(end_of(got, route));
        log_msg(LOG_DEBUG, "\"%s\" gave %s for user \"%s\"", it->config->plugin->argv[0],
            route != NULL ? "a certificate" : "a token", it->config->user);
}

/* Called and left with the lock. */
static int
run_plugin(struct kube_creds *it, struct cancel *cancel, struct err *err)
{
        struct kube_credential got = { 0 };
        struct http_route *route = NULL;
        struct buf authority; /* a copy: the route may be renewed while the plugin runs */
        struct err why;

        buf_init(&authority, KUBE_PEM_MAX);
        if (buf_add(&authority, it->route.authority.data, it->route.authority.len, err) < 0)
                return -1;
        struct cancel *busy = cancel_new(NULL, err);
        if (busy == NULL) {
                buf_free(&authority);
                return -1;
        }
        it->busy = busy;
        pthread_mutex_unlock(&it->lock);
        err_init(&why);
        int rc = ask(it, &authority, &got, &route, cancel, &why);
        buf_free(&authority);
        pthread_mutex_lock(&it->lock);
        if (rc == 0)
                take(it, &got, route);
        else if (err != NULL)
                *err = why;
        kube_credential_clear(&got);
        it->failure = why;
        it->runs++;
        it->busy = NULL;
        cancel_trigger(busy);
        cancel_unref(busy);
        return rc;
}

/* Called and left with the lock: wait for the run of another thread. */
static int
wait_for_other(struct kube_creds *it, struct cancel *cancel, struct err *err)
{
        struct cancel *busy = cancel_ref(it->busy);
        unsigned long before = it->runs;

        pthread_mutex_unlock(&it->lock);
        int rc = cancel_wait_fd(cancel, cancel_fd(busy), POLLIN, -1, err);
        pthread_mutex_lock(&it->lock);
        cancel_unref(busy);
        /* What went wrong for it would go wrong for us; but its being cancelled is not ours. */
        if (rc == 0 && it->runs == before + 1 && !it->has && it->failure.code != ERR_NONE &&
            it->failure.code != ERR_CANCELLED) {
                if (err != NULL)
                        *err = it->failure;
                rc = -1;
        }
        return rc;
}

/* Called and left with the lock: see to it that what is kept is good. */
static int
renew(struct kube_creds *it, enum kind kind, struct cancel *cancel, struct err *err)
{
        if (!kube_route_is_fresh(&it->route)) {
                int renewed = kube_route_renew(&it->route, err);
                if (renewed < 0)
                        return -1;
                /* The plugin's goes to the authority that was. */
                if (renewed > 0 && it->own != NULL)
                        drop(it);
        }
        while (!is_fresh(it, kind)) {
                if (kind == OF_FILE)
                        return read_file(it, err);
                if (it->busy == NULL)
                        return run_plugin(it, cancel, err);
                if (wait_for_other(it, cancel, err) < 0)
                        return -1;
        }
        return 0;
}

/* Called with the lock: what is kept. */
static void
hand_out(const struct kube_creds *it, enum kind kind, struct kube_identity *out)
{
        const struct kube_config *config = it->config;
        struct secret *secret = it->token;

        if (kind == FIXED)
                secret = config->token != NULL ? config->token : config->basic;
        out->scheme = kind == FIXED && secret == config->basic ? "Basic " : "Bearer ";
        out->secret = secret_ref(secret);
        out->route = http_route_ref(it->own != NULL ? it->own : it->route.made);
}

int
kube_creds_get(
    struct kube_creds *it, struct kube_identity *out, struct cancel *cancel, struct err *err)
{
        enum kind kind = kind_of(it->config);

        pthread_mutex_lock(&it->lock);
        int rc = renew(it, kind, cancel, err);
        if (rc == 0)
                hand_out(it, kind, out);
        pthread_mutex_unlock(&it->lock);
        return rc;
}

bool
kube_creds_get_now(struct kube_creds *it, struct kube_identity *out)
{
        enum kind kind = kind_of(it->config);

        /* Who has the lock may be reading a file. */
        if (pthread_mutex_trylock(&it->lock) != 0)
                return false;
        /* Looked at and handed out under one lock: there is no moment for it to expire between. */
        bool ready = kube_route_is_fresh(&it->route) && is_fresh(it, kind);
        if (ready)
                hand_out(it, kind, out);
        pthread_mutex_unlock(&it->lock);
        return ready;
}

bool
kube_creds_refused(struct kube_creds *it)
{
        enum kind kind = kind_of(it->config);

        pthread_mutex_lock(&it->lock);
        if (kind == FIXED) {
                /* Nothing but certificates can become newer. */
                bool is_newer = !kube_route_is_fresh(&it->route);
                pthread_mutex_unlock(&it->lock);
                return is_newer;
        }
        bool late = it->was_refused && time_mono_ms() < it->taken_ms + LATE_MS;
        if (it->has && !late) {
                drop(it);
                it->was_refused = true;
        }
        pthread_mutex_unlock(&it->lock);
        return true;
}

void
kube_identity_clear(struct kube_identity *identity)
{
        secret_unref(identity->secret);
        http_route_unref(identity->route);
        memset(identity, 0, sizeof(*identity));
}
