#include "http_internal.h"

#include <stdlib.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/version.h"

/* No name to look up: who dials has the connection already. */
#define DIALLED_PEER "::127.0.0.1:9"

static int
default_port(const struct url *url)
{
        return strcmp(url->scheme, "https") == 0 ? 443 : 80;
}

static int
add_name(struct buf *out, const char *name, struct err *err)
{
        /* An IPv6 address stands in brackets. */
        bool is_ipv6 = strchr(name, ':') != NULL;

        return buf_addf(out, err, "%s%s%s", is_ipv6 ? "[" : "", name, is_ipv6 ? "]" : "");
}

int
http_host(const struct url *url, struct buf *out, struct err *err)
{
        if (add_name(out, url->host, err) < 0)
                return -1;
        if (url->port != 0 && url->port != default_port(url))
                return buf_addf(out, err, ":%d", url->port);
        return 0;
}

static bool
has_server_name(const struct transfer *transfer)
{
        const struct http_route *route = transfer->request.route;

        return route != NULL && route->server_name != NULL &&
               strcmp(transfer->url.scheme, "https") == 0;
}

/*
 * libcurl takes the name to verify, and SNI, from the URL only: it gets a URL
 * with that name, and is told elsewhere whom to connect to.
 */
static int
make_url(struct transfer *transfer, struct err *err)
{
        const struct url *url = &transfer->url;
        const char *name = transfer->request.route->server_name;
        const char *rest = strstr(transfer->request.url, "://") + strlen("://");
        struct buf made;

        rest += strcspn(rest, "/?");
        buf_init(&made, URL_MAX + SERVER_NAME_MAX + 16);
        if (buf_addstr(&made, "https://", err) < 0 || add_name(&made, name, err) < 0 ||
            buf_addf(&made, err, ":%d", url->port != 0 ? url->port : default_port(url)) < 0 ||
            buf_addstr(&made, rest, err) < 0) {
                buf_free(&made);
                return -1;
        }
        transfer->curl_url = made.data;
        return 0;
}

static int
make_connect_to(struct transfer *transfer, struct err *err)
{
        const struct url *url = &transfer->url;
        struct buf peer;
        int rc = -1;

        buf_init(&peer, URL_MAX + 16);
        if (transfer->request.dial != NULL) {
                if (buf_addstr(&peer, DIALLED_PEER, err) < 0)
                        goto done;
        } else if (buf_addstr(&peer, "::", err) < 0 || add_name(&peer, url->host, err) < 0 ||
                   buf_addf(&peer, err, ":%d", url->port != 0 ? url->port : default_port(url)) <
                       0) {
                goto done;
        }
        transfer->connect_to = curl_slist_append(NULL, peer.data);
        rc = transfer->connect_to != NULL ? 0
                                          : err_set(err, ERR_NOMEM, "out of memory for a request");
done:
        buf_free(&peer);
        return rc;
}

int
http_connect_prepare(struct transfer *transfer, struct err *err)
{
        const struct http_request *request = &transfer->request;

        if (has_server_name(transfer) && make_url(transfer, err) < 0)
                return -1;
        if (request->dial != NULL || (transfer->curl_url != NULL && request->unix_socket == NULL))
                return make_connect_to(transfer, err);
        return 0;
}

void
http_connect_clear(struct transfer *transfer)
{
        http_dial_clear(transfer);
        mem_free(transfer->curl_url);
        transfer->curl_url = NULL;
        curl_slist_free_all(transfer->connect_to);
        transfer->connect_to = NULL;
}

/* libcurl would ask $no_proxy for the name that it has, and not for the host. */
static const char *
no_proxy_list(void)
{
        const char *list = getenv("no_proxy");

        return list != NULL ? list : getenv("NO_PROXY");
}

static CURLcode
set_proxy(struct transfer *transfer)
{
        const struct http_request *request = &transfer->request;
        const char *proxy = request->route != NULL ? request->route->proxy : NULL;
        CURL *easy = transfer->easy;

        if (request->unix_socket != NULL || request->no_proxy || request->dial != NULL)
                proxy = "";
        if (proxy != NULL) {
                SET(easy, CURLOPT_PROXY, proxy);
                SET(easy, CURLOPT_NOPROXY, "");
        } else if (transfer->curl_url != NULL) {
                const char *list = no_proxy_list();
                if (list != NULL && no_proxy_has(list, transfer->url.host))
                        SET(easy, CURLOPT_PROXY, "");
                SET(easy, CURLOPT_NOPROXY, "");
        }
        return CURLE_OK;
}

