#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "moonkeep/buf.h"
#include "moonkeep/crc32c.h"
#include "moonkeep/mem.h"
#include "moonkeep/mem_io.h"
#include "moonkeep/tar.h"

#define BLOCK 512

/* What a watcher saw, as text: one line an entry. */
struct seen {
        struct buf text;
        uint64_t data_bytes;
        int ends;
        int fail_at; /* the call that fails, 1 being the first; 0: none */
        int calls;
};

static int
count_call(struct seen *seen, struct err *err)
{
        if (++seen->calls == seen->fail_at)
                return err_set(err, ERR_REFUSED, "the watcher said no");
        return 0;
}

static int
see_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        static const char types[] = "fdlho";
        struct seen *seen = arg;

        if (count_call(seen, err) < 0)
                return -1;
        return buf_addf(&seen->text, err, "%c %s%s%s %llu %o %lld %llu %llu%s", types[entry->type],
            entry->name, entry->link != NULL ? " -> " : "", entry->link != NULL ? entry->link : "",
            (unsigned long long)entry->size, entry->mode, (long long)entry->mtime_s,
            (unsigned long long)entry->uid, (unsigned long long)entry->gid,
            entry->sparse ? " sparse" : "");
}

static int
see_data(void *arg, const void *data, size_t len, struct err *err)
{
        struct seen *seen = arg;

        (void)data;
        seen->data_bytes += len;
        return count_call(seen, err);
}

static int
see_entry_end(void *arg, uint32_t crc, struct err *err)
{
        struct seen *seen = arg;

        if (count_call(seen, err) < 0)
                return -1;
        return buf_addf(&seen->text, err, " %08x\n", crc);
}

static int
see_end(void *arg, struct err *err)
{
        struct seen *seen = arg;

        seen->ends++;
        return count_call(seen, err);
}

static struct tar_watcher
watcher_of(struct seen *seen)
{
        *seen = (struct seen){ 0 };
        buf_init(&seen->text, 1024 * 1024);
        return (struct tar_watcher){ see_entry, see_data, see_entry_end, see_end, seen };
}

/* A tar under construction. */
static struct buf tar;

static void
put_number(unsigned char *field, size_t len, unsigned long long number)
{
        snprintf((char *)field, len, "%0*llo", (int)len - 1, number);
}

static void
put_sum(unsigned char *block)
{
        unsigned sum = 0;

        memset(block + 148, ' ', 8);
        for (int pos = 0; pos < BLOCK; pos++)
                sum += block[pos];
        snprintf((char *)block + 148, 7, "%06o", sum);
}

/* A ustar header; the returned block may be changed before put_sum(). */
static unsigned char *
put_header(const char *name, char type, size_t size)
{
        unsigned char *block = (unsigned char *)buf_reserve(&tar, BLOCK, NULL);

        memset(block, 0, BLOCK);
        memcpy(block, name, strlen(name));
        put_number(block + 100, 8, 0644);
        put_number(block + 108, 8, 1000);
        put_number(block + 116, 8, 1001);
        put_number(block + 124, 12, size);
        put_number(block + 136, 12, 1700000000);
        block[156] = (unsigned char)type;
        memcpy(block + 257, "ustar\00000", 8);
        put_sum(block);
        buf_commit(&tar, BLOCK);
        return block;
}

static void
put_data(const void *data, size_t len)
{
        static const char zeros[BLOCK];

        buf_add(&tar, data, len, NULL);
        buf_add(&tar, zeros, -len & (BLOCK - 1), NULL);
}

static void
put_entry(const char *name, char type, const char *data)
{
        put_header(name, type, strlen(data));
        put_data(data, strlen(data));
}

static void
put_zeros(int blocks)
{
        static const char zeros[BLOCK];

        for (int block = 0; block < blocks; block++)
                buf_add(&tar, zeros, BLOCK, NULL);
}

static void
begin(void)
{
        buf_init(&tar, 64 * 1024 * 1024);
}

static int
scan(const void *data, size_t len, size_t slice, struct tar_watcher *watcher, struct err *err)
{
        struct tar_scan *it = tar_scan_new(watcher, err);
        int rc = it != NULL ? 0 : -1;

        for (size_t pos = 0; pos < len && rc == 0; pos += slice)
                rc = tar_scan_push(
                    it, (const char *)data + pos, len - pos < slice ? len - pos : slice, err);
        if (rc == 0)
                rc = tar_scan_end(it, err);
        tar_scan_free(it);
        return rc;
}

