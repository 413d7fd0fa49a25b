#include "harness/test.h"

#include "moonkeep/mem_io.h"

TEST(counts_what_passes)
{
        struct err err;
        char got[10];
        struct progress progress = { 0 };
        struct source *src = progress_source(mem_source("12345", 5, &err), &progress, &err);

        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, got, 3, &err), 3);
        CHECK_INT(progress.bytes_in, 3);
        CHECK_INT(source_read(src, got, 3, &err), 2);
        CHECK_INT(source_read(src, got, 3, &err), 0);
        CHECK_INT(progress.bytes_in, 5);
        CHECK_INT(progress.bytes_out, 0);
        source_free(src);
}

TEST(a_missing_source_keeps_its_error)
{
        struct err err;
        struct progress progress = { 0 };

        err_set(&err, ERR_NOT_FOUND, "the inner one");
        CHECK_ERR(
            progress_source(NULL, &progress, &err) == NULL, err, ERR_NOT_FOUND, "the inner one");
}

static int
run_once(void *arg, struct err *err)
{
        struct progress progress = { 0 };
        struct source *src = progress_source(mem_source("12345", 5, err), &progress, err);

        (void)arg;
        if (src == NULL)
                return -1;
        int rc = stream_drain(src, NULL, NULL, err);
        source_free(src);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
