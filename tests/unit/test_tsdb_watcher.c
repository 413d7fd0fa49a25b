#include "unit/tsdb_fixture.h"

#include <signal.h>
#include <sys/resource.h>

static struct fixture fix;
static struct tsdb_check *check;
static struct tar_watcher watcher;
static struct err err;

static void
start(void)
{
        err_init(&err);
        check = tsdb_check_new(test_dir(), NULL, &err);
        CHECK_PTR(check, err);
        watcher = tsdb_check_watcher(check);
}

static int
feed(const char *file, const struct bytes *bytes, size_t slice)
{
        char name[128];

        snprintf(name, sizeof(name), "./%s/%s", fix.ulid, file);
        return watch_file(&watcher, name, bytes, slice, &err);
}

TEST(files_may_come_in_any_order_and_in_any_slices)
{
        static const char *const files[] = { "meta.json", "index", "tombstones", "chunks/000001",
                "chunks/000002" };

        make_block(&fix, NOTHING);
        const struct bytes *bytes[] = { &fix.meta, &fix.index, &fix.tombstones, &fix.segments[0],
                &fix.segments[1] };
        for (size_t first = 0; first < 5; first++) {
                for (size_t step = 1; step < 5; step++) {
                        start();
                        for (size_t idx = 0; idx < 5; idx++) {
                                size_t file = (first + idx * step) % 5;
                                CHECK_OK(feed(files[file], bytes[file], 1 + first * 50), err);
                        }
                        CHECK_OK(tsdb_check_finish(check, &err), err);
                        CHECK_INT(tsdb_check_count(check), 1);
                        CHECK_INT(tsdb_check_at(check, 0)->num_samples, MADE_SAMPLES);
                        CHECK_INT(tsdb_check_at(check, 0)->level, 2);
                        tsdb_check_free(check);
                }
        }
}

TEST(what_is_no_part_of_a_block_is_counted_and_passed_over)
{
        start();
        make_block(&fix, NOTHING);
        CHECK_OK(watch_name(&watcher, "./", TAR_DIR, &err), err);
        CHECK_OK(watch_name(&watcher, "./wal/", TAR_DIR, &err), err);
        CHECK_OK(watch_file(&watcher, "./wal/00000000", &fix.index, 10, &err), err);
        CHECK_OK(watch_name(&watcher, "lock", TAR_SYMLINK, &err), err);
        CHECK_OK(watch_name(&watcher, MADE_ULID "/", TAR_DIR, &err), err);
        CHECK_OK(watch_name(&watcher, MADE_ULID "/chunks", TAR_DIR, &err), err);
        CHECK_OK(feed("meta.json", &fix.meta, 10), err);
        CHECK_OK(feed("no-compact-mark.json", &fix.meta, 10), err);
        CHECK_OK(feed("index", &fix.index, 10), err);
        CHECK_OK(feed("chunks/000001", &fix.segments[0], 10), err);
        CHECK_OK(feed("chunks/000002", &fix.segments[1], 10), err);
        CHECK_OK(tsdb_check_finish(check, &err), err);
        CHECK_INT(tsdb_check_ignored(check), 4);
        CHECK_STR(tsdb_check_at(check, 0)->tombstones_sha256, "");
        tsdb_check_free(check);
}

TEST(a_file_that_is_there_twice_is_found)
{
        make_block(&fix, NOTHING);
        start();
        CHECK_OK(feed("meta.json", &fix.meta, 100), err);
        CHECK_ERR(feed("meta.json", &fix.meta, 100) != 0, err, ERR_CORRUPT, "there twice");
        tsdb_check_free(check);
        start();
        CHECK_OK(feed("index", &fix.index, 100), err);
        CHECK_ERR(feed("index", &fix.index, 100) != 0, err, ERR_CORRUPT, "there twice");
        tsdb_check_free(check);
        start();
        CHECK_OK(feed("tombstones", &fix.tombstones, 100), err);
        CHECK_ERR(feed("tombstones", &fix.tombstones, 100) != 0, err, ERR_CORRUPT, "there twice");
        tsdb_check_free(check);
        start();
        CHECK_OK(feed("chunks/000002", &fix.segments[1], 100), err);
        CHECK_ERR(feed("chunks/000002", &fix.segments[1], 100) != 0, err, ERR_CORRUPT,
            "chunks/000002: it is there twice");
        tsdb_check_free(check);
}

TEST(a_link_in_the_place_of_a_file_is_not_taken_for_it)
{
        start();
        CHECK_ERR(watch_name(&watcher, MADE_ULID "/index", TAR_HARDLINK, &err) != 0, err,
            ERR_UNSUPPORTED, "block " MADE_ULID ": index: it is a link");
        tsdb_check_free(check);
}

