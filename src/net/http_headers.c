#include "http_internal.h"

#include <string.h>
#include <strings.h>

#include "moonkeep/mem.h"

/* Bound on a header; a secret has its own (SECRET_MAX). */
#define HEADER_MAX ((size_t)128 * 1024)

/* The characters of a method or header name: RFC 9110, "token". */
bool
http_is_token(const char *text)
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

int
http_check_header(const struct http_header *header, struct err *err)
{
        size_t len = 0;

        if (header->name == NULL || !http_is_token(header->name))
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

/* The URL that libcurl has names another host than the one to be asked for. */
static int
append_host(struct transfer *transfer, struct err *err)
{
        struct buf line;

        buf_init(&line, HEADER_MAX);
        int rc = buf_addstr(&line, "Host: ", err);
        if (rc == 0)
                rc = http_host(&transfer->url, &line, err);
        if (rc == 0)
                rc = append_line(transfer, line.data, err);
        buf_free(&line);
        return rc;
}

int
http_headers_make(struct transfer *transfer, struct err *err)
{
        const struct http_request *request = &transfer->request;

        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (append_header(transfer, &request->headers[idx], err) < 0)
                        return -1;
        }
        if (transfer->curl_url != NULL && !has_header(request, "Host") &&
            append_host(transfer, err) < 0)
                return -1;
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
