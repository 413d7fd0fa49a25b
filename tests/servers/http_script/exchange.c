#include "servers/http_script/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "servers/http_script/act.h"
#include "servers/http_script/expect.h"

FILE *script_log_file;
pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t script_changed = PTHREAD_COND_INITIALIZER;
int script_busy;

/* Is it said of the request, not done? */
static bool
is_condition(const char *line)
{
        return strncmp(line, "expect-", 7) == 0 || strncmp(line, "when-", 5) == 0 ||
               script_is_word(line, "cut-request");
}

/* Read the body as the step says; false when that was the end of the connection. */
static bool
take_body(struct script_conn *conn, struct script_request *request, const struct script_step *step)
{
        const char *cut = script_line_of(step, "cut-request");

        if (cut == NULL)
                return conn_read_body(conn, request);
        (void)conn_fill(conn, strlen(request->head) + strtoul(cut, NULL, 10));
        conn_set_reset(conn->fd);
        return false;
}

/* One request and what follows from it; false when the connection is over. */
bool
script_exchange(struct script_conn *conn)
{
        struct script_request request = { 0 };

        if (!conn_read_head(conn, &request))
                return false;
        pthread_mutex_lock(&script_lock);
        if (script_log_file != NULL) {
                fprintf(script_log_file, "%s %s\n", request.method, request.target);
                fflush(script_log_file);
        }
        const struct script_step *step = script_find(&request);
        script_busy++;
        pthread_mutex_unlock(&script_lock);

        bool open = take_body(conn, &request, step);
        for (int idx = 0; open && idx < step->line_count; idx++) {
                if (strncmp(step->lines[idx], "expect-", 7) == 0)
                        script_check(step, step->lines[idx], &request);
        }
        conn->rate = 0;
        conn->extra[0] = '\0';
        for (int idx = 0; open && idx < step->line_count; idx++) {
                if (!is_condition(step->lines[idx]))
                        open = script_act(step, conn, step->lines[idx]);
        }
        if (!open)
                close(conn->fd);
        request_free(&request);

        pthread_mutex_lock(&script_lock);
        script_busy--;
        pthread_cond_broadcast(&script_changed);
        pthread_mutex_unlock(&script_lock);
        if (!open)
                conn->fd = -1;
        return open;
}
