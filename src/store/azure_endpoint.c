#include "azure_endpoint.h"

#include <arpa/inet.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "moonkeep/url.h"

static int
write_endpoint(const struct url *url, struct buf *out, struct err *err)
{
        bool is_ipv6 = strchr(url->host, ':') != NULL;
        size_t path_len = strlen(url->path);

        if (buf_addf(out, err, is_ipv6 ? "%s://[%s]" : "%s://%s", url->scheme, url->host) < 0)
                return -1;
        if (url->port != 0 && buf_addf(out, err, ":%d", url->port) < 0)
                return -1;
        while (path_len > 0 && url->path[path_len - 1] == '/')
                path_len--;
        return url_encode(url->path, path_len, 1, out, err);
}

char *
azure_endpoint_parse(const char *text, struct err *err)
{
        struct url url = { 0 };
        struct buf out;
        char *endpoint = NULL;

        buf_init(&out, 4 * URL_MAX);
        if (url_parse(text, &url, err) < 0)
                return NULL;
        if ((strcmp(url.scheme, "http") != 0 && strcmp(url.scheme, "https") != 0) ||
            *url.host == '\0')
                err_set(err, ERR_INVALID, "an endpoint is http://HOST or https://HOST");
        else if (url.user != NULL || url.has_password || url.query != NULL)
                err_set(err, ERR_INVALID, "an endpoint has no user, password or query");
        else if (write_endpoint(&url, &out, err) == 0)
                endpoint = buf_detach(&out, err);
        buf_free(&out);
        url_clear(&url);
        return endpoint;
}

static bool
is_address(const char *host)
{
        unsigned char address[16];

        return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

char *
azure_endpoint_account(const char *endpoint, struct err *err)
{
        struct url url = { 0 };
        char *account = NULL;

        if (url_parse(endpoint, &url, err) < 0)
                return NULL;
        const char *path = url.path + (*url.path == '/');
        size_t label = strcspn(url.host, ".");
        if (*path != '\0')
                account = mem_strndup(path, strcspn(path, "/"), err);
        else if (url.host[label] == '.' && label > 0 && !is_address(url.host))
                account = mem_strndup(url.host, label, err);
        else
                err_set(err, ERR_INVALID, "its endpoint does not tell which account it is of");
        url_clear(&url);
        return account;
}

bool
azure_endpoint_keeps_secrets(const char *endpoint)
{
        struct url url = { 0 };

        if (url_parse(endpoint, &url, NULL) < 0)
                return false;
        bool keeps = strcmp(url.scheme, "https") == 0 || strcmp(url.host, "localhost") == 0 ||
                     strcmp(url.host, "::1") == 0 ||
                     (is_address(url.host) && strncmp(url.host, "127.", 4) == 0);
        url_clear(&url);
        return keeps;
}
