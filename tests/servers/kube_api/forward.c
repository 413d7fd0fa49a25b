/*
 * Ports of pods of the API server for tests: the proxy, and the kubelet's
 * port-forward over WebSocket (v4.channel.k8s.io): channel 2n is data of the n-th port,
 * 2n+1 its errors; each begins with the number of the port, two bytes, lowest first.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/sockets.h"
#include "servers/kube_api/exec.h"
#include "servers/kube_api/frames.h"
#include "servers/kube_api/pods.h"
#include "servers/kube_api/select.h"
#include "servers/kube_api/status.h"

#define PART ((size_t)32 * 1024)
#define HEAD_MAX ((size_t)256 * 1024)

int
api_pod_connect(const json_t *pod, int port)
{
        char *key = api_format("metadata.annotations.test/port-%d", port);
        const char *mapped = api_text(pod, key);
        struct sockaddr_in inet = { .sin_family = AF_INET };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        inet.sin_port = htons((uint16_t)(*mapped != '\0' ? atoi(mapped) : port));
        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        free(key);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&inet, sizeof(inet)) < 0) {
                close(fd);
                fd = -1;
        }
        return fd;
}

/* The proxy. */

/* "NAME", "NAME:PORT", "http:NAME:PORT": the name goes to *name, to be freed. */
static int
split_port(const char *text, char **name)
{
        const char *scheme_end = strchr(text, ':');

        if (scheme_end != NULL && strchr(scheme_end + 1, ':') != NULL)
                text = scheme_end + 1;
        size_t len = strcspn(text, ":");
        *name = fault_checked(strndup(text, len));
        return text[len] == ':' ? atoi(text + len + 1) : 0;
}

/* The ready pod that a service means, and the pod's port for one of the service's. */
static json_t *
pod_of_service(const json_t *service, int *port)
{
        const json_t *selector = api_at(service, "spec.selector");
        const json_t *ports = api_at(service, "spec.ports");
        size_t count;
        json_t *found = NULL;

        for (size_t idx = 0; idx < json_array_size(ports); idx++) {
                const json_t *entry = json_array_get(ports, idx);
                if (*port == 0)
                        *port = (int)api_number(entry, "port", 0);
                if (api_number(entry, "port", 0) == *port) {
                        *port = (int)api_number(entry, "targetPort", *port);
                        break;
                }
        }
        struct api_object **pods = api_objects(api_type_find("", "v1", "pods"), &count);
        for (size_t idx = 0; idx < count && found == NULL; idx++) {
                const json_t *labels = api_at(pods[idx]->json, "metadata.labels");
                bool fits = strcmp(pods[idx]->ns, api_text(service, "metadata.namespace")) == 0 &&
                            json_object_size(selector) > 0;
                const char *key;
                json_t *value;
                json_object_foreach((json_t *)(uintptr_t)selector, key, value) fits =
                    fits && json_equal(json_object_get(labels, key), value);
                if (fits && strcmp(api_text(pods[idx]->json, "status.phase"), "Running") == 0)
                        found = api_copy(pods[idx]->json);
        }
        return found;
}

/* The request as the pod gets it: without who we are to the API server. */
static void
write_request(const struct api_conn *conn, struct buf *out)
{
        const struct api_request *request = &conn->request;
        const char *at = strstr(request->target, "/proxy");

        at = at != NULL ? at + strlen("/proxy") : "";
        buf_addf(out, NULL, "%s %s%s HTTP/1.1\r\n", request->method, *at == '/' ? "" : "/", at);
        for (const char *line = strstr(request->head, "\r\n") + 2; *line != '\r';
             line += strcspn(line, "\r") + 2) {
                if (strncasecmp(line, "Authorization:", 14) != 0 &&
                    strncasecmp(line, "Connection:", 11) != 0 &&
                    strncasecmp(line, "Expect:", 7) != 0 &&
                    strncasecmp(line, "Transfer-Encoding:", 18) != 0 &&
                    strncasecmp(line, "Content-Length:", 15) != 0)
                        buf_add(out, line, strcspn(line, "\r") + 2, NULL);
        }
        if (request->body.len > 0 || strcmp(request->method, "POST") == 0)
                buf_addf(out, NULL, "Content-Length: %zu\r\n", request->body.len);
        buf_addstr(out, "X-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n", NULL);
        buf_add(out, request->body.data, request->body.len, NULL);
}

