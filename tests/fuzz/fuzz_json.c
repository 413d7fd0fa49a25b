/*
 * Any text: it is refused with a reason of one line, or its canonical form is
 * read back as the same canonical form, and so is its readable form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
dump(const struct json *value, int indent, struct buf *out)
{
        struct err err;

        buf_init(out, (size_t)64 << 20);
        if (json_dump(value, indent, out, &err) != 0)
                abort();
}

static void
check_same_again(const struct buf *text, const struct buf *want)
{
        struct err err;
        struct buf again;
        struct json *value = json_parse(text->data, text->len, &err);

        if (value == NULL)
                abort();
        dump(value, 0, &again);
        if (again.len != want->len || memcmp(again.data, want->data, want->len) != 0)
                abort();
        buf_free(&again);
        json_free(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err;
        struct buf canonical, readable;

        err_init(&err);
        struct json *value = json_parse((const char *)data, size, &err);
        if (value == NULL) {
                if (err.code != ERR_INVALID || strchr(err.msg, '\n') != NULL)
                        abort();
                return 0;
        }
        dump(value, 0, &canonical);
        dump(value, 2, &readable);
        check_same_again(&canonical, &canonical);
        check_same_again(&readable, &canonical);
        buf_free(&canonical);
        buf_free(&readable);
        json_free(value);
        return 0;
}
