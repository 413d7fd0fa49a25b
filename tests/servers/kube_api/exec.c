/*
 * A session: messages of a channel byte and data, both ways, as the API server
 * and the runtime pass them.  When the client goes, the command loses its stdin
 * and is left alone, with nobody who reads what it writes.
 */
#include "servers/kube_api/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "servers/kube_api/exec_faults.h"
#include "servers/kube_api/frames.h"
#include "servers/kube_api/process.h"
#include "servers/kube_api/status.h"

#define READ_SIZE ((size_t)32 * 1024)
#define HELD_MAX ((size_t)64 * 1024) /* of what has not been passed on */
#define CLOSE_CHANNEL 255

static const char *protocols = "v5.channel.k8s.io v4.channel.k8s.io";

void
api_exec_protocols(const char *spoken)
{
        protocols = spoken;
}

void
api_exec_end_pod(const char *uid)
{
        api_processes_end(uid);
}

json_t *
api_find_pod(struct api_conn *conn, const struct api_target *target)
{
        struct api_target pod = *target;

        pod.sub = "";
        api_lock();
        const struct api_object *object = api_find(target->type, target->ns, target->name);
        json_t *json = object != NULL ? api_copy(object->json) : NULL;
        api_unlock();
        if (json == NULL)
                api_refuse(conn, api_not_found(&pod));
        return json;
}

const char *
api_find_container(struct api_conn *conn, const json_t *pod)
{
        const char *asked = api_param(&conn->request, "container");
        const json_t *containers = api_at(pod, "spec.containers");
        const char *name = api_text(pod, "metadata.name");

        if (asked == NULL || *asked == '\0') {
                if (json_array_size(containers) == 1)
                        return api_text(json_array_get(containers, 0), "name");
                struct buf names;
                buf_init(&names, 4096);
                for (size_t idx = 0; idx < json_array_size(containers); idx++)
                        buf_addf(&names, NULL, "%s%s", idx > 0 ? " " : "",
                            api_text(json_array_get(containers, idx), "name"));
                api_refuse(
                    conn, api_status(400, "BadRequest",
                              "a container name must be specified for pod %s, choose one of: [%s]",
                              name, names.data));
                buf_free(&names);
                return NULL;
        }
        for (size_t idx = 0; idx < json_array_size(containers); idx++) {
                if (strcmp(api_text(json_array_get(containers, idx), "name"), asked) == 0)
                        return asked;
        }
        api_refuse(conn,
            api_status(400, "BadRequest", "container %s is not valid for pod %s", asked, name));
        return NULL;
}

/* Statuses. */

static json_t *
status_of(const struct api_command *command, int code)
{
        if (code == 0)
                return json_pack("{s:{}, s:s}", "metadata", "status", "Success");
        struct buf words;
        buf_init(&words, 1024 * 1024);
        for (size_t idx = 0; command->argv[idx] != NULL; idx++)
                buf_addf(&words, NULL, "%s%s", idx > 0 ? " " : "", command->argv[idx]);
        char *text = api_format("%d", code);
        char *message = api_format("command terminated with non-zero exit code: error executing "
                                   "command [%s], exit code %d",
            words.data, code);
        json_t *status = json_pack("{s:{}, s:s, s:s, s:s, s:{s:[{s:s, s:s}]}}", "metadata",
            "status", "Failure", "message", message, "reason", "NonZeroExitCode", "details",
            "causes", "reason", "ExitCode", "message", text);
        buf_free(&words);
        free(message);
        free(text);
        return api_checked(status);
}

static json_t *
internal_error(const char *why)
{
        char *cause = api_format("error executing command in container: failed to exec in "
                                 "container: failed to start exec "
                                 "\"a8e1f9b3c2d4576810f2e4d6c8ba9e7f61524334a5b6c7d8e9f0a1b2c3d4e5f"
                                 "6\": OCI runtime exec "
                                 "failed: exec failed: %s: unknown",
            why);
        char *message = api_format("Internal error occurred: %s", cause);
        json_t *status = json_pack("{s:{}, s:s, s:s, s:s, s:{s:[{s:s}]}, s:i}", "metadata",
            "status", "Failure", "message", message, "reason", "InternalError", "details", "causes",
            "message", cause, "code", 500);

        free(cause);
        free(message);
        return api_checked(status);
}

static void
end_with(struct exec *exec, json_t *status)
{
        char *text = api_dump(status);

        exec_finish(exec, text);
        free(text);
        json_decref(status);
}

