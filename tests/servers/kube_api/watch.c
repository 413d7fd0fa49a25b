/*
 * Watches of the API server for tests.
 *
 * Faults: close, reset, stall or end at events:N; event garbage|gone|twice|swap N.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/rest.h"
#include "servers/kube_api/select.h"
#include "servers/kube_api/status.h"
#include "servers/kube_api/table.h"
#include "moonkeep/time.h"

#define BOOKMARK_MS 5000

struct watch {
        struct api_conn *conn;
        struct api_selector selector;
        size_t sent;
        struct buf held; /* a line that is sent after the next */
        bool ended;
        bool passed; /* the place of the fault */
};

static void
send_line(struct watch *watch, const char *line, size_t len)
{
        struct api_conn *conn = watch->conn;
        const struct fault_rule *rule = conn->rule;
        size_t number = ++watch->sent;

        bool here = fault_is(rule, "event") && strtoul(rule->args[1], NULL, 10) == number;
        if (here && strcmp(rule->args[0], "swap") == 0) {
                buf_add(&watch->held, line, len, NULL);
                return;
        }
        if (here && strcmp(rule->args[0], "garbage") == 0) {
                api_chunk(conn, "{\"type\": nonsense\n", 18);
        } else if (here && strcmp(rule->args[0], "gone") == 0) {
                static const char gone[] =
                    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\","
                    "\"metadata\":{},\"status\":\"Failure\",\"message\":\"too old resource "
                    "version: "
                    "1 (2)\",\"reason\":\"Expired\",\"code\":410}}\n";
                api_chunk(conn, gone, sizeof(gone) - 1);
                watch->ended = true;
        } else {
                api_chunk(conn, line, len);
                if (here && strcmp(rule->args[0], "twice") == 0)
                        api_chunk(conn, line, len);
        }
        if (watch->held.len > 0) {
                api_chunk(conn, watch->held.data, watch->held.len);
                buf_clear(&watch->held);
        }
}

/* A fault that stands at this number of events; false when the watch is over. */
static bool
pass_events(struct watch *watch)
{
        const struct fault_rule *rule = watch->conn->rule;

        if (rule == NULL || rule->place != FAULT_EVENTS || rule->bytes != watch->sent ||
            watch->passed)
                return true;
        watch->passed = true;
        if (fault_is(rule, "end")) {
                watch->ended = true;
                return false;
        }
        return api_pass(watch->conn, FAULT_EVENTS);
}

/* The line of an event, to be freed.  Under the lock. */
static char *
line_of(struct watch *watch, const char *kind, json_t *object)
{
        json_t *shown = api_as_table(watch->conn, watch->selector.type, json_incref(object));
        json_t *event = json_pack("{s:s, s:o}", "type", kind, "object", shown);

        return api_render(event, 200).text;
}

