#include "azure_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure_endpoint.h"
#include "moonkeep/mem.h"

#define ATTEMPTS 4
#define PAUSE_MS 1000

#define AUTHORITY_DEFAULT "https://login.microsoftonline.com"

/* The address that the machine's metadata have in Azure; the variable is the one that the SDKs
 * know. */
#define MACHINE_DEFAULT "http://169.254.169.254"
#define MACHINE_VARIABLE "AZURE_POD_IDENTITY_AUTHORITY_HOST"

/* An empty variable is none. */
static const char *
setting(const char *name)
{
        const char *value = getenv(name);

        return value != NULL && *value != '\0' ? value : NULL;
}

void
azure_identity_clear(struct azure_identity *identity)
{
        mem_free(identity->endpoint);
        mem_free(identity->tenant);
        mem_free(identity->client);
        mem_free(identity->token_file);
        secret_unref(identity->proof);
        memset(identity, 0, sizeof(*identity));
}

void
azure_identity_name(const struct azure_identity *identity, char out[AZURE_IDENTITY_NAME_MAX])
{
        static const char *const names[] = { "the application", "the workload identity",
                "the managed identity", "the machine's managed identity" };
        const char *name = names[identity->kind];

        if (identity->client != NULL)
                snprintf(out, AZURE_IDENTITY_NAME_MAX, "%s \"%.64s\"", name, identity->client);
        else
                snprintf(out, AZURE_IDENTITY_NAME_MAX, "%s", name);
}

/* Finding. */

/* A GUID, or a domain: what may stand in a URL as it is. */
static int
take_id(const char *variable, char **out, struct err *err)
{
        const char *value = setting(variable);

        if (value == NULL)
                return 0;
        if (strlen(value) > 128 ||
            value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._")] != '\0')
                return err_set(err, ERR_CREDENTIALS, "%s is no id", variable);
        *out = mem_strdup(value, err);
        return *out != NULL ? 0 : -1;
}

static int
take_endpoint(const char *variable, const char *value, struct azure_identity *out, struct err *err)
{
        char full[1024];

        /* The SDKs take an authority without "https://", too. */
        snprintf(
            full, sizeof(full), "%s%.1000s", strstr(value, "://") != NULL ? "" : "https://", value);
        out->endpoint = azure_endpoint_parse(full, err);
        if (out->endpoint == NULL) {
                if (err != NULL && err->code == ERR_INVALID)
                        err->code = ERR_CREDENTIALS;
                return err_prefix(err, "%s", variable);
        }
        return 0;
}

static int
take_authority(struct azure_identity *out, struct err *err)
{
        const char *value = setting("AZURE_AUTHORITY_HOST");

        if (take_endpoint(
                "AZURE_AUTHORITY_HOST", value != NULL ? value : AUTHORITY_DEFAULT, out, err) < 0)
                return -1;
        if (!azure_endpoint_keeps_secrets(out->endpoint))
                return err_set(err, ERR_CREDENTIALS,
                    "AZURE_AUTHORITY_HOST is not https: secrets are not sent there");
        return 0;
}

/* An application of a tenant, with what proves that we are it. */
static int
take_application(struct azure_identity *out, struct err *err)
{
        const char *secret = setting("AZURE_CLIENT_SECRET");
        const char *file = setting("AZURE_FEDERATED_TOKEN_FILE");

        if (take_id("AZURE_TENANT_ID", &out->tenant, err) < 0 || take_authority(out, err) < 0)
                return -1;
        if (secret != NULL) {
                out->kind = AZURE_CLIENT_SECRET;
                out->proof = secret_new(secret, strlen(secret), err);
                return out->proof != NULL ? 0 : -1;
        }
        out->kind = AZURE_WORKLOAD;
        out->token_file = mem_strdup(file, err);
        return out->token_file != NULL ? 0 : -1;
}

static int
take_app_service(struct azure_identity *out, struct err *err)
{
        const char *header = setting("IDENTITY_HEADER");

        out->kind = AZURE_APP_SERVICE;
        if (take_endpoint("IDENTITY_ENDPOINT", setting("IDENTITY_ENDPOINT"), out, err) < 0)
                return -1;
        out->proof = secret_new(header, strlen(header), err);
        return out->proof != NULL ? 0 : -1;
}

static int
take_machine(struct azure_identity *out, struct err *err)
{
        const char *host = setting(MACHINE_VARIABLE);

        out->kind = AZURE_MACHINE;
        return take_endpoint(MACHINE_VARIABLE, host != NULL ? host : MACHINE_DEFAULT, out, err);
}

static int
find(struct azure_identity *out, struct buf *looked, struct err *err)
{
        const char *proof = setting("AZURE_CLIENT_SECRET") != NULL ? "AZURE_CLIENT_SECRET"
                            : setting("AZURE_FEDERATED_TOKEN_FILE") != NULL
                                ? "AZURE_FEDERATED_TOKEN_FILE"
                                : NULL;
        const char *missing = setting("AZURE_CLIENT_ID") == NULL   ? "AZURE_CLIENT_ID"
                              : setting("AZURE_TENANT_ID") == NULL ? "AZURE_TENANT_ID"
                                                                   : NULL;

        if (take_id("AZURE_CLIENT_ID", &out->client, err) < 0)
                return -1;
        if (proof != NULL && missing == NULL)
                return take_application(out, err);
        if (proof != NULL && buf_addf(looked, err, ", %s (without %s)", proof, missing) < 0)
                return -1;
        if (proof == NULL &&
            buf_addstr(looked, ", AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE", err) < 0)
                return -1;
        if (setting("IDENTITY_ENDPOINT") != NULL && setting("IDENTITY_HEADER") != NULL)
                return take_app_service(out, err);
        if (buf_addstr(looked, ", IDENTITY_ENDPOINT", err) < 0)
                return -1;
        return take_machine(out, err);
}

int
azure_identity_find(struct azure_identity *out, struct buf *looked, struct err *err)
{
        struct azure_identity found = { .attempts = ATTEMPTS, .pause_ms = PAUSE_MS };

        if (find(&found, looked, err) < 0) {
                azure_identity_clear(&found);
                return -1;
        }
        *out = found;
        return 0;
}
