/*
 * What a script of http_script says of a request.
 */
#ifndef TESTS_HTTP_SCRIPT_EXPECT_H
#define TESTS_HTTP_SCRIPT_EXPECT_H

#include "servers/http_script/script.h"

/* script_pattern: the byte of the pattern at that place. */
char script_pattern(unsigned long at);

/* script_has_header: "NAME: VALUE"? */
bool script_has_header(const struct script_request *request, const char *line, int number);

/* script_check: a line "expect-..." about the request; what is not true ends the process. */
void script_check(
    const struct script_step *step, const char *line, const struct script_request *request);

#endif
