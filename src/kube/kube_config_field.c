#include "kube_config_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"

static void
join_lines(char *text)
{
        for (; *text != '\0'; text++) {
                if ((unsigned char)*text < ' ' || *text == 127)
                        *text = ' ';
        }
}

void
kube_one_line(struct err *err)
{
        if (err == NULL)
                return;
        join_lines(err->msg);
        join_lines(err->hint);
}

int
kube_bad(struct err *err, const struct kube_entry *entry, const char *field, const char *fmt, ...)
{
        char why[512];
        va_list args;

        va_start(args, fmt);
        vsnprintf(why, sizeof(why), fmt, args);
        va_end(args);
        return err_set(err, ERR_INVALID, "cannot use kubeconfig \"%s\": %s%s%s %s",
            entry->doc->path, entry->where, *entry->where != '\0' && field != NULL ? "." : "",
            field != NULL ? field : "", why);
}

static const struct json *
field(const struct kube_entry *entry, const char *name)
{
        const struct json *value = json_get(entry->value, name);

        return value != NULL && json_type_of(value) != JSON_T_NULL ? value : NULL;
}

int
kube_field_text(const struct kube_entry *entry, const char *name, const char **out, struct err *err)
{
        const struct json *value = field(entry, name);
        size_t len;

        if (value == NULL)
                return 0;
        const char *text = json_string(value, &len);
        if (text == NULL)
                return kube_bad(err, entry, name, "must be a string");
        if (strlen(text) != len)
                return kube_bad(err, entry, name, "has a NUL in it");
        if (len != 0)
                *out = text;
        return 0;
}

int
kube_field_copy(const struct kube_entry *entry, const char *name, char **out, struct err *err)
{
        const char *text = NULL;

        if (kube_field_text(entry, name, &text, err) < 0)
                return -1;
        if (text == NULL)
                return 0;
        *out = mem_strdup(text, err);
        return *out != NULL ? 0 : -1;
}

int
kube_field_bool(const struct kube_entry *entry, const char *name, bool *out, struct err *err)
{
        const struct json *value = field(entry, name);

        if (value == NULL)
                return 0;
        if (json_type_of(value) != JSON_T_BOOL)
                return kube_bad(err, entry, name, "must be true or false");
        *out = json_bool(value);
        return 0;
}

int
kube_field_path(const struct kube_entry *entry, const char *name, char **out, struct err *err)
{
        const char *text = NULL;

        if (kube_field_text(entry, name, &text, err) < 0)
                return -1;
        if (text == NULL)
                return 0;
        *out = *text == '/' ? mem_strdup(text, err) : path_join(entry->doc->dir, text, err);
        return *out != NULL ? 0 : -1;
}

int
kube_field_list(
    const struct kube_entry *entry, const char *name, const struct json **out, struct err *err)
{
        const struct json *value = field(entry, name);

        if (value != NULL && json_type_of(value) != JSON_T_ARRAY)
                return kube_bad(err, entry, name, "must be a list");
        *out = value;
        return 0;
}

int
kube_field_entry(
    const struct kube_entry *entry, const char *name, struct kube_entry *out, struct err *err)
{
        const struct json *value = field(entry, name);

        if (value != NULL && json_type_of(value) != JSON_T_OBJECT)
                return kube_bad(err, entry, name, "must be a mapping");
        out->doc = entry->doc;
        out->value = value;
        snprintf(out->where, sizeof(out->where), "%.256s.%.48s", entry->where, name);
        return 0;
}

/* Base64 as people wrap it. */
static int
decode(const char *text, struct buf *out, struct err *err)
{
        struct buf packed;
        int rc = 0;

        buf_init(&packed, 2 * KUBE_PEM_MAX);
        /* At once: what grows leaves copies behind. */
        if (buf_reserve(&packed, strlen(text) + 1, err) == NULL)
                return -1;
        while (rc == 0 && *text != '\0') {
                size_t len = strcspn(text, "\r\n");
                rc = buf_add(&packed, text, len, err);
                text += len + strspn(text + len, "\r\n");
        }
        if (rc == 0)
                rc = base64_decode(packed.data != NULL ? packed.data : "", packed.len, out, err);
        if (packed.data != NULL)
                secret_wipe(packed.data, packed.cap);
        buf_free(&packed);
        return rc;
}

static int
read_data(const struct kube_entry *entry, const char *name, const char *text, struct buf *out,
    struct err *err)
{
        struct err why;

        if (decode(text, out, &why) == 0)
                return 0;
        if (why.code != ERR_NOMEM)
                return kube_bad(err, entry, name, "is no base64, or too long");
        if (err != NULL)
                *err = why;
        return -1;
}

static int
read_named(const struct kube_entry *entry, const char *name, const char *path, struct buf *out,
    struct err *err)
{
        if (file_read(path, out, err) == 0)
                return 0;
        if (err != NULL && err->code != ERR_NOMEM)
                err->code = ERR_CREDENTIALS;
        return err_prefix(
            err, "cannot use kubeconfig \"%s\": %s.%s", entry->doc->path, entry->where, name);
}

int
kube_field_pem(const struct kube_entry *entry, const char *name, char **out, size_t *len,
    char **file, struct err *err)
{
        char data_name[64];
        const char *data = NULL;
        char *path = NULL;
        struct buf bytes;
        int rc;

        snprintf(data_name, sizeof(data_name), "%s-data", name);
        if (kube_field_text(entry, data_name, &data, err) < 0 ||
            kube_field_path(entry, name, &path, err) < 0)
                return -1;
        if (data == NULL && path == NULL)
                return 0;
        buf_init(&bytes, KUBE_PEM_MAX);
        if (data != NULL)
                rc = read_data(entry, data_name, data, &bytes, err);
        else
                rc = read_named(entry, name, path, &bytes, err);
        if (rc == 0 && bytes.len == 0)
                rc = kube_bad(err, entry, data != NULL ? data_name : name, "is empty");
        size_t got = bytes.len;
        char *pem = NULL;
        if (rc == 0)
                pem = mem_strndup(bytes.data, got, err);
        if (bytes.data != NULL)
                secret_wipe(bytes.data, bytes.cap);
        buf_free(&bytes);
        if (pem == NULL || data != NULL) {
                mem_free(path);
                path = NULL;
        }
        if (pem == NULL)
                return -1;
        *out = pem;
        *len = got;
        *file = path;
        return 0;
}
