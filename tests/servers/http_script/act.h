/*
 * What a script of http_script does with a request.
 */
#ifndef TESTS_HTTP_SCRIPT_ACT_H
#define TESTS_HTTP_SCRIPT_ACT_H

#include "servers/http_script/script.h"

/* script_act: one line below the step; false when the connection is over. */
bool script_act(const struct script_step *step, struct script_conn *conn, const char *line);

#endif
