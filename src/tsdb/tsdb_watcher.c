#include "tsdb_check_state.h"

static int
watch_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        struct tsdb_check *check = arg;
        struct tsdb_name name;
        struct err scratch;

        if (err == NULL)
                err = &scratch;
        tsdb_name_parse(entry->name, entry->name_len, &name);
        /* A block of which nothing else is there is a defect, too. */
        if (name.ulid[0] != '\0' && (entry->type == TAR_DIR || name.kind != TSDB_BLOCK) &&
            tsdb_check_block(check, name.ulid, err) == NULL)
                return tsdb_feed_fail(check, &name, err);

        bool is_dir = entry->type == TAR_DIR;
        switch (name.kind) {
        case TSDB_FOREIGN:
                check->ignored++;
                return 0;
        case TSDB_PLAIN_DIR:
        case TSDB_BLOCK:
                if (!is_dir)
                        check->ignored++;
                return 0;
        default:
                if (entry->type == TAR_FILE && !entry->sparse)
                        return tsdb_feed_begin(check, &name, entry->size, err);
                err_set(err, ERR_UNSUPPORTED, "it is %s",
                    is_dir                    ? "a directory"
                    : entry->type == TAR_FILE ? "stored with holes"
                                              : "a link or a device");
                return tsdb_feed_fail(check, &name, err);
        }
}

static int
watch_data(void *arg, const void *data, size_t len, struct err *err)
{
        struct tsdb_check *check = arg;
        struct err scratch;

        if (check->state == NULL)
                return 0;
        return tsdb_feed_push(check, data, len, err != NULL ? err : &scratch);
}

static int
watch_entry_end(void *arg, uint32_t crc, struct err *err)
{
        struct tsdb_check *check = arg;
        struct err scratch;

        (void)crc;
        if (check->state == NULL)
                return 0;
        return tsdb_feed_end(check, err != NULL ? err : &scratch);
}

struct tar_watcher
tsdb_check_watcher(struct tsdb_check *check)
{
        return (struct tar_watcher){
                .entry = watch_entry, .data = watch_data, .entry_end = watch_entry_end, .arg = check
        };
}