static void
send_bookmark(struct watch *watch, uint64_t version, bool is_initial_end)
{
        json_t *object = json_pack("{s:s, s:s, s:{s:n}}", "kind", watch->selector.type->kind,
            "apiVersion", api_type_version(watch->selector.type), "metadata", "creationTimestamp");
        char *text = api_format("%llu", (unsigned long long)version);

        api_set_text(object, "metadata.resourceVersion", text);
        if (is_initial_end)
                api_set(object, "metadata.annotations",
                    json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
        json_t *event = json_pack("{s:s, s:o}", "type", "BOOKMARK", "object", object);
        char *line = api_dump(event);
        size_t len = strlen(line);
        line[len] = '\n';
        api_chunk(watch->conn, line, len + 1);
        free(line);
        free(text);
        json_decref(event);
}

/* What an event is to this watch; NULL: nothing. */
static const char *
kind_of(const struct api_selector *selector, const struct api_event *event)
{
        if (event->type != selector->type)
                return NULL;
        bool fits = api_selects(selector, event->json);
        if (event->change == API_ADDED)
                return fits ? "ADDED" : NULL;
        if (event->change == API_DELETED)
                return fits ? "DELETED" : NULL;
        bool fitted = api_selects(selector, event->before);
        if (fits)
                return fitted ? "MODIFIED" : "ADDED";
        return fitted ? "DELETED" : NULL;
}

static bool
client_is_gone(const struct api_conn *conn)
{
        struct pollfd gone = { .fd = conn->fd, .events = POLLRDHUP };

        return poll(&gone, 1, 0) > 0;
}

/* Under the lock, which is given away while anything is sent. */
static void
send_all(struct watch *watch)
{
        size_t count, found = 0;
        struct api_object **objects = api_objects(watch->selector.type, &count);
        char **lines = fault_checked(calloc(count + 1, sizeof(*lines)));

        for (size_t idx = 0; idx < count; idx++) {
                if (api_selects(&watch->selector, objects[idx]->json))
                        lines[found++] = line_of(watch, "ADDED", objects[idx]->json);
        }
        api_unlock();
        for (size_t idx = 0; idx < found; idx++) {
                if (pass_events(watch) && !watch->ended)
                        send_line(watch, lines[idx], strlen(lines[idx]));
                free(lines[idx]);
        }
        free(lines);
        api_lock();
}

/* Under the lock, which is given away while anything is sent. */
static void
follow(struct watch *watch, uint64_t version, int64_t until_ms, bool bookmarks)
{
        int64_t bookmark_ms = time_mono_ms() + BOOKMARK_MS;

        while (!watch->conn->over && !watch->ended && time_mono_ms() < until_ms) {
                const struct api_event *event = api_event_after(version);
                if (event == NULL) {
                        api_unlock();
                        bool goes_on = pass_events(watch) && !client_is_gone(watch->conn);
                        if (goes_on && bookmarks && time_mono_ms() >= bookmark_ms) {
                                send_bookmark(watch, version, false);
                                bookmark_ms = time_mono_ms() + BOOKMARK_MS;
                        }
                        api_lock();
                        if (!goes_on)
                                return;
                        if (api_event_after(version) == NULL)
                                api_wait(100);
                        continue;
                }
                version = event->version;
                const char *kind = kind_of(&watch->selector, event);
                if (kind == NULL)
                        continue;
                json_t *object = json_incref(event->json);
                if (strcmp(kind, "DELETED") == 0 && event->change == API_MODIFIED) {
                        json_decref(object);
                        object = api_copy(event->before);
                        api_set_text(object, "metadata.resourceVersion",
                            api_text(event->json, "metadata.resourceVersion"));
                }
                char *line = line_of(watch, kind, object);
                json_decref(object);
                api_unlock();
                if (pass_events(watch))
                        send_line(watch, line, strlen(line));
                free(line);
                api_lock();
        }
}

void
api_serve_watch(struct api_conn *conn, const struct api_target *target)
{
        const struct api_request *request = &conn->request;
        char *by_name = api_format("metadata.name=%s", target->name);
        struct watch watch = {
                .conn = conn,
                .selector = {
                        .type = target->type,
                        .ns = target->ns,
                        .labels = api_param(request, "labelSelector"),
                        .fields = *target->name != '\0' ? by_name : api_param(request, "fieldSelector"),
                },
        };
        const char *from = api_param(request, "resourceVersion");
        const char *seconds = api_param(request, "timeoutSeconds");
        bool bookmarks = api_flag(request, "allowWatchBookmarks");
        bool initial = api_flag(request, "sendInitialEvents");
        json_t *refusal = api_select_check(&watch.selector);
        int64_t until_ms =
            time_mono_ms() + 1000 * (seconds != NULL ? strtol(seconds, NULL, 10) : 1800);

        buf_init(&watch.held, 1024 * 1024);
        if (refusal != NULL)
                api_refuse(conn, refusal);
        else if (api_begin(conn, "application/json")) {
                api_lock();
                uint64_t version = from != NULL ? strtoull(from, NULL, 10) : 0;
                if (version == 0 || initial) {
                        uint64_t now = api_version();
                        send_all(&watch);
                        version = now;
                        if (initial) {
                                api_unlock();
                                send_bookmark(&watch, version, true);
                                api_lock();
                        }
                }
                if (api_is_forgotten(version)) {
                        json_t *gone =
                            api_status(410, "Expired", "too old resource version: %llu (%llu)",
                                (unsigned long long)version, (unsigned long long)api_version());
                        api_unlock();
                        json_t *event = json_pack("{s:s, s:o}", "type", "ERROR", "object", gone);
                        char *text = api_dump(event);
                        text[strlen(text)] = '\n';
                        send_line(&watch, text, strcspn(text, "\n") + 1);
                        free(text);
                        json_decref(event);
                        api_lock();
                } else {
                        follow(&watch, version, until_ms, bookmarks);
                }
                api_unlock();
                if (!conn->over)
                        api_end(conn);
        }
        buf_free(&watch.held);
        free(by_name);
}
