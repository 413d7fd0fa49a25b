#include "moonkeep/mem.h"
#include "object.h"
#include "url_options.h"

int
object_connection(
    struct object_store *it, const struct url_option *options, const char *ca_file, struct err *err)
{
        uint64_t connections = it->connections, attempts = it->patience.attempts;
        uint64_t stall_s = 0;

        if (url_options_number(
                options, "connections", 1, OBJECT_CONNECTIONS_MAX, &connections, err) < 0 ||
            url_options_number(options, "attempts", 1, 100, &attempts, err) < 0 ||
            url_options_number(options, "stall", 1, 3600, &stall_s, err) < 0)
                return -1;
        if (ca_file != NULL && (it->ca_file = mem_strdup(ca_file, err)) == NULL)
                return -1;
        it->connections = (unsigned)connections;
        it->patience.attempts = (unsigned)attempts;
        if (stall_s > 0)
                it->patience.stall_ms = (int64_t)stall_s * 1000;
        return 0;
}
