#include "moonkeep/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"

void
url_clear(struct url *url)
{
        mem_free(url->scheme);
        mem_free(url->user);
        mem_free(url->host);
        mem_free(url->path);
        mem_free(url->query);
        memset(url, 0, sizeof(*url));
}

/* What a message must not show: the text may hold a password or a token. */
static int
invalid(const char *why, struct err *err)
{
        return err_set(err, ERR_INVALID, "not a URL: %s", why);
}

/* The bytes of an escaped text as a string; a NUL among them is refused. */
static char *
decode(const char *text, size_t len, struct err *err)
{
        struct buf out;

        buf_init(&out, URL_MAX);
        if (len == 0)
                return mem_strdup("", err);
        if (url_decode(text, len, &out, err) < 0) {
                buf_free(&out);
                return NULL;
        }
        if (memchr(out.data, '\0', out.len) != NULL) {
                invalid("it has %00 in it", err);
                buf_free(&out);
                return NULL;
        }
        return buf_detach(&out, err);
}

static char *
lower(const char *text, size_t len, struct err *err)
{
        char *copy = mem_strndup(text, len, err);

        for (char *at = copy; at != NULL && *at != '\0'; at++)
                *at = (char)tolower((unsigned char)*at);
        return copy;
}

static size_t
scheme_len(const char *text)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789+-.";

        size_t len = strspn(text, letters) != 0 ? strspn(text, others) : 0;
        return text[len] == ':' ? len : 0;
}

static int
parse_port(const char *text, size_t len, struct url *url, struct err *err)
{
        int port = 0;

        for (size_t idx = 0; idx < len; idx++) {
                if (!isdigit((unsigned char)text[idx]) || len > 5)
                        return invalid("its port is no number from 1 to 65535", err);
                port = port * 10 + (text[idx] - '0');
        }
        /* "host:" is a host without a port (RFC 3986, 3.2.3). */
        if (len > 0 && (port < 1 || port > 65535))
                return invalid("its port is no number from 1 to 65535", err);
        url->port = port;
        return 0;
}

static bool
has_capitals(const char *text, size_t len)
{
        for (size_t idx = 0; idx < len; idx++) {
                if (isupper((unsigned char)text[idx]))
                        return true;
        }
        return false;
}

static int
parse_host(const char *text, size_t len, struct url *url, struct err *err)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-._~";
        unsigned char address[16];
        const char *end = memchr(text, ':', len);

        if (len > 0 && *text == '[') {
                const char *close = memchr(text, ']', len);
                if (close == NULL)
                        return invalid("its IPv6 address has no closing bracket", err);
                url->host = lower(text + 1, (size_t)(close - text) - 1, err);
                if (url->host == NULL)
                        return -1;
                if (inet_pton(AF_INET6, url->host, address) != 1)
                        return invalid("what is in brackets is no IPv6 address", err);
                end = close + 1;
                if (end < text + len && *end != ':')
                        return invalid("its IPv6 address is followed by something", err);
                if (end == text + len)
                        return 0;
        } else {
                size_t host_len = end != NULL ? (size_t)(end - text) : len;
                url->host = lower(text, host_len, err);
                if (url->host == NULL)
                        return -1;
                url->has_capitals = has_capitals(text, host_len);
                if (url->host[strspn(url->host, allowed)] != '\0')
                        return invalid("its host has a character that no host has", err);
        }
        if (end == NULL)
                return 0;
        if (*url->host == '\0')
                return invalid("it has a port without a host", err);
        return parse_port(end + 1, (size_t)(text + len - end) - 1, url, err);
}

/* "user:password@host:port" */
static int
parse_authority(const char *text, size_t len, struct url *url, struct err *err)
{
        /* The last one: passwords with an unescaped '@' are meant as passwords. */
        const char *at = memrchr(text, '@', len);

        if (at == NULL)
                return parse_host(text, len, url, err);
        const char *colon = memchr(text, ':', (size_t)(at - text));
        url->has_password = colon != NULL;
        url->user = decode(text, (size_t)((colon != NULL ? colon : at) - text), err);
        if (url->user == NULL)
                return -1;
        return parse_host(at + 1, len - (size_t)(at - text) - 1, url, err);
}

static int
check_bytes(const char *text, struct err *err)
{
        size_t len = strnlen(text, URL_MAX + 1);

        if (len > URL_MAX)
                return err_set(err, ERR_INVALID, "not a URL: it is longer than %zu bytes", URL_MAX);
        for (size_t idx = 0; idx < len; idx++) {
                unsigned char byte = (unsigned char)text[idx];
                if (byte <= ' ' || byte == 0x7f)
                        return invalid("it has a space or control character in it", err);
                if (byte == '#') {
                        invalid("it has a \"#\" in it", err);
                        return err_hint(err, "write %%23 for a \"#\" in a name");
                }
        }
        return 0;
}

int
url_parse(const char *text, struct url *out, struct err *err)
{
        struct url url = { 0 };

        if (check_bytes(text, err) < 0)
                return -1;
        size_t len = scheme_len(text);
        if (len == 0)
                return invalid("it does not begin with a name and a colon", err);
        url.scheme = lower(text, len, err);
        if (url.scheme == NULL)
                goto fail;
        text += len + 1;

        if (strncmp(text, "//", 2) == 0) {
                text += 2;
                len = strcspn(text, "/?");
                if (parse_authority(text, len, &url, err) < 0)
                        goto fail;
                text += len;
        } else {
                url.host = mem_strdup("", err);
                if (url.host == NULL)
                        goto fail;
        }
        len = strcspn(text, "?");
        url.path = decode(text, len, err);
        if (url.path == NULL)
                goto fail;
        if (text[len] == '?') {
                url.query = mem_strdup(text + len + 1, err);
                if (url.query == NULL)
                        goto fail;
        }
        *out = url;
        return 0;

fail:
        url_clear(&url);
        return -1;
}

char *
url_param(const struct url *url, const char *name, struct err *err)
{
        const char *at = url->query;

        while (at != NULL) {
                size_t len = strcspn(at, "&");
                const char *equals = memchr(at, '=', len);
                size_t name_len = equals != NULL ? (size_t)(equals - at) : len;

                char *decoded = decode(at, name_len, err);
                if (decoded == NULL)
                        return NULL;
                bool found = strcmp(decoded, name) == 0;
                mem_free(decoded);
                if (found && equals == NULL)
                        return mem_strdup("", err);
                if (found)
                        return decode(equals + 1, len - name_len - 1, err);
                at = at[len] == '&' ? at + len + 1 : NULL;
        }
        if (err != NULL)
                err_init(err);
        return NULL;
}
