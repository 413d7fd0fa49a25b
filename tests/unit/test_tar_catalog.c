#include "harness/test.h"

#include "moonkeep/buf.h"
#include "moonkeep/mem_io.h"
#include "moonkeep/tar.h"

static struct tar_entry
entry_of(const char *name, enum tar_type type, uint64_t size)
{
        return (struct tar_entry){ .name = name,
                .name_len = strlen(name),
                .type = type,
                .size = size,
                .mode = 0640,
                .mtime_s = 1700000000 };
}

/* Hand entries to a new catalog; the text of it in out. */
static int
note(const struct tar_entry *entries, size_t count, struct buf *out, struct err *err)
{
        struct sink *sink = mem_sink(out, 1024 * 1024, err);
        struct tar_catalog *catalog = NULL;
        int rc = -1;

        if (sink == NULL)
                goto out;
        catalog = tar_catalog_new(sink, err);
        if (catalog == NULL)
                goto out;
        struct tar_watcher watcher = tar_catalog_watcher(catalog);
        for (size_t idx = 0; idx < count; idx++) {
                if (watcher.entry(watcher.arg, &entries[idx], err) < 0 ||
                    watcher.entry_end(watcher.arg, 0xabc, err) < 0)
                        goto out;
        }
        CHECK_INT(tar_catalog_entries(catalog), count);
        rc = sink_commit(sink, err);

out:
        tar_catalog_free(catalog);
        sink_free(sink);
        return rc;
}

TEST(writes_a_line_for_each_entry)
{
        struct tar_entry entries[] = { entry_of("d", TAR_DIR, 0), entry_of("d/a", TAR_FILE, 5),
                entry_of("l", TAR_SYMLINK, 0) };
        struct buf out;
        struct err err;

        entries[2].link = "d/a";
        entries[2].link_len = 3;
        buf_init(&out, 1024 * 1024);
        CHECK_OK(note(entries, 3, &out, &err), err);
        CHECK_STR(out.data,
            "{\"mode\":\"0640\",\"mtime\":1700000000,\"name\":\"d\",\"size\":0,\"type\":\"dir\"}\n"
            "{\"crc32c\":\"00000abc\",\"mode\":\"0640\",\"mtime\":1700000000,\"name\":\"d/a\","
            "\"size\":5,\"type\":\"file\"}\n"
            "{\"link\":\"d/a\",\"mode\":\"0640\",\"mtime\":1700000000,\"name\":\"l\",\"size\":0,"
            "\"type\":\"symlink\"}\n");
        buf_free(&out);
}

TEST(a_name_that_is_not_utf8_is_base64)
{
        struct tar_entry entry = entry_of("a\xff/\xe4", TAR_FILE, 1);
        struct buf out;
        struct err err;

        buf_init(&out, 1024 * 1024);
        CHECK_OK(note(&entry, 1, &out, &err), err);
        CHECK(strstr(out.data, "\"name_b64\":\"Yf8v5A==\"") != NULL);
        CHECK(strstr(out.data, "\"name\":") == NULL);
        buf_free(&out);
}

TEST(a_name_cannot_break_its_line)
{
        struct tar_entry entry = entry_of("a\n\"\\\x01", TAR_FILE, 1);
        struct buf out;
        struct err err;

        buf_init(&out, 1024 * 1024);
        CHECK_OK(note(&entry, 1, &out, &err), err);
        CHECK(strchr(out.data, '\n') == out.data + out.len - 1);
        CHECK(strstr(out.data, "\"name\":\"a\\n\\\"\\\\\\u0001\"") != NULL);
        buf_free(&out);
}

TEST(a_file_with_holes_has_no_checksum)
{
        struct tar_entry entry = entry_of("a", TAR_FILE, 100000);
        struct buf out;
        struct err err;

        entry.sparse = true;
        buf_init(&out, 1024 * 1024);
        CHECK_OK(note(&entry, 1, &out, &err), err);
        CHECK(strstr(out.data, "crc32c") == NULL);
        CHECK(strstr(out.data, "\"sparse\":true") != NULL);
        buf_free(&out);
}

TEST(the_longest_names_fit)
{
        static char name[TAR_NAME_MAX + 1];
        struct buf out;
        struct err err;

        memset(name, 1, TAR_NAME_MAX);
        struct tar_entry entry = entry_of(name, TAR_SYMLINK, 0);
        entry.link = name;
        entry.link_len = TAR_NAME_MAX;
        buf_init(&out, 1024 * 1024);
        CHECK_OK(note(&entry, 1, &out, &err), err);
        memset(name, 0xff, TAR_NAME_MAX);
        CHECK_OK(note(&entry, 1, &out, &err), err);
        buf_free(&out);
}

TEST(a_full_sink_stops_it)
{
        struct tar_entry entry = entry_of("a", TAR_FILE, 1);
        struct buf out;
        struct err err;

        buf_init(&out, 1024 * 1024);
        struct sink *sink = mem_sink(&out, 10, &err);
        struct tar_catalog *catalog = tar_catalog_new(sink, &err);
        struct tar_watcher watcher = tar_catalog_watcher(catalog);
        CHECK_OK(watcher.entry(watcher.arg, &entry, &err), err);
        CHECK_ERR(watcher.entry_end(watcher.arg, 0, &err) < 0, err, ERR_TOO_BIG, "the catalog");
        tar_catalog_free(catalog);
        sink_free(sink);
        buf_free(&out);
}

static int
note_two(void *arg, struct err *err)
{
        struct tar_entry entries[] = { entry_of("a\xff", TAR_FILE, 5),
                entry_of("l", TAR_SYMLINK, 0) };
        struct buf out;

        (void)arg;
        entries[1].link = "d/a";
        entries[1].link_len = 3;
        buf_init(&out, 1024 * 1024);
        int rc = note(entries, 2, &out, err);
        buf_free(&out);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(note_two, NULL);
}
