#include "moonkeep/store.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/store_driver.h"
#include "moonkeep/url.h"

/* Keys. */

static int
check_component(const char *key, const char *part, size_t len, struct err *err)
{
        bool is_dots =
            (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.');

        if (len == 0 || is_dots)
                return err_set(err, ERR_INVALID,
                    "\"%.*s\" is no key of a store: an empty, \".\" or \"..\" part",
                    (int)STORE_KEY_MAX, key);
        return 0;
}

/* The parts of len bytes of key. */
static int
check_parts(const char *key, size_t len, struct err *err)
{
        if (len > STORE_KEY_MAX)
                return err_set(err, ERR_INVALID,
                    "\"%.64s...\" is no key of a store: longer than %zu bytes", key, STORE_KEY_MAX);
        for (size_t start = 0;;) {
                const char *slash = memchr(key + start, '/', len - start);
                size_t end = slash != NULL ? (size_t)(slash - key) : len;
                if (check_component(key, key + start, end - start, err) < 0)
                        return -1;
                if (slash == NULL)
                        return 0;
                start = end + 1;
        }
}

static int
check_key(const char *key, struct err *err)
{
        return check_parts(key, strlen(key), err);
}

static int
check_prefix(const char *prefix, struct err *err)
{
        size_t len = strlen(prefix);

        if (len == 0)
                return 0;
        if (prefix[len - 1] != '/')
                return err_set(err, ERR_INVALID,
                    "\"%.*s\" is no prefix of keys: it must end in \"/\"", (int)STORE_KEY_MAX,
                    prefix);
        return check_parts(prefix, len - 1, err);
}

/* Opening. */

static bool
is_path(const char *text)
{
        return text[0] == '/' || strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0 ||
               strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
}

static struct store *
open_file_url(const struct url *url, struct err *err)
{
        if (url->user != NULL || url->port != 0 || url->query != NULL ||
            (*url->host != '\0' && strcmp(url->host, "localhost") != 0) || url->path[0] != '/') {
                err_set(err, ERR_USAGE,
                    "cannot open a store: a \"file:\" URL has an absolute path and nothing else");
                err_hint(err, "write file:/dir, or just /dir or ./dir");
                return NULL;
        }
        return store_file_open(url->path, err);
}

static struct store *
open_url(const struct url *url, struct err *err)
{
        static const char *const known[] = { "sftp" };

        if (url->has_password) {
                err_set(err, ERR_USAGE, "cannot open a store: its URL has a password in it");
                err_hint(err, "secrets come from the environment, a file or a command");
                return NULL;
        }
        if (strcmp(url->scheme, "file") == 0)
                return open_file_url(url, err);
        if (strcmp(url->scheme, "s3") == 0)
                return store_s3_open(url, err);
        if (strcmp(url->scheme, "azure") == 0)
                return store_azure_open(url, err);
        for (size_t idx = 0; idx < sizeof(known) / sizeof(known[0]); idx++) {
                if (strcmp(url->scheme, known[idx]) == 0) {
                        err_set(err, ERR_UNSUPPORTED,
                            "cannot open a store: this build has no driver for %s stores",
                            url->scheme);
                        return NULL;
                }
        }
        err_set(err, ERR_USAGE, "cannot open a store: \"%s\" is no kind of store", url->scheme);
        err_hint(err, "a store is a directory (./dir, /dir or file:/dir), s3://BUCKET/PREFIX or "
                      "azure://ACCOUNT/CONTAINER/PREFIX");
        return NULL;
}

struct store *
store_open(const char *text, struct err *err)
{
        struct url url = { 0 };

        if (is_path(text))
                return store_file_open(text, err);
        if (*text == '\0') {
                err_set(err, ERR_USAGE, "cannot open a store: its URL is empty");
                return NULL;
        }
        if (strchr(text, ':') == NULL) {
                err_set(err, ERR_USAGE,
                    "cannot open the store \"%.256s\": no site file names such a store", text);
                err_hint(err,
                    "named stores come from the site file; a directory is written ./%.256s", text);
                return NULL;
        }
        if (url_parse(text, &url, err) < 0) {
                if (err != NULL && err->code == ERR_INVALID)
                        err->code = ERR_USAGE;
                err_prefix(err, "cannot open a store");
                return NULL;
        }
        struct store *store = open_url(&url, err);
        url_clear(&url);
        return store;
}

void
store_free(struct store *store)
{
        if (store != NULL)
                store->ops->free(store);
}

const char *
store_url(const struct store *store)
{
        return store->url;
}

const char *
store_place(const struct store *store)
{
        return store->place != NULL ? store->place : store->url;
}

unsigned
store_capabilities(const struct store *store)
{
        return store->capabilities;
}

/* Operations: what is the same for every driver, then the driver's. */

int
store_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err)
{
        if (check_key(key, err) < 0 || cancel_check(cancel, err) < 0)
                return -1;
        return store->ops->stat(store, key, out, cancel, err);
}

int
store_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err)
{
        if (check_prefix(prefix, err) < 0 || cancel_check(cancel, err) < 0)
                return -1;
        return store->ops->list(store, prefix, shallow, fn, arg, cancel, err);
}

struct source *
store_read(struct store *store, const char *key, uint64_t offset, uint64_t length,
    struct cancel *cancel, struct err *err)
{
        if (check_key(key, err) < 0 || cancel_check(cancel, err) < 0)
                return NULL;
        return store->ops->read(store, key, offset, length, cancel, err);
}

struct sink *
store_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        static const struct store_write ordinary;

        if (how == NULL)
                how = &ordinary;
        if (check_key(key, err) < 0 || cancel_check(cancel, err) < 0)
                return NULL;
        struct sink *sink = store->ops->create(store, key, how, cancel, err);
        return how->digest == NULL || store->ops->digests ? sink
                                                          : hash_sink(sink, how->digest, err);
}

int
store_remove(struct store *store, const char *key, struct cancel *cancel, struct err *err)
{
        if (check_key(key, err) < 0 || cancel_check(cancel, err) < 0)
                return -1;
        return store->ops->remove(store, key, cancel, err);
}

int
store_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err)
{
        uint64_t count = 0;

        if (check_prefix(prefix, err) < 0 || cancel_check(cancel, err) < 0)
                return -1;
        if (store->ops->sweep(store, prefix, &count, cancel, err) < 0)
                return -1;
        if (removed != NULL)
                *removed = count;
        return 0;
}

int
store_call(struct store *store, const struct store_call *call, struct store_answer *answer,
    struct cancel *cancel, struct err *err)
{
        if (store->ops->call == NULL)
                return err_set(err, ERR_UNSUPPORTED,
                    "cannot send a request to the store \"%s\": a %s store speaks no such protocol",
                    store->url, store->ops->name);
        if ((call->key != NULL && check_key(call->key, err) < 0) || cancel_check(cancel, err) < 0)
                return -1;
        return store->ops->call(store, call, answer, cancel, err);
}

void
store_answer_clear(struct store_answer *answer)
{
        buf_free(&answer->body);
        mem_free(answer->headers);
        memset(answer, 0, sizeof(*answer));
}