/* Scan what was built, in one piece. */
static int
scan_tar(struct seen *seen, struct err *err)
{
        struct tar_watcher watcher = watcher_of(seen);

        return scan(tar.data, tar.len, tar.len + 1, &watcher, err);
}

static void
end(struct seen *seen)
{
        buf_free(&seen->text);
        buf_free(&tar);
}

static void
expect(const char *text)
{
        struct seen seen;
        struct err err;

        CHECK_OK(scan_tar(&seen, &err), err);
        CHECK_STR(seen.text.data, text);
        CHECK_INT(seen.ends, 1);
        end(&seen);
}

static void
refuse(enum err_code code, const char *text)
{
        struct seen seen;
        struct err err;

        CHECK_ERR(scan_tar(&seen, &err) < 0, err, code, text);
        CHECK_INT(seen.ends, 0);
        end(&seen);
}

static void
put_pax(char type, const char *records, size_t len)
{
        put_header("pax", type, len);
        put_data(records, len);
}

#define PAX(type, records) put_pax(type, records, sizeof(records) - 1)

TEST(sees_files_directories_links_and_devices)
{
        begin();
        put_entry("d/", '5', "");
        put_entry("d/a", '0', "hello");
        memcpy(put_header("l", '2', 0) + 157, "d/a", 3);
        put_sum((unsigned char *)tar.data + tar.len - BLOCK);
        memcpy(put_header("h", '1', 0) + 157, "d/a", 3);
        put_sum((unsigned char *)tar.data + tar.len - BLOCK);
        put_header("p", '6', 0);
        put_zeros(2);

        char text[512];
        snprintf(text, sizeof(text),
            "d d 0 644 1700000000 1000 1001 00000000\n"
            "f d/a 5 644 1700000000 1000 1001 %08x\n"
            "l l -> d/a 0 644 1700000000 1000 1001 00000000\n"
            "h h -> d/a 0 644 1700000000 1000 1001 00000000\n"
            "o p 0 644 1700000000 1000 1001 00000000\n",
            crc32c(0, "hello", 5));
        expect(text);
}

TEST(names_come_clean_and_the_root_not_at_all)
{
        begin();
        put_entry("./", '5', "");
        put_entry("./d/", '5', "");
        put_entry("./d/./a", '0', "x");
        put_entry(".//b//c", '0', "");
        memcpy(put_header("./h", '1', 0) + 157, "./d/a", 5);
        put_sum((unsigned char *)tar.data + tar.len - BLOCK);
        memcpy(put_header("l", '2', 0) + 157, "./d", 3);
        put_sum((unsigned char *)tar.data + tar.len - BLOCK);
        put_entry("/./abs", '0', "");
        put_entry(".", '0', "");
        put_entry("./.", '5', "");
        put_zeros(2);

        char text[512];
        snprintf(text, sizeof(text),
            "d d 0 644 1700000000 1000 1001 00000000\n"
            "f d/a 1 644 1700000000 1000 1001 %08x\n"
            "f b/c 0 644 1700000000 1000 1001 00000000\n"
            "h h -> d/a 0 644 1700000000 1000 1001 00000000\n"
            "l l -> ./d 0 644 1700000000 1000 1001 00000000\n"
            "f /abs 0 644 1700000000 1000 1001 00000000\n"
            "f . 0 644 1700000000 1000 1001 00000000\n",
            crc32c(0, "x", 1));
        expect(text);
}

TEST(joins_the_prefix_of_ustar_but_not_of_gnu)
{
        begin();
        memcpy(put_header("name", '0', 0) + 345, "some/dir", 8);
        put_sum((unsigned char *)tar.data);
        unsigned char *gnu = put_header("name", '0', 0);
        memcpy(gnu + 257, "ustar  ", 8);
        memcpy(gnu + 345, "14567", 5);
        put_sum(gnu);
        put_zeros(2);
        expect("f some/dir/name 0 644 1700000000 1000 1001 00000000\n"
               "f name 0 644 1700000000 1000 1001 00000000\n");
}

