#include "kube_channel.h"

int
kube_channel_take(
    struct kube_channel *channel, struct ws_event *event, unsigned char *number, struct err *err)
{
        if (event->first)
                channel->known = false;
        if (!event->binary)
                return err_set(err, ERR_PROTOCOL, "the server sent text where bytes are spoken");
        if (!channel->known) {
                if (event->len == 0)
                        return 0;
                channel->known = true;
                channel->number = event->data[0];
                event->data++;
                event->len--;
        }
        *number = channel->number;
        return 1;
}
