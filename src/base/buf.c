#include "moonkeep/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/mem.h"

void
buf_init(struct buf *buf, size_t max)
{
        *buf = (struct buf){ .max = max };
}

void
buf_free(struct buf *buf)
{
        mem_free(buf->data);
        buf_init(buf, buf->max);
}

char *
buf_reserve(struct buf *buf, size_t len, struct err *err)
{
        if (len > buf->max - buf->len) {
                err_set(err, ERR_TOO_BIG, "more than %zu bytes", buf->max);
                return NULL;
        }

        /* One byte more, for the NUL behind the contents. */
        size_t need = buf->len + len + 1;
        if (need > buf->cap) {
                size_t cap = buf->cap != 0 ? buf->cap : 64;
                while (cap < need)
                        cap += cap / 2;
                if (cap > buf->max + 1)
                        cap = buf->max + 1;
                char *data = mem_realloc(buf->data, cap, err);
                if (data == NULL)
                        return NULL;
                buf->data = data;
                buf->cap = cap;
        }
        return buf->data + buf->len;
}

void
buf_commit(struct buf *buf, size_t len)
{
        buf->len += len;
        buf->data[buf->len] = '\0';
}

int
buf_add(struct buf *buf, const void *data, size_t len, struct err *err)
{
        char *room = buf_reserve(buf, len, err);

        if (room == NULL)
                return -1;
        if (len != 0)
                memcpy(room, data, len);
        buf_commit(buf, len);
        return 0;
}

int
buf_addstr(struct buf *buf, const char *text, struct err *err)
{
        return buf_add(buf, text, strlen(text), err);
}

int
buf_addf(struct buf *buf, struct err *err, const char *fmt, ...)
{
        va_list args;

        va_start(args, fmt);
        int len = vsnprintf(NULL, 0, fmt, args);
        va_end(args);
        if (len < 0)
                return err_set(err, ERR_INTERNAL, "cannot format text");

        char *room = buf_reserve(buf, (size_t)len, err);
        if (room == NULL)
                return -1;
        va_start(args, fmt);
        vsnprintf(room, (size_t)len + 1, fmt, args);
        va_end(args);
        buf_commit(buf, (size_t)len);
        return 0;
}

void
buf_consume(struct buf *buf, size_t len)
{
        if (len == 0)
                return;
        memmove(buf->data, buf->data + len, buf->len - len);
        buf->len -= len;
        buf->data[buf->len] = '\0';
}

void
buf_clear(struct buf *buf)
{
        buf->len = 0;
        if (buf->data != NULL)
                buf->data[0] = '\0';
}

char *
buf_detach(struct buf *buf, struct err *err)
{
        if (buf_reserve(buf, 0, err) == NULL)
                return NULL;
        char *data = buf->data;
        data[buf->len] = '\0';
        buf_init(buf, buf->max);
        return data;
}