TEST(a_regular_name_with_a_slash_is_a_directory)
{
        begin();
        put_entry("old/", '\0', "");
        put_zeros(2);
        expect("d old 0 644 1700000000 1000 1001 00000000\n");
}

TEST(applies_pax_records_to_the_next_entry_only)
{
        begin();
        PAX('x', "12 path=new\n15 mtime=-12.5\n12 uid=5000\n12 gid=6000\n15 comment=a=b\n");
        put_entry("old", '0', "");
        put_entry("next", '0', "");
        put_zeros(2);
        expect("f new 0 644 -13 5000 6000 00000000\n"
               "f next 0 644 1700000000 1000 1001 00000000\n");
}

TEST(takes_the_size_from_pax)
{
        begin();
        PAX('x', "12 size=700\n");
        put_header("a", '0', 0);
        char data[700] = "x";
        put_data(data, sizeof(data));
        put_zeros(2);

        char text[100];
        snprintf(text, sizeof(text), "f a 700 644 1700000000 1000 1001 %08x\n",
            crc32c(0, data, sizeof(data)));
        expect(text);
}

TEST(takes_long_names_and_targets_from_gnu)
{
        char name[301], link[201], text[700];

        memset(name, 'n', 300);
        memset(link, 'k', 200);
        name[300] = link[200] = '\0';
        begin();
        put_header("././@LongLink", 'K', 201);
        put_data(link, 201);
        put_header("././@LongLink", 'L', 301);
        put_data(name, 301);
        put_entry("nnn", '2', "");
        put_zeros(2);
        snprintf(
            text, sizeof(text), "l %s -> %s 0 644 1700000000 1000 1001 00000000\n", name, link);
        expect(text);
}

