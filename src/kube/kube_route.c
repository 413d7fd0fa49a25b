#include "kube_route.h"

#include <string.h>

#include "moonkeep/file.h"
#include "moonkeep/log.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* What could not be used is tried again so often, changed or not. */
#define RETRY_MS 60000

struct kube_file_mark
kube_file_mark(const char *path)
{
        struct kube_file_mark mark;
        struct stat st;

        memset(&mark, 0, sizeof(mark));
        if (path != NULL && stat(path, &st) == 0) {
                mark.dev = st.st_dev;
                mark.ino = st.st_ino;
                mark.size = st.st_size;
                mark.mtime = st.st_mtim;
        }
        return mark;
}

bool
kube_file_is(const char *path, const struct kube_file_mark *mark)
{
        struct kube_file_mark now = kube_file_mark(path);

        return now.dev == mark->dev && now.ino == mark->ino && now.size == mark->size &&
               now.mtime.tv_sec == mark->mtime.tv_sec && now.mtime.tv_nsec == mark->mtime.tv_nsec;
}

/* The bytes of a PEM file, or those that the configuration has in place of one. */
static int
read_pem(const char *path, const char *text, size_t len, struct buf *out, struct err *err)
{
        buf_init(out, KUBE_PEM_MAX);
        if (path != NULL)
                return file_read(path, out, err);
        return text != NULL ? buf_add(out, text, len, err) : 0;
}

static void
free_pem(struct buf *bytes)
{
        if (bytes->data != NULL)
                secret_wipe(bytes->data, bytes->cap);
        buf_free(bytes);
}

static struct http_route *
make_route(const struct kube_config *config, const char *ca_pem, size_t ca_len,
    const char *cert_pem, size_t cert_len, struct secret *key, struct err *err)
{
        struct http_route_opts opts = { .ca_pem = ca_pem,
                .ca_pem_len = ca_len,
                .cert_pem = cert_pem,
                .cert_pem_len = cert_len,
                .key_pem = key,
                .server_name = config->server_name,
                .proxy = config->proxy };

        return http_route_new(&opts, err);
}

/* To the authority of now, which is left in ca. */
static struct http_route *
route_with(const struct kube_config *config, const char *cert_pem, size_t cert_len,
    struct secret *key, struct buf *ca, struct err *err)
{
        if (read_pem(config->ca_file, config->ca_pem, config->ca_pem_len, ca, err) < 0)
                return NULL;
        /* An empty file is no authority, and not those of the system. */
        const char *ca_pem = config->ca_file != NULL && ca->data == NULL ? "" : ca->data;
        return make_route(config, ca_pem, ca->len, cert_pem, cert_len, key, err);
}

struct http_route *
kube_route_with(const struct kube_config *config, const char *cert_pem, size_t cert_len,
    struct secret *key, struct err *err)
{
        struct buf ca;

        struct http_route *route = route_with(config, cert_pem, cert_len, key, &ca, err);
        buf_free(&ca);
        return route;
}

/* Of what the files hold now; the authority is left in ca. */
static struct http_route *
read_files(const struct kube_config *config, struct buf *ca, struct err *err)
{
        struct http_route *route = NULL;
        struct secret *key = secret_ref(config->key_pem);
        struct buf cert, fresh_key;

        buf_init(ca, KUBE_PEM_MAX);
        buf_init(&fresh_key, KUBE_PEM_MAX);
        if (read_pem(config->cert_file, config->cert_pem, config->cert_pem_len, &cert, err) < 0)
                goto out;
        if (config->key_file != NULL) {
                secret_unref(key);
                key = NULL;
                if (read_pem(config->key_file, NULL, 0, &fresh_key, err) < 0)
                        goto out;
                key = secret_new(fresh_key.data != NULL ? fresh_key.data : "", fresh_key.len, err);
                if (key == NULL)
                        goto out;
        }
        if (config->cert_file != NULL && cert.data == NULL)
                err_set(err, ERR_INVALID, "\"%s\" is empty", config->cert_file);
        else
                route = route_with(config, cert.data, cert.len, key, ca, err);
out:
        free_pem(&cert);
        free_pem(&fresh_key);
        secret_unref(key);
        return route;
}

int
kube_route_init(struct kube_route *it, const struct kube_config *config, struct err *err)
{
        /* Marks of no file: what changed since the configuration was read is seen at once. */
        *it = (struct kube_route){ .config = config };
        if (read_pem(NULL, config->ca_pem, config->ca_pem_len, &it->authority, err) < 0)
                return -1;
        it->made = make_route(config, config->ca_pem, config->ca_pem_len, config->cert_pem,
            config->cert_pem_len, config->key_pem, err);
        if (it->made == NULL)
                return err_prefix(err, "cannot use context \"%s\"", config->context);
        return 0;
}

void
kube_route_clear(struct kube_route *it)
{
        http_route_unref(it->made);
        it->made = NULL;
        buf_free(&it->authority);
}

bool
kube_route_is_fresh(const struct kube_route *it)
{
        if (it->failed && time_mono_ms() >= it->tried_ms + RETRY_MS)
                return false;
        return kube_file_is(it->config->ca_file, &it->ca) &&
               kube_file_is(it->config->cert_file, &it->cert) &&
               kube_file_is(it->config->key_file, &it->key);
}

int
kube_route_renew(struct kube_route *it, struct err *err)
{
        struct buf authority;
        struct err why;

        err_init(&why);
        /* Before they are read: a change in between is seen next time. */
        it->ca = kube_file_mark(it->config->ca_file);
        it->cert = kube_file_mark(it->config->cert_file);
        it->key = kube_file_mark(it->config->key_file);
        it->tried_ms = time_mono_ms();
        struct http_route *route = read_files(it->config, &authority, &why);
        it->failed = route == NULL;
        if (route == NULL)
                buf_free(&authority);
        if (route == NULL && why.code == ERR_NOMEM) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        if (route == NULL) {
                log_msg(LOG_DEBUG, "the certificates of context \"%s\" stay as they were: %s",
                    it->config->context, why.msg);
                return 0;
        }
        http_route_unref(it->made);
        it->made = route;
        buf_free(&it->authority);
        it->authority = authority;
        return 1;
}
