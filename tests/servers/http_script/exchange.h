/*
 * A request of http_script and what follows from it; and what its threads share.
 */
#ifndef TESTS_HTTP_SCRIPT_EXCHANGE_H
#define TESTS_HTTP_SCRIPT_EXCHANGE_H

#include <pthread.h>
#include <stdio.h>

#include "servers/http_script/script.h"

extern FILE *script_log_file;

/* Guards which steps are taken, and the number of exchanges whose actions are being done. */
extern pthread_mutex_t script_lock;
extern pthread_cond_t script_changed;
extern int script_busy;

/* script_exchange: one; false when the connection is over. */
bool script_exchange(struct script_conn *conn);

#endif
