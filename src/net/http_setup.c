#include "http_internal.h"

#include <string.h>
#include <strings.h>

#include "moonkeep/mem.h"
#include "moonkeep/version.h"

/* Bounds on a request; a secret has its own (SECRET_MAX). */
#define METHOD_MAX 32
#define HEADER_MAX ((size_t)128 * 1024)

/* libcurl's buffers for large bodies: fewer, larger reads and writes.  The most it reads at once.
 */
#define LARGE_BUFFER 262144L

/* The characters of a method or header name: RFC 9110, "token". */
static bool
is_token(const char *text)
{
        static const char others[] = "!#$%&'*+-.^_`|~0123456789"
                                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

        return *text != '\0' && text[strspn(text, others)] == '\0';
}

static bool
has_controls(const char *text, size_t len)
{
        for (size_t idx = 0; idx < len; idx++) {
                unsigned char byte = (unsigned char)text[idx];
                if ((byte < ' ' && byte != '\t') || byte == 0x7f)
                        return true;
        }
        return false;
}

static int
check_header(const struct http_header *header, struct err *err)
{
        size_t len = 0;

        if (header->name == NULL || !is_token(header->name))
                return err_set(err, ERR_USAGE, "cannot send a header with a name of that form");
        const char *value =
            header->secret != NULL ? secret_bytes(header->secret, &len) : header->value;
        if (header->secret == NULL && value != NULL)
                len = strlen(value);
        const char *prefix = header->value_prefix != NULL ? header->value_prefix : "";
        if (value == NULL || has_controls(value, len) || has_controls(prefix, strlen(prefix))) {
                err_set(err, ERR_USAGE,
                    "cannot send the header \"%s\": its value is missing, or has a line break or "
                    "another control character in it",
                    header->name);
                return header->secret != NULL
                           ? err_hint(err, "a secret in a file often ends with a line break")
                           : -1;
        }
        return 0;
}

int
http_check_request(const struct http_request *request, struct err *err)
{
        if (request->method == NULL || request->url == NULL)
                return err_set(err, ERR_USAGE, "cannot send a request without method or URL");
        if (!is_token(request->method) || strlen(request->method) > METHOD_MAX)
                return err_set(err, ERR_USAGE, "cannot send a request with such a method");
        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (check_header(&request->headers[idx], err) < 0)
                        return -1;
        }
        return 0;
}

/* Headers. */

int
http_request_header(struct http_request *request, const char *name, const char *value,
    struct secret *secret, struct err *err)
{
        struct http_header header = { 0 };
        size_t count = request->header_count;

        struct http_header *headers =
            mem_realloc(request->headers, (count + 1) * sizeof(*headers), err);
        if (headers == NULL)
                return -1;
        request->headers = headers;
        header.name = mem_strdup(name, err);
        if (header.name == NULL)
                return -1;
        char *copy = value != NULL ? mem_strdup(value, err) : NULL;
        if (value != NULL && copy == NULL) {
                mem_free(header.name);
                return -1;
        }
        if (secret != NULL) {
                header.value_prefix = copy;
                header.secret = secret_ref(secret);
        } else {
                header.value = copy;
        }
        headers[request->header_count++] = header;
        return 0;
}

static int
append_line(struct transfer *transfer, const char *line, struct err *err)
{
        struct curl_slist *longer = curl_slist_append(transfer->headers, line);

        if (longer == NULL)
                return err_set(err, ERR_NOMEM, "out of memory for a header");
        transfer->headers = longer;
        return 0;
}

static int
append_header(struct transfer *transfer, const struct http_header *header, struct err *err)
{
        struct buf line;
        size_t len = 0;
        int rc = -1;

        const char *value = header->value;
        if (header->secret != NULL)
                value = secret_bytes(header->secret, &len);
        else
                len = strlen(value);
        const char *prefix = header->value_prefix != NULL ? header->value_prefix : "";

        /* All room at once: a buffer that moves would leave a copy of the secret behind. */
        buf_init(&line, HEADER_MAX);
        if (buf_reserve(&line, strlen(header->name) + strlen(prefix) + len + 3, err) == NULL)
                return -1;
        if (buf_addstr(&line, header->name, err) < 0)
                goto done;
        /* libcurl's way to write a header without a value. */
        if (len == 0 && *prefix == '\0') {
                if (buf_addstr(&line, ";", err) < 0)
                        goto done;
        } else if (buf_addstr(&line, ": ", err) < 0 || buf_addstr(&line, prefix, err) < 0 ||
                   buf_add(&line, value, len, err) < 0) {
                goto done;
        }
        rc = append_line(transfer, line.data, err);
done:
        secret_wipe(line.data, line.cap);
        buf_free(&line);
        return rc;
}

static bool
has_header(const struct http_request *request, const char *name)
{
        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (strcasecmp(request->headers[idx].name, name) == 0)
                        return true;
        }
        return false;
}

static int
make_headers(struct transfer *transfer, struct err *err)
{
        const struct http_request *request = &transfer->request;

        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (append_header(transfer, &request->headers[idx], err) < 0)
                        return -1;
        }
        /* Not what libcurl would add on its own: we send no forms and wait for no go-ahead. */
        if (!has_header(request, "Content-Type") && append_line(transfer, "Content-Type:", err) < 0)
                return -1;
        if (!has_header(request, "Expect") && append_line(transfer, "Expect:", err) < 0)
                return -1;
        return 0;
}

