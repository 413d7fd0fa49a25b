#include "servers/kube_api/exec_faults.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "servers/kube_api/frames.h"
#include "moonkeep/time.h"

#define OUTPUT_MAX ((size_t)256 * 1024 * 1024)
#define DRAIN_MS 1000
#define FINAL 0x80

void
exec_init(struct exec *exec, const struct api_command *command)
{
        exec->command = command;
        buf_init(&exec->input, 2 * API_MESSAGE_MAX);
        buf_init(&exec->message, API_MESSAGE_MAX);
        buf_init(&exec->output, OUTPUT_MAX);
        buf_init(&exec->late, OUTPUT_MAX);
}

void
exec_clear(struct exec *exec)
{
        buf_free(&exec->input);
        buf_free(&exec->message);
        buf_free(&exec->output);
        buf_free(&exec->late);
}

static const char *
argument(const struct exec *exec, const char *action, int idx)
{
        return fault_is(exec->conn->rule, action) && exec->conn->rule->args[idx] != NULL
                   ? exec->conn->rule->args[idx]
                   : "";
}

/* Frames. */

/* "frame KIND N": the head of the N-th message is wrong in its own way. */
static void
add_wrong_frame(
    struct buf *out, const char *kind, unsigned char channel, const char *data, size_t len)
{
        static const unsigned char huge[] = { 0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255 };
        static const unsigned char negative[] = { 0x82, 127, 255, 255, 255, 255, 255, 255, 255,
                255 };
        static const char filler[126];
        size_t start = out->len;

        if (strcmp(kind, "oversized") == 0) {
                buf_add(out, huge, sizeof(huge), NULL);
        } else if (strcmp(kind, "negative") == 0) {
                buf_add(out, negative, sizeof(negative), NULL);
        } else if (strcmp(kind, "long-ping") == 0) {
                api_add_frame(out, FINAL | API_PING, NULL, 0, filler, sizeof(filler));
        } else if (strcmp(kind, "split-ping") == 0) {
                api_add_frame(out, API_PING, NULL, 0, "x", 1);
        } else if (strcmp(kind, "continuation") == 0) {
                api_add_frame(out, FINAL | API_CONTINUATION, &channel, 1, data, len);
        } else if (strcmp(kind, "reserved") == 0) {
                api_add_frame(out, FINAL | 0x40 | API_BINARY, &channel, 1, data, len);
        } else if (strcmp(kind, "opcode") == 0) {
                api_add_frame(out, FINAL | 3, &channel, 1, data, len);
        } else if (strcmp(kind, "text") == 0) {
                api_add_frame(out, FINAL | API_TEXT, &channel, 1, data, len);
        } else if (strcmp(kind, "channel") == 0) {
                channel = 9;
                api_add_frame(out, FINAL | API_BINARY, &channel, 1, data, len);
        } else if (strcmp(kind, "empty") == 0) {
                api_add_frame(out, FINAL | API_BINARY, NULL, 0, NULL, 0);
                api_add_frame(out, FINAL | API_BINARY, &channel, 1, data, len);
        } else if (strcmp(kind, "masked") == 0) {
                /* A mask of zeros in front of a payload that is short enough. */
                len = len < 100 ? len : 100;
                api_add_frame(out, FINAL | API_BINARY, "\0\0\0", 4, &channel, 1);
                buf_add(out, data, len, NULL);
                out->data[start + 1] = (char)(0x80 | (1 + len));
        } else {
                fault_fail("\"%s\" is no way to break a frame", kind);
        }
}

static void
add_fragments(struct buf *out, unsigned char channel, const char *data, size_t len, size_t size)
{
        int opcode = API_BINARY;
        size_t head = 1;

        for (;;) {
                size_t part = len < size - head ? len : size - head;
                bool last = part == len;
                api_add_frame(out, (last ? FINAL : 0) | opcode, &channel, head, data, part);
                if (last)
                        return;
                data += part;
                len -= part;
                head = 0;
                opcode = API_CONTINUATION;
                api_add_frame(out, FINAL | API_PING, NULL, 0, "between", 7);
        }
}

static void
add_message(struct exec *exec, struct buf *out, unsigned char channel, const char *data, size_t len)
{
        unsigned long number = ++exec->messages;
        const char *kind = argument(exec, "frame", 0);
        size_t fragment = strtoul(argument(exec, "fragments", 0), NULL, 10);

        if (*kind != '\0' && strtoul(argument(exec, "frame", 1), NULL, 10) == number)
                add_wrong_frame(out, kind, channel, data, len);
        else if (fragment > 1)
                add_fragments(out, channel, data, len, fragment);
        else
                api_add_frame(out, FINAL | API_BINARY, &channel, 1, data, len);
}

static void
add_output(struct exec *exec, int channel, const char *data, size_t len)
{
        const char *late = argument(exec, "late", 0);
        struct buf *out = &exec->output;
        int copies = 1;

        if (len == 0)
                return;
        if (channel == 1 && fault_is(exec->conn->rule, "message") &&
            ++exec->stdout_messages == strtoul(argument(exec, "message", 1), NULL, 10))
                copies = strcmp(argument(exec, "message", 0), "twice") == 0 ? 2 : 0;
        if ((channel == 1 && strcmp(late, "stdout") == 0) ||
            (channel == 2 && strcmp(late, "stderr") == 0))
                out = &exec->late;
        if (channel == 1 && strcmp(late, "last") == 0) {
                /* The one before was not the last. */
                buf_add(&exec->output, exec->late.data, exec->late.len, NULL);
                buf_clear(&exec->late);
                out = &exec->late;
        }
        for (; copies > 0; copies--)
                add_message(exec, out, (unsigned char)channel, data, len);
}

