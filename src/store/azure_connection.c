#include "azure_connection.h"

#include <string.h>
#include <strings.h>

#include "azure_endpoint.h"
#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"

/* The account of every emulator; its key is published, and no secret. */
#define EMULATOR_ACCOUNT "devstoreaccount1"
#define EMULATOR_KEY                                                                               \
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define EMULATOR_PORT "10000"

struct secret *
azure_key_parse(const char *text, struct err *err)
{
        struct secret *key = NULL;
        struct buf bytes;
        struct err why;

        err_init(&why);
        buf_init(&bytes, AZURE_CONNECTION_MAX);
        if (base64_decode(text, strlen(text), &bytes, &why) < 0) {
                if (why.code == ERR_NOMEM && err != NULL)
                        *err = why;
                else
                        err_set(err, ERR_INVALID, "an account's key is base64, and this is not");
        } else if (bytes.len == 0) {
                err_set(err, ERR_INVALID, "the account's key is empty");
        } else {
                key = secret_new(bytes.data, bytes.len, err);
        }
        if (bytes.data != NULL)
                secret_wipe(bytes.data, bytes.cap);
        buf_free(&bytes);
        return key;
}

/* Connection strings. */

enum setting {
        ACCOUNT_NAME,
        ACCOUNT_KEY,
        SAS,
        BLOB_ENDPOINT,
        PROTOCOL,
        SUFFIX,
        DEVELOPMENT,
        DEVELOPMENT_PROXY,
        SETTINGS
};

static const char *const setting_names[SETTINGS] = { "AccountName", "AccountKey",
        "SharedAccessSignature", "BlobEndpoint", "DefaultEndpointsProtocol", "EndpointSuffix",
        "UseDevelopmentStorage", "DevelopmentStorageProxyUri" };

/* Cut text into values[]; it is changed. */
static int
split(char *text, const char *values[SETTINGS], struct err *err)
{
        char *rest = text;

        for (char *part; (part = strsep(&rest, ";")) != NULL;) {
                if (part[strspn(part, " \t\r\n")] == '\0')
                        continue;
                char *equals = strchr(part, '=');
                if (equals == NULL)
                        return err_set(err, ERR_INVALID, "it has a part that is not NAME=VALUE");
                *equals = '\0';
                part += strspn(part, " \t\r\n");
                for (size_t idx = 0; idx < SETTINGS; idx++) {
                        if (strcasecmp(part, setting_names[idx]) != 0)
                                continue;
                        if (values[idx] != NULL)
                                return err_set(
                                    err, ERR_INVALID, "it has %s twice", setting_names[idx]);
                        values[idx] = equals + 1;
                }
        }
        return 0;
}

static char *
make_endpoint(const char *const values[SETTINGS], struct err *err)
{
        const char *protocol = values[PROTOCOL] != NULL ? values[PROTOCOL] : "https";
        const char *suffix = values[SUFFIX] != NULL ? values[SUFFIX] : "core.windows.net";
        struct buf out;
        int rc;

        if (values[BLOB_ENDPOINT] != NULL)
                return mem_strdup(values[BLOB_ENDPOINT], err);
        buf_init(&out, AZURE_CONNECTION_MAX);
        if (values[DEVELOPMENT] != NULL) {
                const char *host = values[DEVELOPMENT_PROXY];
                rc = buf_addf(&out, err, "%s:" EMULATOR_PORT "/" EMULATOR_ACCOUNT,
                    host != NULL ? host : "http://127.0.0.1");
        } else if (values[ACCOUNT_NAME] == NULL) {
                rc = err_set(err, ERR_INVALID, "it has neither AccountName nor BlobEndpoint");
        } else {
                rc = buf_addf(&out, err, "%s://%s.blob.%s", protocol, values[ACCOUNT_NAME], suffix);
        }
        char *text = rc == 0 ? buf_detach(&out, err) : NULL;
        buf_free(&out);
        return text;
}

static int
fill(const char *const values[SETTINGS], struct azure_connection *out, struct err *err)
{
        char *given = make_endpoint(values, err);
        const char *key = values[ACCOUNT_KEY];

        if (given == NULL)
                return -1;
        out->endpoint = azure_endpoint_parse(given, err);
        mem_free(given);
        if (out->endpoint == NULL)
                return -1;
        if (values[ACCOUNT_NAME] != NULL)
                out->account = mem_strdup(values[ACCOUNT_NAME], err);
        else
                out->account = azure_endpoint_account(out->endpoint, err);
        if (out->account == NULL)
                return -1;
        if (values[SAS] != NULL)
                return azure_sas_parse(values[SAS], &out->sas, err);
        if (key == NULL && values[DEVELOPMENT] == NULL)
                return err_set(err, ERR_INVALID,
                    "it has neither AccountKey nor "
                    "SharedAccessSignature");
        out->key = azure_key_parse(key != NULL ? key : EMULATOR_KEY, err);
        return out->key != NULL ? 0 : -1;
}

int
azure_connection_parse(const char *text, struct azure_connection *out, struct err *err)
{
        const char *values[SETTINGS] = { NULL };
        size_t len = strnlen(text, AZURE_CONNECTION_MAX + 1);
        struct azure_connection made = { 0 };
        int rc = -1;

        if (len > AZURE_CONNECTION_MAX)
                return err_set(
                    err, ERR_INVALID, "it is longer than %zu bytes", AZURE_CONNECTION_MAX);
        char *copy = mem_strdup(text, err);
        if (copy == NULL)
                return -1;
        if (split(copy, values, err) < 0)
                goto done;
        if (values[DEVELOPMENT] != NULL && strcasecmp(values[DEVELOPMENT], "true") != 0)
                values[DEVELOPMENT] = NULL;
        rc = fill(values, &made, err);
done:
        secret_wipe(copy, len);
        mem_free(copy);
        if (rc == 0)
                *out = made;
        else
                azure_connection_clear(&made);
        return rc;
}

void
azure_connection_clear(struct azure_connection *connection)
{
        mem_free(connection->account);
        mem_free(connection->endpoint);
        secret_unref(connection->key);
        azure_sas_clear(&connection->sas);
        memset(connection, 0, sizeof(*connection));
}
