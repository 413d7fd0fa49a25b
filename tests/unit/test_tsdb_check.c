#include "unit/tsdb_fixture.h"

#include "moonkeep/digest.h"
#include "moonkeep/encode.h"

static struct fixture fix;

static void
sha256_hex(const struct bytes *file, char out[SHA256_HEX_SIZE])
{
        unsigned char digest[SHA256_SIZE];
        struct err err;

        CHECK_OK(sha256_bytes(file->data, file->len, digest, &err), err);
        hex_encode(digest, sizeof(digest), out);
}

TEST(a_sound_block_is_described)
{
        char meta_hex[SHA256_HEX_SIZE], tombstones_hex[SHA256_HEX_SIZE];
        struct err err;

        load_real(&fix);
        write_block(&fix);
        store(test_path("lock"), "", 0);
        store(test_path(REAL_ULID "/no-compact-mark.json"), "{}", 2);
        mkdir(test_path(MADE_ULID ".tmp-for-creation"), 0700);
        store(test_path(MADE_ULID ".tmp-for-creation/meta.json"), "?", 1);
        err_init(&err);
        struct tsdb_check *check = tsdb_check_new(NULL, NULL, &err);
        CHECK_PTR(check, err);
        CHECK_OK(tsdb_check_dir(check, test_dir(), &err), err);
        CHECK_INT(tsdb_check_count(check), 0);
        CHECK_OK(tsdb_check_finish(check, &err), err);

        CHECK_INT(tsdb_check_count(check), 1);
        CHECK_INT(tsdb_check_ignored(check), 3);
        const struct tsdb_block *block = tsdb_check_at(check, 0);
        sha256_hex(&fix.meta, meta_hex);
        sha256_hex(&fix.tombstones, tombstones_hex);
        CHECK_STR(block->ulid, REAL_ULID);
        CHECK_STR(block->meta_sha256, meta_hex);
        CHECK_STR(block->tombstones_sha256, tombstones_hex);
        CHECK_INT(block->min_time_ms, 1699999200000);
        CHECK_INT(block->max_time_ms, 1700004540001);
        CHECK_INT(block->num_samples, 810);
        CHECK_INT(block->num_series, 9);
        CHECK_INT(block->num_chunks, 9);
        CHECK_INT(block->num_tombstones, 4);
        CHECK_INT(block->level, 1);
        CHECK_INT(
            block->bytes, fix.meta.len + fix.index.len + fix.tombstones.len + fix.segments[0].len);
        tsdb_check_free(check);
}

TEST(blocks_are_sorted_by_time)
{
        struct err err;

        load_real(&fix);
        write_block(&fix);
        make_block(&fix, NOTHING);
        write_block(&fix);
        err_init(&err);
        struct tsdb_check *check = tsdb_check_new(NULL, NULL, &err);
        CHECK_OK(tsdb_check_dir(check, test_dir(), &err), err);
        CHECK_OK(tsdb_check_finish(check, &err), err);
        CHECK_INT(tsdb_check_count(check), 2);
        CHECK_STR(tsdb_check_at(check, 0)->ulid, MADE_ULID);
        CHECK_STR(tsdb_check_at(check, 1)->ulid, REAL_ULID);
        tsdb_check_free(check);
}

TEST(a_missing_tombstones_file_is_allowed_where_none_are_counted)
{
        struct err err;

        make_block(&fix, NOTHING);
        fix.no_tombstones = true;
        CHECK_OK(check_block(&fix, &err), err);
        load_real(&fix);
        fix.no_tombstones = true;
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT, "tombstones is missing");
}

static void
without(const char *file, const char *message)
{
        struct err err;

        make_block(&fix, NOTHING);
        write_block(&fix);
        CHECK(unlink(test_path(file)) == 0);
        CHECK_ERR(check_test_dir(&err) != 0, err, ERR_CORRUPT, message);
}

TEST(a_missing_file_is_found)
{
        without(MADE_ULID "/meta.json", "block " MADE_ULID ": meta.json is missing");
        without(MADE_ULID "/index", "block " MADE_ULID ": index is missing");
        without(MADE_ULID "/chunks/000001", "block " MADE_ULID ": chunks/000001 is missing");
        without(MADE_ULID "/chunks/000002", "block " MADE_ULID ": chunks/000002 is missing");
}

TEST(an_empty_directory_of_a_block_is_found)
{
        struct err err;

        mkdir(test_path(MADE_ULID), 0700);
        CHECK_ERR(check_test_dir(&err) != 0, err, ERR_CORRUPT, "meta.json is missing");
}

