/*
 * A relay in front of a server of WebSockets that cuts one connection, at a chosen byte
 * of a frame that comes from the server.
 */
#ifndef TESTS_HARNESS_CUT_RELAY_H
#define TESTS_HARNESS_CUT_RELAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the byte is that does not come any more. */
enum cut_class {
        CUT_FIRST,    /* of a frame: its flags and kind */
        CUT_LENGTH,   /* its length */
        CUT_EXTENDED, /* in the middle of a longer length */
        CUT_PAYLOAD,  /* the first of the payload: the channel */
        CUT_DATA,     /* the one behind it */
        CUT_MIDDLE,   /* in the middle of the payload */
        CUT_LAST,     /* the last of the payload */
        CUT_CLASSES
};

struct cut {
        int frame;            /* from 0; -1: the head of the answer to the upgrade */
        enum cut_class place; /* of the head: 18 bytes later for each */
        bool reset;           /* by a reset, not by an end */
};

struct cut_relay {
        int port;         /* where it listens */
        bool cut;         /* there was such a byte */
        bool status_came; /* a whole message of channel 3 was passed on before */
        /* Private. */
        struct cut where;
        int listener;
        int server_port;
        pthread_t thread;
        size_t at; /* in the head or the frame */
        int frame; /* which it is; -1: the head */
        unsigned newlines;
        unsigned char first;
        size_t header_len;
        uint64_t payload_len;
        unsigned char channel;
};

/* cut_relay_start: for one connection to a port of this machine. */
void cut_relay_start(struct cut_relay *relay, int server_port, struct cut where);

/* cut_relay_end: when the client has left. */
void cut_relay_end(struct cut_relay *relay);

#endif
