/*
 * Answers of a server that may be anybody: errors, listings, tokens.  What is
 * told of them is one line, and listings are in order.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/store/azure.h"
#include "../../src/store/azure_token.h"
#include "moonkeep/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition)
{
        if (!condition)
                abort();
}

static int
is_line(const char *text)
{
        return strpbrk(text, "\r\n\t\x7f") == NULL;
}

static int
take(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        char **last = arg;

        require(strncmp(key, "", 0) == 0 && (*last == NULL || strcmp(key, *last) > 0));
        require(stat == NULL || strlen(stat->etag) <= STORE_ETAG_MAX);
        mem_free(*last);
        *last = mem_strdup(key, err);
        return *last != NULL ? 0 : -1;
}

static void
listing(const uint8_t *data, size_t size)
{
        static char prefix[] = "a/", place[] = "azure://a/c/a";
        struct azure_store store = { 0 };
        char *last = NULL, *marker = NULL;
        struct buf body;
        struct err err;

        store.object.prefix = prefix;
        store.object.store.url = place;
        err_init(&err);
        buf_init(&body, size + 1);
        require(buf_add(&body, data, size, &err) == 0);
        if (azure_list_page(&store, &body, take, &last, &marker, &err) < 0)
                require(err.code != ERR_NONE && err.msg[0] != '\0' && marker == NULL);
        require(body.data == NULL);
        mem_free(last);
        mem_free(marker);
}

static void
failure(const uint8_t *data, size_t size)
{
        struct http_answer answer = { .status = 403 };
        struct azure_error error;
        struct err err;

        buf_init(&answer.body, size + 1);
        require(buf_add(&answer.body, data, size, &err) == 0);
        azure_error_read(&answer, &error);
        require(is_line(error.code) && is_line(error.message));
        http_answer_clear(&answer);
}

static void
token(const uint8_t *data, size_t size)
{
        struct azure_token got = { 0 };
        const char *text = size > 0 ? (const char *)data : "";
        struct err err;

        err_init(&err);
        if (azure_token_parse(text, size, 1000, &got, &err) == 0)
                require(got.secret != NULL && got.expires_ms >= 1000);
        else
                require(err.code != ERR_NONE && got.secret == NULL);
        azure_token_clear(&got);
        azure_token_refused(400, text, size, &err);
        require(err.code == ERR_CREDENTIALS && is_line(err.msg));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        listing(data, size);
        failure(data, size);
        token(data, size);
        return 0;
}
