#include "harness/cut_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/test.h"

/* Of an answer to an upgrade there are some hundred bytes; a part for each class. */
#define HEAD_PART 18
#define BINARY_FINAL 0x82
#define CHANNEL_STATUS 3
#define WAIT_MS 60000

/* Is it the byte at relay->at that is not to come? */
static bool
is_here(const struct cut_relay *relay)
{
        size_t body = relay->at - relay->header_len;

        if (relay->frame != relay->where.frame)
                return false;
        if (relay->frame < 0)
                return relay->at == (size_t)relay->where.place * HEAD_PART;
        if (relay->at < 2)
                return relay->where.place == (relay->at == 0 ? CUT_FIRST : CUT_LENGTH);
        if (relay->at < relay->header_len)
                return relay->where.place == CUT_EXTENDED && relay->at == 1 + relay->header_len / 2;
        switch (relay->where.place) {
        case CUT_PAYLOAD:
                return body == 0;
        case CUT_DATA:
                return body == 1;
        case CUT_MIDDLE:
                return body == relay->payload_len / 2 && body > 1;
        case CUT_LAST:
                return body == relay->payload_len - 1 && body > 1;
        default:
                return false;
        }
}

static void
end_of_frame(struct cut_relay *relay)
{
        if (relay->first == BINARY_FINAL && relay->channel == CHANNEL_STATUS &&
            relay->payload_len > 1)
                relay->status_came = true;
        relay->frame++;
        relay->at = 0;
        relay->header_len = 2;
}

/* One byte is passed on. */
static void
pass(struct cut_relay *relay, unsigned char byte)
{
        size_t at = relay->at++;

        if (relay->frame < 0) {
                relay->newlines = byte == '\n'   ? relay->newlines + 1
                                  : byte == '\r' ? relay->newlines
                                                 : 0;
                if (relay->newlines == 2) {
                        relay->frame = 0;
                        relay->at = 0;
                        relay->header_len = 2;
                }
                return;
        }
        if (at == 0) {
                relay->first = byte;
        } else if (at == 1) {
                relay->header_len = byte < 126 ? 2 : byte == 126 ? 4 : 10;
                relay->payload_len = byte < 126 ? byte : 0;
        } else if (at < relay->header_len) {
                relay->payload_len = relay->payload_len << 8 | byte;
        } else if (at == relay->header_len) {
                relay->channel = byte;
        }
        if (at > 0 && relay->at >= relay->header_len &&
            relay->at - relay->header_len == relay->payload_len)
                end_of_frame(relay);
}

/* What comes from the server, up to the cut; false when there is no more to be done. */
static bool
downstream(struct cut_relay *relay, int server, int client)
{
        unsigned char data[16384];
        ssize_t got = recv(server, data, sizeof(data), 0);
        size_t len = 0;

        while (got > 0 && len < (size_t)got) {
                if (is_here(relay)) {
                        relay->cut = true;
                        break;
                }
                pass(relay, data[len++]);
        }
        for (size_t sent = 0; sent < len;) {
                ssize_t put = send(client, data + sent, len - sent, MSG_NOSIGNAL);
                if (put <= 0)
                        return false;
                sent += (size_t)put;
        }
        return got > 0 && !relay->cut;
}

static bool
upstream(int client, int server)
{
        char data[16384];
        ssize_t got = recv(client, data, sizeof(data), 0);

        for (ssize_t sent = 0; sent < got;) {
                ssize_t put = send(server, data + sent, (size_t)(got - sent), MSG_NOSIGNAL);
                if (put <= 0)
                        return false;
                sent += put;
        }
        return got > 0;
}

static int
dial(int port)
{
        struct sockaddr_in inet = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&inet, sizeof(inet)) == 0);
        return fd;
}

static void *
serve(void *arg)
{
        struct cut_relay *relay = arg;
        struct linger linger = { .l_onoff = 1 };
        struct pollfd polls[2] = { { .fd = relay->listener, .events = POLLIN } };

        CHECK(poll(polls, 1, WAIT_MS) == 1);
        int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
        int server = dial(relay->server_port);
        polls[0] = (struct pollfd){ .fd = client, .events = POLLIN };
        polls[1] = (struct pollfd){ .fd = server, .events = POLLIN };
        bool goes_on = true;
        while (goes_on && poll(polls, 2, WAIT_MS) > 0) {
                if (polls[1].revents != 0)
                        goes_on = downstream(relay, server, client);
                else if (polls[0].revents != 0)
                        goes_on = upstream(client, server);
        }
        if (relay->cut && relay->where.reset)
                setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        close(client);
        close(server);
        return NULL;
}

void
cut_relay_start(struct cut_relay *relay, int server_port, struct cut where)
{
        struct sockaddr_in inet = { .sin_family = AF_INET };
        socklen_t len = sizeof(inet);

        memset(relay, 0, sizeof(*relay));
        relay->where = where;
        relay->server_port = server_port;
        relay->frame = -1;
        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(bind(relay->listener, (struct sockaddr *)&inet, len) == 0);
        CHECK(listen(relay->listener, 1) == 0);
        CHECK(getsockname(relay->listener, (struct sockaddr *)&inet, &len) == 0);
        relay->port = ntohs(inet.sin_port);
        CHECK(pthread_create(&relay->thread, NULL, serve, relay) == 0);
}

void
cut_relay_end(struct cut_relay *relay)
{
        CHECK(pthread_join(relay->thread, NULL) == 0);
        close(relay->listener);
}
