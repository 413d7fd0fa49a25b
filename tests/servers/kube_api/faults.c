#include "servers/kube_api/faults.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/json.h"
#include "servers/kube_api/status.h"

static const struct fault_action actions[] = {
        { "status", 2, 2, false },
        { "garbage", 1, 1, false },
        { "redirect", 1, 1, false },
        { "close", 1, 1, true },
        { "reset", 1, 1, true },
        { "stall", 2, 2, true },
        { "end", 1, 1, true },
        { "close-frame", 1, 1, true },
        { "success", 1, 1, true },
        { "event", 2, 2, false },
        { "final", 1, 0, false },
        { "unstarted", 1, 0, false },
        { "late", 1, 1, false },
        { "message", 2, 2, false },
        { "lose", 2, 2, false },
        { "fragments", 1, 1, false },
        { "frame", 2, 2, false },
        { "upgrade", 1, 1, false },
        { "trickle", 0, 0, false },
        { NULL, 0, 0, false },
};

static bool has_rules;

void
api_faults_read(const char *path)
{
        fault_rules_read(path, 1, actions);
        has_rules = true;
}

static void
answer_status(struct api_conn *conn, const struct fault_rule *rule)
{
        int code = atoi(rule->args[0]);
        char *header = rule->args[2] != NULL ? api_format("%s\r\n", rule->args[2]) : NULL;
        char *text = NULL;

        if (strcmp(rule->args[1], "-") != 0) {
                json_t *status =
                    api_status(code, rule->args[1], "the server said %s", rule->args[1]);
                text = api_dump(status);
                json_decref(status);
        }
        api_answer(conn, code, "application/json", header, text, text != NULL ? strlen(text) : 0);
        free(header);
        free(text);
}

bool
api_faults_find(struct api_conn *conn)
{
        static const char garbage[] = "<html>{\"kind\": no JSON";

        conn->rule = NULL;
        conn->trickle = false;
        if (!has_rules)
                return true;
        const struct fault_rule *rule = fault_rule_find(conn->request.method, conn->request.target);
        conn->rule = rule;
        if (fault_is(rule, "trickle")) {
                conn->trickle = true;
        } else if (fault_is(rule, "status")) {
                answer_status(conn, rule);
                return false;
        } else if (fault_is(rule, "garbage")) {
                api_answer(conn, atoi(rule->args[0]), "application/json", NULL, garbage,
                    sizeof(garbage) - 1);
                return false;
        } else if (fault_is(rule, "redirect")) {
                char *header = api_format("Location: %s\r\n", rule->args[0]);
                api_answer(conn, 307, "text/plain", header, "", 0);
                free(header);
                return false;
        } else if (rule != NULL && rule->place == FAULT_HEAD && !api_pass(conn, FAULT_HEAD)) {
                api_note(conn, 0);
                return false;
        }
        return true;
}
