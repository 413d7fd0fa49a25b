#include "harness/fault_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

char *
fault_find_header(char *head, size_t len, const char *name)
{
        size_t name_len = strlen(name);
        char *end = head + len;

        for (char *line = memmem(head, len, "\r\n", 2); line != NULL;
             line = memmem(line, (size_t)(end - line), "\r\n", 2)) {
                line += 2;
                if ((size_t)(end - line) > name_len && strncasecmp(line, name, name_len) == 0 &&
                    line[name_len] == ':')
                        return line;
        }
        return NULL;
}

void
fault_set_header(struct fault_answer *answer, const char *name, const char *value)
{
        char *line = fault_find_header(answer->head.data, answer->head.len, name);
        struct buf out;

        buf_init(&out, 2 * FAULT_HEAD_MAX);
        size_t before = line != NULL ? (size_t)(line - answer->head.data) : answer->head.len - 2;
        buf_add(&out, answer->head.data, before, NULL);
        if (value != NULL)
                buf_addf(&out, NULL, "%s: %s\r\n", name, value);
        if (line != NULL)
                line = (char *)memmem(line, answer->head.len - before, "\r\n", 2) + 2;
        else
                line = answer->head.data + before;
        buf_add(&out, line, answer->head.len - (size_t)(line - answer->head.data), NULL);
        buf_free(&answer->head);
        answer->head = out;
}

void
fault_set_length(struct fault_answer *answer)
{
        char text[32];

        snprintf(text, sizeof(text), "%zu", answer->body.len);
        fault_set_header(answer, "Transfer-Encoding", NULL);
        fault_set_header(answer, "Content-Length", text);
}

static void
read_file(struct buf *out, const char *path)
{
        FILE *file = fopen(path, "re");
        char part[4096];
        size_t got;

        if (file == NULL)
                fault_fail("%s: %s", path, strerror(errno));
        while ((got = fread(part, 1, sizeof(part), file)) > 0)
                buf_add(out, part, got, NULL);
        fclose(file);
}

/* "answer" and "replace": an answer of our own. */
static void
make_answer(const struct fault_rule *rule, const char *method, struct fault_answer *answer)
{
        const char *body = rule->args[1];
        char date[64];
        time_t now = time(NULL);
        struct tm tm;

        buf_clear(&answer->head);
        buf_clear(&answer->body);
        answer->status = atoi(rule->args[0]);
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
        if (*body == '@')
                read_file(&answer->body, body + 1);
        else if (strcmp(body, "-") != 0)
                buf_addf(&answer->body, NULL,
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                    "<Error><Code>%s</Code><Message></Message></Error>",
                    body);
        buf_addf(&answer->head, NULL,
            "HTTP/1.1 %d Fault\r\nDate: %s\r\nContent-Type: application/xml\r\n\r\n",
            answer->status, date);
        fault_set_length(answer);
        if (strcmp(method, "HEAD") == 0)
                buf_clear(&answer->body);
}

static void
skew_date(struct fault_answer *answer, long seconds)
{
        const char *line = fault_find_header(answer->head.data, answer->head.len, "Date");
        char date[64];
        struct tm tm = { 0 };

        if (line == NULL || strptime(line + 5, " %a, %d %b %Y %H:%M:%S GMT", &tm) == NULL)
                return;
        time_t when = timegm(&tm) + seconds;
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &tm));
        fault_set_header(answer, "Date", date);
}

static void
replace_text(struct fault_answer *answer, const char *old, const char *text)
{
        char *at = answer->body.len > 0
                       ? memmem(answer->body.data, answer->body.len, old, strlen(old))
                       : NULL;
        struct buf out;

        if (at == NULL)
                return;
        size_t before = (size_t)(at - answer->body.data);
        buf_init(&out, FAULT_BODY_MAX);
        buf_add(&out, answer->body.data, before, NULL);
        buf_addstr(&out, text, NULL);
        buf_add(&out, at + strlen(old), answer->body.len - before - strlen(old), NULL);
        buf_free(&answer->body);
        answer->body = out;
        fault_set_length(answer);
}

void
fault_change_answer(const struct fault_rule *rule, const char *method, struct fault_answer *answer)
{
        const char *last = NULL;

        if (rule == NULL)
                return;
        if (fault_is(rule, "replace") || fault_is(rule, "answer")) {
                make_answer(rule, method, answer);
                last = rule->args[2];
        } else if (fault_is(rule, "header")) {
                last = rule->args[0];
        } else if (fault_is(rule, "skew")) {
                skew_date(answer, strtol(rule->args[0], NULL, 10));
        } else if (fault_is(rule, "text")) {
                replace_text(answer, rule->args[0], rule->args[1]);
        } else if (fault_is(rule, "truncate")) {
                size_t len = strtoul(rule->args[0], NULL, 10);
                if (len < answer->body.len) {
                        answer->body.len = len;
                        fault_set_length(answer);
                }
        } else if (fault_is(rule, "corrupt")) {
                size_t at = strtoul(rule->args[0], NULL, 10);
                if (at < answer->body.len)
                        answer->body.data[at] ^= 1;
        }
        if (last != NULL) {
                char name[128];
                size_t len = strcspn(last, ":");
                if (len >= sizeof(name) || last[len] != ':')
                        fault_fail("\"%s\" is no header", last);
                memcpy(name, last, len);
                name[len] = '\0';
                fault_set_header(answer, name, last + len + 1 + strspn(last + len + 1, " "));
        }
}