/* All that comes back, until its end. */
static void
pass_answer(struct api_conn *conn, int fd)
{
        char data[PART];
        ssize_t got;
        bool first = true;

        while ((got = recv(fd, data, sizeof(data), 0)) > 0) {
                if (first) {
                        api_note(conn, got > 12 ? atoi(data + 9) : 0);
                        first = false;
                }
                if (!api_put(conn, data, (size_t)got))
                        break;
        }
        conn->over = true;
}

void
api_serve_proxy(struct api_conn *conn, const struct api_target *target)
{
        struct api_target named = *target;
        char *name;
        int port = split_port(target->name, &name);

        named.name = name;
        named.sub = "";
        api_lock();
        const struct api_object *object = api_find(target->type, target->ns, name);
        json_t *pod = object != NULL ? api_copy(object->json) : NULL;
        bool is_service = strcmp(target->type->plural, "services") == 0;
        if (pod != NULL && is_service) {
                json_t *service = pod;
                pod = pod_of_service(service, &port);
                json_decref(service);
        }
        bool found = object != NULL;
        api_unlock();
        if (port == 0)
                port = (int)api_number(
                    json_array_get(
                        api_at(json_array_get(api_at(pod, "spec.containers"), 0), "ports"), 0),
                    "containerPort", 80);
        int fd = pod != NULL ? api_pod_connect(pod, port) : -1;
        if (!found) {
                api_refuse(conn, api_not_found(&named));
        } else if (pod == NULL) {
                api_refuse(conn, api_status(503, "ServiceUnavailable",
                                     "no endpoints available for service \"%s\"", name));
        } else if (fd < 0) {
                api_refuse(conn, api_status(500, "",
                                     "error trying to reach service: dial tcp 10.244.0.7:%d: "
                                     "connect: connection refused",
                                     port));
        } else if (api_pass(conn, FAULT_DONE)) {
                struct buf request;
                buf_init(&request, conn->request.body.len + HEAD_MAX);
                write_request(conn, &request);
                socket_send(fd, request.data, request.len);
                pass_answer(conn, fd);
                buf_free(&request);
        }
        if (fd >= 0)
                close(fd);
        json_decref(pod);
        free(name);
}

/* Port-forward. */

struct forward {
        int port;
        int fd;
};

static void
add_message(struct buf *out, size_t channel, const void *data, size_t len)
{
        unsigned char byte = (unsigned char)channel;

        api_add_frame(out, 0x80 | API_BINARY, &byte, 1, data, len);
}

/* Whole frames of the client; false when it is over. */
static bool
take_frames(struct api_conn *conn, struct forward *forwards, size_t count, struct buf *out)
{
        struct api_frame frame;
        int got;

        while ((got = api_next_frame(conn, &frame)) > 0) {
                size_t number = frame.len > 0 ? frame.data[0] / 2u : 0;
                if (frame.opcode == API_CLOSE)
                        return false;
                if (frame.opcode == API_PING)
                        api_add_frame(out, 0x80 | API_PONG, frame.data, frame.len, NULL, 0);
                else if (frame.opcode == API_BINARY && frame.len > 1 && frame.data[0] % 2 == 0 &&
                         number < count && forwards[number].fd >= 0)
                        socket_send(forwards[number].fd, (char *)frame.data + 1, frame.len - 1);
                api_frame_done(conn, &frame);
        }
        return got == 0;
}

