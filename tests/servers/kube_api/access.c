#include "servers/kube_api/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/status.h"

#define USER "system:serviceaccount:monitoring:backup"

static const char *wanted_token;
static json_t *deny;
static bool exec_needs_create;

void
api_access_set(const char *token, json_t *rules, bool needs_create)
{
        wanted_token = token;
        deny = rules;
        exec_needs_create = needs_create;
}

/* Is it the token, or what the file of "@FILE" holds now? */
static bool
is_wanted(const char *said)
{
        char token[4096] = "";

        if (*wanted_token != '@')
                return strcmp(said, wanted_token) == 0;
        FILE *file = fopen(wanted_token + 1, "re");
        if (file == NULL)
                return false;
        bool read = fgets(token, sizeof(token), file) != NULL;
        fclose(file);
        token[strcspn(token, "\n")] = '\0';
        return read && strcmp(said, token) == 0;
}

bool
api_is_known(struct api_conn *conn)
{
        if (wanted_token == NULL)
                return true;
        char *said = api_header(&conn->request, "Authorization");
        bool known = said != NULL && strncmp(said, "Bearer ", 7) == 0 && is_wanted(said + 7);
        free(said);
        if (!known)
                api_refuse(conn, api_status(401, "Unauthorized", "Unauthorized"));
        return known;
}

/* Does a rule's field mean value?  Absent or "*": any; otherwise "" is nothing. */
static bool
means(const json_t *rule, const char *key, const char *value, const char *absent)
{
        const json_t *text = json_object_get(rule, key);
        const char *said = text != NULL ? json_string_value(text) : absent;

        return said == NULL || strcmp(said, "*") == 0 || strcmp(said, value) == 0;
}

struct question {
        const char *verb;
        const char *group;
        const char *plural;
        const char *sub;
        const char *ns;
        const char *name;
};

static bool
is_allowed(const struct question *question)
{
        for (size_t idx = 0; idx < json_array_size(deny); idx++) {
                const json_t *rule = json_array_get(deny, idx);
                if (means(rule, "verb", question->verb, "*") &&
                    means(rule, "group", question->group, "*") &&
                    means(rule, "resource", question->plural, "*") &&
                    means(rule, "subresource", question->sub, "") &&
                    means(rule, "namespace", question->ns, "*") &&
                    means(rule, "name", question->name, "*"))
                        return false;
        }
        return true;
}

static const char *
verb_of(const struct api_conn *conn, const struct api_target *target)
{
        const char *method = conn->request.method;
        bool one = *target->name != '\0';

        if (strcmp(method, "POST") == 0)
                return "create";
        if (strcmp(method, "PUT") == 0)
                return "update";
        if (strcmp(method, "PATCH") == 0)
                return "patch";
        if (strcmp(method, "DELETE") == 0)
                return one ? "delete" : "deletecollection";
        if (api_flag(&conn->request, "watch"))
                return "watch";
        return one ? "get" : "list";
}

bool
api_may(struct api_conn *conn, const struct api_target *target)
{
        const struct api_type *type = target->type;
        struct question question = {
                .verb = verb_of(conn, target),
                .group = type->group,
                .plural = type->plural,
                .sub = target->sub,
                .ns = target->ns,
                .name = target->name,
        };
        bool allowed = is_allowed(&question);

        if (allowed && exec_needs_create && strcmp(target->sub, "exec") == 0) {
                question.verb = "create";
                allowed = is_allowed(&question);
        }
        if (allowed)
                return true;
        char *where = *target->ns != '\0' ? api_format("in the namespace \"%s\"", target->ns)
                                          : api_format("at the cluster scope");
        char *of =
            *target->name != '\0' ? api_format("\"%s\" ", target->name) : api_format("%s", "");
        json_t *status = api_status(403, "Forbidden",
            "%s%s%s %sis forbidden: User \"" USER "\" cannot %s resource \"%s%s%s\" in API group "
            "\"%s\" %s",
            type->plural, *type->group != '\0' ? "." : "", type->group, of, question.verb,
            type->plural, *target->sub != '\0' ? "/" : "", target->sub, type->group, where);
        api_refuse(conn, api_status_about(status, type->group, type->plural, target->name));
        free(where);
        free(of);
        return false;
}

void
api_serve_review(struct api_conn *conn)
{
        json_t *body = api_read_body(conn);

        if (body == NULL)
                return;
        const json_t *asked = api_at(body, "spec.resourceAttributes");
        struct question question = {
                .verb = api_text(asked, "verb"),
                .group = api_text(asked, "group"),
                .plural = api_text(asked, "resource"),
                .sub = api_text(asked, "subresource"),
                .ns = api_text(asked, "namespace"),
                .name = api_text(asked, "name"),
        };
        bool allowed = asked == NULL || is_allowed(&question);
        json_t *status = json_pack("{s:b}", "allowed", allowed);
        if (allowed)
                api_set_text(status, "reason", "RBAC: allowed by ClusterRoleBinding \"tests\"");
        json_object_set_new(body, "status", status);
        api_set(body, "metadata", json_pack("{s:n}", "creationTimestamp"));
        api_answer_json(conn, 201, body);
}
