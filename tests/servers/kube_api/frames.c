#include "servers/kube_api/frames.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "servers/kube_api/status.h"
#include "moonkeep/encode.h"
#include "moonkeep/sha1.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* The first of the client's protocols that is spoken; within spoken, and its length. */
static const char *
choose(const char *offered, const char *spoken, size_t *len)
{
        while (*offered != '\0') {
                offered += strspn(offered, ", \t");
                *len = strcspn(offered, ", \t");
                for (const char *at = spoken; *at != '\0' && *len > 0;) {
                        size_t word = strcspn(at, " ");
                        if (word == *len && strncmp(at, offered, word) == 0)
                                return at;
                        at += word;
                        at += *at == ' ';
                }
                offered += *len;
        }
        return NULL;
}

static void
accept_key(const char *key, struct buf *out)
{
        unsigned char digest[SHA1_SIZE];
        struct sha1 *sha = fault_checked(sha1_new(NULL));

        sha1_update(sha, key, strlen(key), NULL);
        sha1_update(sha, GUID, strlen(GUID), NULL);
        sha1_final(sha, digest, NULL);
        sha1_free(sha);
        base64_encode(digest, sizeof(digest), out, NULL);
}

static void
send_upgrade(struct api_conn *conn, const char *key, const char *protocol, const struct buf *extra)
{
        const struct fault_rule *rule = fault_is(conn->rule, "upgrade") ? conn->rule : NULL;
        const char *how = rule != NULL ? rule->args[0] : "";
        struct buf head;

        buf_init(&head, 65536);
        buf_addstr(&head,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: ",
            NULL);
        accept_key(strcmp(how, "wrong-accept") == 0 ? "bm90IHlvdXIga2V5ISEhIQ==" : key, &head);
        buf_addstr(&head, "\r\n", NULL);
        if (*how != '\0' && strcmp(how, "wrong-accept") != 0 && strcmp(how, "extra") != 0)
                protocol = how;
        if (strcmp(how, "no-protocol") != 0)
                buf_addf(&head, NULL, "Sec-WebSocket-Protocol: %s\r\n", protocol);
        buf_addstr(&head, "\r\n", NULL);
        if (strcmp(how, "extra") == 0)
                buf_add(&head, extra->data, extra->len, NULL);
        if (api_pass(conn, FAULT_DONE) && api_put(conn, head.data, head.len) &&
            api_pass(conn, FAULT_ANSWER_HEAD) && strcmp(how, "extra") != 0)
                api_put(conn, extra->data, extra->len);
        buf_free(&head);
}

const char *
api_upgrade(struct api_conn *conn, const char *spoken, const struct buf *extra)
{
        static _Thread_local char chosen[64];
        char *upgrade = api_header(&conn->request, "Upgrade");
        char *key = api_header(&conn->request, "Sec-WebSocket-Key");
        char *offered = api_header(&conn->request, "Sec-WebSocket-Protocol");
        size_t len = 0;
        const char *protocol = offered != NULL ? choose(offered, spoken, &len) : NULL;

        if (upgrade == NULL || strcasecmp(upgrade, "websocket") != 0 || key == NULL) {
                api_refuse(conn, api_status(400, "BadRequest", "Upgrade request required"));
                protocol = NULL;
        } else if (protocol == NULL || len >= sizeof(chosen)) {
                static const char refusal[] = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n";
                api_note(conn, 403);
                api_put(conn, refusal, sizeof(refusal) - 1);
                conn->over = true;
                protocol = NULL;
        } else {
                memcpy(chosen, protocol, len);
                chosen[len] = '\0';
                protocol = chosen;
                bool ends = conn->rule != NULL && conn->rule->place == FAULT_DONE;
                api_note(conn, ends ? 0 : 101);
                send_upgrade(conn, key, protocol, extra);
        }
        free(upgrade);
        free(key);
        free(offered);
        return protocol;
}

void
api_add_frame(
    struct buf *out, int flags, const void *head, size_t head_len, const void *data, size_t len)
{
        unsigned char bytes[10];
        size_t size = head_len + len, bytes_len = 2;

        bytes[0] = (unsigned char)flags;
        if (size < 126) {
                bytes[1] = (unsigned char)size;
        } else if (size < 65536) {
                bytes[1] = 126;
                bytes[2] = (unsigned char)(size >> 8);
                bytes[3] = (unsigned char)size;
                bytes_len = 4;
        } else {
                bytes[1] = 127;
                for (size_t idx = 0; idx < 8; idx++)
                        bytes[2 + idx] = (unsigned char)((uint64_t)size >> (56 - 8 * idx));
                bytes_len = 10;
        }
        if (buf_add(out, bytes, bytes_len, NULL) < 0 || buf_add(out, head, head_len, NULL) < 0 ||
            buf_add(out, data, len, NULL) < 0)
                fault_fail("too much to send");
}

int
api_next_frame(struct api_conn *conn, struct api_frame *frame)
{
        unsigned char *in = (unsigned char *)conn->in.data;
        size_t at = 2;

        if (conn->in.len < 2)
                return 0;
        uint64_t len = in[1] & 0x7f;
        size_t more = len == 126 ? 2 : len == 127 ? 8 : 0;
        if (conn->in.len < at + more + 4)
                return 0;
        if (more > 0) {
                len = 0;
                for (size_t idx = 0; idx < more; idx++)
                        len = len << 8 | in[at++];
        }
        /* What a client sends is masked, and has no extension. */
        if ((in[1] & 0x80) == 0 || (in[0] & 0x70) != 0 || len > API_MESSAGE_MAX)
                return -1;
        const unsigned char *mask = in + at;
        at += 4;
        if (conn->in.len < at + len)
                return 0;
        frame->opcode = in[0] & 0x0f;
        frame->fin = (in[0] & 0x80) != 0;
        frame->data = in + at;
        frame->len = (size_t)len;
        frame->whole = at + (size_t)len;
        for (size_t idx = 0; idx < frame->len; idx++)
                frame->data[idx] ^= mask[idx % 4];
        return 1;
}

void
api_frame_done(struct api_conn *conn, const struct api_frame *frame)
{
        buf_consume(&conn->in, frame->whole);
}
