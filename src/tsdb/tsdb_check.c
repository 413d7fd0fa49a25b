#include "moonkeep/tsdb.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/mem.h"
#include "tsdb_check_state.h"

/* Far above what any server has: years of two-hour blocks of many servers. */
#define BLOCKS_MAX 100000

struct tsdb_check *
tsdb_check_new(const char *spool_dir, struct cancel *cancel, struct err *err)
{
        struct tsdb_check *check = mem_zalloc(sizeof(*check), err);

        if (check == NULL)
                return NULL;
        check->spool = -1;
        buf_init(&check->meta, TSDB_META_MAX);
        check->sha = sha256_new(err);
        if (check->sha == NULL)
                goto fail;
        if (spool_dir != NULL) {
                check->spool_dir = mem_strdup(spool_dir, err);
                if (check->spool_dir == NULL)
                        goto fail;
        }
        check->cancel = cancel_ref(cancel);
        return check;

fail:
        tsdb_check_free(check);
        return NULL;
}

void
tsdb_check_free(struct tsdb_check *check)
{
        if (check == NULL)
                return;
        if (check->spool >= 0)
                close(check->spool);
        for (size_t idx = 0; idx < check->count; idx++)
                tsdb_block_free(check->blocks[idx]);
        mem_free(check->blocks);
        buf_free(&check->meta);
        sha256_free(check->sha);
        cancel_unref(check->cancel);
        mem_free(check->spool_dir);
        mem_free(check);
}

struct tsdb_block_state *
tsdb_check_block(struct tsdb_check *check, const char *ulid, struct err *err)
{
        size_t low = 0, high = check->count;

        while (low < high) {
                size_t mid = low + (high - low) / 2;
                int order = strcmp(check->blocks[mid]->block.ulid, ulid);
                if (order == 0)
                        return check->blocks[mid];
                if (order < 0)
                        low = mid + 1;
                else
                        high = mid;
        }

        if (check->count == BLOCKS_MAX) {
                err_set(err, ERR_TOO_BIG, "more than %d blocks", BLOCKS_MAX);
                return NULL;
        }
        if (check->count == check->cap) {
                size_t cap = check->cap != 0 ? check->cap * 2 : 16;
                void *blocks =
                    mem_realloc(check->blocks, cap * sizeof(struct tsdb_block_state *), err);
                if (blocks == NULL)
                        return NULL;
                check->blocks = blocks;
                check->cap = cap;
        }
        struct tsdb_block_state *state = tsdb_block_new(ulid, err);
        if (state == NULL)
                return NULL;
        memmove(check->blocks + low + 1, check->blocks + low,
            (check->count - low) * sizeof(struct tsdb_block_state *));
        check->blocks[low] = state;
        check->count++;
        return state;
}

static int
compare_blocks(const void *left, const void *right)
{
        const struct tsdb_block *one = &(*(struct tsdb_block_state *const *)left)->block;
        const struct tsdb_block *two = &(*(struct tsdb_block_state *const *)right)->block;

        if (one->min_time_ms != two->min_time_ms)
                return one->min_time_ms < two->min_time_ms ? -1 : 1;
        return strcmp(one->ulid, two->ulid);
}

int
tsdb_check_finish(struct tsdb_check *check, struct err *err)
{
        struct err scratch;

        if (err == NULL)
                err = &scratch;
        if (check->defect.code != ERR_NONE) {
                *err = check->defect;
                return -1;
        }
        if (check->state != NULL) {
                err_set(err, ERR_TRUNCATED, "it is not complete");
                return tsdb_feed_fail(check, &check->name, err);
        }
        for (size_t idx = 0; idx < check->count; idx++) {
                if (tsdb_block_judge(check->blocks[idx], err) != 0) {
                        err_prefix(err, "block %s", check->blocks[idx]->block.ulid);
                        check->defect = *err;
                        return -1;
                }
        }
        if (check->count > 1)
                qsort(
                    check->blocks, check->count, sizeof(struct tsdb_block_state *), compare_blocks);
        check->finished = true;
        return 0;
}

size_t
tsdb_check_count(const struct tsdb_check *check)
{
        return check->finished ? check->count : 0;
}

const struct tsdb_block *
tsdb_check_at(const struct tsdb_check *check, size_t idx)
{
        return &check->blocks[idx]->block;
}

uint64_t
tsdb_check_ignored(const struct tsdb_check *check)
{
        return check->ignored;
}
