/*
 * Channels of a WebSocket of Kubernetes: the first byte of each message says
 * which one it is for (v4.channel.k8s.io, v5.channel.k8s.io).  Internal to src/kube.
 */
#ifndef MOONKEEP_KUBE_CHANNEL_H
#define MOONKEEP_KUBE_CHANNEL_H

#include "moonkeep/err.h"
#include "moonkeep/ws.h"

struct kube_channel {
        bool known; /* of the message that is coming */
        unsigned char number;
};

/*
 * kube_channel_take: a piece of a message.  Returns 1 with *number and what is
 * left of the piece in event->data and len; 0: nothing in it yet (also an empty message).
 * ERR_PROTOCOL: a text message.
 */
int kube_channel_take(
    struct kube_channel *channel, struct ws_event *event, unsigned char *number, struct err *err);

#endif
