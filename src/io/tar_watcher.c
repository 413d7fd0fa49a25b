#include "moonkeep/tar.h"

static int
both_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        struct tar_tee *tee = arg;

        if (tee->first.entry != NULL && tee->first.entry(tee->first.arg, entry, err) < 0)
                return -1;
        if (tee->second.entry != NULL && tee->second.entry(tee->second.arg, entry, err) < 0)
                return -1;
        return 0;
}

static int
both_data(void *arg, const void *data, size_t len, struct err *err)
{
        struct tar_tee *tee = arg;

        if (tee->first.data != NULL && tee->first.data(tee->first.arg, data, len, err) < 0)
                return -1;
        if (tee->second.data != NULL && tee->second.data(tee->second.arg, data, len, err) < 0)
                return -1;
        return 0;
}

static int
both_entry_end(void *arg, uint32_t crc, struct err *err)
{
        struct tar_tee *tee = arg;

        if (tee->first.entry_end != NULL && tee->first.entry_end(tee->first.arg, crc, err) < 0)
                return -1;
        if (tee->second.entry_end != NULL && tee->second.entry_end(tee->second.arg, crc, err) < 0)
                return -1;
        return 0;
}

static int
both_end(void *arg, struct err *err)
{
        struct tar_tee *tee = arg;

        if (tee->first.end != NULL && tee->first.end(tee->first.arg, err) < 0)
                return -1;
        if (tee->second.end != NULL && tee->second.end(tee->second.arg, err) < 0)
                return -1;
        return 0;
}

struct tar_watcher
tar_watcher_both(struct tar_tee *tee)
{
        return (struct tar_watcher){
                .entry = both_entry,
                .data = both_data,
                .entry_end = both_entry_end,
                .end = both_end,
                .arg = tee,
        };
}
