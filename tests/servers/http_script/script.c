#include "servers/http_script/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "servers/http_script/expect.h"

#define LINE_MAX_LEN ((size_t)1024 * 1024)
#define STEPS_MAX 256

bool script_forever;

static struct script_step steps[STEPS_MAX];
static int step_count;

static const char *const below[] = { "when-header", "cut-request", "expect-header",
        "expect-no-header", "expect-no-text", "expect-body", "expect-pattern", "expect-connection",
        "header", "answer", "answer-file", "answer-range", "answer-raw", "slow", "stall", "endless",
        "endless-headers", "wait-close", "close", "reset" };

/* The first word of text, cut off; *text is behind it. */
char *
script_word(char **text)
{
        char *start = *text + strspn(*text, " \t");
        size_t len = strcspn(start, " \t");

        *text = start + len;
        if (**text != '\0')
                *(*text)++ = '\0';
        *text += strspn(*text, " \t");
        return start;
}

bool
script_is_word(const char *line, const char *name)
{
        size_t len = strlen(name);

        return strncmp(line, name, len) == 0 &&
               (line[len] == '\0' || line[len] == ' ' || line[len] == '\t');
}

static void
add_line(struct script_step *step, const char *line, int number)
{
        for (size_t idx = 0; idx < sizeof(below) / sizeof(below[0]); idx++) {
                if (!script_is_word(line, below[idx]))
                        continue;
                if (step == NULL || step->drop || step->line_count == LINES_MAX)
                        fault_fail("line %d: \"%s\" has no place here", number, below[idx]);
                step->lines[step->line_count++] = fault_checked(strdup(line));
                return;
        }
        fault_fail("line %d: unknown directive: %.60s", number, line);
}

void
script_read(const char *path)
{
        FILE *file = fopen(path, "re");
        struct script_step *step = NULL;
        char *line = NULL;
        size_t cap = 0;
        ssize_t len;
        int expected = 0;

        if (file == NULL)
                fault_fail("%s: %s", path, strerror(errno));
        for (int number = 1; (len = getline(&line, &cap, file)) >= 0; number++) {
                if ((size_t)len > LINE_MAX_LEN)
                        fault_fail("line %d is too long", number);
                while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
                        line[--len] = '\0';
                char *at = line + strspn(line, " \t");
                if (*at == '\0' || *at == '#')
                        continue;
                if (script_is_word(at, "forever")) {
                        script_forever = true;
                        continue;
                }
                bool drop = script_is_word(at, "drop") || script_is_word(at, "drop-reset");
                if (!drop && !script_is_word(at, "expect") && !script_is_word(at, "anytime") &&
                    !script_is_word(at, "always")) {
                        add_line(step, at, number);
                        continue;
                }
                if (step_count == STEPS_MAX)
                        fault_fail("line %d: more than %d steps", number, STEPS_MAX);
                step = &steps[step_count++];
                step->number = number;
                step->always = script_is_word(at, "always");
                step->anytime = script_is_word(at, "anytime");
                step->drop = drop;
                expected += !step->always;
                const char *kind = script_word(&at);
                step->method = fault_checked(strdup(drop ? kind : script_word(&at)));
                step->target = fault_checked(strdup(script_word(&at)));
                if (!drop && *step->target == '\0')
                        fault_fail("line %d: method and target are missing", number);
                if (*at != '\0')
                        add_line(step, at, number);
        }
        free(line);
        fclose(file);
        if (expected == 0)
                script_forever = true;
}

/* The line of that name below the step, behind the name; or NULL. */
const char *
script_line_of(const struct script_step *step, const char *name)
{
        for (int idx = 0; idx < step->line_count; idx++) {
                if (script_is_word(step->lines[idx], name))
                        return step->lines[idx] + strlen(name);
        }
        return NULL;
}

struct script_step *
script_next(void)
{
        for (int idx = 0; idx < step_count; idx++) {
                if (!steps[idx].always && !steps[idx].taken)
                        return &steps[idx];
        }
        return NULL;
}

static bool
matches(const struct script_step *step, const struct script_request *request)
{
        size_t len = strlen(step->target);

        if (step->drop || strcmp(step->method, request->method) != 0)
                return false;
        for (int idx = 0; idx < step->line_count; idx++) {
                if (script_is_word(step->lines[idx], "when-header") &&
                    !script_has_header(
                        request, step->lines[idx] + strlen("when-header"), step->number))
                        return false;
        }
        if (len > 0 && step->target[len - 1] == '*')
                return strncmp(step->target, request->target, len - 1) == 0;
        return strcmp(step->target, request->target) == 0;
}

struct script_step *
script_find(const struct script_request *request)
{
        struct script_step *step = script_next();

        for (struct script_step *at = step; at != NULL && at < steps + step_count; at++) {
                if (!at->taken && !at->always && matches(at, request)) {
                        at->taken = true;
                        return at;
                }
                /* The order is only free among those that say so. */
                if (!at->anytime)
                        break;
        }
        for (int idx = 0; idx < step_count; idx++) {
                if (steps[idx].always && matches(&steps[idx], request))
                        return &steps[idx];
        }
        if (step != NULL)
                fault_fail("line %d expects %s %s, and %s %s came", step->number, step->method,
                    step->target, request->method, request->target);
        fault_fail(
            "nothing is expected any more, and %s %s came", request->method, request->target);
}
