/*
 * Any text as a document with keys, JSON or XML: it is refused with a reason
 * of one line that shows nothing of it, or there are keys that a header can
 * carry.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/store/aws_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_secret(const struct secret *secret)
{
        size_t len;
        const char *bytes = secret_bytes(secret, &len);

        if (len == 0 || memchr(bytes, '\n', len) != NULL || memchr(bytes, '\0', len) != NULL)
                abort();
}

static void
check(int rc, struct aws_keys *keys, const struct err *err)
{
        if (rc < 0) {
                if ((err->code != ERR_CREDENTIALS && err->code != ERR_INVALID &&
                        err->code != ERR_TOO_BIG) ||
                    strchr(err->msg, '\n') != NULL)
                        abort();
                return;
        }
        if (*keys->id == '\0' || strpbrk(keys->id, " \r\n") != NULL)
                abort();
        check_secret(keys->secret);
        if (keys->token != NULL)
                check_secret(keys->token);
        aws_keys_clear(keys);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *text = (const char *)data;
        struct aws_keys keys;
        struct err err;

        if (size == 0)
                return 0;
        check(aws_keys_from_json(text, size, "Token", 0, &keys, &err), &keys, &err);
        check(aws_keys_from_json(text, size, "SessionToken", 1, &keys, &err), &keys, &err);
        check(aws_keys_from_sts(text, size, "AssumeRole", &keys, &err), &keys, &err);
        return 0;
}
