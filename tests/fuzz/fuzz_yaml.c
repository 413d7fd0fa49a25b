/*
 * Any text: it is refused with a reason of one line, or what is written of each
 * document is read back as the same document.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/yaml.h"

/* Aliases make large values of small inputs; reading those again would only take time. */
#define AGAIN_MAX ((size_t)256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
canonical(const struct json *value, struct buf *out)
{
        struct err err;

        buf_init(out, (size_t)256 << 20);
        if (json_dump(value, 0, out, &err) != 0)
                abort();
}

static void
check_same_again(const struct json *document)
{
        struct err err;
        struct buf text, want, got;

        buf_init(&text, (size_t)1 << 30);
        if (yaml_dump(document, true, &text, &err) != 0)
                abort();
        if (text.len <= AGAIN_MAX) {
                struct json *again = yaml_parse(text.data, text.len, &err);
                if (again == NULL || json_array_len(again) != 1)
                        abort();
                canonical(document, &want);
                canonical(json_array_at(again, 0), &got);
                if (want.len != got.len || memcmp(want.data, got.data, want.len) != 0)
                        abort();
                buf_free(&want);
                buf_free(&got);
                json_free(again);
        }
        buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err;

        err_init(&err);
        struct json *documents = yaml_parse((const char *)data, size, &err);
        if (documents == NULL) {
                if ((err.code != ERR_INVALID && err.code != ERR_TOO_BIG) ||
                    strchr(err.msg, '\n') != NULL)
                        abort();
                return 0;
        }
        for (size_t idx = 0; idx < json_array_len(documents); idx++)
                check_same_again(json_array_at(documents, idx));
        json_free(documents);
        return 0;
}