/* Places. */

static bool
send_all(struct exec *exec)
{
        bool sent = api_put(exec->conn, exec->output.data, exec->output.len);

        buf_clear(&exec->output);
        return sent;
}

static void
add_close(struct exec *exec)
{
        static const unsigned char code[2] = { 1000 >> 8, 1000 & 255 };

        api_add_frame(&exec->output, FINAL | API_CLOSE, code, sizeof(code), NULL, 0);
}

/* The fault that has its place here. */
static void
break_here(struct exec *exec)
{
        const struct fault_rule *rule = exec->conn->rule;

        exec->broken = true;
        if (!send_all(exec))
                return;
        if (fault_is(rule, "stall")) {
                api_pause(exec->conn, strtod(rule->args[0], NULL));
                return;
        }
        exec->leaving = true;
        if (fault_is(rule, "reset")) {
                api_reset(exec->conn);
        } else if (fault_is(rule, "close-frame")) {
                add_close(exec);
        } else if (fault_is(rule, "success")) {
                static const char success[] = "{\"metadata\":{},\"status\":\"Success\"}";
                api_process_kill(&exec->process);
                add_message(exec, &exec->output, 3, success, sizeof(success) - 1);
                add_close(exec);
        }
}

static bool
is_placed(const struct exec *exec, enum fault_place place)
{
        return exec->conn->rule != NULL && exec->conn->rule->place == place && !exec->broken;
}

void
exec_begin(struct exec *exec)
{
        if (is_placed(exec, FAULT_STDOUT_BYTES) && exec->conn->rule->bytes == 0)
                break_here(exec);
}

bool
exec_input_faults(struct exec *exec)
{
        if (is_placed(exec, FAULT_STDIN_BYTES) && exec->stdin_bytes >= exec->conn->rule->bytes)
                break_here(exec);
        return !exec->leaving && !exec->conn->over;
}

void
exec_output(struct exec *exec, int channel, const char *data, size_t len)
{
        uint64_t before = exec->stdout_bytes;
        uint64_t lost_from = strtoull(argument(exec, "lose", 0), NULL, 10);
        uint64_t lost_to = lost_from + strtoull(argument(exec, "lose", 1), NULL, 10);

        if (channel != 1) {
                add_output(exec, channel, data, len);
                return;
        }
        exec->stdout_bytes += len;
        if (is_placed(exec, FAULT_STDOUT_BYTES) && exec->stdout_bytes >= exec->conn->rule->bytes) {
                size_t first = (size_t)(exec->conn->rule->bytes - before);
                add_output(exec, 1, data, first);
                break_here(exec);
                if (!exec->leaving && !exec->conn->over)
                        add_output(exec, 1, data + first, len - first);
        } else if (lost_from < before + len && lost_to > before) {
                size_t first = lost_from > before ? (size_t)(lost_from - before) : 0;
                size_t after = lost_to < before + len ? (size_t)(lost_to - before) : len;
                add_output(exec, 1, data, first);
                add_output(exec, 1, data + after, len - after);
        } else {
                add_output(exec, 1, data, len);
        }
}

void
exec_finish(struct exec *exec, const char *status)
{
        static const char failure[] =
            "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Internal error occurred: error "
            "executing command in container: the runtime has gone\",\"reason\":\"InternalError\","
            "\"details\":{\"causes\":[{\"message\":\"the runtime has gone\"}]},\"code\":500}";
        const char *final = argument(exec, "final", 0);
        bool last = strcmp(argument(exec, "late", 0), "last") == 0;

        if (!last)
                buf_add(&exec->output, exec->late.data, exec->late.len, NULL);
        if (strcmp(final, "empty") == 0)
                status = "";
        else if (strcmp(final, "garbage") == 0)
                status = "{\"metadata\":{},\"sta";
        else if (strcmp(final, "failure") == 0)
                status = failure;
        else if (*final == '{')
                status = final;
        if (strcmp(final, "missing") != 0)
                add_message(exec, &exec->output, 3, status, strlen(status));
        if (last)
                buf_add(&exec->output, exec->late.data, exec->late.len, NULL);
        add_close(exec);
}

void
exec_send_some(struct exec *exec)
{
        size_t len = exec->conn->trickle ? 1 : exec->output.len;
        ssize_t sent = send(exec->conn->fd, exec->output.data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0)
                buf_consume(&exec->output, (size_t)sent);
        else if (sent < 0 && errno != EAGAIN && errno != EINTR)
                exec->conn->over = true;
}

void
exec_say_good_bye(struct exec *exec)
{
        struct pollfd more = { .fd = exec->conn->fd, .events = POLLIN };
        int64_t until_ms = time_mono_ms() + DRAIN_MS;
        char data[4096];

        send_all(exec);
        /* Bytes that nobody reads would make a reset of the end. */
        if (!exec->conn->over) {
                shutdown(exec->conn->fd, SHUT_WR);
                while (time_mono_ms() < until_ms && poll(&more, 1, DRAIN_MS) > 0 &&
                       recv(exec->conn->fd, data, sizeof(data), 0) > 0)
                        continue;
        }
        close(exec->conn->fd);
        exec->conn->fd = -1;
        exec->conn->over = true;
}

const char *
exec_unstarted(const struct exec *exec)
{
        return argument(exec, "unstarted", 0);
}
