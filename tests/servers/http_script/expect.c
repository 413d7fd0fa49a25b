#include "servers/http_script/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "NAME: VALUE" */
bool
script_has_header(const struct script_request *request, const char *line, int number)
{
        char *name = fault_checked(strdup(line + strspn(line, " \t")));
        char *colon = strchr(name, ':');
        size_t len = 0;

        if (colon == NULL)
                fault_fail("line %d: a header is NAME: VALUE", number);
        *colon++ = '\0';
        colon += strspn(colon, " ");
        const char *value = request_header(request->head, name, &len);
        bool has = value != NULL && strlen(colon) == len && strncmp(value, colon, len) == 0;
        free(name);
        return has;
}

char
script_pattern(unsigned long at)
{
        return (char)(unsigned char)(at + at / 251);
}

/* "FIRST-LAST" */
static bool
is_pattern(const struct script_request *request, const char *range, int number)
{
        unsigned long first, last;

        if (sscanf(range, "%lu-%lu", &first, &last) != 2)
                fault_fail("line %d: expect-pattern FIRST-LAST", number);
        if (request->body_len != last - first + 1)
                return false;
        for (unsigned long at = first; at <= last; at++) {
                if (request->body[at - first] != script_pattern(at))
                        return false;
        }
        return true;
}

/* A line "expect-..." about the request. */
void
script_check(const struct script_step *step, const char *line, const struct script_request *request)
{
        char *copy = fault_checked(strdup(line));
        char *rest = copy;
        const char *name = script_word(&rest);
        size_t len = 0;
        bool ok = false;

        if (strcmp(name, "expect-header") == 0) {
                ok = script_has_header(request, rest, step->number);
        } else if (strcmp(name, "expect-pattern") == 0) {
                ok = is_pattern(request, rest, step->number);
        } else if (strcmp(name, "expect-no-header") == 0) {
                ok = request_header(request->head, rest, &len) == NULL;
        } else if (strcmp(name, "expect-no-text") == 0) {
                ok = strstr(request->head, rest) == NULL &&
                     memmem(request->body, request->body_len, rest, strlen(rest)) == NULL;
        } else if (strcmp(name, "expect-body") == 0) {
                ok = strlen(rest) == request->body_len &&
                     memcmp(rest, request->body, request->body_len) == 0;
        } else if (strcmp(name, "expect-connection") == 0) {
                ok = (strcmp(rest, "new") == 0) == (request->on_connection == 1);
        }
        if (!ok)
                fault_fail("line %d: not true: %s\n%s%.2000s", step->number, line, request->head,
                    request->body);
        free(copy);
}
