#include "moonkeep/far.h"

#include "moonkeep/mem.h"

int
far_host_init(
    struct far_host *host, const struct far_host_ops *ops, const char *label, struct err *err)
{
        char *copy = mem_strdup(label, err);

        if (copy == NULL)
                return -1;
        host->ops = ops;
        atomic_init(&host->refs, 1);
        host->label = copy;
        return 0;
}

struct far_host *
far_host_ref(struct far_host *host)
{
        atomic_fetch_add_explicit(&host->refs, 1, memory_order_relaxed);
        return host;
}

void
far_host_unref(struct far_host *host)
{
        if (host == NULL || atomic_fetch_sub_explicit(&host->refs, 1, memory_order_acq_rel) > 1)
                return;
        char *label = host->label;
        host->ops->free(host);
        mem_free(label);
}

struct far *
far_open(struct far_host *host, const char *const *argv, struct cancel *cancel, struct err *err)
{
        if (cancel_check(cancel, err) < 0)
                return NULL;
        return host->ops->open(host, argv, cancel, err);
}

int
far_next(struct far *far, int wait_ms, struct far_event *out, struct err *err)
{
        return far->ops->next(far, wait_ms, out, err);
}

int
far_send(struct far *far, const void *data, size_t len, struct err *err)
{
        return far->ops->send(far, data, len, err);
}

int
far_send_some(struct far *far, const void *data, size_t len, size_t *sent, struct err *err)
{
        if (far->ops->send_some != NULL)
                return far->ops->send_some(far, data, len, sent, err);
        *sent = len;
        return far->ops->send(far, data, len, err);
}

void
far_free(struct far *far)
{
        if (far != NULL)
                far->ops->free(far);
}
