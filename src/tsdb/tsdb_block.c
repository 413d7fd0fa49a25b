#include "tsdb_block_state.h"

#include <inttypes.h>
#include <string.h>

#include "moonkeep/mem.h"

struct tsdb_block_state *
tsdb_block_new(const char *ulid, struct err *err)
{
        struct tsdb_block_state *state = mem_zalloc(sizeof(*state), err);

        if (state != NULL)
                memcpy(state->block.ulid, ulid, TSDB_ULID_SIZE);
        return state;
}

void
tsdb_block_free(struct tsdb_block_state *state)
{
        if (state == NULL)
                return;
        mem_free(state->seen);
        mem_free(state);
}

static bool
was_seen(const struct tsdb_block_state *state, uint32_t number)
{
        return number / 8 < state->seen_size && (state->seen[number / 8] >> number % 8 & 1) != 0;
}

int
tsdb_block_add_segment(struct tsdb_block_state *state, uint32_t number, struct err *err)
{
        if (number == 0)
                return err_set(err, ERR_CORRUPT, "a segment's name is six digits, from 000001 on");
        if (was_seen(state, number))
                return err_set(err, ERR_CORRUPT, "it is there twice");
        if (number / 8 >= state->seen_size) {
                size_t size = (number / 8 + 1) * (size_t)2;
                unsigned char *seen = mem_realloc(state->seen, size, err);
                if (seen == NULL)
                        return -1;
                memset(seen + state->seen_size, 0, size - state->seen_size);
                state->seen = seen;
                state->seen_size = size;
        }
        state->seen[number / 8] |= (unsigned char)(1U << number % 8);
        state->segments++;
        if (number > state->last_segment)
                state->last_segment = number;
        return 0;
}

static int
judge_files(const struct tsdb_block_state *state, struct err *err)
{
        uint32_t last = state->last_segment;

        if (!state->has_meta)
                return err_set(err, ERR_CORRUPT, "meta.json is missing");
        if (!state->has_index)
                return err_set(err, ERR_CORRUPT, "index is missing");
        if (last < state->index.last_segment)
                last = state->index.last_segment;
        for (uint32_t number = 1; number <= last; number++) {
                if (!was_seen(state, number))
                        return err_set(err, ERR_CORRUPT, "chunks/%06" PRIu32 " is missing", number);
        }
        if (state->meta.num_tombstones != 0 && !state->has_tombstones)
                return err_set(err, ERR_CORRUPT,
                    "tombstones is missing: meta.json counts %" PRIu64 " of them",
                    state->meta.num_tombstones);
        return 0;
}

static int
judge_count(const char *what, uint64_t found, const char *where, uint64_t said, struct err *err)
{
        if (found == said)
                return 0;
        return err_set(err, ERR_CORRUPT, "meta.json: it counts %" PRIu64 " %s, %s %" PRIu64, said,
            what, where, found);
}

int
tsdb_block_judge(struct tsdb_block_state *state, struct err *err)
{
        const struct tsdb_meta *meta = &state->meta;
        const struct tsdb_index *index = &state->index;

        if (judge_files(state, err) != 0 ||
            judge_count(
                "chunks", state->chunks.count, "the segments hold", meta->num_chunks, err) != 0 ||
            judge_count("samples", state->samples, "the segments hold", meta->num_samples, err) !=
                0 ||
            judge_count("series", index->series, "the index holds", meta->num_series, err) != 0)
                return -1;
        if (index->chunks.count != state->chunks.count)
                return err_set(err, ERR_CORRUPT,
                    "index: it refers to %" PRIu64 " chunks, the segments hold %" PRIu64,
                    index->chunks.count, state->chunks.count);
        if (!tsdb_bag_equal(&index->chunks, &state->chunks))
                return err_set(err, ERR_CORRUPT,
                    "index: it refers to other places than where the segments hold their %" PRIu64
                    " chunks",
                    state->chunks.count);
        if (index->chunks.count != 0 &&
            (index->min_time_ms < meta->min_time_ms || index->max_time_ms > meta->max_time_ms))
                return err_set(err, ERR_CORRUPT,
                    "index: its chunks are from %" PRId64 " to %" PRId64
                    ", outside of meta.json's %" PRId64 " to %" PRId64,
                    index->min_time_ms, index->max_time_ms, meta->min_time_ms, meta->max_time_ms);

        state->block.min_time_ms = meta->min_time_ms;
        state->block.max_time_ms = meta->max_time_ms;
        state->block.num_samples = meta->num_samples;
        state->block.num_series = meta->num_series;
        state->block.num_chunks = meta->num_chunks;
        state->block.level = meta->level;
        return 0;
}