static CURLcode
set_blob(CURL *easy, CURLoption option, const char *data, size_t len)
{
        struct curl_blob blob = {
                .data = (void *)(uintptr_t)data,
                .len = len,
                /* The route outlives the handle; a key is not to be copied. */
                .flags = CURL_BLOB_NOCOPY,
        };

        return curl_easy_setopt(easy, option, &blob);
}

static CURLcode
set_trust(struct transfer *transfer)
{
        const struct http_request *request = &transfer->request;
        const struct http_route *route = request->route;
        CURL *easy = transfer->easy;
        CURLcode rc = CURLE_OK;

        SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
        SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
        if (request->ca_file != NULL) {
                SET(easy, CURLOPT_CAINFO, request->ca_file);
                /* Or the authorities of the system would be good enough, too. */
                SET(easy, CURLOPT_CAPATH, NULL);
        }
        if (route == NULL)
                return CURLE_OK;
        if (route->authorities.text != NULL) {
                SET(easy, CURLOPT_CAINFO, NULL);
                SET(easy, CURLOPT_CAPATH, NULL);
                rc = set_blob(easy, CURLOPT_CAINFO_BLOB, route->authorities.text,
                    route->authorities.text_len);
        }
        if (rc == CURLE_OK && route->cert.text != NULL) {
                size_t len;
                const char *key = secret_bytes(route->key, &len);
                rc = set_blob(easy, CURLOPT_SSLCERT_BLOB, route->cert.text, route->cert.text_len);
                if (rc == CURLE_OK)
                        rc = set_blob(easy, CURLOPT_SSLKEY_BLOB, key, len);
        }
        return rc;
}

static CURLcode
set_sockets(struct transfer *transfer)
{
        CURL *easy = transfer->easy;

        if (transfer->request.dial != NULL) {
                SET(easy, CURLOPT_OPENSOCKETFUNCTION, http_dial_socket);
                SET(easy, CURLOPT_OPENSOCKETDATA, transfer);
                SET(easy, CURLOPT_PREREQFUNCTION, http_dialled_request);
                SET(easy, CURLOPT_PREREQDATA, transfer);
                SET(easy, CURLOPT_SSL_CTX_FUNCTION, http_dialled_tls);
                SET(easy, CURLOPT_SSL_CTX_DATA, transfer);
                SET(easy, CURLOPT_FRESH_CONNECT, 1L);
                SET(easy, CURLOPT_FORBID_REUSE, 1L);
        } else {
                SET(easy, CURLOPT_OPENSOCKETFUNCTION, http_open_socket);
                SET(easy, CURLOPT_OPENSOCKETDATA, transfer->loop);
        }
        SET(easy, CURLOPT_CLOSESOCKETFUNCTION, http_close_socket);
        SET(easy, CURLOPT_CLOSESOCKETDATA, transfer->loop);
        if (transfer->connect_to != NULL)
                SET(easy, CURLOPT_CONNECT_TO, transfer->connect_to);
        if (transfer->request.unix_socket != NULL)
                SET(easy, CURLOPT_UNIX_SOCKET_PATH, transfer->request.unix_socket);
        /* What vanished without a word (a firewall that forgot us) is noticed between requests. */
        SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        SET(easy, CURLOPT_TCP_KEEPIDLE, 30L);
        SET(easy, CURLOPT_TCP_KEEPINTVL, 10L);
        return CURLE_OK;
}

CURLcode
http_connect_options(struct transfer *transfer)
{
        const struct http_request *request = &transfer->request;
        CURL *easy = transfer->easy;

        SET(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
        SET(easy, CURLOPT_URL, transfer->curl_url != NULL ? transfer->curl_url : request->url);
        SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        SET(easy, CURLOPT_PATH_AS_IS, 1L);
        SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        SET(easy, CURLOPT_USERAGENT, "moonkeep/" MOONKEEP_VERSION);
        SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        SET(easy, CURLOPT_NOSIGNAL, 1L);
        /* Or the cancel of a request whose name look-up hangs would hang, too. */
        SET(easy, CURLOPT_QUICK_EXIT, 1L);
        /* Of several addresses, the second one has to get its turn before we give up. */
        if (request->stall_ms > 0 && request->stall_ms < INT32_MAX)
                SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->stall_ms);
        CURLcode rc = set_sockets(transfer);
        if (rc == CURLE_OK)
                rc = set_proxy(transfer);
        if (rc == CURLE_OK)
                rc = set_trust(transfer);
        return rc;
}
