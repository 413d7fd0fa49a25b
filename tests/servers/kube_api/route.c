#include "servers/kube_api/route.h"

#include <string.h>

#include "servers/kube_api/access.h"
#include "servers/kube_api/discovery.h"
#include "servers/kube_api/exec.h"
#include "servers/kube_api/faults.h"
#include "servers/kube_api/pods.h"
#include "servers/kube_api/rest.h"
#include "servers/kube_api/status.h"

/* What the parts of the path from idx on name; false when nothing. */
static bool
find_target(const struct api_request *request, const char *group, const char *version, size_t idx,
    struct api_target *target)
{
        char *const *parts = request->parts;
        size_t count = request->part_count;

        target->ns = target->name = target->sub = "";
        /* "namespaces/NS/pods", but "namespaces/NS/status". */
        if (count - idx >= 3 && strcmp(parts[idx], "namespaces") == 0 &&
            api_type_find(group, version, parts[idx + 2]) != NULL) {
                target->ns = parts[idx + 1];
                idx += 2;
        }
        if (idx >= count)
                return false;
        target->type = api_type_find(group, version, parts[idx]);
        if (target->type == NULL)
                return false;
        if (idx + 1 < count)
                target->name = parts[idx + 1];
        if (idx + 2 < count)
                target->sub = parts[idx + 2];
        target->rest = idx + 3;
        return true;
}

static bool
find_in_request(const struct api_request *request, struct api_target *target)
{
        char *const *parts = request->parts;
        size_t count = request->part_count;

        if (count >= 3 && strcmp(parts[0], "api") == 0)
                return find_target(request, "", parts[1], 2, target);
        return count >= 4 && strcmp(parts[0], "apis") == 0 &&
               find_target(request, parts[1], parts[2], 3, target);
}

static bool
is_of(const struct api_target *target, const char *plural, const char *sub)
{
        return strcmp(target->type->plural, plural) == 0 && strcmp(target->sub, sub) == 0;
}

void
api_route(struct api_conn *conn)
{
        struct api_target target;

        if (!api_faults_find(conn) || !api_is_known(conn) || api_discover(conn))
                return;
        if (!find_in_request(&conn->request, &target)) {
                api_refuse(conn, api_status(404, "NotFound",
                                     "the server could not find the requested resource"));
                return;
        }
        if ((target.type->traits & API_CREATE_ONLY) == 0 && !api_may(conn, &target))
                return;
        if (is_of(&target, "pods", "exec"))
                api_serve_exec(conn, &target);
        else if (is_of(&target, "pods", "log"))
                api_serve_log(conn, &target);
        else if (is_of(&target, "pods", "proxy") || is_of(&target, "services", "proxy"))
                api_serve_proxy(conn, &target);
        else if (is_of(&target, "pods", "portforward"))
                api_serve_forward(conn, &target);
        else
                api_serve_object(conn, &target);
}