static void
relay(struct api_conn *conn, struct forward *forwards, size_t count, struct buf *out)
{
        struct pollfd polls[API_PARAMS_MAX + 1];
        char data[PART];

        for (;;) {
                size_t open = 0;
                for (size_t idx = 0; idx < count; idx++) {
                        polls[idx + 1] =
                            (struct pollfd){ .fd = forwards[idx].fd, .events = POLLIN };
                        open += forwards[idx].fd >= 0;
                }
                polls[0] = (struct pollfd){ .fd = conn->fd, .events = POLLIN };
                if (!api_put(conn, out->data, out->len))
                        return;
                buf_clear(out);
                if (open == 0 || poll(polls, (nfds_t)count + 1, -1) < 0)
                        break;
                for (size_t idx = 0; idx < count; idx++) {
                        if (forwards[idx].fd < 0 || polls[idx + 1].revents == 0)
                                continue;
                        ssize_t got = recv(forwards[idx].fd, data, sizeof(data), 0);
                        if (got > 0) {
                                add_message(out, 2 * idx, data, (size_t)got);
                        } else {
                                close(forwards[idx].fd);
                                forwards[idx].fd = -1;
                        }
                }
                if (polls[0].revents != 0) {
                        char *room = fault_checked(buf_reserve(&conn->in, 65536, NULL));
                        ssize_t got = recv(conn->fd, room, 65536, 0);
                        if (got <= 0)
                                return;
                        buf_commit(&conn->in, (size_t)got);
                        if (!take_frames(conn, forwards, count, out))
                                break;
                }
        }
        api_add_frame(out, 0x80 | API_CLOSE, "\x03\xe8", 2, NULL, 0);
        api_put(conn, out->data, out->len);
        shutdown(conn->fd, SHUT_WR);
}

void
api_serve_forward(struct api_conn *conn, const struct api_target *target)
{
        struct forward forwards[API_PARAMS_MAX];
        json_t *pod = api_find_pod(conn, target);
        size_t count = 0;
        struct buf out;

        if (pod == NULL)
                return;
        for (size_t idx = 0; idx < conn->request.param_count; idx++) {
                const struct api_param *param = &conn->request.params[idx];
                if (strcmp(param->name, "ports") == 0)
                        forwards[count++] =
                            (struct forward){ .port = atoi(param->value), .fd = -1 };
        }
        buf_init(&out, API_MESSAGE_MAX);
        for (size_t idx = 0; idx < count; idx++) {
                unsigned char port[2] = { (unsigned char)forwards[idx].port,
                        (unsigned char)(forwards[idx].port >> 8) };
                add_message(&out, 2 * idx, port, 2);
                add_message(&out, 2 * idx + 1, port, 2);
        }
        if (count == 0) {
                api_refuse(
                    conn, api_status(400, "BadRequest", "query parameter \"port\" is required"));
        } else if (api_upgrade(conn, "v4.channel.k8s.io", &out) != NULL) {
                buf_clear(&out);
                for (size_t idx = 0; idx < count; idx++) {
                        forwards[idx].fd = api_pod_connect(pod, forwards[idx].port);
                        if (forwards[idx].fd >= 0)
                                continue;
                        char *why = api_format(
                            "error forwarding port %d to pod %s, uid : failed to execute "
                            "portforward in "
                            "network namespace \"/var/run/netns/cni\": failed to connect to "
                            "localhost:%d "
                            "inside namespace \"cni\", IPv4: dial tcp4 127.0.0.1: connect: "
                            "connection "
                            "refused IPv6 dial tcp6: address localhost: no suitable address found ",
                            forwards[idx].port, target->name, forwards[idx].port);
                        add_message(&out, 2 * idx + 1, why, strlen(why));
                        free(why);
                }
                relay(conn, forwards, count, &out);
                for (size_t idx = 0; idx < count; idx++) {
                        if (forwards[idx].fd >= 0)
                                close(forwards[idx].fd);
                }
                conn->over = true;
        }
        buf_free(&out);
        json_decref(pod);
}
