#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "azure_creds_internal.h"
#include "moonkeep/mem.h"

static const char *
setting(const char *name)
{
        const char *value = getenv(name);

        return value != NULL && *value != '\0' ? value : NULL;
}

static int
cannot_use(const char *name, struct err *err)
{
        if (err != NULL && err->code == ERR_INVALID)
                err->code = ERR_CREDENTIALS;
        return err_prefix(err, "cannot use %s", name);
}

/* Each of these: 1 when it is what we use, 0 when there is none for the account, -1. */

static int
try_connection(struct azure_creds *creds, const char *account, struct buf *looked, struct err *err)
{
        static const char name[] = "AZURE_STORAGE_CONNECTION_STRING";
        const char *text = setting(name);

        if (text == NULL)
                return buf_addf(looked, err, "%s", name);
        if (azure_connection_parse(text, &creds->fixed, err) < 0)
                return cannot_use(name, err);
        if (strcasecmp(creds->fixed.account, account) != 0) {
                int rc = buf_addf(
                    looked, err, "%s (of the account \"%.64s\")", name, creds->fixed.account);
                azure_connection_clear(&creds->fixed);
                return rc;
        }
        creds->source = name;
        creds->kind = creds->fixed.sas.query != NULL ? AZURE_AUTH_SAS : AZURE_AUTH_KEY;
        return 1;
}

static int
try_key(struct azure_creds *creds, bool other, struct buf *looked, struct err *err)
{
        static const char name[] = "AZURE_STORAGE_KEY";
        const char *text = setting(name);

        if (text == NULL || other)
                return buf_addf(looked, err, ", %s%s", name,
                    text != NULL ? " (of another AZURE_STORAGE_ACCOUNT)" : "");
        creds->fixed.key = azure_key_parse(text, err);
        if (creds->fixed.key == NULL)
                return cannot_use(name, err);
        creds->source = name;
        creds->kind = AZURE_AUTH_KEY;
        return 1;
}

static int
try_sas(struct azure_creds *creds, bool other, struct buf *looked, struct err *err)
{
        static const char name[] = "AZURE_STORAGE_SAS_TOKEN";
        const char *text = setting(name);

        if (text == NULL || other)
                return buf_addf(looked, err, ", %s%s", name,
                    text != NULL ? " (of another AZURE_STORAGE_ACCOUNT)" : "");
        if (azure_sas_parse(text, &creds->fixed.sas, err) < 0)
                return cannot_use(name, err);
        creds->source = name;
        creds->kind = AZURE_AUTH_SAS;
        return 1;
}

static int
try_fixed(struct azure_creds *creds, const char *account, struct buf *looked, struct err *err)
{
        const char *mode = setting("AZURE_STORAGE_AUTH_MODE");
        const char *named = setting("AZURE_STORAGE_ACCOUNT");
        bool other = named != NULL && strcasecmp(named, account) != 0;

        if (mode != NULL && strcasecmp(mode, "login") == 0)
                return buf_addstr(looked, "AZURE_STORAGE_AUTH_MODE (which is login)", err);
        int rc = try_connection(creds, account, looked, err);
        if (rc == 0)
                rc = try_key(creds, other, looked, err);
        if (rc == 0)
                rc = try_sas(creds, other, looked, err);
        return rc;
}

int
azure_creds_find(struct azure_creds *creds, const char *account, struct err *err)
{
        static const char *const sources[] = { "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE",
                "IDENTITY_ENDPOINT", "the machine's managed identity" };
        struct buf looked;
        int rc = 0;

        buf_init(&looked, 4096);
        if (account != NULL)
                rc = try_fixed(creds, account, &looked, err);
        if (rc == 0) {
                creds->kind = AZURE_AUTH_TOKEN;
                rc = azure_identity_find(&creds->identity, &looked, err);
                creds->source = sources[creds->identity.kind];
        }
        if (rc == 0 && creds->kind == AZURE_AUTH_TOKEN) {
                const char *text = looked.data != NULL ? looked.data : "";
                creds->looked = mem_strdup(text + strspn(text, ", "), err);
                rc = creds->looked != NULL ? 0 : -1;
        }
        buf_free(&looked);
        return rc < 0 ? -1 : 0;
}
