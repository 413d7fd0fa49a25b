#include "far_upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"

/* A dd is started there for each frame. */
#define FRAME ((size_t)1024 * 1024)
#define HEAD ((size_t)16)

static int
refused(struct far_upload *it, const char *why, struct err *err)
{
        if (strcmp(why, "exists") == 0)
                return err_set(err, ERR_EXISTS, "\"%s\" exists", it->path);
        if (strcmp(why, "create") == 0)
                return far_link_failed(&it->link, "sh", 0, err);
        return far_link_refused(why, it->path, err);
}

static int
on_line(void *arg, const char *word, const char *rest, struct err *err)
{
        struct far_upload *it = arg;

        if (strcmp(word, "tar") == 0 || strcmp(word, "own") == 0 || strcmp(word, "bits") == 0 ||
            strcmp(word, "placed") == 0) {
                int status = (int)strtol(rest, NULL, 10);
                if (status != 0)
                        return far_link_failed(&it->link, it->tool, status, err);
                if (word[0] == 't')
                        it->tool_status = status;
        } else if (strcmp(word, "stored") == 0) {
                if (rest[0] == '-')
                        return far_link_failed(&it->link, it->tool, 0, err);
                it->stored = strtoull(rest, NULL, 10);
                it->frames_came = it->frames; /* the bytes say more */
                it->tool_status = 0;
                it->all_came = true;
        } else if (strcmp(word, "ready") == 0) {
                it->ready = true;
        } else if (strcmp(word, "end") == 0) {
                it->frames_came = strtoull(rest, NULL, 10);
                it->all_came = true;
        } else if (strcmp(word, "done") == 0) {
                it->done = true;
        } else if (strcmp(word, "sum") == 0) {
                it->has_sum = true;
                return hex_decode(rest, strlen(rest), it->sum, SHA256_SIZE, err);
        } else if (strcmp(word, "refuse") == 0) {
                return refused(it, rest, err);
        }
        return 0;
}

/* What a disk that is full says ends it at once; the tool might go through all of the rest. */
static int
look_at_words(const struct far_upload *it, struct err *err)
{
        static const char *const fatal[] = { "No space left", "quota exceeded",
                "Read-only file system", "Wrote only ", "File exists", "Cannot open",
                "Cannot write", "Cannot mkdir" };
        char said[FAR_SAID_SIZE];

        if (it->link.words.len == 0)
                return 0;
        far_link_said(&it->link, said);
        for (size_t idx = 0; idx < sizeof(fatal) / sizeof(*fatal); idx++) {
                if (strcasestr(said, fatal[idx]) != NULL)
                        return far_link_failed(&it->link, it->tool, 0, err);
        }
        return 0;
}

/* All that has come, without waiting for more. */
static int
listen(struct far_upload *it, int wait_ms, struct err *err)
{
        struct far_event event;

        do {
                if (far_link_next(&it->link, wait_ms, &event, err) < 0)
                        return -1;
                if (event.kind == FAR_ENDED)
                        return far_link_early_end(&it->link, err);
                if (look_at_words(it, err) < 0)
                        return -1;
                wait_ms = 0;
        } while (event.kind != FAR_NOTHING);
        return 0;
}

/*
 * Nothing is sent to a script that may refuse: where a connection is ended against
 * what is on its way, the last words are lost.
 */
static int
await_ready(struct far_upload *it, struct err *err)
{
        struct far_event event;

        while (!it->ready) {
                if (far_link_next(&it->link, -1, &event, err) < 0)
                        return -1;
                if (event.kind == FAR_ENDED)
                        return far_link_early_end(&it->link, err);
        }
        return 0;
}

/* Fill the frame; returns how much, less than FRAME at the end. */
static ssize_t
fill(struct source *src, char *frame, struct err *err)
{
        size_t used = 0;

        while (used < FRAME) {
                ssize_t got = source_read(src, frame + used, FRAME - used, err);
                if (got < 0)
                        return -1;
                if (got == 0)
                        break;
                used += (size_t)got;
        }
        return (ssize_t)used;
}

