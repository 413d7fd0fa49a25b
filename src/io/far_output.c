#include "far_output.h"

#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"

int
far_output_init(struct far_output *out, const struct far_output_ops *ops, const char *path,
    enum far_proof proof, struct err *err)
{
        source_init(&out->source, &ops->source);
        out->ops = ops;
        out->path = mem_strdup(path, err);
        if (out->path == NULL)
                return -1;
        if (proof == FAR_DIGEST)
                out->sha = sha256_new(err);
        return proof == FAR_DIGEST && out->sha == NULL ? -1 : 0;
}

void
far_output_clear(struct far_output *out)
{
        if (out->link.host != NULL)
                far_link_close(&out->link);
        sha256_free(out->sha);
        mem_free(out->path);
}

int
far_output_sum(struct far_output *out, const char *hex, struct err *err)
{
        out->has_sum = true;
        return hex_decode(hex, strlen(hex), out->sum, SHA256_SIZE, err);
}

int
far_output_is_proven(const struct far_output *out, bool *proven, struct err *err)
{
        unsigned char ours[SHA256_SIZE];

        *proven = out->has_status && out->ops->is_whole(out);
        if (!*proven || out->sha == NULL)
                return 0;
        if (out->has_sum && sha256_so_far(out->sha, ours, err) < 0)
                return -1;
        /* Output may come behind the line: what differs now may be equal later. */
        *proven = out->has_sum && memcmp(ours, out->sum, SHA256_SIZE) == 0;
        return 0;
}

static bool
never_comes(const struct far_link *link)
{
        return link->quiet_ms >= FAR_SETTLE_MS ||
               (link->stall_ms > 0 && link->quiet_ms >= link->stall_ms);
}

static int
settle(struct far_output *out, struct err *err)
{
        bool proven;

        if (out->ops->look != NULL && out->ops->look(out, err) < 0)
                return -1;
        if (out->acked)
                return 0;
        if (far_output_is_proven(out, &proven, err) < 0)
                return -1;
        if (proven) {
                out->acked = true;
                return far_link_send(&out->link, "ok\n", 3, err);
        }
        if (!out->has_status || (out->sha != NULL && !out->has_sum) || !never_comes(&out->link))
                return 0;
        if (!out->ops->is_whole(out))
                return out->ops->cut(out, err);
        return err_set(err, ERR_CORRUPT, "it arrived with another SHA-256 than it was sent with");
}

static int
take(struct far_output *out, const struct far_event *event, struct err *err)
{
        if (out->ops->take != NULL && out->ops->take(out, event->data, event->len, err) < 0)
                return -1;
        if (out->sha != NULL && sha256_update(out->sha, event->data, event->len, err) < 0)
                return -1;
        out->data = event->data;
        out->len = event->len;
        out->came += event->len;
        return 0;
}

static int
at_end(struct far_output *out, struct err *err)
{
        if (!out->acked)
                return far_link_early_end(&out->link, err);
        if (out->link.status != 0)
                return err_set(err, ERR_TRUNCATED, "%s did not end it well (status %d)",
                    out->link.host->label, out->link.status);
        return out->ops->at_end != NULL ? out->ops->at_end(out, err) : 0;
}

/* Until there is data, or the end is proven. */
static int
advance(struct far_output *out, struct err *err)
{
        while (out->len == 0 && !out->link.ended) {
                struct far_event event;
                /* What is sent takes the place of data: only when that was handed out. */
                if (settle(out, err) < 0)
                        return -1;
                int wait_ms = out->has_status && !out->acked ? 1000 : -1;
                if (far_link_next(&out->link, wait_ms, &event, err) < 0)
                        return -1;
                if (event.kind == FAR_OUT && event.len > 0 && take(out, &event, err) < 0)
                        return -1;
                if (out->link.ended)
                        return at_end(out, err);
        }
        return 0;
}

ssize_t
far_output_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct far_output *out = (struct far_output *)src;

        if (out->len == 0 && advance(out, err) < 0)
                return err_prefix(
                    err, "cannot read \"%s\" in %s", out->path, out->link.host->label);
        size_t step = out->len < cap ? out->len : cap;
        if (step > 0)
                memcpy(buf, out->data, step);
        out->data += step;
        out->len -= step;
        return (ssize_t)step;
}
