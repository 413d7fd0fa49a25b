#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure.h"
#include "azure_endpoint.h"
#include "moonkeep/mem.h"

static const struct url_option known[] = { { "endpoint", NULL }, { "ca_file", NULL },
        { "tier", NULL }, { "tags", NULL }, { "connections", NULL }, { "attempts", NULL },
        { "stall", NULL }, { NULL, NULL } };

static int
refused(struct err *err, const char *why)
{
        return err_set(err, ERR_USAGE, "cannot open a store: %s", why);
}

/* Account, container and prefix. */

static int
check_account(const char *name, struct err *err)
{
        size_t len = strlen(name);

        if (len >= 3 && len <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
                return 0;
        if (len == 0)
                refused(err, "its URL names no account");
        else
                err_set(err, ERR_USAGE, "cannot open a store: \"%.64s\" is no name of an account",
                    name);
        return err_hint(err, "a store in Azure is written azure://ACCOUNT/CONTAINER/PREFIX; the "
                             "host of the account is said with ?endpoint=");
}

static int
check_container(const char *name, size_t len, struct err *err)
{
        bool plain = len >= 3 && len <= 63 && isalnum((unsigned char)name[0]) &&
                     isalnum((unsigned char)name[len - 1]) &&
                     strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len;

        if (plain || (len == 5 && memcmp(name, "$root", 5) == 0) ||
            (len == 4 && memcmp(name, "$web", 4) == 0))
                return 0;
        if (len == 0)
                refused(err, "its URL names no container");
        else
                err_set(err, ERR_USAGE, "cannot open a store: \"%.*s\" is no name of a container",
                    (int)(len < 64 ? len : 64), name);
        return err_hint(err, "a store in Azure is written azure://ACCOUNT/CONTAINER/PREFIX; a "
                             "container has 3 to 63 lower-case letters, digits and \"-\"");
}

static const char *
check_part(const char *part, size_t len)
{
        if (part[len - 1] == '.')
                return "has a part that ends with \".\"";
        return memchr(part, '\\', len) != NULL ? "has a \"\\\"" : NULL;
}

static int
read_names(struct azure_store *it, const struct url *url, struct err *err)
{
        const char *path = url->path + strspn(url->path, "/");
        size_t len = strcspn(path, "/");

        if (check_account(url->host, err) < 0 || check_container(path, len, err) < 0)
                return -1;
        it->account = mem_strdup(url->host, err);
        it->container = it->account != NULL ? mem_strndup(path, len, err) : NULL;
        if (it->container == NULL)
                return -1;
        mem_free(it->object.prefix);
        it->object.prefix = object_prefix(path + len, check_part, err);
        return it->object.prefix != NULL ? 0 : -1;
}

/* Where it is. */

static char *
usual_endpoint(const struct azure_store *it, struct err *err)
{
        struct buf out;

        buf_init(&out, 1024);
        if (buf_addf(&out, err, "https://%s.blob.core.windows.net", it->account) < 0)
                return NULL;
        return buf_detach(&out, err);
}

/* Of the URL, the connection string or the environment; not said where it is the usual one. */
static int
read_endpoint(struct azure_store *it, struct url_option *options, struct err *err)
{
        const char *text = url_options_get(options, "endpoint");

        if (text == NULL)
                text = azure_creds_endpoint(it->creds);
        if (text == NULL)
                text = getenv("AZURE_STORAGE_SERVICE_ENDPOINT");
        char *usual = usual_endpoint(it, err);
        if (usual == NULL)
                return -1;
        it->endpoint = azure_endpoint_parse(text != NULL && *text != '\0' ? text : usual, err);
        bool is_usual = it->endpoint != NULL && strcmp(it->endpoint, usual) == 0;
        mem_free(usual);
        if (it->endpoint == NULL) {
                if (err != NULL && err->code == ERR_INVALID)
                        err->code = ERR_USAGE;
                err_prefix(err, "cannot open a store: its endpoint");
                return err_hint(
                    err, "an endpoint is written https://HOST or https://HOST:PORT/ACCOUNT");
        }
        if (azure_creds_kind(it->creds) != AZURE_AUTH_KEY &&
            !azure_endpoint_keeps_secrets(it->endpoint))
                return refused(err, "its endpoint is not https, and a token or SAS is not sent in "
                                    "clear text");
        if (!is_usual)
                return url_options_set(options, "endpoint", it->endpoint, err);
        struct url_option *endpoint = options;
        mem_free(endpoint->value);
        endpoint->value = NULL;
        return 0;
}

/* The names. */

static int
name_store(struct azure_store *it, const struct url_option *options, struct err *err)
{
        /* The first option is the endpoint, and the only one that says where. */
        const struct url_option where[] = { options[0], { NULL, NULL } };
        struct store *store = &it->object.store;
        char base[144];

        snprintf(base, sizeof(base), "azure://%s/%s", it->account, it->container);
        store->url = object_name(&it->object, base, options, err);
        store->place = store->url != NULL ? object_name(&it->object, base, where, err) : NULL;
        return store->place != NULL ? 0 : -1;
}

/* A SAS with its URL is what the portal shows, and people paste. */
static int
refuse_secrets(const struct url *url, struct err *err)
{
        struct err why;

        err_init(&why);
        char *signature = url_param(url, "sig", &why);
        if (signature == NULL && why.code != ERR_NOMEM)
                return 0;
        if (signature == NULL) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        secret_wipe(signature, strlen(signature));
        mem_free(signature);
        refused(err, "its URL has a SAS in it (sig=)");
        return err_hint(err, "a SAS comes from the environment: AZURE_STORAGE_SAS_TOKEN");
}

int
azure_options_read(struct azure_store *it, const struct url *url, struct err *err)
{
        struct url_option options[sizeof(known) / sizeof(known[0])];
        int rc = -1;

        memcpy(options, known, sizeof(known));
        if (url->user != NULL || url->port != 0) {
                refused(err, "an \"azure:\" URL has no user and no port");
                return err_hint(err, "another server than Azure's is written "
                                     "azure://ACCOUNT/CONTAINER?endpoint=https://HOST:PORT");
        }
        if (refuse_secrets(url, err) < 0 || url_options_parse(options, url, err) < 0 ||
            read_names(it, url, err) < 0)
                goto done;
        it->creds = azure_creds_new(it->account, AZURE_RESOURCE_STORAGE, err);
        if (it->creds == NULL) {
                err_prefix(err, "cannot open a store");
                goto done;
        }
        if (read_endpoint(it, options, err) == 0 &&
            object_connection(&it->object, options, url_options_get(options, "ca_file"), err) ==
                0 &&
            azure_options_writing(it, options, err) == 0)
                rc = name_store(it, options, err);
done:
        url_options_clear(options);
        return rc;
}
