#include "harness/fault_rules.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RULES_MAX 64

static struct fault_rule rules[RULES_MAX];
static int rule_count;

/* Guards the counters of the rules, and what is drawn. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned short draws[3];

void
fault_fail(const char *fmt, ...)
{
        va_list args;

        va_start(args, fmt);
        fprintf(stderr, "%s: ", program_invocation_short_name);
        vfprintf(stderr, fmt, args);
        fputc('\n', stderr);
        va_end(args);
        fflush(NULL);
        _exit(1);
}

void *
fault_checked(void *ptr)
{
        if (ptr == NULL)
                fault_fail("out of memory");
        return ptr;
}

/* The rules. */

static const char *const places[] = { "", "head", "body:", "body", "done", "answer-head",
        "answer-body:", "stdout:", "stdin:", "events:" };

/* The first word of text, cut off; *text is behind it. */
static char *
word(char **text)
{
        char *start = *text + strspn(*text, " \t");
        size_t len = strcspn(start, " \t");

        *text = start + len;
        if (**text != '\0')
                *(*text)++ = '\0';
        *text += strspn(*text, " \t");
        return start;
}

static void
read_place(struct fault_rule *rule, const char *text, int number)
{
        for (enum fault_place place = FAULT_HEAD; place <= FAULT_EVENTS; place++) {
                size_t len = strlen(places[place]);
                bool counted = places[place][len - 1] == ':';
                if (strncmp(text, places[place], len) != 0 || (!counted && text[len] != '\0'))
                        continue;
                rule->place = place;
                rule->bytes = counted ? strtoul(text + len, NULL, 10) : 0;
                return;
        }
        fault_fail("line %d: \"%s\" is no place", number, text);
}

static void
read_rule(char *line, int number, const struct fault_action *actions)
{
        struct fault_rule *rule = &rules[rule_count++];
        const struct fault_action *kind = actions;
        int count = 0;

        rule->method = word(&line);
        rule->target = word(&line);
        rule->which = word(&line);
        rule->action = word(&line);
        if (strcmp(rule->which, "every") != 0 && strncmp(rule->which, "nth:", 4) != 0 &&
            strncmp(rule->which, "first:", 6) != 0 && strncmp(rule->which, "chance:", 7) != 0)
                fault_fail("line %d: \"%s\" says not which", number, rule->which);
        while (kind->name != NULL && strcmp(rule->action, kind->name) != 0)
                kind++;
        if (kind->name == NULL)
                fault_fail("line %d: unknown action \"%s\"", number, rule->action);
        while (count < kind->splits && *line != '\0')
                rule->args[count++] = word(&line);
        if (*line != '\0')
                rule->args[count++] = line;
        if (count < kind->args)
                fault_fail("line %d: \"%s\" needs more", number, rule->action);
        if (kind->placed)
                read_place(rule, rule->args[kind->args - 1], number);
}

void
fault_rules_read(const char *path, long seed, const struct fault_action *actions)
{
        FILE *file = fopen(path, "re");
        char *line = NULL;
        size_t cap = 0;

        draws[0] = 0x330e;
        draws[1] = (unsigned short)seed;
        draws[2] = (unsigned short)(seed >> 16);
        if (file == NULL)
                fault_fail("%s: %s", path, strerror(errno));
        for (int number = 1; getline(&line, &cap, file) >= 0; number++) {
                line[strcspn(line, "\r\n")] = '\0';
                char *at = line + strspn(line, " \t");
                if (*at == '\0' || *at == '#')
                        continue;
                if (rule_count == RULES_MAX)
                        fault_fail("line %d: more than %d rules", number, RULES_MAX);
                read_rule(fault_checked(strdup(at)), number, actions);
        }
        free(line);
        fclose(file);
}

/* Does text match pattern, in which '*' is any text? */
static bool
matches(const char *pattern, const char *text)
{
        const char *star = NULL, *from = NULL;

        while (*text != '\0') {
                if (*pattern == '*') {
                        star = pattern++;
                        from = text;
                } else if (*pattern == *text) {
                        pattern++;
                        text++;
                } else if (star != NULL) {
                        pattern = star + 1;
                        text = ++from;
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}

/* Is it the rule's turn?  Under the lock. */
static bool
is_due(struct fault_rule *rule)
{
        unsigned long turn = ++rule->seen;

        if (strncmp(rule->which, "nth:", 4) == 0)
                return turn == strtoul(rule->which + 4, NULL, 10);
        if (strncmp(rule->which, "first:", 6) == 0)
                return turn <= strtoul(rule->which + 6, NULL, 10);
        if (strncmp(rule->which, "chance:", 7) == 0)
                return erand48(draws) * 100 < strtod(rule->which + 7, NULL);
        return true;
}

const struct fault_rule *
fault_rule_find(const char *method, const char *target)
{
        const struct fault_rule *found = NULL;

        pthread_mutex_lock(&lock);
        for (int idx = 0; idx < rule_count && found == NULL; idx++) {
                if (matches(rules[idx].method, method) && matches(rules[idx].target, target) &&
                    is_due(&rules[idx]))
                        found = &rules[idx];
        }
        pthread_mutex_unlock(&lock);
        return found;
}

bool
fault_is(const struct fault_rule *rule, const char *name)
{
        return rule != NULL && strcmp(rule->action, name) == 0;
}
