#include <ctype.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "object.h"
#include "url_options.h"

static int
refused(struct err *err, const char *why)
{
        return err_set(err, ERR_USAGE, "cannot open a store: the prefix of its URL %s", why);
}

static const char *
why_not(const char *part, size_t len, object_part_fn *check)
{
        for (size_t idx = 0; idx < len; idx++) {
                if (iscntrl((unsigned char)part[idx]))
                        return "has a control character";
        }
        return len == 0 ? "has an empty part" : check(part, len);
}

char *
object_prefix(const char *path, object_part_fn *check, struct err *err)
{
        struct buf out;

        buf_init(&out, STORE_KEY_MAX);
        path += strspn(path, "/");
        while (*path != '\0') {
                size_t len = strcspn(path, "/");
                const char *why = why_not(path, len, check);
                if (why != NULL) {
                        refused(err, why);
                        goto fail;
                }
                if (buf_add(&out, path, len, err) < 0 || buf_add(&out, "/", 1, err) < 0) {
                        if (err != NULL && err->code == ERR_TOO_BIG)
                                refused(err, "is too long");
                        goto fail;
                }
                path += len + (path[len] == '/');
        }
        if (out.data == NULL)
                return mem_strdup("", err);
        return buf_detach(&out, err);

fail:
        buf_free(&out);
        return NULL;
}

char *
object_name(const struct object_store *it, const char *base, const struct url_option *options,
    struct err *err)
{
        const char *prefix = it->prefix;
        struct buf out;

        buf_init(&out, 8 * STORE_KEY_MAX + 4 * URL_MAX);
        if (buf_addstr(&out, base, err) < 0 ||
            (*prefix != '\0' && (buf_addstr(&out, "/", err) < 0 ||
                                    url_encode(prefix, strlen(prefix) - 1, 1, &out, err) < 0)) ||
            url_options_write(options, &out, err) < 0) {
                buf_free(&out);
                return NULL;
        }
        return buf_detach(&out, err);
}
