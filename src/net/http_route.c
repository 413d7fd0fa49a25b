#include "moonkeep/http_route.h"

#include <string.h>

#include "http_internal.h"
#include "moonkeep/mem.h"

static void
route_free(struct http_route *route)
{
        pem_certs_clear(&route->authorities);
        pem_certs_clear(&route->cert);
        secret_unref(route->key);
        mem_free(route->server_name);
        /* There may be a password in it. */
        if (route->proxy != NULL)
                secret_wipe(route->proxy, strlen(route->proxy));
        mem_free(route->proxy);
        mem_free(route);
}

struct http_route *
http_route_ref(struct http_route *route)
{
        if (route != NULL)
                atomic_fetch_add(&route->refs, 1);
        return route;
}

void
http_route_unref(struct http_route *route)
{
        if (route != NULL && atomic_fetch_sub(&route->refs, 1) == 1)
                route_free(route);
}

static int
set_certs(struct http_route *route, const struct http_route_opts *opts, struct err *err)
{
        if (opts->ca_pem != NULL &&
            pem_certs_read(opts->ca_pem, opts->ca_pem_len, &route->authorities, err) < 0)
                return err_prefix(err, "cannot use the certificates of authorities");
        if ((opts->cert_pem == NULL) != (opts->key_pem == NULL))
                return err_set(err, ERR_INVALID, "a client certificate needs %s",
                    opts->key_pem == NULL ? "its key" : "to be there beside its key");
        if (opts->cert_pem == NULL)
                return 0;
        if (pem_certs_read(opts->cert_pem, opts->cert_pem_len, &route->cert, err) < 0)
                return err_prefix(err, "cannot use the client certificate");
        if (pem_key_check(&route->cert, opts->key_pem, err) < 0)
                return err_prefix(err, "cannot use the key of the client certificate");
        route->key = secret_ref(opts->key_pem);
        return 0;
}

static int
set_server_name(struct http_route *route, const char *name, struct err *err)
{
        size_t len = strlen(name);

        if (len == 0 || len > SERVER_NAME_MAX ||
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:") !=
                len)
                return err_set(err, ERR_INVALID, "the server name is no name of a host");
        route->server_name = mem_strdup(name, err);
        return route->server_name != NULL ? 0 : -1;
}

/*
 * A proxy's URL as libcurl is to have it: with the port that the scheme stands
 * for (libcurl's is 1080), and names for the proxy to look up.
 */
static int
set_proxy(struct http_route *route, const char *text, struct err *err)
{
        static const struct {
                const char *scheme, *curl_scheme;
                int port;
        } kinds[] = {
                { "http", "http", 80 },
                { "https", "https", 443 },
                { "socks5", "socks5h", 1080 },
                { "socks5h", "socks5h", 1080 },
        };
        const size_t kind_count = sizeof(kinds) / sizeof(kinds[0]);
        struct url url;
        struct buf made;
        size_t kind = 0;
        int rc = -1;

        if (*text == '\0') {
                route->proxy = mem_strdup("", err);
                return route->proxy != NULL ? 0 : -1;
        }
        if (url_parse(text, &url, err) < 0)
                return err_prefix(err, "cannot use the URL of the proxy");
        while (kind < kind_count && strcmp(url.scheme, kinds[kind].scheme) != 0)
                kind++;
        if (kind == kind_count || *url.host == '\0') {
                err_set(err, ERR_INVALID, "the URL of the proxy is not http, https or socks5");
                goto done;
        }
        const char *authority = text + strlen(url.scheme) + strlen("://");
        int len = (int)strcspn(authority, "/?");
        /* All room at once: a buffer that moves would leave a copy of a password behind. */
        buf_init(&made, URL_MAX + 32);
        if (buf_reserve(&made, (size_t)len + 32, err) == NULL ||
            buf_addf(&made, err, "%s://%.*s", kinds[kind].curl_scheme, len, authority) < 0 ||
            (url.port == 0 && buf_addf(&made, err, ":%d", kinds[kind].port) < 0)) {
                buf_free(&made);
                goto done;
        }
        route->proxy = made.data;
        rc = 0;
done:
        url_clear(&url);
        return rc;
}

struct http_route *
http_route_new(const struct http_route_opts *opts, struct err *err)
{
        struct http_route *route = mem_zalloc(sizeof(*route), err);

        if (route == NULL)
                return NULL;
        atomic_init(&route->refs, 1);
        if (set_certs(route, opts, err) < 0 ||
            (opts->server_name != NULL && set_server_name(route, opts->server_name, err) < 0) ||
            (opts->proxy != NULL && set_proxy(route, opts->proxy, err) < 0)) {
                route_free(route);
                return NULL;
        }
        return route;
}

int64_t
http_route_cert_ends_ms(const struct http_route *route)
{
        return route != NULL ? route->cert.ends_ms : 0;
}
