#include "servers/kube_api/status.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/json.h"

static char *format_args(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

static char *
format_args(const char *fmt, va_list args)
{
        char *text = NULL;

        if (vasprintf(&text, fmt, args) < 0)
                fault_fail("out of memory");
        return text;
}

char *
api_format(const char *fmt, ...)
{
        va_list args;

        va_start(args, fmt);
        char *text = format_args(fmt, args);
        va_end(args);
        return text;
}

json_t *
api_status(int code, const char *reason, const char *fmt, ...)
{
        va_list args;

        va_start(args, fmt);
        char *message = format_args(fmt, args);
        va_end(args);
        json_t *status = api_checked(json_pack("{s:s, s:s, s:{}, s:s, s:s, s:i}", "kind", "Status",
            "apiVersion", "v1", "metadata", "status", "Failure", "message", message, "code", code));
        if (*reason != '\0')
                api_set_text(status, "reason", reason);
        free(message);
        return status;
}

json_t *
api_status_about(json_t *status, const char *group, const char *plural, const char *name)
{
        json_t *details = json_object();

        if (*name != '\0')
                api_set_text(details, "name", name);
        if (*group != '\0')
                api_set_text(details, "group", group);
        api_set_text(details, "kind", plural);
        json_object_set_new(status, "details", details);
        return status;
}

void
api_refuse(struct api_conn *conn, json_t *status)
{
        api_answer_json(conn, (int)api_number(status, "code", 500), status);
}
