/*
 * Connection strings, SAS and endpoints from anywhere: what is accepted holds
 * the promises of azure_connection.h, and no message shows what was refused.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/store/azure_connection.h"
#include "../../src/store/azure_endpoint.h"
#include "moonkeep/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition)
{
        if (!condition)
                abort();
}

static void
connection(const char *text)
{
        struct azure_connection got = { 0 };
        struct err err;

        err_init(&err);
        if (azure_connection_parse(text, &got, &err) < 0) {
                require(err.code == ERR_INVALID && err.msg[0] != '\0');
                require(got.account == NULL && got.endpoint == NULL && got.key == NULL);
                return;
        }
        require(got.account != NULL && strncmp(got.endpoint, "http", 4) == 0);
        require((got.key != NULL) != (got.sas.query != NULL));
        char *again = azure_endpoint_parse(got.endpoint, &err);
        require(again != NULL && strcmp(again, got.endpoint) == 0);
        mem_free(again);
        azure_connection_clear(&got);
}

static void
signature(const char *text)
{
        struct azure_sas sas = { 0 };
        struct err err;

        err_init(&err);
        if (azure_sas_parse(text, &sas, &err) < 0) {
                require(err.code == ERR_INVALID && err.msg[0] != '\0' && sas.query == NULL);
                return;
        }
        require(strpbrk(secret_bytes(sas.query, NULL), " #\r\n\t\"<>") == NULL);
        require(sas.signature != NULL);
        azure_sas_clear(&sas);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1);

        require(text != NULL);
        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';
        connection(text);
        signature(text);
        (void)azure_endpoint_keeps_secrets(text);
        free(text);
        return 0;
}