/* Receiving. */

static void
close_stdin(struct exec *exec)
{
        if (exec->process.in >= 0)
                close(exec->process.in);
        exec->process.in = -1;
        exec->stdin_ended = true;
        buf_clear(&exec->input);
}

static void
take_message(struct exec *exec, const unsigned char *data, size_t len)
{
        if (len == 0)
                return;
        if (data[0] == 0 && exec->process.in >= 0 && !exec->stdin_ended) {
                exec->stdin_bytes += len - 1;
                buf_add(&exec->input, data + 1, len - 1, NULL);
        } else if (data[0] == CLOSE_CHANNEL && exec->is_v5 && len == 2 && data[1] == 0) {
                exec->stdin_ended = true;
        }
}

/* All whole frames; false when the client is to be left. */
static bool
take_frames(struct exec *exec)
{
        struct api_conn *conn = exec->conn;
        struct api_frame frame;
        int got;

        while (exec->input.len < HELD_MAX && (got = api_next_frame(conn, &frame)) != 0) {
                if (got < 0) {
                        static const unsigned char code[2] = { 1002 >> 8, 1002 & 255 };
                        api_add_frame(&exec->output, 0x80 | API_CLOSE, code, 2, NULL, 0);
                        exec->leaving = true;
                        return false;
                }
                if (frame.opcode == API_PING) {
                        api_add_frame(
                            &exec->output, 0x80 | API_PONG, frame.data, frame.len, NULL, 0);
                } else if (frame.opcode == API_CLOSE) {
                        api_add_frame(&exec->output, 0x80 | API_CLOSE, frame.data,
                            frame.len < 2 ? 0 : 2, NULL, 0);
                        exec->leaving = true;
                } else if (frame.opcode <= API_BINARY) {
                        buf_add(&exec->message, frame.data, frame.len, NULL);
                        if (frame.fin) {
                                take_message(
                                    exec, (unsigned char *)exec->message.data, exec->message.len);
                                buf_clear(&exec->message);
                        }
                }
                api_frame_done(conn, &frame);
                if (exec->leaving)
                        return false;
        }
        return true;
}

static void
receive(struct exec *exec)
{
        char *room = fault_checked(buf_reserve(&exec->conn->in, 65536, NULL));
        ssize_t got = recv(exec->conn->fd, room, 65536, MSG_DONTWAIT);

        if (got > 0)
                buf_commit(&exec->conn->in, (size_t)got);
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
                exec->conn->over = true;
}

/* The command's side. */

static void
feed_stdin(struct exec *exec)
{
        ssize_t put = write(exec->process.in, exec->input.data, exec->input.len);

        if (put > 0)
                buf_consume(&exec->input, (size_t)put);
        else if (put < 0 && errno != EAGAIN && errno != EINTR)
                close_stdin(exec);
}

static void
read_output(struct exec *exec, int *fd, int channel)
{
        char data[READ_SIZE];
        ssize_t got = read(*fd, data, sizeof(data));

        if (got > 0) {
                exec_output(exec, channel, data, (size_t)got);
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
                close(*fd);
                *fd = -1;
        }
}

static void
wait_and_move(struct exec *exec)
{
        struct api_process *process = &exec->process;
        bool room = exec->output.len < HELD_MAX;
        struct pollfd polls[5] = {
                { .fd = exec->conn->fd,
                    .events = (short)((exec->input.len < HELD_MAX ? POLLIN : 0) |
                                      (exec->output.len > 0 ? POLLOUT : 0) | POLLRDHUP) },
                { .fd = exec->input.len > 0 ? process->in : -1, .events = POLLOUT },
                { .fd = room ? process->out : -1, .events = POLLIN },
                { .fd = room ? process->err : -1, .events = POLLIN },
                { .fd = exec->has_ended || process->out >= 0 || process->err >= 0 ? -1
                                                                                  : process->pidfd,
                    .events = POLLIN },
        };

        if (poll(polls, 5, -1) < 0)
                return;
        if ((polls[0].revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) != 0)
                receive(exec);
        if ((polls[0].revents & POLLOUT) != 0)
                exec_send_some(exec);
        if (polls[1].revents != 0 && process->in >= 0)
                feed_stdin(exec);
        if (polls[2].revents != 0)
                read_output(exec, &process->out, 1);
        if (polls[3].revents != 0 && !exec->conn->over && !exec->leaving)
                read_output(exec, &process->err, 2);
        if (polls[4].revents != 0)
                exec->has_ended = true;
}

