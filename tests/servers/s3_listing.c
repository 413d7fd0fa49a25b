/*
 * s3_listing: a server that makes up a bucket with very many keys, for tests
 * and benchmarks of listings.
 *
 *     s3_listing [--port N] [--keys N] [--page N] [--stop-after PAGES]
 *
 * Listens on 127.0.0.1 (a free port unless --port says which), prints "port N"
 * and serves ListObjectsV2 of any bucket: --keys keys (200000), --page to a
 * page (1000), until SIGTERM.  With --stop-after a page behind the so many first
 * ones is cut off in the middle.  Anything else is answered with 404.  No
 * signature is looked at.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/sockets.h"

#define REQUEST_MAX 16384
#define PAGE_MAX 1000

static long keys = 200000, page_keys = PAGE_MAX, stop_after = -1;

static void
fail(const char *why)
{
        fprintf(stderr, "s3_listing: %s\n", why);
        exit(2);
}

static bool
answer(int fd, int status, const char *body, size_t len, size_t promised)
{
        char head[256];

        int head_len = snprintf(head, sizeof(head),
            "HTTP/1.1 %d %s\r\nContent-Type: application/xml\r\nContent-Length: %zu\r\n\r\n",
            status, status == 200 ? "OK" : "Not Found", promised);
        return socket_send(fd, head, (size_t)head_len) && socket_send(fd, body, len);
}

/* The number behind NAME= in the query, or otherwise. */
static long
param(const char *target, const char *name, long otherwise)
{
        const char *at = strstr(target, name);

        return at != NULL ? strtol(at + strlen(name), NULL, 10) : otherwise;
}

static bool
answer_page(int fd, const char *target, char *body, size_t size)
{
        long first = param(target, "continuation-token=", 0);
        long count = param(target, "max-keys=", page_keys);
        size_t len = 0;

        if (count > page_keys)
                count = page_keys;
        if (count > keys - first)
                count = keys - first;
        bool more = first + count < keys;
        len += (size_t)snprintf(body, size,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<ListBucketResult "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name>"
            "<Prefix></Prefix><KeyCount>%ld</KeyCount><MaxKeys>%ld</MaxKeys>"
            "<IsTruncated>%s</IsTruncated>",
            count, count, more ? "true" : "false");
        if (more)
                len += (size_t)snprintf(body + len, size - len,
                    "<NextContinuationToken>%ld</NextContinuationToken>", first + count);
        for (long idx = first; idx < first + count; idx++)
                len += (size_t)snprintf(body + len, size - len,
                    "<Contents><Key>folder-%03ld/object-%08ld.bin</Key>"
                    "<LastModified>2026-11-21T02:00:00.000Z</LastModified>"
                    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>%ld</Size>"
                    "<StorageClass>STANDARD</StorageClass></Contents>",
                    idx / 1000, idx, idx);
        len += (size_t)snprintf(body + len, size - len, "</ListBucketResult>");
        if (stop_after >= 0 && first / page_keys >= stop_after) {
                answer(fd, 200, body, len / 2, len);
                return false;
        }
        return answer(fd, 200, body, len, len);
}

static void *
serve(void *arg)
{
        int fd = (int)(long)arg;
        char request[REQUEST_MAX + 1];
        size_t size = 512 * (PAGE_MAX + 4), have = 0;
        char *body = malloc(size);
        int one = 1;

        /* Head and body are two writes: the second must not wait for the first one's receipt. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        for (bool open = body != NULL; open;) {
                ssize_t got = recv(fd, request + have, REQUEST_MAX - have, 0);
                if (got <= 0)
                        break;
                have += (size_t)got;
                request[have] = '\0';
                char *end = strstr(request, "\r\n\r\n");
                if (end == NULL) {
                        open = have < REQUEST_MAX;
                        continue;
                }
                char *line_end = strstr(request, "\r\n");
                *line_end = '\0';
                if (strncmp(request, "GET ", 4) == 0 && strstr(request, "list-type=2") != NULL)
                        open = answer_page(fd, request, body, size);
                else
                        open = answer(fd, 404, "", 0, 0);
                /* No request here has a body. */
                size_t used = (size_t)(end + 4 - request);
                memmove(request, request + used, have - used);
                have -= used;
        }
        free(body);
        close(fd);
        return NULL;
}

int
main(int argc, char **argv)
{
        int port = 0;

        for (int idx = 1; idx < argc; idx += 2) {
                if (idx + 1 == argc)
                        fail("an option without its value");
                long value = strtol(argv[idx + 1], NULL, 10);
                if (strcmp(argv[idx], "--port") == 0)
                        port = (int)value;
                else if (strcmp(argv[idx], "--keys") == 0 && value >= 0)
                        keys = value;
                else if (strcmp(argv[idx], "--page") == 0 && value > 0 && value <= PAGE_MAX)
                        page_keys = value;
                else if (strcmp(argv[idx], "--stop-after") == 0)
                        stop_after = value;
                else
                        fail("usage: s3_listing [--port N] [--keys N] [--page N] [--stop-after "
                             "PAGES]");
        }
        int server = socket_listen(port, 64);
        for (;;) {
                pthread_t thread;
                int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0)
                        continue;
                if (pthread_create(&thread, NULL, serve, (void *)(long)fd) != 0)
                        close(fd);
                else
                        pthread_detach(thread);
        }
}
