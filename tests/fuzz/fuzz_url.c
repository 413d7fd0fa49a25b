/*
 * URLs from anywhere: what is accepted holds the promises of url.h.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition)
{
        if (!condition)
                abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct url url;
        struct err err;

        char *text = malloc(size + 1);
        require(text != NULL);
        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';

        err_init(&err);
        if (url_parse(text, &url, &err) < 0) {
                require(err.code == ERR_INVALID && err.msg[0] != '\0');
                free(text);
                return 0;
        }
        require(strlen(text) <= URL_MAX && strpbrk(text, "# \t\r\n") == NULL);
        require(url.scheme != NULL && url.scheme[0] != '\0');
        require(url.host != NULL && strpbrk(url.host, "/?@[]%") == NULL);
        require(url.path != NULL && url.port >= 0 && url.port <= 65535);
        require(url.query == NULL || strstr(text, url.query) != NULL);

        char *value = url_param(&url, "a", &err);
        require(value != NULL || err.code == ERR_NONE || err.code == ERR_INVALID);
        mem_free(value);
        url_clear(&url);
        free(text);
        return 0;
}
