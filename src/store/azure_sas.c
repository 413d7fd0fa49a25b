#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "azure_connection.h"
#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* The decoded value of a parameter of len bytes, as a buffer; it may be empty. */
static int
find_value(const char *query, const char *name, struct buf *out, struct err *err)
{
        size_t name_len = strlen(name);

        while (*query != '\0') {
                size_t len = strcspn(query, "&");
                if (len > name_len && query[name_len] == '=' && strncmp(query, name, name_len) == 0)
                        return url_decode(query + name_len + 1, len - name_len - 1, out, err);
                query += len;
                query += *query == '&';
        }
        return 0;
}

/* "2026-11-21", "2026-11-21T02:00Z", "2026-11-21T02:00:00Z" and with fractions. */
static int
parse_expiry(const char *text, int64_t *unix_ms, struct err *err)
{
        char full[64];
        size_t len = strlen(text);

        if (len == strlen("2026-11-21"))
                snprintf(full, sizeof(full), "%sT00:00:00Z", text);
        else if (len == strlen("2026-11-21T02:00Z") && text[len - 1] == 'Z')
                snprintf(full, sizeof(full), "%.*s:00Z", (int)len - 1, text);
        else
                snprintf(full, sizeof(full), "%.63s", text);
        if (time_parse(full, unix_ms, NULL) == 0)
                return 0;
        return err_set(err, ERR_INVALID, "what its \"se\" says is no time");
}

/* What a query may hold as it stands (RFC 3986, 3.4). */
static bool
is_query(const char *text)
{
        return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789-._~!$&'()*+,;=:@/?%")] == '\0';
}

int
azure_sas_parse(const char *text, struct azure_sas *out, struct err *err)
{
        struct azure_sas made = { 0 };
        struct buf signature, expiry;
        int rc = -1;

        text += *text == '?';
        text += *text == '&';
        buf_init(&signature, AZURE_CONNECTION_MAX);
        buf_init(&expiry, AZURE_CONNECTION_MAX);
        if (strnlen(text, AZURE_CONNECTION_MAX + 1) > AZURE_CONNECTION_MAX) {
                err_set(
                    err, ERR_INVALID, "a SAS is no longer than %zu bytes", AZURE_CONNECTION_MAX);
                goto done;
        }
        if (!is_query(text)) {
                err_set(err, ERR_INVALID,
                    "a SAS is the query of a URL, and this has a character that no query has");
                goto done;
        }
        if (find_value(text, "sig", &signature, err) < 0 ||
            find_value(text, "se", &expiry, err) < 0)
                goto done;
        if (signature.len == 0) {
                err_set(err, ERR_INVALID, "a SAS has a signature (sig=), and this has none");
                goto done;
        }
        if (expiry.len > 0 && parse_expiry(expiry.data, &made.expires_ms, err) < 0)
                goto done;
        made.query = secret_new(text, strlen(text), err);
        if (made.query == NULL)
                goto done;
        made.signature = secret_new(signature.data, signature.len, err);
        if (made.signature == NULL)
                goto done;
        *out = made;
        rc = 0;
done:
        if (rc < 0)
                azure_sas_clear(&made);
        if (signature.data != NULL)
                secret_wipe(signature.data, signature.cap);
        buf_free(&signature);
        buf_free(&expiry);
        return rc;
}

void
azure_sas_clear(struct azure_sas *sas)
{
        secret_unref(sas->query);
        secret_unref(sas->signature);
        memset(sas, 0, sizeof(*sas));
}
