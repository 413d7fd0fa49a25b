#include "http_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "loop_internal.h"
#include "moonkeep/mem.h"

void
http_answer_clear(struct http_answer *answer)
{
        for (size_t idx = 0; idx < answer->header_count; idx++) {
                mem_free(answer->headers[idx].name);
                mem_free(answer->headers[idx].value);
        }
        mem_free(answer->headers);
        buf_free(&answer->body);
        memset(answer, 0, sizeof(*answer));
}

const char *
http_answer_header(const struct http_answer *answer, const char *name)
{
        for (size_t idx = 0; idx < answer->header_count; idx++) {
                if (strcmp(answer->headers[idx].name, name) == 0)
                        return answer->headers[idx].value;
        }
        return NULL;
}

static int
make_room(struct transfer *transfer, struct err *err)
{
        struct http_answer *answer = &transfer->answer;

        if (answer->header_count < transfer->header_cap)
                return 0;
        size_t cap = transfer->header_cap != 0 ? transfer->header_cap * 2 : 16;
        struct http_header *headers = mem_realloc(answer->headers, cap * sizeof(*headers), err);
        if (headers == NULL)
                return -1;
        answer->headers = headers;
        transfer->header_cap = cap;
        return 0;
}

static int
add_header(struct transfer *transfer, const char *line, size_t len, struct err *err)
{
        struct http_answer *answer = &transfer->answer;
        const char *colon = memchr(line, ':', len);
        struct http_header header = { 0 };

        /* libcurl has refused the worst; a line without a name is of no use to anybody. */
        if (colon == NULL || colon == line)
                return 0;
        const char *value = colon + 1;
        const char *end = line + len;
        while (value < end && (*value == ' ' || *value == '\t'))
                value++;
        while (end > value && isspace((unsigned char)end[-1]))
                end--;

        if (make_room(transfer, err) < 0)
                return -1;
        header.name = mem_strndup(line, (size_t)(colon - line), err);
        if (header.name == NULL)
                return -1;
        header.value = mem_strndup(value, (size_t)(end - value), err);
        if (header.value == NULL) {
                mem_free(header.name);
                return -1;
        }
        for (char *at = header.name; *at != '\0'; at++)
                *at = (char)tolower((unsigned char)*at);
        answer->headers[answer->header_count++] = header;
        return 0;
}

/* "HTTP/1.1 200 OK": the start of an answer, perhaps after an interim one. */
static void
start_answer(struct transfer *transfer, const char *line, size_t len)
{
        const char *space = memchr(line, ' ', len);
        char digits[4] = "";

        http_answer_clear(&transfer->answer);
        transfer->header_cap = 0;
        buf_init(&transfer->answer.body, transfer->request.answer_max);
        if (space != NULL && line + len - space > 3)
                memcpy(digits, space + 1, 3);
        transfer->answer.status = atoi(digits);
}

static bool
has_body(const struct transfer *transfer)
{
        const char *length = http_answer_header(&transfer->answer, "content-length");

        return strcmp(transfer->request.method, "HEAD") != 0 &&
               (length == NULL || strcmp(length, "0") != 0);
}

int
http_take_line(struct transfer *transfer, const char *line, size_t len, struct err *err)
{
        transfer->header_bytes += len;
        if (transfer->header_bytes > HTTP_HEADERS_MAX)
                return err_set(err, ERR_TOO_BIG,
                    "cannot %s \"%s\": the headers of the answer are larger than %zu bytes",
                    transfer->request.method, transfer->name, HTTP_HEADERS_MAX);
        /* What follows the body (trailers) is counted and otherwise not of interest. */
        if (transfer->headers_complete)
                return 0;
        if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
                start_answer(transfer, line, len);
                return 0;
        }
        if (len <= 2 && (line[0] == '\r' || line[0] == '\n')) {
                transfer->headers_complete = transfer->answer.status >= 200;
                if (transfer->headers_complete && transfer->answer.status < 300 &&
                    transfer->request.on_head != NULL)
                        transfer->request.on_head(transfer->request.body_arg, &transfer->answer);
                if (transfer->headers_complete && has_body(transfer))
                        http_hurry(transfer->loop);
                return 0;
        }
        return add_header(transfer, line, len, err);
}

size_t
http_on_header(char *data, size_t size, size_t count, void *arg)
{
        struct transfer *transfer = arg;

        transfer->progress_ms = loop_clock(transfer->loop);
        if (http_take_line(transfer, data, size * count, &transfer->err) < 0)
                return 0;
        return size * count;
}

size_t
http_on_body(char *data, size_t size, size_t count, void *arg)
{
        struct transfer *transfer = arg;
        struct http_answer *answer = &transfer->answer;
        struct buf *body = &answer->body;
        size_t len = size * count;

        if (transfer->request.on_body != NULL && answer->status >= 200 && answer->status < 300) {
                int rc = transfer->request.on_body(
                    transfer->request.body_arg, answer, data, len, &transfer->err);
                transfer->paused = rc == HTTP_PAUSE;
                if (transfer->paused)
                        return CURL_WRITEFUNC_PAUSE;
                return rc == 0 ? len : 0;
        }
        if (len > body->max - body->len) {
                err_set(&transfer->err, ERR_TOO_BIG,
                    "cannot %s \"%s\": the answer is larger than %zu bytes",
                    transfer->request.method, transfer->name, body->max);
                return 0;
        }
        if (buf_add(body, data, len, &transfer->err) < 0)
                return 0;
        return len;
}

int
http_on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
        struct transfer *transfer = arg;

        (void)down_all;
        (void)up_all;
        if (down + up != transfer->moved) {
                transfer->moved = down + up;
                transfer->progress_ms = loop_clock(transfer->loop);
        }
        return 0;
}
