#include "object_status.h"

#include <stddef.h>
#include <stdio.h>

static const struct by_status {
        int status;
        enum err_code means;
        bool retryable;
        bool is_of_thing; /* the text goes on behind "the object " */
        const char *text;
} statuses[] = {
        { 401, ERR_CREDENTIALS, false, false, "the server wants other credentials" },
        { 403, ERR_PERMISSION, false, false, "access denied" },
        { 404, ERR_NOT_FOUND, false, false, "there is no such thing" },
        { 405, ERR_UNSUPPORTED, false, false, "the server does not allow this" },
        { 408, ERR_TIMEOUT, true, false, "the server waited in vain for the request" },
        { 412, ERR_IO, false, true, "has changed meanwhile" },
        { 413, ERR_TOO_BIG, false, true, "is larger than the server allows" },
        { 416, ERR_TRUNCATED, false, true, "ends before" },
        { 429, ERR_HTTP, true, false, "the server wants fewer requests" },
        { 500, ERR_HTTP, true, false, "the server failed" },
        { 501, ERR_UNSUPPORTED, false, false, "the server cannot do this" },
        { 502, ERR_HTTP, true, false, "a proxy has no answer" },
        { 503, ERR_HTTP, true, false, "the server is not available" },
        { 504, ERR_HTTP, true, false, "a proxy has no answer" },
        { 507, ERR_FULL, false, false, "the server is full" },
};

bool
object_status(int status, const char *thing, struct object_status *out)
{
        for (size_t idx = 0; idx < sizeof(statuses) / sizeof(statuses[0]); idx++) {
                const struct by_status *it = &statuses[idx];
                if (it->status != status)
                        continue;
                out->means = it->means;
                out->retryable = it->retryable;
                snprintf(out->text, sizeof(out->text), "%s%s%s%s", it->is_of_thing ? "the " : "",
                    it->is_of_thing ? thing : "", it->is_of_thing ? " " : "", it->text);
                return true;
        }
        return false;
}
