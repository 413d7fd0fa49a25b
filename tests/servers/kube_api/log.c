/*
 * Logs of pods of the API server for tests: the file that the annotation test/log
 * names, below the pod's directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "servers/kube_api/exec.h"
#include "servers/kube_api/pods.h"
#include "servers/kube_api/process.h"
#include "servers/kube_api/status.h"

#define LOG_MAX ((size_t)64 * 1024 * 1024)
#define LOOK_AGAIN_S 0.05

/* All that is there from where the descriptor stands. */
static void
read_more(int fd, struct buf *text)
{
        char data[65536];
        ssize_t got;

        while ((got = read(fd, data, sizeof(data))) > 0)
                buf_add(text, data, (size_t)got, NULL);
}

/* Has the container begun?  Answers otherwise. */
static bool
has_begun(struct api_conn *conn, const json_t *pod, const char *container)
{
        const json_t *statuses = api_at(pod, "status.containerStatuses");

        for (size_t idx = 0; idx < json_array_size(statuses); idx++) {
                const json_t *status = json_array_get(statuses, idx);
                if (strcmp(api_text(status, "name"), container) != 0 ||
                    api_at(status, "state.waiting") == NULL)
                        continue;
                api_refuse(conn,
                    api_status(400, "BadRequest",
                        "container \"%s\" in pod \"%s\" is waiting to start: %s", container,
                        api_text(pod, "metadata.name"), api_text(status, "state.waiting.reason")));
                return false;
        }
        return true;
}

static size_t
tail_of(const struct buf *text, long lines)
{
        size_t at = text->len;

        while (at > 0) {
                if (text->data[at - 1] == '\n' && at < text->len && --lines == 0)
                        return at;
                at--;
        }
        return lines > 0 ? 0 : at;
}

void
api_serve_log(struct api_conn *conn, const struct api_target *target)
{
        json_t *pod = api_find_pod(conn, target);
        const char *tail = api_param(&conn->request, "tailLines");
        struct buf text;

        if (pod == NULL)
                return;
        const char *container = api_find_container(conn, pod);
        if (container == NULL || !has_begun(conn, pod, container)) {
                json_decref(pod);
                return;
        }
        const char *name = api_text(pod, "metadata.annotations.test/log");
        char *dir = api_process_dir(pod);
        char *path = api_format("%s/%s", dir, *name != '\0' ? name : "log");
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        buf_init(&text, LOG_MAX);
        if (api_flag(&conn->request, "previous")) {
                api_refuse(conn, api_status(400, "BadRequest",
                                     "previous terminated container \"%s\" in pod \"%s\" not found",
                                     container, target->name));
        } else if (api_begin(conn, "text/plain")) {
                if (fd >= 0)
                        read_more(fd, &text);
                size_t from = tail == NULL     ? 0
                              : atol(tail) > 0 ? tail_of(&text, atol(tail))
                                               : text.len;
                if (text.len > 0)
                        api_chunk(conn, text.data + from, text.len - from);
                while (api_flag(&conn->request, "follow") && fd >= 0 &&
                       api_pause(conn, LOOK_AGAIN_S)) {
                        buf_clear(&text);
                        read_more(fd, &text);
                        api_chunk(conn, text.data, text.len);
                }
                if (!conn->over)
                        api_end(conn);
        }
        buf_free(&text);
        if (fd >= 0)
                close(fd);
        free(path);
        free(dir);
        json_decref(pod);
}
