#include "aws_keys.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/json.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"
#include "moonkeep/xml.h"

#define ID_MAX ((size_t)256)

/* How much of what others said is looked at for a message, in bytes. */
#define QUOTE_FROM ((size_t)4096)

void
aws_keys_clear(struct aws_keys *keys)
{
        mem_free(keys->id);
        secret_unref(keys->secret);
        secret_unref(keys->token);
        *keys = (struct aws_keys){ 0 };
}

void
aws_quote(const char *text, size_t len, char out[AWS_QUOTE_SIZE])
{
        char copy[QUOTE_FROM];
        size_t kept = 0;

        if (len > sizeof(copy))
                len = sizeof(copy);
        if (len != 0)
                memcpy(copy, text, len);
        /* Before it is cut off, or half a secret would be no secret. */
        secret_redact(copy, len);
        for (size_t idx = 0; idx < len && kept < AWS_QUOTE_SIZE - 1; idx++) {
                bool blank = (unsigned char)copy[idx] <= ' ' || copy[idx] == 127;
                if (!blank)
                        out[kept++] = copy[idx];
                else if (kept > 0 && out[kept - 1] != ' ')
                        out[kept++] = ' ';
        }
        while (kept > 0 && out[kept - 1] == ' ')
                kept--;
        out[kept] = '\0';
}

/* Is it something that a header or a line can carry? */
static int
check(struct aws_text text, const char *what, size_t max, unsigned char least, struct err *err)
{
        if (text.len == 0)
                return err_set(err, ERR_CREDENTIALS, "the %s is missing", what);
        if (text.len > max)
                return err_set(err, ERR_CREDENTIALS, "the %s is longer than %zu bytes", what, max);
        for (size_t idx = 0; idx < text.len; idx++) {
                unsigned char at = (unsigned char)text.at[idx];
                if (at < least || at == 127)
                        return err_set(err, ERR_CREDENTIALS, "the %s has a %s in it", what,
                            at == ' ' ? "blank" : "line break or another control character");
        }
        return 0;
}

int
aws_keys_set(struct aws_keys *out, struct aws_text id, struct aws_text secret,
    struct aws_text token, const char *expires, struct err *err)
{
        struct aws_keys keys = { 0 };

        if (check(id, "access key id", ID_MAX, '!', err) < 0 ||
            check(secret, "secret access key", SECRET_MAX, ' ', err) < 0)
                return -1;
        if (token.len > 0 && check(token, "session token", SECRET_MAX, '!', err) < 0)
                return -1;
        if (expires != NULL && *expires != '\0' && time_parse(expires, &keys.expires_ms, NULL) < 0)
                return err_set(err, ERR_CREDENTIALS, "the expiration is no time");
        keys.id = mem_strndup(id.at, id.len, err);
        if (keys.id == NULL)
                goto fail;
        keys.secret = secret_new(secret.at, secret.len, err);
        if (keys.secret == NULL)
                goto fail;
        if (token.len > 0) {
                keys.token = secret_new(token.at, token.len, err);
                if (keys.token == NULL)
                        goto fail;
        }
        *out = keys;
        return 0;

fail:
        aws_keys_clear(&keys);
        return -1;
}

int
aws_keys_copy(const struct aws_keys *from, struct aws_keys *out, struct err *err)
{
        char *id = mem_strdup(from->id, err);

        if (id == NULL)
                return -1;
        *out = (struct aws_keys){ .id = id,
                .secret = secret_ref(from->secret),
                .token = secret_ref(from->token),
                .expires_ms = from->expires_ms };
        return 0;
}

static struct aws_text
member(const struct json *object, const char *name)
{
        struct json *value = json_get(object, name);
        struct aws_text text = { NULL, 0 };

        if (value != NULL)
                text.at = json_string(value, &text.len);
        if (text.at == NULL)
                text.len = 0;
        return text;
}

/* Metadata services answer 200 with an error in it, too. */
static int
check_said(const struct json *document, int version, struct err *err)
{
        struct aws_text code = member(document, "Code"), message = member(document, "Message");
        struct json *said = json_get(document, "Version");
        char quoted[2][AWS_QUOTE_SIZE];

        if (code.len > 0 && strcmp(code.at, "Success") != 0) {
                aws_quote(code.at, code.len, quoted[0]);
                aws_quote(message.at, message.len, quoted[1]);
                return err_set(err, ERR_CREDENTIALS, "%s%s%s", quoted[0],
                    message.len > 0 ? ": " : "", quoted[1]);
        }
        if (version == 0)
                return 0;
        if (said == NULL || json_type_of(said) != JSON_T_INT || json_int(said) != version)
                return err_set(err, ERR_CREDENTIALS,
                    "the document with the keys does not say \"Version\": %d", version);
        return 0;
}

static void
wipe(struct aws_text text)
{
        /* Our own copy, which is freed next. */
        secret_wipe((char *)(uintptr_t)text.at, text.len);
}

static int
from_document(const struct json *document, const char *token_name, int version,
    struct aws_keys *out, struct err *err)
{
        struct aws_text secret = member(document, "SecretAccessKey");
        struct aws_text token = member(document, token_name);
        int rc = check_said(document, version, err);

        if (rc == 0)
                rc = aws_keys_set(out, member(document, "AccessKeyId"), secret, token,
                    member(document, "Expiration").at, err);
        wipe(secret);
        wipe(token);
        return rc;
}

int
aws_keys_from_json(const char *text, size_t len, const char *token_name, int version,
    struct aws_keys *out, struct err *err)
{
        struct err why;

        if (len > AWS_KEYS_DOCUMENT_MAX)
                return err_set(err, ERR_CREDENTIALS, "the document with the keys is too long");
        struct json *document = json_parse(text, len, &why);
        if (document == NULL && why.code == ERR_NOMEM) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        /* Why it is none would quote it. */
        if (document == NULL || json_type_of(document) != JSON_T_OBJECT) {
                json_free(document);
                return err_set(
                    err, ERR_CREDENTIALS, "the document with the keys is not a JSON object");
        }
        int rc = from_document(document, token_name, version, out, err);
        json_free(document);
        return rc;
}

static struct aws_text
element(const struct xml *parent, const char *name)
{
        const char *text = xml_text_at(parent, name);

        return (struct aws_text){ text, text != NULL ? strlen(text) : 0 };
}

int
aws_keys_from_sts(
    const char *text, size_t len, const char *action, struct aws_keys *out, struct err *err)
{
        char path[128];

        if (len > AWS_KEYS_DOCUMENT_MAX)
                return err_set(err, ERR_CREDENTIALS, "the document with the keys is too long");
        struct xml *root = xml_parse(text, len, err);
        if (root == NULL)
                return -1;
        snprintf(path, sizeof(path), "%sResult/Credentials", action);
        const struct xml *found = xml_at(root, path);
        int rc = aws_keys_set(out, element(found, "AccessKeyId"), element(found, "SecretAccessKey"),
            element(found, "SessionToken"), xml_text_at(found, "Expiration"), err);
        xml_free(root);
        return rc;
}