void
http_headers_wipe(struct transfer *transfer)
{
        for (struct curl_slist *line = transfer->headers; line != NULL; line = line->next)
                secret_wipe(line->data, strlen(line->data));
        curl_slist_free_all(transfer->headers);
        transfer->headers = NULL;
}

/* The handle. */

static CURLcode
set_method(CURL *easy, const struct http_request *request)
{
        const void *body = request->payload != NULL ? request->payload : request->body;
        size_t len = request->payload != NULL ? request->payload_len : request->body_len;
        bool has_body = body != NULL || strcmp(request->method, "POST") == 0 ||
                        strcmp(request->method, "PUT") == 0 ||
                        strcmp(request->method, "PATCH") == 0;
        CURLcode rc = CURLE_OK;

        if (strcmp(request->method, "HEAD") == 0)
                return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        if (has_body) {
                /* The size first: without it libcurl measures the body as a string. */
                rc = curl_easy_setopt(
                    easy, CURLOPT_POSTFIELDSIZE_LARGE, body != NULL ? (curl_off_t)len : 0);
                if (rc == CURLE_OK)
                        rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body != NULL ? body : "");
        }
        if (rc == CURLE_OK)
                rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
        return rc;
}

static bool
needs_new_connection(const struct http_request *request)
{
        bool is_plain =
            strcmp(request->method, "POST") != 0 && strcmp(request->method, "PATCH") != 0;

        return is_plain ? request->once : !request->may_repeat;
}

#define SET(option, value)                                                                         \
        do {                                                                                       \
                CURLcode set_rc = curl_easy_setopt(easy, option, value);                           \
                if (set_rc != CURLE_OK)                                                            \
                        return set_rc;                                                             \
        } while (0)

static CURLcode
set_options(struct transfer *transfer)
{
        const struct http_request *request = &transfer->request;
        CURL *easy = transfer->easy;

        SET(CURLOPT_ERRORBUFFER, transfer->curl_error);
        SET(CURLOPT_PRIVATE, transfer);
        SET(CURLOPT_URL, request->url);
        SET(CURLOPT_PROTOCOLS_STR, "http,https");
        SET(CURLOPT_PATH_AS_IS, 1L);
        SET(CURLOPT_FOLLOWLOCATION, 0L);
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        SET(CURLOPT_USERAGENT, "moonkeep/" MOONKEEP_VERSION);
        SET(CURLOPT_HTTPHEADER, transfer->headers);
        SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        SET(CURLOPT_NOSIGNAL, 1L);
        /* Or the cancel of a request whose name look-up hangs would hang, too. */
        SET(CURLOPT_QUICK_EXIT, 1L);
        SET(CURLOPT_OPENSOCKETFUNCTION, http_open_socket);
        SET(CURLOPT_OPENSOCKETDATA, transfer->loop);
        SET(CURLOPT_CLOSESOCKETFUNCTION, http_close_socket);
        SET(CURLOPT_CLOSESOCKETDATA, transfer->loop);
        /*
         * libcurl sends a request again by itself when a connection of its
         * pool turns out to be dead.  What may have an effect twice gets a
         * connection that is new.
         */
        if (needs_new_connection(request))
                SET(CURLOPT_FRESH_CONNECT, 1L);
        if (request->large) {
                SET(CURLOPT_BUFFERSIZE, LARGE_BUFFER);
                SET(CURLOPT_UPLOAD_BUFFERSIZE, LARGE_BUFFER);
        }
        /* What vanished without a word (a firewall that forgot us) is noticed between requests. */
        SET(CURLOPT_TCP_KEEPALIVE, 1L);
        SET(CURLOPT_TCP_KEEPIDLE, 30L);
        SET(CURLOPT_TCP_KEEPINTVL, 10L);

        SET(CURLOPT_SSL_VERIFYPEER, 1L);
        SET(CURLOPT_SSL_VERIFYHOST, 2L);
        if (request->ca_file != NULL) {
                SET(CURLOPT_CAINFO, request->ca_file);
                /* Or the authorities of the system would be good enough, too. */
                SET(CURLOPT_CAPATH, NULL);
        }
        if (request->unix_socket != NULL) {
                SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
                SET(CURLOPT_PROXY, "");
        }
        if (request->no_proxy)
                SET(CURLOPT_PROXY, "");
        /* Of several addresses, the second one has to get its turn before we give up. */
        if (request->stall_ms > 0 && request->stall_ms < INT32_MAX)
                SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->stall_ms);

        SET(CURLOPT_HEADERFUNCTION, http_on_header);
        SET(CURLOPT_HEADERDATA, transfer);
        SET(CURLOPT_WRITEFUNCTION, http_on_body);
        SET(CURLOPT_WRITEDATA, transfer);
        SET(CURLOPT_XFERINFOFUNCTION, http_on_progress);
        SET(CURLOPT_XFERINFODATA, transfer);
        SET(CURLOPT_NOPROGRESS, 0L);
        return set_method(easy, request);
}

int
http_setup(struct transfer *transfer, struct err *err)
{
        if (make_headers(transfer, err) < 0)
                return -1;
        transfer->easy = curl_easy_init();
        if (transfer->easy == NULL)
                return err_set(err, ERR_NOMEM, "out of memory for a request");
        CURLcode rc = set_options(transfer);
        if (rc != CURLE_OK)
                return err_set(err, rc == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL,
                    "cannot set up a request: %s", curl_easy_strerror(rc));
        return 0;
}
