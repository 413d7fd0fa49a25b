#include <arpa/inet.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "moonkeep/url.h"
#include "s3.h"

#define ADDRESS_MAX ((size_t)8192)

static bool
ends_with(const char *text, const char *end)
{
        size_t len = strlen(text), end_len = strlen(end);

        return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static bool
is_amazons(const char *host)
{
        return ends_with(host, ".amazonaws.com") || ends_with(host, ".amazonaws.com.cn");
}

static int
check(const struct url *url, struct err *err)
{
        bool http = strcmp(url->scheme, "http") == 0 || strcmp(url->scheme, "https") == 0;

        if (!http || *url->host == '\0')
                return err_set(
                    err, ERR_USAGE, "the endpoint of S3 is no \"https://HOST\" or \"http://HOST\"");
        if (url->user != NULL || url->has_password)
                return err_set(err, ERR_USAGE, "the endpoint of S3 has a user or a password in it");
        if ((*url->path != '\0' && strcmp(url->path, "/") != 0) || url->query != NULL) {
                err_set(err, ERR_USAGE, "the endpoint of S3 has a path or a query in it");
                return err_hint(err,
                    "an endpoint is \"https://HOST:PORT\" and nothing else; bucket "
                    "and prefix stand in s3://BUCKET/PREFIX");
        }
        return 0;
}

char *
s3_endpoint_parse(const char *text, bool *aws, bool *is_address, struct err *err)
{
        unsigned char address[16];
        struct url url = { 0 };
        struct buf out;

        if (url_parse(text, &url, err) < 0) {
                if (err != NULL && err->code == ERR_INVALID)
                        err->code = ERR_USAGE;
                err_prefix(err, "the endpoint of S3");
                err_hint(err, "an endpoint is written https://HOST:PORT");
                return NULL;
        }
        buf_init(&out, ADDRESS_MAX);
        if (check(&url, err) < 0)
                goto fail;
        bool v6 = strchr(url.host, ':') != NULL;
        if (buf_addf(&out, err, "%s://%s%s%s", url.scheme, v6 ? "[" : "", url.host, v6 ? "]" : "") <
            0)
                goto fail;
        /* The header Host, which is signed, has the port only if it is not the usual one. */
        int usual = strcmp(url.scheme, "https") == 0 ? 443 : 80;
        if (url.port != 0 && url.port != usual && buf_addf(&out, err, ":%d", url.port) < 0)
                goto fail;
        *aws = is_amazons(url.host);
        *is_address = v6 || inet_pton(AF_INET, url.host, address) == 1;
        url_clear(&url);
        return buf_detach(&out, err);

fail:
        url_clear(&url);
        buf_free(&out);
        return NULL;
}

bool
s3_region_is_good(const char *region, size_t len)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_";

        return len > 0 && len <= S3_REGION_MAX && strspn(region, letters) >= len;
}

/* "s3.REGION.amazonaws.com", "BUCKET.s3.dualstack.REGION...", "BUCKET.s3-REGION..." of old. */
bool
s3_endpoint_region(const char *host, char out[S3_REGION_MAX + 1])
{
        const char *start = NULL;

        if (!is_amazons(host))
                return false;
        const char *end = strstr(host, ".amazonaws.com");
        for (const char *at = host; at < end; at++) {
                bool label = at == host || at[-1] == '.';
                if (label && strncmp(at, "s3", 2) == 0 && (at[2] == '.' || at[2] == '-'))
                        start = at + 3;
        }
        if (start == NULL || start >= end)
                return false;
        if (strncmp(start, "fips.", 5) == 0)
                start += 5;
        if (strncmp(start, "dualstack.", 10) == 0)
                start += 10;
        size_t len = strcspn(start, ".");
        if (start >= end || !s3_region_is_good(start, len) || start[len] != '.')
                return false;
        memcpy(out, start, len);
        out[len] = '\0';
        return true;
}

static int
add_aws(const struct s3_store *it, const char *region, struct buf *base, struct err *err)
{
        bool china = strncmp(region, "cn-", 3) == 0;

        return buf_addf(base, err, "https://%s%ss3%s%s.%s.amazonaws.com%s",
            it->virtual_hosted ? it->bucket : "", it->virtual_hosted ? "." : "",
            it->fips ? "-fips" : "", it->dualstack ? ".dualstack" : "", region, china ? ".cn" : "");
}

static int
add_endpoint(const struct s3_store *it, struct buf *base, struct err *err)
{
        const char *host = strstr(it->endpoint, "://") + 3;

        if (!it->virtual_hosted)
                return buf_addstr(base, it->endpoint, err);
        return buf_addf(
            base, err, "%.*s%s.%s", (int)(host - it->endpoint), it->endpoint, it->bucket, host);
}

int
s3_address(const struct s3_store *it, const char *region, const char *key, struct buf *base,
    struct buf *path, struct err *err)
{
        if ((it->endpoint != NULL ? add_endpoint(it, base, err) : add_aws(it, region, base, err)) <
            0)
                return -1;
        if (!it->virtual_hosted && buf_addf(path, err, "/%s", it->bucket) < 0)
                return -1;
        if (it->virtual_hosted || key != NULL) {
                if (buf_addstr(path, "/", err) < 0)
                        return -1;
        }
        return key != NULL ? url_encode(key, strlen(key), 1, path, err) : 0;
}