TEST(a_file_stored_with_holes_is_not_taken_for_damage)
{
        struct tar_entry entry = { .name = MADE_ULID "/chunks/000001",
                .name_len = 40,
                .type = TAR_FILE,
                .size = 10,
                .sparse = true };

        start();
        CHECK_ERR(watcher.entry(watcher.arg, &entry, &err) != 0, err, ERR_UNSUPPORTED,
            "chunks/000001: it is stored with holes");
        tsdb_check_free(check);
}

TEST(a_block_of_which_only_something_else_is_there_is_found)
{
        start();
        CHECK_OK(watch_name(&watcher, MADE_ULID "/deletion-mark.json", TAR_FILE, &err), err);
        CHECK_ERR(tsdb_check_finish(check, &err) != 0, err, ERR_CORRUPT,
            "block " MADE_ULID ": meta.json is missing");
        tsdb_check_free(check);
}

TEST(a_file_that_has_not_ended_is_found)
{
        struct tar_entry entry = {
                .name = MADE_ULID "/index", .name_len = 32, .type = TAR_FILE, .size = 10
        };

        start();
        CHECK_OK(watcher.entry(watcher.arg, &entry, &err), err);
        CHECK_OK(watcher.data(watcher.arg, "12345", 5, &err), err);
        CHECK_ERR(tsdb_check_finish(check, &err) != 0, err, ERR_TRUNCATED, "index: ");
        tsdb_check_free(check);
}

TEST(the_first_defect_sticks)
{
        make_block(&fix, NOTHING);
        fix.segments[0].data[20] ^= 1;
        start();
        CHECK(feed("chunks/000001", &fix.segments[0], 100) != 0);
        struct err first = err;
        CHECK(tsdb_check_finish(check, &err) != 0);
        CHECK_STR(err.msg, first.msg);
        CHECK_INT(tsdb_check_count(check), 0);
        tsdb_check_free(check);
}

TEST(a_spool_directory_that_is_not_there_is_said)
{
        make_block(&fix, NOTHING);
        err_init(&err);
        check = tsdb_check_new(test_path("nowhere"), NULL, &err);
        watcher = tsdb_check_watcher(check);
        CHECK_ERR(feed("index", &fix.index, 100) != 0, err, ERR_NOT_FOUND,
            "index: cannot make a temporary file in \"");
        tsdb_check_free(check);
}

TEST(a_spool_directory_that_is_full_is_said)
{
        struct rlimit limit = { 50, 50 };

        start();
        make_block(&fix, NOTHING);
        signal(SIGXFSZ, SIG_IGN);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
        CHECK_ERR(feed("index", &fix.index, 100) != 0, err, ERR_FULL,
            "index: cannot write a temporary copy of it to \"");
        CHECK(strstr(err.hint, "TMPDIR") != NULL);
        /* The end of the check: what is fed all the same finds that, too, and opens nothing. */
        fix.ulid = "01BBBBBBBBBBBBBBBBBBBBBBBB";
        CHECK_ERR(feed("index", &fix.index, 100) != 0, err, ERR_FULL, "temporary copy");
        tsdb_check_free(check);
}

TEST(many_blocks_interleaved_are_kept_apart)
{
        static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        char ulid[TSDB_ULID_SIZE];

        start();
        for (unsigned pass = 0; pass < 4; pass++) {
                for (unsigned number = 0; number < 300; number++) {
                        unsigned shuffled = number * 77 % 300;
                        make_block(&fix, NOTHING);
                        memcpy(ulid, MADE_ULID, sizeof(ulid));
                        ulid[24] = alphabet[shuffled / 32];
                        ulid[25] = alphabet[shuffled % 32];
                        fix.ulid = ulid;
                        make_meta(&fix, MADE_SAMPLES, 2, 4);
                        if (pass == 0)
                                CHECK_OK(feed("chunks/000001", &fix.segments[0], 4096), err);
                        else if (pass == 1)
                                CHECK_OK(feed("meta.json", &fix.meta, 4096), err);
                        else if (pass == 2)
                                CHECK_OK(feed("chunks/000002", &fix.segments[1], 4096), err);
                        else
                                CHECK_OK(feed("index", &fix.index, 4096), err);
                }
        }
        CHECK_OK(tsdb_check_finish(check, &err), err);
        CHECK_INT(tsdb_check_count(check), 300);
        for (size_t idx = 1; idx < 300; idx++)
                CHECK(strcmp(tsdb_check_at(check, idx - 1)->ulid, tsdb_check_at(check, idx)->ulid) <
                      0);
        tsdb_check_free(check);
}
