#include "unit/tsdb_fixture.h"

static struct fixture fix;

TEST(the_block_of_a_real_server_is_sound)
{
        struct err err;

        load_real(&fix);
        CHECK_OK(check_block(&fix, &err), err);
}

/* No byte of these files can change without being noticed. */
static void
flip_each_byte(struct bytes *file, const char *name)
{
        static const unsigned char patterns[] = { 0x01, 0x80, 0xff };
        struct err err;

        for (size_t at = 0; at < file->len; at++) {
                for (size_t idx = 0; idx < sizeof(patterns); idx++) {
                        file->data[at] ^= patterns[idx];
                        int rc = check_block(&fix, &err);
                        file->data[at] ^= patterns[idx];
                        if (rc == 0)
                                fprintf(
                                    stderr, "  %s: byte %zu ^ 0x%02x\n", name, at, patterns[idx]);
                        CHECK(rc != 0);
                        CHECK(strstr(err.msg, "block " REAL_ULID ": ") != NULL);
                        CHECK(strstr(err.msg, name) != NULL);
                        /* Only a changed version number looks like another version. */
                        CHECK(err.code == (at == 4 ? ERR_UNSUPPORTED : ERR_CORRUPT));
                }
        }
}

TEST(each_flipped_byte_of_the_index_is_found)
{
        load_real(&fix);
        flip_each_byte(&fix.index, "index");
}

TEST(each_flipped_byte_of_the_chunks_is_found)
{
        load_real(&fix);
        flip_each_byte(&fix.segments[0], "chunks/000001");
}

TEST(each_flipped_byte_of_the_tombstones_is_found)
{
        load_real(&fix);
        flip_each_byte(&fix.tombstones, "tombstones");
}

TEST(a_cut_of_the_index_is_found_wherever_it_is)
{
        struct err err;

        load_real(&fix);
        for (size_t len = 0, whole = fix.index.len; len < whole; len++) {
                fix.index.len = len;
                CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT, ": index: ");
        }
}

TEST(a_cut_of_the_chunks_is_found_wherever_it_is)
{
        struct err err;

        load_real(&fix);
        for (size_t len = 0, whole = fix.segments[0].len; len < whole; len++) {
                fix.segments[0].len = len;
                CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT, "block " REAL_ULID);
        }
}

TEST(a_cut_of_the_tombstones_is_found_wherever_it_is)
{
        struct err err;

        load_real(&fix);
        for (size_t len = 0, whole = fix.tombstones.len; len < whole; len++) {
                fix.tombstones.len = len;
                CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT, ": tombstones: ");
        }
}

TEST(a_cut_of_the_meta_is_found_wherever_it_is)
{
        struct err err;

        load_real(&fix);
        for (size_t len = 0, whole = fix.meta.len; len < whole; len++) {
                fix.meta.len = len;
                CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT, ": meta.json: ");
        }
}

static void
append_is_found(struct bytes *file, const char *name)
{
        struct err err;

        put8(file, 'x');
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT, name);
}

TEST(bytes_behind_the_end_of_a_file_are_found)
{
        load_real(&fix);
        append_is_found(&fix.index, ": index: ");
        load_real(&fix);
        append_is_found(&fix.tombstones, ": tombstones: ");
        load_real(&fix);
        append_is_found(&fix.segments[0], ": chunks/000001: ");
        load_real(&fix);
        append_is_found(&fix.meta, ": meta.json: ");
}

TEST(a_message_names_the_place_and_both_checksums)
{
        struct err err;

        load_real(&fix);
        fix.segments[0].data[100] ^= 0x10;
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT,
            "block " REAL_ULID ": chunks/000001: chunk at byte 8: checksum mismatch (stored 0x");
        load_real(&fix);
        fix.index.data[0x65] ^= 0x10;
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT,
            "block " REAL_ULID ": index: series entry at byte 96: checksum mismatch (stored 0x");
}
