#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/time.h"
#include "object_internal.h"

/*
 * Bound on the lanes that wait for work, each with its connections: as many as
 * threads that copy small objects at once.
 */
#define IDLE_MAX 32

/* Nobody ran the loop for so long: what failed meanwhile is not the server's fault. */
#define AWAY_MS 5000

int
object_store_init(
    struct object_store *it, const struct object_dialect *dialect, char *prefix, struct err *err)
{
        if (pthread_mutex_init(&it->lock, NULL) != 0) {
                mem_free(prefix);
                return err_set(err, ERR_NOMEM, "cannot make a lock for a store");
        }
        it->dialect = dialect;
        it->prefix = prefix;
        it->ca_file = NULL;
        it->connections = OBJECT_CONNECTIONS;
        it->part_size = DIGEST_PART_SIZE;
        it->patience = (struct object_patience){
                .attempts = 6,
                .stall_ms = 30000,
                .pause_ms = 200,
                .pause_max_ms = 20000,
        };
        it->idle = NULL;
        it->idle_count = 0;
        it->reached = false;
        return 0;
}

static void
lane_free(struct object_lane *lane)
{
        loop_free(lane->loop);
        mem_free(lane);
}

void
object_store_clear(struct object_store *it)
{
        if (it->dialect == NULL)
                return;
        while (it->idle != NULL) {
                struct object_lane *lane = it->idle;
                it->idle = lane->next;
                lane_free(lane);
        }
        pthread_mutex_destroy(&it->lock);
        mem_free(it->prefix);
        mem_free(it->ca_file);
        it->dialect = NULL;
}

/* Lanes. */

struct object_lane *
object_lane_get(struct object_store *it, struct err *err)
{
        pthread_mutex_lock(&it->lock);
        struct object_lane *lane = it->idle;
        if (lane != NULL) {
                it->idle = lane->next;
                it->idle_count--;
        }
        pthread_mutex_unlock(&it->lock);

        if (lane == NULL) {
                lane = mem_zalloc(sizeof(*lane), err);
                if (lane == NULL)
                        return NULL;
                lane->it = it;
                lane->loop = loop_new(err);
                if (lane->loop == NULL) {
                        mem_free(lane);
                        return NULL;
                }
        }
        lane->looked_ms = time_mono_ms();
        lane->back_ms = 0;
        return lane;
}

void
object_lane_put(struct object_lane *lane)
{
        struct object_store *it = lane->it;

        pthread_mutex_lock(&it->lock);
        bool keep = it->idle_count < IDLE_MAX;
        if (keep) {
                lane->next = it->idle;
                it->idle = lane;
                it->idle_count++;
        }
        pthread_mutex_unlock(&it->lock);
        if (!keep)
                lane_free(lane);
}

struct loop *
object_lane_loop(struct object_lane *lane)
{
        return lane->loop;
}

int
object_lane_run(struct object_lane *lane, int max_wait_ms, struct err *err)
{
        struct err failure;
        int64_t now = time_mono_ms();

        if (now - lane->looked_ms > AWAY_MS)
                lane->back_ms = now;
        err_init(&failure);
        int rc = loop_run_once(lane->loop, max_wait_ms, &failure);
        lane->looked_ms = time_mono_ms();
        if (rc == 0)
                return 0;
        object_lane_stop(lane, &failure);
        if (err != NULL)
                *err = failure;
        return -1;
}
