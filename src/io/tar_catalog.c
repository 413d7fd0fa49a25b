#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/json.h"
#include "moonkeep/mem.h"
#include "moonkeep/tar.h"
#include "tar_name.h"

/* A line: a name and a target, each byte of them escaped, and the rest. */
#define LINE_MAX_LEN ((size_t)2 * 6 * TAR_NAME_MAX + 1024)

struct tar_catalog {
        struct sink *sink;
        struct json *line; /* of the entry that is passing */
        bool has_crc;
        uint64_t entries;
        uint64_t file_bytes;
        struct buf text;
        struct buf base64;
};

static const char *const type_names[] = {
        [TAR_FILE] = "file",
        [TAR_DIR] = "dir",
        [TAR_SYMLINK] = "symlink",
        [TAR_HARDLINK] = "hardlink",
        [TAR_OTHER] = "other",
};

struct tar_catalog *
tar_catalog_new(struct sink *sink, struct err *err)
{
        struct tar_catalog *catalog = mem_zalloc(sizeof(*catalog), err);

        if (catalog == NULL)
                return NULL;
        catalog->sink = sink;
        buf_init(&catalog->text, LINE_MAX_LEN);
        buf_init(&catalog->base64, 2 * TAR_NAME_MAX);
        return catalog;
}

void
tar_catalog_free(struct tar_catalog *catalog)
{
        if (catalog == NULL)
                return;
        json_free(catalog->line);
        buf_free(&catalog->text);
        buf_free(&catalog->base64);
        mem_free(catalog);
}

/* Add a value (taken; NULL: its making failed, and err says why). */
static int
set(struct json *line, const char *key, struct json *value, struct err *err)
{
        return value != NULL ? json_set(line, key, strlen(key), value, err) : -1;
}

static int
set_text(struct json *line, const char *key, const char *text, struct err *err)
{
        return set(line, key, json_new_string(text, strlen(text), err), err);
}

/* A name is bytes: what is not UTF-8 goes under the other key, in base64. */
static int
set_name(struct tar_catalog *catalog, const char *key, const char *key_b64, const char *name,
    size_t len, struct err *err)
{
        struct err why;
        struct json *value = json_new_string(name, len, &why);

        if (value != NULL)
                return set(catalog->line, key, value, err);
        if (why.code != ERR_INVALID) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        buf_clear(&catalog->base64);
        if (base64_encode(name, len, &catalog->base64, err) < 0)
                return -1;
        return set_text(catalog->line, key_b64, catalog->base64.data, err);
}

static int
fill_line(struct tar_catalog *catalog, const struct tar_entry *entry, struct err *err)
{
        struct json *line = catalog->line;
        char mode[16];

        snprintf(mode, sizeof(mode), "%04o", entry->mode);
        if (set_name(catalog, "name", "name_b64", entry->name, entry->name_len, err) < 0 ||
            set_text(line, "type", type_names[entry->type], err) < 0 ||
            set(line, "size", json_new_int((int64_t)entry->size, err), err) < 0 ||
            set_text(line, "mode", mode, err) < 0 ||
            set(line, "mtime", json_new_int(entry->mtime_s, err), err) < 0)
                return -1;
        if (entry->link != NULL &&
            set_name(catalog, "link", "link_b64", entry->link, entry->link_len, err) < 0)
                return -1;
        if (entry->sparse && set(line, "sparse", json_new_bool(true, err), err) < 0)
                return -1;
        return 0;
}

static int
on_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        struct tar_catalog *catalog = arg;
        char shown[TAR_SHOWN_SIZE];

        json_free(catalog->line);
        catalog->line = json_new_object(err);
        if (catalog->line == NULL || fill_line(catalog, entry, err) < 0)
                return err_prefix(err, "cannot note \"%s\" in the catalog",
                    tar_name_show(entry->name, entry->name_len, shown));
        catalog->has_crc = entry->type == TAR_FILE && !entry->sparse;
        catalog->entries++;
        if (entry->type == TAR_FILE)
                catalog->file_bytes += entry->size;
        return 0;
}

static int
on_entry_end(void *arg, uint32_t crc, struct err *err)
{
        struct tar_catalog *catalog = arg;
        char hex[9];

        snprintf(hex, sizeof(hex), "%08" PRIx32, crc);
        buf_clear(&catalog->text);
        if ((catalog->has_crc && set_text(catalog->line, "crc32c", hex, err) < 0) ||
            json_dump(catalog->line, 0, &catalog->text, err) < 0 ||
            buf_addstr(&catalog->text, "\n", err) < 0 ||
            sink_write(catalog->sink, catalog->text.data, catalog->text.len, err) < 0)
                return err_prefix(err, "cannot write the catalog");
        json_free(catalog->line);
        catalog->line = NULL;
        return 0;
}

struct tar_watcher
tar_catalog_watcher(struct tar_catalog *catalog)
{
        return (struct tar_watcher){ .entry = on_entry, .entry_end = on_entry_end, .arg = catalog };
}

uint64_t
tar_catalog_entries(const struct tar_catalog *catalog)
{
        return catalog->entries;
}

uint64_t
tar_catalog_file_bytes(const struct tar_catalog *catalog)
{
        return catalog->file_bytes;
}
