#include <errno.h>
#include <stdio.h>

#include "harness/test.h"

TEST(set_fills_code_and_message_and_clears_the_rest)
{
        struct err err;

        err_init(&err);
        err.sys = 5;
        err.http = 404;
        err.retryable = true;
        err_hint(&err, "hint");
        CHECK_INT(err_set(&err, ERR_LOCKED, "cannot lock \"%s\"", "a"), -1);
        CHECK_INT(err.code, ERR_LOCKED);
        CHECK_STR(err.msg, "cannot lock \"a\"");
        CHECK_STR(err.hint, "");
        CHECK_INT(err.sys, 0);
        CHECK_INT(err.http, 0);
        CHECK(!err.retryable);
}

TEST(sys_translates_errno)
{
        static const struct {
                int sys;
                enum err_code code;
        } rows[] = {
                { ENOSPC, ERR_FULL },
                { EDQUOT, ERR_FULL },
                { EFBIG, ERR_FULL },
                { EACCES, ERR_PERMISSION },
                { EPERM, ERR_PERMISSION },
                { EROFS, ERR_PERMISSION },
                { ENOENT, ERR_NOT_FOUND },
                { ENOTDIR, ERR_NOT_FOUND },
                { EEXIST, ERR_EXISTS },
                { ENOMEM, ERR_NOMEM },
                { EIO, ERR_IO },
        };
        struct err err;

        for (size_t idx = 0; idx < sizeof(rows) / sizeof(rows[0]); idx++) {
                errno = rows[idx].sys;
                CHECK_INT(err_sys(&err, "cannot open \"x\""), -1);
                CHECK_INT(err.code, rows[idx].code);
                CHECK_INT(err.sys, rows[idx].sys);
        }
        errno = ENOENT;
        err_sys(&err, "cannot open \"x\"");
        CHECK_STR(err.msg, "cannot open \"x\": No such file or directory");
}

TEST(prefix_reads_outside_in_and_keeps_code_and_hint)
{
        struct err err;

        err_set(&err, ERR_IO, "inner");
        err_hint(&err, "do %d", 1);
        CHECK_INT(err_prefix(&err, "outer %d", 2), -1);
        CHECK_STR(err.msg, "outer 2: inner");
        CHECK_STR(err.hint, "do 1");
        CHECK_INT(err.code, ERR_IO);
}

static bool
ends_with(const char *text, const char *end)
{
        size_t len = strlen(text), end_len = strlen(end);

        return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

TEST(a_long_message_loses_its_middle_and_never_its_reason)
{
        struct err err;
        char name[4096];

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        err_set(&err, ERR_IO, "cannot copy \"%s\" to \"%s\": the reason", name, name);
        CHECK_INT(strlen(err.msg), sizeof(err.msg) - 1);
        CHECK(strncmp(err.msg, "cannot copy \"xxx", 16) == 0);
        CHECK(strstr(err.msg, "xxx...xxx") != NULL);
        CHECK(ends_with(err.msg, "xxx\": the reason"));

        errno = ENOSPC;
        err_sys(&err, "cannot write \"%s\"", name);
        CHECK(strncmp(err.msg, "cannot write \"xxx", 17) == 0);
        CHECK(ends_with(err.msg, "\": No space left on device"));
        err_prefix(&err, "step \"%s\"", name);
        CHECK(strncmp(err.msg, "step \"xxx", 9) == 0);
        CHECK(ends_with(err.msg, "\": No space left on device"));
        CHECK_INT(strlen(err.msg), sizeof(err.msg) - 1);
        CHECK_INT(err.code, ERR_FULL);
}

TEST(a_message_is_not_cut_within_a_character)
{
        struct err err;
        char name[3001];

        /* Three bytes each, moved by one so that either cut meets each of them. */
        for (size_t idx = 0; idx < 1000; idx++)
                memcpy(name + 3 * idx, "\xe2\x82\xac", 4);
        for (size_t shift = 0; shift < 3; shift++) {
                err_set(&err, ERR_IO, "%.*s%s%.*s", (int)shift, "aa", name, (int)shift, "bb");
                CHECK(strlen(err.msg) <= sizeof(err.msg) - 1);
                size_t at = 0;
                while (err.msg[at] != '\0') {
                        bool is_wide = (unsigned char)err.msg[at] == 0xe2;
                        CHECK(is_wide || (unsigned char)err.msg[at] < 0x80);
                        CHECK(!is_wide || strncmp(err.msg + at, "\xe2\x82\xac", 3) == 0);
                        at += is_wide ? 3 : 1;
                }
        }
}

TEST(a_message_may_be_made_of_the_one_before)
{
        struct err err;

        err_set(&err, ERR_IO, "inner");
        err_set(&err, ERR_INVALID, "outer (%s)", err.msg);
        CHECK_STR(err.msg, "outer (inner)");
}

TEST(no_err_is_fine_everywhere)
{
        CHECK_INT(err_set(NULL, ERR_IO, "x"), -1);
        CHECK_INT(err_sys(NULL, "x"), -1);
        CHECK_INT(err_prefix(NULL, "x"), -1);
        CHECK_INT(err_hint(NULL, "x"), -1);
}

TEST(names_and_codes_translate_both_ways)
{
        for (int code = 0; code < ERR_COUNT; code++) {
                enum err_code as = (enum err_code)code;
                CHECK_INT(err_code_from_name(err_code_name(as)), code);
                CHECK(err_code_doc(as)[0] != '\0');
        }
        CHECK_INT(err_code_from_name("no such code"), ERR_INTERNAL);
        CHECK_STR(err_code_name(ERR_COUNT), "internal");
        CHECK_INT(err_exit_status(ERR_CORRUPT), 5);
        CHECK_INT(err_exit_status(ERR_CANCELLED), 130);
        CHECK_INT(err_exit_status(ERR_NONE), 0);
        CHECK_INT(err_exit_status(ERR_COUNT), 1);
}