TEST(reads_binary_numbers)
{
        begin();
        unsigned char *block = put_header("a", '0', 0);
        memcpy(block + 108, "\x80\0\0\0\0\x2d\xc6\xc0", 8);                          /* 3000000 */
        memcpy(block + 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfb", 12); /* -5 */
        put_sum(block);
        put_zeros(2);
        expect("f a 0 644 -5 3000000 1001 00000000\n");
}

TEST(accepts_a_checksum_of_signed_bytes)
{
        begin();
        unsigned char *block = put_header("\xc3\xa4", '0', 0);
        int sum = 0;
        memset(block + 148, ' ', 8);
        for (int pos = 0; pos < BLOCK; pos++)
                sum += (signed char)block[pos];
        snprintf((char *)block + 148, 7, "%06o", (unsigned)sum);
        put_zeros(2);
        expect("f \xc3\xa4 0 644 1700000000 1000 1001 00000000\n");
}

TEST(skips_the_data_of_files_with_holes)
{
        begin();
        PAX('x', "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n24 GNU.sparse.name=real\n"
                 "30 GNU.sparse.realsize=999999\n");
        put_entry("GNUSparseFile.0/real", '0', "1\n0\n5\nhello");
        unsigned char *old = put_header("old", 'S', 3);
        memcpy(old + 257, "ustar  ", 8);
        put_number(old + 386, 12, 4096);
        put_number(old + 398, 12, 3);
        put_number(old + 483, 12, 4099);
        put_sum(old);
        put_data("abc", 3);
        put_zeros(2);
        expect("f real 999999 644 1700000000 1000 1001 sparse 00000000\n"
               "f old 4099 644 1700000000 1000 1001 sparse 00000000\n");
}

TEST(skips_the_continued_map_of_an_old_sparse_file)
{
        begin();
        unsigned char *old = put_header("old", 'S', 3);
        memcpy(old + 257, "ustar  ", 8);
        put_number(old + 386, 12, 0);
        old[482] = 1;
        put_number(old + 483, 12, 4099);
        put_sum(old);
        put_zeros(1);
        tar.data[tar.len - BLOCK + 504] = 1;
        put_zeros(1);
        put_data("abc", 3);
        put_zeros(2);
        expect("f old 4099 644 1700000000 1000 1001 sparse 00000000\n");
}

TEST(slices_make_no_difference)
{
        struct seen whole, sliced;
        struct err err;
        struct tar_watcher watcher;

        begin();
        PAX('x', "12 path=new\n");
        put_entry("old", '0', "some data");
        char *big = mem_zalloc(3000, &err);
        put_header("big", '0', 2999);
        put_data(big, 2999);
        mem_free(big);
        put_zeros(5);
        CHECK_OK(scan_tar(&whole, &err), err);
        for (size_t slice = 1; slice < 1100; slice += slice < 20 ? 1 : 97) {
                watcher = watcher_of(&sliced);
                CHECK_OK(scan(tar.data, tar.len, slice, &watcher, &err), err);
                CHECK_STR(sliced.text.data, whole.text.data);
                CHECK_INT(sliced.data_bytes, 9 + 2999);
                buf_free(&sliced.text);
        }
        end(&whole);
}

TEST(an_empty_tar_is_complete)
{
        begin();
        put_zeros(2);
        struct seen seen;
        struct err err;
        CHECK_OK(scan_tar(&seen, &err), err);
        CHECK_INT(seen.ends, 1);
        end(&seen);
}

TEST(every_cut_is_truncated)
{
        struct err err;

        begin();
        PAX('x', "12 path=new\n");
        put_entry("a", '0', "some data");
        put_entry("b", '0', "");
        put_entry("c", '5', "");
        put_zeros(2);
        for (size_t len = 0; len < tar.len; len++) {
                struct seen seen;
                struct tar_watcher watcher = watcher_of(&seen);
                CHECK_ERR(scan(tar.data, len, 1000, &watcher, &err) < 0, err, ERR_TRUNCATED,
                    "cut at byte");
                CHECK_INT(seen.ends, 0);
                buf_free(&seen.text);
        }
        buf_free(&tar);
}

TEST(a_cut_between_members_says_where)
{
        begin();
        put_entry("a", '0', "some data");
        refuse(ERR_TRUNCATED, "cut at byte 1024, before its end blocks (at or behind \"a\")");
}

TEST(a_lost_block_is_noticed)
{
        struct err err;

        begin();
        char data[5 * BLOCK];
        memset(data, 'd', sizeof(data));
        put_entry("a", '0', "");
        put_header("b", '0', sizeof(data));
        put_data(data, sizeof(data));
        put_entry("c", '0', "");
        put_zeros(2);
        /* Any 100 bytes that are lost between the two ends. */
        for (size_t at = 0; at + 100 < tar.len; at += 50) {
                struct seen seen;
                struct tar_watcher watcher = watcher_of(&seen);
                struct buf less;
                buf_init(&less, tar.len);
                buf_add(&less, tar.data, at, &err);
                buf_add(&less, tar.data + at + 100, tar.len - at - 100, &err);
                CHECK(scan(less.data, less.len, 4096, &watcher, &err) < 0);
                buf_free(&less);
                buf_free(&seen.text);
        }
        buf_free(&tar);
}

TEST(a_changed_header_byte_is_noticed)
{
        struct err err;

        begin();
        put_entry("a", '0', "");
        put_zeros(2);
        for (size_t at = 0; at < BLOCK; at++) {
                struct seen seen;
                struct tar_watcher watcher = watcher_of(&seen);
                tar.data[at] = (char)(tar.data[at] ^ 4);
                int rc = scan(tar.data, tar.len, 4096, &watcher, &err);
                CHECK_ERR(rc < 0, err, ERR_CORRUPT, "damaged at byte 0");
                tar.data[at] = (char)(tar.data[at] ^ 4);
                buf_free(&seen.text);
        }
        buf_free(&tar);
}

TEST(refuses_one_zero_block_between_entries)
{
        begin();
        put_entry("a", '0', "");
        put_zeros(1);
        put_entry("b", '0', "");
        put_zeros(2);
        refuse(ERR_CORRUPT, "single block of zeros");
}

TEST(refuses_what_follows_the_end)
{
        begin();
        put_entry("a", '0', "");
        put_zeros(4);
        put_entry("b", '0', "");
        refuse(ERR_CORRUPT, "damaged at byte 2560 (at or behind \"a\"): data behind the end");
}

TEST(refuses_links_and_directories_with_data)
{
        begin();
        put_entry("d/", '5', "data");
        refuse(ERR_CORRUPT, "data in a link");
        begin();
        put_header("h", '1', 4);
        tar.data[157] = 'a';
        put_sum((unsigned char *)tar.data);
        put_data("data", 4);
        refuse(ERR_CORRUPT, "data in a link");
}

TEST(refuses_links_without_target_and_entries_without_name)
{
        begin();
        put_entry("l", '2', "");
        refuse(ERR_CORRUPT, "without a target");
        begin();
        put_entry("", '0', "");
        refuse(ERR_CORRUPT, "without a name");
}

TEST(refuses_impossible_numbers)
{
        begin();
        memcpy(
            put_header("a", '0', 0) + 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfb", 12);
        put_sum((unsigned char *)tar.data);
        refuse(ERR_CORRUPT, "impossible size");
        begin();
        memcpy(put_header("a", '0', 0) + 124, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
        put_sum((unsigned char *)tar.data);
        refuse(ERR_CORRUPT, "impossible size");
        begin();
        memcpy(put_header("a", '0', 0) + 108, "12x", 3);
        put_sum((unsigned char *)tar.data);
        refuse(ERR_CORRUPT, "no number");
}

TEST(refuses_types_that_it_does_not_know)
{
        begin();
        put_entry("a", 'M', "");
        refuse(ERR_UNSUPPORTED, "type 0x4d");
}

TEST(refuses_broken_pax_headers)
{
        static const char *const broken[] = { "nonsense", "99 path=a\n", "8 path=a\n", "10 path=ab",
                "5 =a\n", "9 a\n", "7 path\n", "0 path=a\n", "8 path=\n", "13 mtime=abc\n",
                "8 size=\n", "11 size=-1\n", "30 size=99999999999999999999\n",
                "18446744073709551617 a=b\n" };

        for (size_t idx = 0; idx < sizeof(broken) / sizeof(broken[0]); idx++) {
                begin();
                put_pax('x', broken[idx], strlen(broken[idx]));
                put_entry("a", '0', "");
                put_zeros(2);
                refuse(ERR_CORRUPT, "a pax ");
        }
        begin();
        PAX('x', "14 path=a\0b\0c\n");
        refuse(ERR_CORRUPT, "impossible value");
        begin();
        PAX('x', "12 pa\0h=new\n");
        refuse(ERR_CORRUPT, "not made of records");
}

TEST(a_global_header_may_comment_but_not_rename)
{
        begin();
        PAX('g', "14 comment=ab\n12 mtime=77\n");
        put_entry("a", '0', "");
        put_zeros(2);
        expect("f a 0 644 1700000000 1000 1001 00000000\n");
        begin();
        PAX('g', "10 path=b\n");
        put_entry("a", '0', "");
        put_zeros(2);
        refuse(ERR_CORRUPT, "global pax header");
}

TEST(refuses_two_headers_for_one_entry_and_none)
{
        begin();
        PAX('x', "10 path=b\n");
        PAX('x', "10 path=c\n");
        refuse(ERR_CORRUPT, "two headers");
        begin();
        PAX('x', "10 path=b\n");
        put_zeros(2);
        refuse(ERR_CORRUPT, "without an entry");
}

TEST(bounds_names_and_pax_headers)
{
        begin();
        put_header("pax", 'x', TAR_PAX_MAX + 1);
        refuse(ERR_CORRUPT, "larger than any should be");
        begin();
        put_header("long", 'L', TAR_NAME_MAX + 2);
        refuse(ERR_CORRUPT, "larger than any should be");

        char *record = mem_alloc(TAR_NAME_MAX + 20, NULL);
        int len = snprintf(record, TAR_NAME_MAX + 20, "%zu path=%0*d\n", TAR_NAME_MAX + 12,
            (int)TAR_NAME_MAX + 1, 0);
        begin();
        put_pax('x', record, (size_t)len);
        mem_free(record);
        refuse(ERR_CORRUPT, "impossible value");
}

TEST(a_name_in_a_message_has_no_control_bytes)
{
        begin();
        put_entry("a\nb\x1b", '0', "");
        refuse(ERR_TRUNCATED, "\"a?b?\"");
}

TEST(the_watcher_can_stop_it)
{
        struct err err;
        struct seen seen;
        struct tar_watcher watcher;

        begin();
        put_entry("a", '0', "data");
        put_zeros(2);
        for (int call = 1; call <= 4; call++) {
                watcher = watcher_of(&seen);
                seen.fail_at = call;
                CHECK_ERR(scan(tar.data, tar.len, 4096, &watcher, &err) < 0, err, ERR_REFUSED,
                    "the watcher said no");
                CHECK_INT(seen.calls, call);
                buf_free(&seen.text);
        }
        buf_free(&tar);
}

TEST(a_tee_hands_everything_to_both)
{
        struct err err;
        struct seen one, other;
        struct tar_tee tee = { watcher_of(&one), watcher_of(&other) };
        struct tar_watcher both = tar_watcher_both(&tee);

        begin();
        put_entry("a", '0', "data");
        put_zeros(2);
        CHECK_OK(scan(tar.data, tar.len, 100, &both, &err), err);
        CHECK_STR(one.text.data, other.text.data);
        CHECK_INT(one.ends, 1);
        CHECK_INT(other.ends, 1);
        CHECK_INT(other.data_bytes, 4);
        buf_free(&other.text);
        end(&one);
}

TEST(the_source_passes_the_bytes_and_reports_the_end_only_when_complete)
{
        struct err err;
        struct seen seen;
        struct tar_watcher watcher = watcher_of(&seen);
        char chunk[700];
        ssize_t got;

        begin();
        put_entry("a", '0', "data");
        put_zeros(2);
        for (int cut = 0; cut < 2; cut++) {
                size_t len = tar.len - (cut ? BLOCK : 0);
                size_t read = 0;
                struct source *src =
                    tar_scan_source(mem_source(tar.data, len, &err), &watcher, &err);
                CHECK_PTR(src, err);
                while ((got = source_read(src, chunk, sizeof(chunk), &err)) > 0) {
                        CHECK(memcmp(chunk, tar.data + read, (size_t)got) == 0);
                        read += (size_t)got;
                }
                CHECK_INT(read, len);
                if (cut)
                        CHECK_ERR(got < 0, err, ERR_TRUNCATED, "second end block");
                else
                        CHECK_INT(got, 0);
                source_free(src);
        }
        end(&seen);
}

TEST(a_missing_source_passes_through)
{
        struct tar_watcher nobody = { 0 };
        struct err err;

        err_set(&err, ERR_NOT_FOUND, "why it is missing");
        CHECK(tar_scan_source(NULL, &nobody, &err) == NULL);
        CHECK_STR(err.msg, "why it is missing");
}

/* Real archives, as GNU tar writes them. */
TEST(reads_all_formats_of_tar)
{
        static const char *const formats[] = { "v7", "oldgnu", "gnu", "ustar", "pax" };
        char command[2048];
        struct err err;

        snprintf(command, sizeof(command),
            "cd %s && mkdir -p d/e && echo hello > d/a && ln -s a d/l && ln d/a d/h && "
            "head -c 70000 /dev/zero > d/e/z && touch d/e/$(printf 'n%%.0s' $(seq 1 80))",
            test_dir());
        CHECK_INT(system(command), 0);
        for (size_t idx = 0; idx < sizeof(formats) / sizeof(formats[0]); idx++) {
                struct seen seen;
                struct tar_watcher watcher = watcher_of(&seen);
                snprintf(command, sizeof(command), "tar --format=%s -C %s -cf - d", formats[idx],
                    test_dir());
                FILE *pipe = popen(command, "r");
                struct tar_scan *it = tar_scan_new(&watcher, &err);
                char chunk[5000];
                size_t got;
                while ((got = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
                        CHECK_OK(tar_scan_push(it, chunk, got, &err), err);
                CHECK_OK(tar_scan_end(it, &err), err);
                CHECK_INT(pclose(pipe), 0);
                CHECK(strstr(seen.text.data, "f d/e/z 70000 ") != NULL);
                CHECK(strstr(seen.text.data, "l d/l -> a 0 ") != NULL);
                tar_scan_free(it);
                buf_free(&seen.text);
        }
}

static int
scan_with_allocations(void *arg, struct err *err)
{
        struct tar_watcher nobody = { 0 };
        struct source *src = mem_source(tar.data, tar.len, err);

        (void)arg;
        if (src == NULL)
                return -1;
        src = tar_scan_source(src, &nobody, err);
        if (src == NULL)
                return -1;
        int rc = stream_drain(src, NULL, NULL, err);
        source_free(src);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        begin();
        PAX('x', "12 path=new\n");
        put_entry("old", '0', "data");
        put_zeros(2);
        test_each_allocation(scan_with_allocations, NULL);
        buf_free(&tar);
}
