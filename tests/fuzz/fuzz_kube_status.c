/*
 * What servers say of an operation: any body of any answer, any text of the
 * channel of the status, and messages in any pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/kube/kube_channel.h"
#include "../../src/kube/kube_status.h"
#include "moonkeep/kube.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct err *err)
{
        if (err->code == ERR_NONE || strchr(err->msg, '\n') != NULL || strlen(err->msg) > 600)
                abort();
}

/* Only what says so is an end. */
static void
judge(const char *text, size_t len)
{
        struct err err;
        int status = -1;

        err_init(&err);
        if (kube_status_judge(text, len, &status, &err) < 0)
                check(&err);
        else if (memmem(text, len, status == 0 ? "S" : "F", 1) == NULL &&
                 memchr(text, '\\', len) == NULL)
                abort();
}

static void
answer(int http, const char *text, size_t len)
{
        struct http_answer got = { .status = http };
        struct err err;

        err_init(&err);
        buf_init(&got.body, len + 1);
        if (buf_add(&got.body, text, len, &err) == 0) {
                if (kube_status_error("cannot get x", &got, &err) == 0 || err.http != http)
                        abort();
                check(&err);
        }
        http_answer_clear(&got);
}

/* Pieces as their first bytes say; what is handed out is never outside of the piece. */
static void
demux(const uint8_t *data, size_t size)
{
        struct kube_channel channel = { 0 };

        while (size > 0) {
                size_t len = data[0] >> 4;
                struct ws_event event = { .kind = WS_PIECE,
                        .data = data + 1,
                        .len = len < size - 1 ? len : size - 1,
                        .first = (data[0] & 1) != 0,
                        .last = (data[0] & 2) != 0,
                        .binary = (data[0] & 12) != 0 };
                const unsigned char *end = event.data + event.len;
                unsigned char number;
                struct err err;
                size_t used = event.len + 1;
                int got = kube_channel_take(&channel, &event, &number, &err);
                if (got >= 0 && event.data + event.len != end)
                        abort();
                data += used;
                size -= used;
        }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        answer(300 + data[0], (const char *)data + 1, size - 1);
        judge((const char *)data + 1, size - 1);
        demux(data, size);
        return 0;
}
