/*
 * The script of http_script: its steps, and which of them is next.
 */
#ifndef TESTS_HTTP_SCRIPT_SCRIPT_H
#define TESTS_HTTP_SCRIPT_SCRIPT_H

#include <stdbool.h>

#include "harness/fault_rules.h"
#include "servers/http_script/conn.h"

#define LINES_MAX 32

/* One expect, always or drop, with the lines below it. */
struct script_step {
        bool always;
        bool anytime;
        bool drop;
        bool taken;
        char *method;
        char *target;
        char *lines[LINES_MAX];
        int line_count;
        int number; /* of its line in the script */
};

/* Serve until SIGTERM. */
extern bool script_forever;

/* script_word: the first word of text, cut off; *text is behind it. */
char *script_word(char **text);
bool script_is_word(const char *line, const char *name);

void script_read(const char *path);

/* script_line_of: the line of that name below the step, behind the name; or NULL. */
const char *script_line_of(const struct script_step *step, const char *name);

/* Under the lock: the step that is expected next, or NULL; that of a request, which is taken. */
struct script_step *script_next(void);
struct script_step *script_find(const struct script_request *request);

#endif