static int
send_frames(struct far_upload *it, struct source *src, struct err *err)
{
        char *frame = mem_alloc(HEAD + FRAME, err);
        int rc = -1;

        if (frame == NULL)
                return -1;
        for (;;) {
                char head[HEAD];
                ssize_t len = fill(src, frame + HEAD, err);
                if (len < 0)
                        goto out;
                if (len == 0)
                        break;
                if (it->sha != NULL && sha256_update(it->sha, frame + HEAD, (size_t)len, err) < 0)
                        goto out;
                size_t head_len = (size_t)snprintf(head, sizeof(head), "%zd\n", len);
                char *start = frame + HEAD - head_len;
                memcpy(start, head, head_len);
                if (far_link_send(&it->link, start, head_len + (size_t)len, err) < 0 ||
                    listen(it, 0, err) < 0)
                        goto out;
                it->sent += (uint64_t)len;
                it->frames++;
        }
        const char *last = it->last_line != NULL ? it->last_line(it->arg) : "0\n";
        rc = far_link_send(&it->link, last, strlen(last), err);
out:
        mem_free(frame);
        return rc;
}

/* Both ends agree on what was sent. */
static int
compare(struct far_upload *it, struct err *err)
{
        unsigned char ours[SHA256_SIZE];

        if (it->frames_came != it->frames)
                return err_set(err, ERR_CORRUPT,
                    "%" PRIu64 " pieces were sent, and %" PRIu64 " arrived", it->frames,
                    it->frames_came);
        if (it->stored != UINT64_MAX && it->stored != it->sent)
                return err_set(err, ERR_CORRUPT,
                    "%" PRIu64 " bytes were sent, and %" PRIu64 " are there", it->sent, it->stored);
        if (it->sha == NULL)
                return 0;
        if (sha256_so_far(it->sha, ours, err) < 0)
                return -1;
        if (memcmp(ours, it->sum, SHA256_SIZE) == 0)
                return 0;
        return err_set(err, ERR_CORRUPT, "it arrived with another SHA-256 than it was sent with");
}

static int
finish(struct far_upload *it, struct err *err)
{
        struct far_event event;

        while (!it->done || it->tool_status < 0 || !it->all_came ||
               (it->sha != NULL && !it->has_sum)) {
                if (far_link_next(&it->link, -1, &event, err) < 0)
                        return -1;
                if (event.kind == FAR_ENDED)
                        return far_link_early_end(&it->link, err);
                if (it->done && (it->tool_status < 0 || !it->all_came))
                        return err_set(err, ERR_TRUNCATED, "not all of it arrived");
        }
        if (compare(it, err) < 0 || far_link_send(&it->link, "ok\n", 3, err) < 0)
                return -1;
        do {
                if (far_link_next(&it->link, -1, &event, err) < 0)
                        return -1;
        } while (event.kind != FAR_ENDED);
        if (event.status != 0)
                return err_set(err, ERR_TRUNCATED, "%s did not end it well (status %d)",
                    it->link.host->label, event.status);
        return 0;
}

int
far_upload_run(struct far_upload *it, struct source *src, struct far_host *host, const char *script,
    const char *const *args, enum far_proof proof, int64_t stall_ms, struct cancel *cancel,
    struct err *err)
{
        int rc = -1;

        it->link.line = on_line;
        it->link.arg = it;
        it->stored = UINT64_MAX;
        it->tool_status = -1;
        if (proof == FAR_DIGEST) {
                it->sha = sha256_new(err);
                if (it->sha == NULL)
                        goto free_src;
        }
        if (far_link_open(&it->link, host, script, args, stall_ms, cancel, err) < 0)
                goto free_sha;
        rc = await_ready(it, err);
        if (rc == 0)
                rc = send_frames(it, src, err);
        if (rc == 0)
                rc = finish(it, err);
        far_link_close(&it->link);
free_sha:
        sha256_free(it->sha);
free_src:
        source_free(src);
        return rc;
}
