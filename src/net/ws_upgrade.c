#include "ws_upgrade.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "moonkeep/rand.h"
#include "moonkeep/sha1.h"
#include "moonkeep/version.h"

#define NONCE_BYTES 16
#define ACCEPT_SIZE 29 /* the base64 of a SHA-1, and a NUL */
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* Bound on the request, as servers have one, too. */
#define HEAD_MAX ((size_t)256 * 1024)

static int
encode(const void *data, size_t len, char *out, size_t size, struct err *err)
{
        struct buf text;

        buf_init(&text, size);
        int rc = base64_encode(data, len, &text, err);
        if (rc == 0)
                memcpy(out, text.data, text.len + 1);
        buf_free(&text);
        return rc;
}

int
ws_nonce(char out[WS_NONCE_SIZE], struct err *err)
{
        unsigned char bytes[NONCE_BYTES];

        if (rand_bytes(bytes, sizeof(bytes), err) < 0)
                return -1;
        return encode(bytes, sizeof(bytes), out, WS_NONCE_SIZE - 1, err);
}

/* The request. */

static const char *
value_of(const struct http_header *header, size_t *len)
{
        if (header->secret != NULL)
                return secret_bytes(header->secret, len);
        *len = strlen(header->value);
        return header->value;
}

static size_t
size_of(const struct transfer *transfer, const struct ws_request *request)
{
        /* What is fixed fits into this, with a host. */
        size_t size = 1024 + URL_MAX + strlen(transfer->request.url);

        if (request->protocols != NULL)
                size += strlen(request->protocols);
        for (size_t idx = 0; idx < request->header_count; idx++) {
                const struct http_header *header = &request->headers[idx];
                size_t len;
                (void)value_of(header, &len);
                size += strlen(header->name) + len + 4;
                if (header->value_prefix != NULL)
                        size += strlen(header->value_prefix);
        }
        return size;
}

static int
add_header(const struct http_header *header, struct buf *out, struct err *err)
{
        size_t len;
        const char *value = value_of(header, &len);
        const char *prefix = header->value_prefix != NULL ? header->value_prefix : "";

        if (buf_addf(out, err, "%s: %s", header->name, prefix) < 0 ||
            buf_add(out, value, len, err) < 0)
                return -1;
        return buf_addstr(out, "\r\n", err);
}

int
ws_request_head(const struct transfer *transfer, const struct ws_request *request,
    const char *nonce, struct buf *out, struct err *err)
{
        const char *target = strstr(transfer->request.url, "://") + strlen("://");

        target += strcspn(target, "/?");
        buf_init(out, HEAD_MAX);
        if (buf_reserve(out, size_of(transfer, request), err) == NULL)
                return -1;
        if (buf_addf(out, err, "GET %s%s HTTP/1.1\r\nHost: ", *target == '/' ? "" : "/", target) <
                0 ||
            http_host(&transfer->url, out, err) < 0 ||
            buf_addf(out, err,
                "\r\nUser-Agent: moonkeep/%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
                MOONKEEP_VERSION, nonce) < 0)
                return -1;
        if (request->protocols != NULL &&
            buf_addf(out, err, "Sec-WebSocket-Protocol: %s\r\n", request->protocols) < 0)
                return -1;
        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (add_header(&request->headers[idx], out, err) < 0)
                        return -1;
        }
        return buf_addstr(out, "\r\n", err);
}

/* The answer. */

static int
no_http(struct err *err)
{
        return err_set(err, ERR_PROTOCOL, "the answer is not HTTP/1.1");
}

static bool
is_status_line(const char *line, size_t len)
{
        return len >= 12 && memcmp(line, "HTTP/1.", 7) == 0 && isdigit((unsigned char)line[7]) &&
               line[8] == ' ' && line[9] >= '1' && line[9] <= '5' &&
               isdigit((unsigned char)line[10]) && isdigit((unsigned char)line[11]) &&
               (len == 12 || line[12] == ' ');
}

/* A line without its end: a header with a name, and nothing that two readers may see differently.
 */
static int
check_line(const char *line, size_t len, struct err *err)
{
        const char *colon = memchr(line, ':', len);

        for (size_t idx = 0; idx < len; idx++) {
                unsigned char byte = (unsigned char)line[idx];
                if ((byte < ' ' && byte != '\t') || byte == 0x7f)
                        return no_http(err);
        }
        if (len == 0)
                return 0;
        if (colon == NULL || colon == line)
                return no_http(err);
        for (const char *at = line; at < colon; at++) {
                if (*at == ' ' || *at == '\t')
                        return no_http(err);
        }
        return 0;
}