/* Until the command has ended and all is sent, or there is nobody to send it to. */
static void
converse(struct exec *exec)
{
        while (!exec->conn->over && !exec->leaving) {
                if (!take_frames(exec) || !exec_input_faults(exec))
                        break;
                if (exec->stdin_ended && exec->input.len == 0 && exec->process.in >= 0)
                        close_stdin(exec);
                if (exec->has_ended) {
                        int code = api_process_wait(&exec->process);
                        end_with(exec, status_of(exec->command, code));
                        break;
                }
                wait_and_move(exec);
        }
}

static void
run(struct exec *exec, const struct api_command *command)
{
        const char *unstarted = exec_unstarted(exec);
        char *why = *unstarted != '\0' ? fault_checked(strdup(unstarted))
                                       : api_process_start(command, &exec->process);

        if (why != NULL) {
                end_with(exec, internal_error(why));
                exec_say_good_bye(exec);
                free(why);
                return;
        }
        exec_begin(exec);
        converse(exec);
        exec_say_good_bye(exec);
        if (exec->process.in >= 0)
                close(exec->process.in);
        /* Not before it ends by itself: its output stays open, unread. */
        if (exec->process.pidfd >= 0)
                api_process_wait(&exec->process);
        if (exec->process.out >= 0)
                close(exec->process.out);
        if (exec->process.err >= 0)
                close(exec->process.err);
}

/* As the kubelet answers, whose words the API server passes on. */
static void
answer_text(struct api_conn *conn, int status, const char *text)
{
        char *line = api_format("%s\n", text);

        api_answer(conn, status, "text/plain; charset=utf-8", NULL, line, strlen(line));
        free(line);
}

static bool
read_command(struct api_conn *conn, struct api_command *command)
{
        const struct api_request *request = &conn->request;
        size_t count = 0;

        for (size_t idx = 0; idx < request->param_count && count < API_ARGS_MAX; idx++) {
                if (strcmp(request->params[idx].name, "command") == 0)
                        command->argv[count++] = request->params[idx].value;
        }
        command->in = api_flag(request, "stdin");
        command->out = api_flag(request, "stdout");
        command->err = api_flag(request, "stderr");
        if (!command->in && !command->out && !command->err)
                answer_text(conn, 400, "you must specify at least 1 of stdin, stdout, stderr");
        else if (api_flag(request, "tty"))
                api_refuse(conn, api_status(400, "BadRequest", "there are no terminals here"));
        else
                return true;
        return false;
}

static bool
is_running(struct api_conn *conn, const json_t *pod, const char *container)
{
        const json_t *statuses = api_at(pod, "status.containerStatuses");

        if (*api_text(pod, "spec.nodeName") == '\0') {
                api_refuse(
                    conn, api_status(400, "BadRequest", "pod %s does not have a host assigned",
                              api_text(pod, "metadata.name")));
                return false;
        }
        for (size_t idx = 0; idx < json_array_size(statuses); idx++) {
                const json_t *status = json_array_get(statuses, idx);
                if (strcmp(api_text(status, "name"), container) == 0 &&
                    api_at(status, "state.running") != NULL)
                        return true;
        }
        char *text = api_format("container not found (\"%s\")", container);
        answer_text(conn, 500, text);
        free(text);
        return false;
}

void
api_serve_exec(struct api_conn *conn, const struct api_target *target)
{
        struct exec exec = { .conn = conn,
                .process = { .pidfd = -1, .in = -1, .out = -1, .err = -1 } };
        struct api_command command = { .in = false };
        json_t *pod = api_find_pod(conn, target);
        struct buf ready;

        buf_init(&ready, 64);
        if (pod == NULL)
                return;
        command.pod = pod;
        command.container = api_find_container(conn, pod);
        if (command.container != NULL && read_command(conn, &command) &&
            is_running(conn, pod, command.container)) {
                unsigned char lowest = command.out ? 1 : command.err ? 2 : 3;
                api_add_frame(&ready, 0x80 | API_BINARY, &lowest, 1, NULL, 0);
                exec_init(&exec, &command);
                const char *protocol = api_upgrade(conn, protocols, &ready);
                if (protocol != NULL) {
                        exec.is_v5 = strncmp(protocol, "v5", 2) == 0;
                        run(&exec, &command);
                        conn->over = true;
                }
                exec_clear(&exec);
        }
        buf_free(&ready);
        json_decref(pod);
}
