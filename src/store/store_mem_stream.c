#include <inttypes.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"
#include "moonkeep/time.h"
#include "store_mem_internal.h"

/* Bound on one object, in bytes. */
#define OBJECT_MAX ((size_t)1024 * 1024 * 1024)

/* Reading. */

struct reader {
        struct source source;
        struct store_mem *it;
        struct store_mem_content *content;
        struct cancel *cancel;
        size_t at;
        size_t end;
};

static ssize_t
reader_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct reader *reader = (struct reader *)src;
        size_t len = reader->end - reader->at;

        if (cancel_check(reader->cancel, err) < 0)
                return -1;
        if (len > cap)
                len = cap;
        if (len > 0)
                memcpy(buf, reader->content->bytes.data + reader->at, len);
        reader->at += len;
        return (ssize_t)len;
}

static void
reader_free(struct source *src)
{
        struct reader *reader = (struct reader *)src;
        struct store_mem *it = reader->it;

        pthread_mutex_lock(&it->lock);
        struct store_mem_content *content = store_mem_drop(reader->content);
        pthread_mutex_unlock(&it->lock);
        store_mem_content_free(content);
        store_mem_unref(it);
        cancel_unref(reader->cancel);
        mem_free(reader);
}

static const struct source_ops reader_ops = { "memory store", reader_read, reader_free };

struct source *
store_mem_read(struct store *store, const char *key, uint64_t offset, uint64_t length,
    struct cancel *cancel, struct err *err)
{
        struct store_mem *it = (struct store_mem *)store;
        struct reader *reader = mem_zalloc(sizeof(*reader), err);

        if (reader == NULL)
                return NULL;
        source_init(&reader->source, &reader_ops);
        reader->it = it;
        reader->cancel = cancel_ref(cancel);
        store_mem_ref(it);
        pthread_mutex_lock(&it->lock);
        const struct store_mem_entry *entry = store_mem_find(it, key);
        if (entry != NULL) {
                reader->content = entry->content;
                reader->content->refs++;
        }
        pthread_mutex_unlock(&it->lock);
        if (entry == NULL) {
                store_mem_not_found(it, key, err);
                goto fail;
        }
        uint64_t size = reader->content->bytes.len;
        if (length == UINT64_MAX && offset <= size)
                length = size - offset;
        if (offset > size || length > size - offset) {
                err_set(err, ERR_TRUNCATED,
                    "cannot read \"%s\" from byte %" PRIu64 ": it has only %" PRIu64 " bytes", key,
                    offset, size);
                goto fail;
        }
        reader->at = (size_t)offset;
        reader->end = (size_t)(offset + length);
        reader->source.expected = length;
        return &reader->source;

fail:
        reader_free(&reader->source);
        return NULL;
}

/* Writing. */

struct writer {
        struct sink sink;
        struct store_mem *it;
        struct cancel *cancel;
        struct store_write how;
        char *key;
        struct store_mem_content *content; /* NULL once it is in the store */
};

static int
writer_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        struct writer *writer = (struct writer *)sink;

        if (cancel_check(writer->cancel, err) < 0)
                return -1;
        if (buf_add(&writer->content->bytes, data, len, err) < 0)
                return err_prefix(err, "cannot write \"%s\"", writer->key);
        return 0;
}

static int
writer_commit(struct sink *sink, struct err *err)
{
        struct writer *writer = (struct writer *)sink;
        struct store_mem *it = writer->it;
        struct store_mem_content *content = writer->content;
        struct store_mem_content *old = NULL;
        int rc = 0;

        if (cancel_check(writer->cancel, err) < 0)
                return -1;
        content->mtime_ms = time_now_ms();
        const struct store_stat made = store_mem_stat_of(content);
        pthread_mutex_lock(&it->lock);
        struct store_mem_entry *entry = store_mem_find(it, writer->key);
        if (entry == NULL) {
                rc = store_mem_insert(it, writer->key, content, err);
                if (rc == 0)
                        writer->key = NULL;
        } else if (writer->how.exclusive) {
                rc =
                    err_set(err, ERR_EXISTS, "cannot create \"%s\": it exists already", entry->key);
        } else {
                old = store_mem_drop(entry->content);
                entry->content = content;
        }
        if (rc == 0)
                writer->content = NULL;
        pthread_mutex_unlock(&it->lock);
        store_mem_content_free(old);
        if (rc == 0 && writer->how.made != NULL)
                *writer->how.made = made;
        return rc;
}

static void
writer_free(struct sink *sink)
{
        struct writer *writer = (struct writer *)sink;

        store_mem_content_free(writer->content);
        store_mem_unref(writer->it);
        cancel_unref(writer->cancel);
        mem_free(writer->key);
        mem_free(writer);
}

static const struct sink_ops writer_ops = { "memory store", writer_write, writer_commit,
        writer_free };

struct sink *
store_mem_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        struct store_mem *it = (struct store_mem *)store;
        struct writer *writer = mem_zalloc(sizeof(*writer), err);

        if (writer == NULL)
                return NULL;
        writer->key = mem_strdup(key, err);
        writer->content = mem_zalloc(sizeof(*writer->content), err);
        if (writer->key == NULL || writer->content == NULL) {
                mem_free(writer->key);
                mem_free(writer->content);
                mem_free(writer);
                return NULL;
        }
        sink_init(&writer->sink, &writer_ops);
        writer->content->refs = 1;
        buf_init(&writer->content->bytes, OBJECT_MAX);
        writer->how = *how;
        writer->cancel = cancel_ref(cancel);
        writer->it = it;
        store_mem_ref(it);
        return &writer->sink;
}
