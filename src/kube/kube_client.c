#include "moonkeep/kube.h"

#include <stdio.h>
#include <string.h>

#include "kube_config.h"
#include "kube_creds.h"
#include "moonkeep/mem.h"

struct kube_client {
        atomic_uint refs;
        struct kube_config config; /* never changed */
        struct kube_creds *creds;
};

struct kube_client *
kube_client_open(const struct kube_client_opts *opts, struct err *err)
{
        struct kube_client *client = mem_zalloc(sizeof(*client), err);

        if (client == NULL)
                return NULL;
        atomic_init(&client->refs, 1);
        if (kube_config_load(opts, &client->config, err) < 0) {
                mem_free(client);
                return NULL;
        }
        client->creds = kube_creds_new(&client->config, err);
        if (client->creds == NULL) {
                kube_client_unref(client);
                return NULL;
        }
        return client;
}

struct kube_client *
kube_client_ref(struct kube_client *client)
{
        if (client != NULL)
                atomic_fetch_add(&client->refs, 1);
        return client;
}

void
kube_client_unref(struct kube_client *client)
{
        if (client == NULL || atomic_fetch_sub(&client->refs, 1) != 1)
                return;
        kube_creds_free(client->creds);
        kube_config_clear(&client->config);
        mem_free(client);
}

const char *
kube_client_server(const struct kube_client *client)
{
        return client->config.server;
}

const char *
kube_client_context(const struct kube_client *client)
{
        return client->config.context;
}

const char *
kube_client_user(const struct kube_client *client)
{
        return client->config.user;
}

const char *
kube_client_namespace(const struct kube_client *client)
{
        return client->config.ns;
}

bool
kube_client_refused(struct kube_client *client)
{
        return kube_creds_refused(client->creds);
}

static int
add_headers(const struct kube_config *config, const struct kube_identity *identity,
    struct http_request *request, struct err *err)
{
        if (identity->secret != NULL && http_request_header(request, "Authorization",
                                            identity->scheme, identity->secret, err) < 0)
                return -1;
        for (size_t idx = 0; idx < config->header_count; idx++) {
                const struct kube_header *header = &config->headers[idx];
                if (http_request_header(request, header->name, header->value, NULL, err) < 0)
                        return -1;
        }
        return 0;
}

/* The request as that identity, which is cleared. */
static int
fill_in(const struct kube_client *client, const char *path, struct kube_identity *identity,
    struct http_request *request, struct err *err)
{
        const char *server = client->config.server;
        size_t size = strlen(server) + strlen(path) + 1;
        char *url = mem_alloc(size, err);
        int rc = -1;
        if (url != NULL) {
                snprintf(url, size, "%s%s", server, path);
                mem_free(request->url);
                request->url = url;
                rc = add_headers(&client->config, identity, request, err);
        }
        if (rc == 0) {
                http_route_unref(request->route);
                request->route = http_route_ref(identity->route);
        }
        kube_identity_clear(identity);
        return rc;
}

static int
check_path(const char *path, struct err *err)
{
        if (*path == '/')
                return 0;
        return err_set(err, ERR_USAGE, "a path of the API must begin with \"/\"");
}

int
kube_client_prepare(struct kube_client *client, const char *path, struct http_request *request,
    struct cancel *cancel, struct err *err)
{
        struct kube_identity identity = { 0 };

        if (check_path(path, err) < 0 || kube_creds_get(client->creds, &identity, cancel, err) < 0)
                return -1;
        return fill_in(client, path, &identity, request, err);
}

int
kube_client_prepare_now(
    struct kube_client *client, const char *path, struct http_request *request, struct err *err)
{
        struct kube_identity identity = { 0 };

        if (check_path(path, err) < 0)
                return -1;
        if (!kube_creds_get_now(client->creds, &identity))
                return 0;
        return fill_in(client, path, &identity, request, err) < 0 ? -1 : 1;
}
