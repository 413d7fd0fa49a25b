/*
 * What tar_scan takes for a complete tar, libarchive must read with the same
 * names and sizes; and the slices that the bytes come in make no difference.
 *
 * The mutator mends the checksums of headers, or hardly any input would get
 * past the first one.
 */
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/tar.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What was seen, as bytes that can be compared. */
struct seen {
        struct buf text;
        bool sparse;
};

/* Ours are without "." and doubled slashes, and without the root; so both are made. */
static void
note(struct seen *seen, const char *name, size_t len, uint64_t size)
{
        size_t begun = seen->text.len;

        if (len > 0 && name[0] == '/' && buf_addstr(&seen->text, "/", NULL) < 0)
                abort();
        for (size_t start = 0; start < len;) {
                const char *slash = memchr(name + start, '/', len - start);
                size_t part = (slash != NULL ? (size_t)(slash - name) : len) - start;
                if (part > 0 && (part != 1 || name[start] != '.') &&
                    (buf_add(&seen->text, "|", 1, NULL) < 0 ||
                        buf_add(&seen->text, name + start, part, NULL) < 0))
                        abort();
                start += part + 1;
        }
        if (seen->text.len == begun)
                return;
        if (buf_addf(&seen->text, NULL, " %llu\n", (unsigned long long)size) < 0)
                abort();
}

static int
see_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        struct seen *seen = arg;

        (void)err;
        if (strlen(entry->name) != entry->name_len)
                abort();
        if (entry->link != NULL && strlen(entry->link) != entry->link_len)
                abort();
        seen->sparse = seen->sparse || entry->sparse;
        note(seen, entry->name, entry->name_len, entry->size);
        return 0;
}

static int
scan(const uint8_t *data, size_t size, size_t slice, struct seen *seen)
{
        struct tar_watcher watcher = { .entry = see_entry, .arg = seen };
        struct tar_scan *it = tar_scan_new(&watcher, NULL);
        int result = 0;

        for (size_t pos = 0; pos < size && result == 0; pos += slice) {
                size_t len = size - pos < slice ? size - pos : slice;
                result = tar_scan_push(it, data + pos, len, NULL);
        }
        if (result == 0)
                result = tar_scan_end(it, NULL);
        tar_scan_free(it);
        return result;
}

static int
read_with_libarchive(const uint8_t *data, size_t size, struct seen *seen)
{
        struct archive *archive = archive_read_new();
        struct archive_entry *entry;
        int result;

        archive_read_support_format_tar(archive);
        result = archive_read_open_memory(archive, data, size);
        while (result == ARCHIVE_OK || result == ARCHIVE_WARN) {
                result = archive_read_next_header(archive, &entry);
                if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
                        break;
                const char *name = archive_entry_pathname(entry);
                note(seen, name != NULL ? name : "(null)", name != NULL ? strlen(name) : 6,
                    (uint64_t)archive_entry_size(entry));
        }
        if (result != ARCHIVE_EOF)
                fprintf(stderr, "libarchive: %s\n", archive_error_string(archive));
        archive_read_free(archive);
        return result == ARCHIVE_EOF ? 0 : -1;
}

static bool
same(const struct seen *one, const struct seen *other)
{
        return one->text.len == other->text.len &&
               memcmp(one->text.data != NULL ? one->text.data : "",
                   other->text.data != NULL ? other->text.data : "", one->text.len) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct seen whole = { 0 };
        struct seen sliced = { 0 };
        struct seen theirs = { 0 };

        buf_init(&whole.text, SIZE_MAX / 2);
        buf_init(&sliced.text, SIZE_MAX / 2);
        buf_init(&theirs.text, SIZE_MAX / 2);
        int result = scan(data, size, size + 1, &whole);
        if (scan(data, size, 511, &sliced) != result || !same(&whole, &sliced))
                abort();
        /* A map of holes is libarchive's to read, and may be broken. */
        if (result == 0 && !whole.sparse) {
                if (read_with_libarchive(data, size, &theirs) < 0 || !same(&whole, &theirs)) {
                        fprintf(
                            stderr, "ours:\n%s\ntheirs:\n%s\n", whole.text.data, theirs.text.data);
                        abort();
                }
        }
        buf_free(&whole.text);
        buf_free(&sliced.text);
        buf_free(&theirs.text);
        return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        size = LLVMFuzzerMutate(data, size, max_size);
        if (seed % 16 == 0)
                return size;
        if (seed % 4 == 1)
                size = size / 512 * 512;
        for (size_t block = 0; block + 512 <= size; block += 512) {
                uint8_t *header = data + block;
                unsigned sum = 8 * ' ';
                bool zero = true;
                for (size_t pos = 0; pos < 512; pos++) {
                        zero = zero && header[pos] == 0;
                        sum += pos >= 148 && pos < 156 ? 0 : header[pos];
                }
                /* Only where a sum seems to be: data stays as it is. */
                if (!zero && (header[155] == ' ' || header[154] == '\0'))
                        snprintf((char *)header + 148, 7, "%06o", sum);
        }
        return size;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
        (void)argc;
        (void)argv;
        setlocale(LC_CTYPE, "C.UTF-8");
        return 0;
}