/* Whether what has come of the first line can become "HTTP/1.". */
static bool
may_be_http(const char *data, size_t len)
{
        return memcmp(data, "HTTP/1.", len < 7 ? len : 7) == 0;
}

int
ws_answer_take(struct transfer *transfer, const char *data, size_t len, size_t *used,
    bool *complete, struct err *err)
{
        struct http_answer *answer = &transfer->answer;
        size_t at = 0;

        *complete = false;
        while (at < len && !*complete) {
                const char *line = data + at;
                const char *end = memchr(line, '\n', len - at);
                bool is_first = answer->status == 0;
                if (is_first && !may_be_http(line, len - at))
                        return no_http(err);
                if (end == NULL)
                        break;
                size_t line_len = (size_t)(end - line);
                if (line_len == 0 || line[line_len - 1] != '\r')
                        return no_http(err);
                if (is_first ? !is_status_line(line, line_len - 1)
                             : check_line(line, line_len - 1, err) < 0)
                        return no_http(err);
                if (http_take_line(transfer, line, line_len + 1, err) < 0)
                        return -1;
                at += line_len + 1;
                if (line_len > 1 || is_first)
                        continue;
                /* 100, 102, 103: there is another one to come. */
                *complete = answer->status == 101 || answer->status >= 200;
                if (!*complete)
                        http_answer_clear(answer);
        }
        *used = at;
        if (!*complete && len - at > HTTP_HEADERS_MAX)
                return err_set(err, ERR_TOO_BIG,
                    "the headers of the answer are larger than %zu "
                    "bytes",
                    HTTP_HEADERS_MAX);
        return 0;
}

/* Is it in a list "a, b"? */
static bool
has_token(const char *list, const char *token, size_t len,
    int (*compare)(const char *, const char *, size_t))
{
        while (*list != '\0') {
                list += strspn(list, ", \t");
                size_t item = strcspn(list, ", \t");
                if (item == len && compare(list, token, len) == 0)
                        return len > 0;
                list += item;
        }
        return false;
}

static bool
any_has_token(const struct http_answer *answer, const char *name, const char *token)
{
        for (size_t idx = 0; idx < answer->header_count; idx++) {
                const struct http_header *header = &answer->headers[idx];
                if (strcmp(header->name, name) == 0 &&
                    has_token(header->value, token, strlen(token), strncasecmp))
                        return true;
        }
        return false;
}

static int
accept_of(const char *nonce, char out[ACCEPT_SIZE], struct err *err)
{
        unsigned char digest[SHA1_SIZE];
        struct sha1 *sha = sha1_new(err);

        if (sha == NULL)
                return -1;
        int rc = sha1_update(sha, nonce, strlen(nonce), err);
        if (rc == 0)
                rc = sha1_update(sha, ACCEPT_GUID, strlen(ACCEPT_GUID), err);
        if (rc == 0)
                rc = sha1_final(sha, digest, err);
        sha1_free(sha);
        return rc == 0 ? encode(digest, sizeof(digest), out, ACCEPT_SIZE - 1, err) : -1;
}

char *
ws_answer_check(
    const struct http_answer *answer, const char *nonce, const char *protocols, struct err *err)
{
        const char *accept = http_answer_header(answer, "sec-websocket-accept");
        const char *extensions = http_answer_header(answer, "sec-websocket-extensions");
        const char *protocol = http_answer_header(answer, "sec-websocket-protocol");
        char want[ACCEPT_SIZE];

        if (accept_of(nonce, want, err) < 0)
                return NULL;
        if (!any_has_token(answer, "upgrade", "websocket") ||
            !any_has_token(answer, "connection", "upgrade"))
                err_set(err, ERR_PROTOCOL, "the server upgrades to something else");
        else if (accept == NULL || strcmp(accept, want) != 0)
                err_set(err, ERR_PROTOCOL,
                    "the server's Sec-WebSocket-Accept is not the answer to "
                    "our key");
        else if (extensions != NULL && *extensions != '\0')
                err_set(err, ERR_PROTOCOL, "the server uses extensions that were not offered");
        else if (protocol != NULL && !has_token(protocols != NULL ? protocols : "", protocol,
                                         strlen(protocol), strncmp))
                err_set(err, ERR_PROTOCOL, "the server chose a protocol that was not offered");
        else
                return mem_strdup(protocol != NULL ? protocol : "", err);
        return NULL;
}
