/*
 * A port of a pod, as a far end whose stdin and stdout are the connection.
 * Internal to src/kube.
 */
#ifndef MOONKEEP_KUBE_PORT_H
#define MOONKEEP_KUBE_PORT_H

#include "moonkeep/kube.h"

/*
 * kube_port_open: the kubelet's port-forward over WebSocket (v4.channel.k8s.io):
 * channel 0 is the connection, channel 1 says why there is none; the first message on
 * each is the port.  FAR_ENDED when the server ends it.  far->host is NULL.
 */
struct far *kube_port_open(struct kube_client *client, const char *ns, const char *pod,
    unsigned port, struct cancel *cancel, struct err *err);

#endif
