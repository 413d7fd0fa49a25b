#include "store_mem_internal.h"

#include <string.h>

#include "moonkeep/mem.h"

void
store_mem_content_free(struct store_mem_content *content)
{
        if (content == NULL)
                return;
        buf_free(&content->bytes);
        mem_free(content);
}

void
store_mem_ref(struct store_mem *it)
{
        pthread_mutex_lock(&it->lock);
        it->refs++;
        pthread_mutex_unlock(&it->lock);
}

void
store_mem_unref(struct store_mem *it)
{
        pthread_mutex_lock(&it->lock);
        bool last = --it->refs == 0;
        pthread_mutex_unlock(&it->lock);
        if (!last)
                return;
        for (size_t idx = 0; idx < it->count; idx++) {
                mem_free(it->entries[idx].key);
                store_mem_content_free(it->entries[idx].content);
        }
        pthread_mutex_destroy(&it->lock);
        mem_free(it->entries);
        mem_free(it->store.url);
        mem_free(it);
}

struct store_mem_content *
store_mem_drop(struct store_mem_content *content)
{
        return content != NULL && --content->refs == 0 ? content : NULL;
}

/* Under the lock: the place of the first entry whose key is not below key. */
static size_t
find(const struct store_mem *it, const char *key)
{
        size_t low = 0, high = it->count;

        while (low < high) {
                size_t mid = low + (high - low) / 2;
                if (strcmp(it->entries[mid].key, key) < 0)
                        low = mid + 1;
                else
                        high = mid;
        }
        return low;
}

struct store_mem_entry *
store_mem_find(const struct store_mem *it, const char *key)
{
        size_t at = find(it, key);

        if (at == it->count || strcmp(it->entries[at].key, key) != 0)
                return NULL;
        return &it->entries[at];
}

int
store_mem_insert(
    struct store_mem *it, char *key, struct store_mem_content *content, struct err *err)
{
        size_t at = find(it, key);

        if (it->count == it->cap) {
                size_t cap = it->cap > 0 ? 2 * it->cap : 16;
                struct store_mem_entry *more = mem_realloc(it->entries, cap * sizeof(*more), err);
                if (more == NULL)
                        return -1;
                it->entries = more;
                it->cap = cap;
        }
        struct store_mem_entry *entry = &it->entries[at];
        memmove(entry + 1, entry, (it->count++ - at) * sizeof(*entry));
        *entry = (struct store_mem_entry){ .key = key, .content = content };
        return 0;
}

int
store_mem_not_found(const struct store_mem *it, const char *key, struct err *err)
{
        return err_set(
            err, ERR_NOT_FOUND, "\"%s\" does not exist in the store \"%s\"", key, it->store.url);
}

struct store_stat
store_mem_stat_of(const struct store_mem_content *content)
{
        return (struct store_stat){ .size = content->bytes.len, .mtime_ms = content->mtime_ms };
}

static int
mem_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err)
{
        struct store_mem *it = (struct store_mem *)store;

        (void)cancel;
        pthread_mutex_lock(&it->lock);
        const struct store_mem_entry *entry = store_mem_find(it, key);
        if (entry != NULL)
                *out = store_mem_stat_of(entry->content);
        pthread_mutex_unlock(&it->lock);
        return entry != NULL ? 0 : store_mem_not_found(it, key, err);
}

/*
 * What a listing says next: the first key below prefix that is not below
 * *from, which then is what comes behind it; with shallow, its folder.
 * Returns 0 when there is none.
 */
static int
next_key(struct store_mem *it, const char *prefix, bool shallow, char *from, char *key,
    struct store_stat *stat)
{
        size_t prefix_len = strlen(prefix);
        int found = 0;

        pthread_mutex_lock(&it->lock);
        size_t at = find(it, from);
        if (at < it->count && strncmp(it->entries[at].key, prefix, prefix_len) == 0) {
                strcpy(key, it->entries[at].key);
                *stat = store_mem_stat_of(it->entries[at].content);
                found = 1;
        }
        pthread_mutex_unlock(&it->lock);
        if (found == 0)
                return 0;
        char *slash = shallow ? strchr(key + prefix_len, '/') : NULL;
        if (slash != NULL)
                slash[1] = '\0';
        size_t len = strlen(key);
        memcpy(from, key, len + 1);
        if (slash != NULL)
                from[len - 1]++;
        else
                memcpy(from + len, "\1", 2);
        return 1;
}

static int
mem_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err)
{
        struct store_mem *it = (struct store_mem *)store;
        char from[STORE_KEY_MAX + 2], key[STORE_KEY_MAX + 1];
        struct store_stat stat;

        strcpy(from, prefix);
        while (next_key(it, prefix, shallow, from, key, &stat) > 0) {
                bool folder = key[strlen(key) - 1] == '/';
                if (cancel_check(cancel, err) < 0 || fn(arg, key, folder ? NULL : &stat, err) < 0)
                        return -1;
        }
        return 0;
}

static int
mem_remove(struct store *store, const char *key, struct cancel *cancel, struct err *err)
{
        struct store_mem *it = (struct store_mem *)store;
        struct store_mem_content *content = NULL;
        char *old = NULL;

        (void)cancel;
        (void)err;
        pthread_mutex_lock(&it->lock);
        struct store_mem_entry *entry = store_mem_find(it, key);
        if (entry != NULL) {
                old = entry->key;
                content = store_mem_drop(entry->content);
                size_t at = (size_t)(entry - it->entries);
                memmove(entry, entry + 1, (--it->count - at) * sizeof(*entry));
        }
        pthread_mutex_unlock(&it->lock);
        store_mem_content_free(content);
        mem_free(old);
        return 0;
}

/* What is written and never committed is gone with its sink. */
static int
mem_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err)
{
        (void)store;
        (void)prefix;
        (void)cancel;
        (void)err;
        *removed = 0;
        return 0;
}

static void
mem_store_free(struct store *store)
{
        store_mem_unref((struct store_mem *)store);
}

static const struct store_ops mem_ops = {
        .name = "memory",
        .stat = mem_stat,
        .list = mem_list,
        .read = store_mem_read,
        .create = store_mem_create,
        .remove = mem_remove,
        .sweep = mem_sweep,
        .free = mem_store_free,
};

struct store *
store_mem_open(struct err *err)
{
        struct store_mem *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->store.ops = &mem_ops;
        it->store.capabilities = STORE_EXCLUSIVE;
        it->store.url = mem_strdup("mem:", err);
        if (it->store.url == NULL) {
                mem_free(it);
                return NULL;
        }
        it->refs = 1;
        pthread_mutex_init(&it->lock, NULL);
        return &it->store;
}