TEST(wrong_counts_in_the_meta_are_found)
{
        struct err err;

        make_block(&fix, NOTHING);
        make_meta(&fix, MADE_SAMPLES + 1, 2, 4);
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT,
            "it counts 107 samples, the segments hold 106");
        make_meta(&fix, MADE_SAMPLES, 3, 4);
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT,
            "it counts 3 series, the index holds 2");
        make_meta(&fix, MADE_SAMPLES, 2, 5);
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT,
            "it counts 5 chunks, the segments hold 4");
}

TEST(parts_that_do_not_belong_together_are_found)
{
        static const struct {
                enum wrong wrong;
                const char *message;
        } cases[] = {
                { CHUNK_PLACE, "index: it refers to other places" },
                { CHUNK_TWICE, "index: it refers to other places" },
                { CHUNK_SEGMENT, "chunks/000003 is missing" },
                { TIME_EARLY, "index: its chunks are from 999 to " },
                { TIME_LATE, "outside of meta.json's 1000 to 2000" },
        };
        struct err err;

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(cases[0]); idx++) {
                make_block(&fix, cases[idx].wrong);
                CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT, cases[idx].message);
        }
}

TEST(the_meta_of_another_block_is_found)
{
        struct err err;

        make_block(&fix, NOTHING);
        fix.ulid = REAL_ULID;
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT,
            "block " REAL_ULID ": meta.json: it is of block " MADE_ULID);
}

TEST(a_swapped_pair_of_segments_is_found)
{
        static struct bytes first;
        struct err err;

        make_block(&fix, NOTHING);
        first = fix.segments[0];
        fix.segments[0] = fix.segments[1];
        fix.segments[1] = first;
        CHECK_ERR(check_block(&fix, &err) != 0, err, ERR_CORRUPT, "refers to other places");
}

TEST(a_segment_with_a_name_of_its_own_is_found)
{
        struct err err;

        make_block(&fix, NOTHING);
        write_block(&fix);
        store(test_path(MADE_ULID "/chunks/7"), fix.segments[0].data, fix.segments[0].len);
        CHECK_ERR(check_test_dir(&err) != 0, err, ERR_CORRUPT, "six digits");
}

TEST(links_and_other_types_are_not_followed)
{
        struct err err;

        make_block(&fix, NOTHING);
        write_block(&fix);
        CHECK(rename(test_path(MADE_ULID "/index"), test_path("elsewhere")) == 0);
        CHECK(symlink("../elsewhere", test_path(MADE_ULID "/index")) == 0);
        CHECK_ERR(check_test_dir(&err) != 0, err, ERR_UNSUPPORTED, ": index: it is a link");
        CHECK(unlink(test_path(MADE_ULID "/index")) == 0);
        CHECK(mkfifo(test_path(MADE_ULID "/index"), 0600) == 0);
        CHECK_ERR(check_test_dir(&err) != 0, err, ERR_UNSUPPORTED, "no regular file");
        CHECK(unlink(test_path(MADE_ULID "/index")) == 0);
        CHECK(mkdir(test_path(MADE_ULID "/index"), 0700) == 0);
        CHECK_ERR(check_test_dir(&err) != 0, err, ERR_UNSUPPORTED, "no regular file");
}

TEST(a_missing_directory_is_not_found)
{
        struct err err;

        err_init(&err);
        struct tsdb_check *check = tsdb_check_new(NULL, NULL, &err);
        int rc = tsdb_check_dir(check, test_path("nowhere"), &err);
        CHECK_ERR(rc != 0, err, ERR_NOT_FOUND, "nowhere");
        rc = tsdb_check_finish(check, &err);
        CHECK_ERR(rc != 0, err, ERR_NOT_FOUND, "nowhere");
        tsdb_check_free(check);
}

TEST(nothing_at_all_is_no_block)
{
        struct err err;

        CHECK_OK(check_test_dir(&err), err);
}

TEST(ends_when_it_is_cancelled)
{
        struct err err;
        struct cancel *cancel = cancel_new(NULL, &err);

        make_block(&fix, NOTHING);
        write_block(&fix);
        err_init(&err);
        struct tsdb_check *check = tsdb_check_new(NULL, cancel, &err);
        cancel_trigger(cancel);
        CHECK_ERR(tsdb_check_dir(check, test_dir(), &err) != 0, err, ERR_CANCELLED, NULL);
        tsdb_check_free(check);
        cancel_unref(cancel);
}

static int
check_with_failing_memory(void *arg, struct err *err)
{
        (void)arg;
        struct tsdb_check *check = tsdb_check_new(test_dir(), NULL, err);
        if (check == NULL)
                return -1;
        int rc = tsdb_check_dir(check, test_dir(), err);
        if (rc == 0)
                rc = tsdb_check_finish(check, err);
        tsdb_check_free(check);
        return rc;
}

TEST(memory_may_run_out_anywhere)
{
        make_block(&fix, NOTHING);
        write_block(&fix);
        load_real(&fix);
        write_block(&fix);
        test_each_allocation(check_with_failing_memory, NULL);
}
