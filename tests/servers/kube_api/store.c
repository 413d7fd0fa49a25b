#include "servers/kube_api/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/fault_rules.h"
#include "moonkeep/rand.h"
#include "moonkeep/time.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct api_object **objects;
static size_t object_count, object_cap;

static struct api_event *events;
static size_t event_count, event_cap;
static size_t events_kept = 4096;
static uint64_t last_version = 1000;
static uint64_t forgotten = 1000; /* events up to this version are not there */

void
api_lock(void)
{
        pthread_mutex_lock(&lock);
}

void
api_unlock(void)
{
        pthread_mutex_unlock(&lock);
}

void
api_wait(int ms)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += (long)(ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&changed, &lock, &until);
}

void
api_wake(void)
{
        pthread_cond_broadcast(&changed);
}

uint64_t
api_version(void)
{
        return last_version;
}

void
api_new_uid(char out[37])
{
        unsigned char raw[16];

        if (rand_bytes(raw, sizeof(raw), NULL) < 0)
                fault_fail("no random bytes");
        raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
        raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
        for (size_t idx = 0, at = 0; idx < sizeof(raw); idx++) {
                snprintf(out + at, 3, "%02x", raw[idx]);
                at += 2;
                if (idx == 3 || idx == 5 || idx == 7 || idx == 9)
                        out[at++] = '-';
        }
        out[36] = '\0';
}

/* Events. */

void
api_keep_events(size_t count)
{
        events_kept = count;
}

static void
add_event(enum api_change change, const struct api_type *type, json_t *json, json_t *before)
{
        if (event_count >= events_kept && event_count > 0) {
                forgotten = events[0].version;
                json_decref(events[0].json);
                json_decref(events[0].before);
                memmove(events, events + 1, --event_count * sizeof(events[0]));
        }
        if (event_count == event_cap) {
                event_cap = event_cap * 2 + 64;
                events = fault_checked(realloc(events, event_cap * sizeof(events[0])));
        }
        events[event_count++] = (struct api_event){
                .change = change,
                .type = type,
                .version = last_version,
                .json = json_incref(json),
                .before = json_incref(before),
        };
        pthread_cond_broadcast(&changed);
}

const struct api_event *
api_event_after(uint64_t version)
{
        size_t low = 0, high = event_count;

        while (low < high) {
                size_t middle = (low + high) / 2;
                if (events[middle].version > version)
                        high = middle;
                else
                        low = middle + 1;
        }
        return low < event_count ? &events[low] : NULL;
}

bool
api_is_forgotten(uint64_t version)
{
        return version < forgotten;
}

/* Objects. */

static int
compare(
    const struct api_object *object, const struct api_type *type, const char *ns, const char *name)
{
        if (object->type != type)
                return object->type < type ? -1 : 1;
        int order = strcmp(object->ns, ns);
        return order != 0 || name == NULL ? order : strcmp(object->name, name);
}

/* Where the first object stands that is not before this one. */
static size_t
place_of(const struct api_type *type, const char *ns, const char *name)
{
        size_t low = 0, high = object_count;

        while (low < high) {
                size_t middle = (low + high) / 2;
                if (compare(objects[middle], type, ns, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

struct api_object *
api_find(const struct api_type *type, const char *ns, const char *name)
{
        size_t at = place_of(type, ns, name);

        if (at < object_count && compare(objects[at], type, ns, name) == 0)
                return objects[at];
        return NULL;
}

static void
set_version(json_t *json)
{
        char text[24];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)++last_version);
        api_set_text(json, "metadata.resourceVersion", text);
}

struct api_object *
api_store(const struct api_type *type, json_t *json)
{
        const char *ns = api_text(json, "metadata.namespace");
        const char *name = api_text(json, "metadata.name");
        size_t at = place_of(type, ns, name);
        struct api_object *object;

        set_version(json);
        if (at < object_count && compare(objects[at], type, ns, name) == 0) {
                object = objects[at];
                add_event(API_MODIFIED, type, json, object->json);
                json_decref(object->json);
        } else {
                if (object_count == object_cap) {
                        object_cap = object_cap * 2 + 64;
                        objects = fault_checked(
                            realloc(objects, object_cap * sizeof(struct api_object *)));
                }
                memmove(objects + at + 1, objects + at,
                    (object_count - at) * sizeof(struct api_object *));
                object = fault_checked(calloc(1, sizeof(*object)));
                object->type = type;
                object->ns = fault_checked(strdup(ns));
                object->name = fault_checked(strdup(name));
                object->created_ms = time_mono_ms();
                objects[at] = object;
                object_count++;
                add_event(API_ADDED, type, json, NULL);
        }
        object->json = json;
        if (object->doomed_ms == 0 && api_at(json, "metadata.deletionTimestamp") != NULL)
                object->doomed_ms = time_mono_ms();
        return object;
}

void
api_drop(struct api_object *object)
{
        size_t at = place_of(object->type, object->ns, object->name);
        json_t *last = api_copy(object->json);

        set_version(last);
        add_event(API_DELETED, object->type, last, NULL);
        memmove(
            objects + at, objects + at + 1, (--object_count - at) * sizeof(struct api_object *));
        json_decref(last);
        json_decref(object->json);
        free(object->ns);
        free(object->name);
        free(object);
}

struct api_object **
api_objects(const struct api_type *type, size_t *count)
{
        size_t from = place_of(type, "", "");

        *count = 0;
        while (from + *count < object_count && objects[from + *count]->type == type)
                (*count)++;
        return objects + from;
}
