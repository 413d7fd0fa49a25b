#include "tar_writer.h"

#include <errno.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

/* Headers of one entry: two blocks, two names in pax records, and the end blocks. */
#define PENDING_MAX ((size_t)64 * 1024)

/* libarchive's write callback. */
static ssize_t
take_output(struct archive *archive, void *arg, const void *data, size_t len)
{
        struct tar_writer *writer = arg;

        (void)archive;
        if (writer->direct_len > 0 && data == writer->direct && len <= writer->direct_len) {
                writer->direct += len;
                writer->direct_len -= len;
                return (ssize_t)len;
        }
        if (writer->dropped)
                return -1;
        /* Not told to libarchive: after such a failure it does not free all that it has. */
        if (writer->failure.code == ERR_NONE)
                buf_add(&writer->pending, data, len, &writer->failure);
        return (ssize_t)len;
}

/*
 * What a call of libarchive means.  It warns when a name is not UTF-8, and has
 * stored the bytes as they are then, with the pax record that says so.  (Its
 * option for that would put the record into every entry, of which GNU tar
 * complains.)
 */
static int
check(struct tar_writer *writer, int result, struct err *err)
{
        if (writer->failure.code != ERR_NONE) {
                if (err != NULL)
                        *err = writer->failure;
                return -1;
        }
        if (result == ARCHIVE_OK || (result == ARCHIVE_WARN && writer->has_other_bytes))
                return 0;
        const char *why = archive_error_string(writer->archive);
        return err_set(err, archive_errno(writer->archive) == ENOMEM ? ERR_NOMEM : ERR_UNSUPPORTED,
            "%s", why != NULL ? why : "unknown error");
}

void
tar_writer_init(struct tar_writer *writer)
{
        memset(writer, 0, sizeof(*writer));
        buf_init(&writer->pending, PENDING_MAX);
}

int
tar_writer_open(struct tar_writer *writer, struct err *err)
{
        writer->archive = archive_write_new();
        writer->entry = archive_entry_new();
        if (writer->archive == NULL || writer->entry == NULL)
                return err_set(err, ERR_NOMEM, "cannot allocate a tar writer");
        /* No blocks: what is written comes out at once. */
        if (archive_write_set_format_pax_restricted(writer->archive) != ARCHIVE_OK ||
            archive_write_set_bytes_per_block(writer->archive, 0) != ARCHIVE_OK ||
            archive_write_open(writer->archive, writer, NULL, take_output, NULL) != ARCHIVE_OK)
                return err_set(err, ERR_INTERNAL, "cannot set up the tar writer: %s",
                    archive_error_string(writer->archive));
        return 0;
}

void
tar_writer_free(struct tar_writer *writer)
{
        /* It tries to write the rest of the entry and the end: the callback says no. */
        writer->dropped = true;
        archive_write_free(writer->archive);
        archive_entry_free(writer->entry);
        buf_free(&writer->pending);
}

size_t
tar_writer_take(struct tar_writer *writer, void *buf, size_t cap)
{
        size_t ready = writer->pending.len - writer->pending_pos;
        size_t len = ready < cap ? ready : cap;

        if (len > 0)
                memcpy(buf, writer->pending.data + writer->pending_pos, len);
        writer->pending_pos += len;
        if (len == ready) {
                buf_clear(&writer->pending);
                writer->pending_pos = 0;
        }
        return len;
}

static bool
is_ascii(const char *text)
{
        while (*text != '\0' && (unsigned char)*text < 0x80)
                text++;
        return *text == '\0';
}

int
tar_writer_header(struct tar_writer *writer, const char *path, const char *link,
    const struct stat *st, struct err *err)
{
        struct archive_entry *entry = writer->entry;

        archive_entry_clear(entry);
        archive_entry_copy_pathname(entry, path);
        archive_entry_set_mode(entry, st->st_mode);
        archive_entry_set_uid(entry, st->st_uid);
        archive_entry_set_gid(entry, st->st_gid);
        archive_entry_set_mtime(entry, st->st_mtim.tv_sec, 0);
        if (link == NULL && S_ISREG(st->st_mode))
                archive_entry_set_size(entry, st->st_size);
        else if (link != NULL && S_ISLNK(st->st_mode))
                archive_entry_copy_symlink(entry, link);
        else if (link != NULL)
                archive_entry_copy_hardlink(entry, link);
        writer->has_other_bytes = !is_ascii(path) || (link != NULL && !is_ascii(link));
        return check(writer, archive_write_header(writer->archive, entry), err);
}

int
tar_writer_data(struct tar_writer *writer, const void *data, size_t len, struct err *err)
{
        writer->direct = data;
        writer->direct_len = len;
        la_ssize_t put = archive_write_data(writer->archive, data, len);
        if (put < 0)
                return check(writer, ARCHIVE_FATAL, err);
        if ((size_t)put != len || writer->direct_len != 0 || writer->pending.len != 0)
                return err_set(err, ERR_INTERNAL, "the tar writer did not pass its data on");
        return 0;
}

int
tar_writer_end_data(struct tar_writer *writer, struct err *err)
{
        return check(writer, archive_write_finish_entry(writer->archive), err);
}

int
tar_writer_close(struct tar_writer *writer, struct err *err)
{
        writer->has_other_bytes = false;
        return check(writer, archive_write_close(writer->archive), err);
}
