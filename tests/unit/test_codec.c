#include "harness/codec_test.h"

/* Turns every byte into `times` bytes; what it does at the end and on 'X' is said by its members.
 */
struct repeat {
        struct codec codec;
        int times;
        int left; /* of the byte that is being repeated */
        char byte;
        bool stuck;
        int *freed;
};

static int
repeat_step(struct codec *codec, struct codec_io *io, bool ended, struct err *err)
{
        struct repeat *it = (struct repeat *)codec;

        if (it->stuck)
                return CODEC_MORE;
        while (io->out_len > 0) {
                if (it->left == 0) {
                        if (io->in_len == 0)
                                break;
                        if (*io->in == 'X')
                                return err_set(err, ERR_CORRUPT, "an X");
                        it->byte = (char)*io->in++;
                        io->in_len--;
                        it->left = it->times;
                        continue;
                }
                *io->out++ = (unsigned char)it->byte;
                io->out_len--;
                it->left--;
        }
        return ended && io->in_len == 0 && it->left == 0 ? CODEC_DONE : CODEC_MORE;
}

static void
repeat_free(struct codec *codec)
{
        struct repeat *it = (struct repeat *)codec;

        (*it->freed)++;
        free(it);
}

static const struct codec_ops repeat_ops = { "repeat", repeat_step, repeat_free };

static int freed;

static struct codec *
repeat_new(int times)
{
        struct repeat *it = calloc(1, sizeof(*it));

        CHECK(it != NULL);
        it->codec.ops = &repeat_ops;
        it->times = times;
        it->freed = &freed;
        return &it->codec;
}

TEST(applies_a_codec_whatever_the_sizes_of_reads)
{
        struct err err;
        struct buf out;

        buf_init(&out, 1000);
        for (size_t in_step = 1; in_step < 5; in_step++) {
                for (size_t out_step = 1; out_step < 8; out_step++) {
                        buf_clear(&out);
                        CHECK_OK(
                            codec_test_run(repeat_new(3), "abc", 3, in_step, out_step, &out, &err),
                            err);
                        CHECK_STR(out.data, "aaabbbccc");
                }
        }
        buf_free(&out);
}

TEST(what_was_good_is_given_before_the_failure_of_the_codec)
{
        struct err err;
        char got[10];
        struct source *src = codec_source(mem_source("abX", 3, &err), repeat_new(2), &err);

        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, got, 10, &err), 4);
        CHECK(memcmp(got, "aabb", 4) == 0);
        CHECK_ERR(source_read(src, got, 10, &err) < 0, err, ERR_CORRUPT, "an X");
        CHECK_ERR(source_read(src, got, 10, &err) < 0, err, ERR_CORRUPT, "an X");
        source_free(src);
}

static ssize_t
fail_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        (void)cap;
        if (source_bytes(src) != 0)
                return err_set(err, ERR_NETWORK, "the line broke");
        memcpy(buf, "ab", 2);
        return 2;
}

static void
fail_free(struct source *src)
{
        (void)src;
        freed++;
}

TEST(what_was_good_is_given_before_the_failure_of_upstream)
{
        static const struct source_ops ops = { "fail", fail_read, fail_free };
        struct source fails;
        struct err err;
        char got[10];

        source_init(&fails, &ops);
        struct source *src = codec_source(&fails, repeat_new(1), &err);
        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, got, 10, &err), 2);
        CHECK_ERR(source_read(src, got, 10, &err) < 0, err, ERR_NETWORK, "the line broke");
        source_free(src);
        CHECK_INT(freed, 2);
}

TEST(a_codec_that_does_not_move_is_found)
{
        struct err err;
        char got[10];
        struct codec *codec = repeat_new(1);

        ((struct repeat *)codec)->stuck = true;
        struct source *src = codec_source(mem_source("ab", 2, &err), codec, &err);
        CHECK_PTR(src, err);
        CHECK_ERR(source_read(src, got, 10, &err) < 0, err, ERR_INTERNAL, "repeat");
        source_free(src);
}

TEST(constructors_nest_and_take_what_they_are_given_on_failure_too)
{
        struct err err;

        err_set(&err, ERR_NOT_FOUND, "the inner one");
        CHECK_ERR(
            codec_source(NULL, repeat_new(1), &err) == NULL, err, ERR_NOT_FOUND, "the inner one");
        CHECK_INT(freed, 1);
        CHECK_ERR(codec_source(mem_source("x", 1, NULL), NULL, &err) == NULL, err, ERR_NOT_FOUND,
            "the inner one");
        codec_free(NULL);
}

static int
run_once(void *arg, struct err *err)
{
        struct buf out;
        int before = freed;

        (void)arg;
        buf_init(&out, 100);
        int rc = codec_test_run(repeat_new(2), "abc", 3, 0, 50, &out, err);
        buf_free(&out);
        CHECK_INT(freed, before + 1);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
