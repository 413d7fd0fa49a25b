#include "tsdb_check_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"

int
tsdb_feed_fail(struct tsdb_check *check, const struct tsdb_name *name, struct err *err)
{
        switch (name->kind) {
        case TSDB_META:
                err_prefix(err, "block %s: meta.json", name->ulid);
                break;
        case TSDB_INDEX:
                err_prefix(err, "block %s: index", name->ulid);
                break;
        case TSDB_TOMBSTONES:
                err_prefix(err, "block %s: tombstones", name->ulid);
                break;
        case TSDB_SEGMENT:
                if (name->segment != 0)
                        err_prefix(err, "block %s: chunks/%06" PRIu32, name->ulid, name->segment);
                else
                        err_prefix(err, "block %s: chunks", name->ulid);
                break;
        default:
                break;
        }
        if (check->defect.code == ERR_NONE)
                check->defect = *err;
        return -1;
}

/* An unlinked file for an index, which can only be read from its end. */
static int
open_spool(struct tsdb_check *check, struct err *err)
{
        if (check->spool_dir == NULL)
                return err_set(err, ERR_INTERNAL, "no directory was given to spool it to");

        int fd = open(check->spool_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
                char *path = path_join(check->spool_dir, ".moonkeep-index-XXXXXX", err);
                if (path == NULL)
                        return -1;
                fd = mkostemp(path, O_CLOEXEC);
                if (fd >= 0)
                        unlink(path);
                mem_free(path);
        }
        if (fd < 0)
                return err_sys(err, "cannot make a temporary file in \"%s\"", check->spool_dir);
        check->spool = fd;
        return 0;
}

static int
write_spool(struct tsdb_check *check, const char *data, size_t len, struct err *err)
{
        while (len > 0) {
                ssize_t put = write(check->spool, data, len);
                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0) {
                        err_sys(
                            err, "cannot write a temporary copy of it to \"%s\"", check->spool_dir);
                        return err_hint(err,
                            "it has %" PRIu64
                            " bytes: let TMPDIR name a directory with room for it",
                            check->size);
                }
                data += put;
                len -= (size_t)put;
        }
        return 0;
}

static int
once(bool seen, struct err *err)
{
        return seen ? err_set(err, ERR_CORRUPT, "it is there twice") : 0;
}

static int
begin_file(struct tsdb_check *check, struct err *err)
{
        struct tsdb_block_state *state = check->state;

        switch (check->name.kind) {
        case TSDB_META:
                buf_clear(&check->meta);
                return once(state->has_meta, err);
        case TSDB_INDEX:
                return once(state->has_index, err) != 0 ? -1 : open_spool(check, err);
        case TSDB_TOMBSTONES:
                if (once(state->has_tombstones, err) != 0)
                        return -1;
                return tsdb_tombstones_begin(&check->tombs, check->size, err);
        default:
                tsdb_segment_begin(&check->segment, check->name.segment, check->size);
                return tsdb_block_add_segment(state, check->name.segment, err);
        }
}

/* Has the check ended, with a defect? */
static int
ended(const struct tsdb_check *check, struct err *err)
{
        if (check->defect.code == ERR_NONE)
                return 0;
        *err = check->defect;
        return -1;
}

int
tsdb_feed_begin(
    struct tsdb_check *check, const struct tsdb_name *name, uint64_t size, struct err *err)
{
        if (ended(check, err) != 0)
                return -1;
        check->name = *name;
        check->size = size;
        check->state = tsdb_check_block(check, name->ulid, err);
        if (check->state == NULL || begin_file(check, err) != 0)
                return tsdb_feed_fail(check, &check->name, err);
        return 0;
}

static int
push_file(struct tsdb_check *check, const void *data, size_t len, struct err *err)
{
        if (cancel_check(check->cancel, err) != 0)
                return -1;
        switch (check->name.kind) {
        case TSDB_META:
                if (sha256_update(check->sha, data, len, err) != 0)
                        return -1;
                return buf_add(&check->meta, data, len, err);
        case TSDB_INDEX:
                return write_spool(check, data, len, err);
        case TSDB_TOMBSTONES:
                if (sha256_update(check->sha, data, len, err) != 0)
                        return -1;
                return tsdb_tombstones_push(&check->tombs, data, len, err);
        default:
                return tsdb_segment_push(&check->segment, data, len, err);
        }
}

int
tsdb_feed_push(struct tsdb_check *check, const void *data, size_t len, struct err *err)
{
        return push_file(check, data, len, err) == 0 ? 0 : tsdb_feed_fail(check, &check->name, err);
}

static int
final_sha256(struct tsdb_check *check, char hex[SHA256_HEX_SIZE], struct err *err)
{
        unsigned char digest[SHA256_SIZE];

        if (sha256_final(check->sha, digest, err) != 0)
                return -1;
        hex_encode(digest, sizeof(digest), hex);
        return 0;
}

static int
end_meta(struct tsdb_check *check, struct err *err)
{
        struct tsdb_block_state *state = check->state;
        struct tsdb_meta *meta = &state->meta;

        if (final_sha256(check, state->block.meta_sha256, err) != 0 ||
            tsdb_meta_parse(
                check->meta.data != NULL ? check->meta.data : "", check->meta.len, meta, err) != 0)
                return -1;
        if (strcmp(meta->ulid, state->block.ulid) != 0)
                return err_set(err, ERR_CORRUPT, "it is of block %s, not of this one", meta->ulid);
        /* It can be large, and the next block's is not before long. */
        buf_free(&check->meta);
        state->has_meta = true;
        return 0;
}

static int
end_index(struct tsdb_check *check, int fd, struct err *err)
{
        if (tsdb_index_check(fd, check->size, check->cancel, &check->state->index, err) != 0)
                return -1;
        check->state->has_index = true;
        return 0;
}

static int
end_file(struct tsdb_check *check, struct err *err)
{
        struct tsdb_block_state *state = check->state;
        struct tsdb_segment *segment = &check->segment;

        switch (check->name.kind) {
        case TSDB_META:
                return end_meta(check, err);
        case TSDB_INDEX: {
                int rc = end_index(check, check->spool, err);
                close(check->spool);
                check->spool = -1;
                return rc;
        }
        case TSDB_TOMBSTONES:
                if (tsdb_tombstones_end(&check->tombs, err) != 0 ||
                    final_sha256(check, state->block.tombstones_sha256, err) != 0)
                        return -1;
                state->block.num_tombstones = check->tombs.count;
                state->has_tombstones = true;
                return 0;
        default:
                if (tsdb_segment_end(segment, err) != 0)
                        return -1;
                state->samples += segment->samples;
                state->chunks.count += segment->chunks.count;
                state->chunks.sum += segment->chunks.sum;
                return 0;
        }
}

int
tsdb_feed_end(struct tsdb_check *check, struct err *err)
{
        if (end_file(check, err) != 0)
                return tsdb_feed_fail(check, &check->name, err);
        check->state->block.bytes += check->size;
        check->state = NULL;
        return 0;
}

int
tsdb_feed_index(
    struct tsdb_check *check, const struct tsdb_name *name, int fd, uint64_t size, struct err *err)
{
        if (ended(check, err) != 0)
                return -1;
        check->name = *name;
        check->size = size;
        check->state = tsdb_check_block(check, name->ulid, err);
        if (check->state == NULL || once(check->state->has_index, err) != 0 ||
            end_index(check, fd, err) != 0)
                return tsdb_feed_fail(check, &check->name, err);
        check->state->block.bytes += size;
        check->state = NULL;
        return 0;
}
