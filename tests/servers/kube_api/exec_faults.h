/*
 * What an exec of the API server for tests sends, and what a rule of --faults does to it.
 */
#ifndef TESTS_KUBE_API_EXEC_FAULTS_H
#define TESTS_KUBE_API_EXEC_FAULTS_H

#include <stdint.h>

#include "servers/kube_api/http.h"
#include "servers/kube_api/process.h"

struct exec {
        struct api_conn *conn;
        const struct api_command *command;
        struct api_process process;
        bool is_v5;
        bool stdin_ended;   /* closed by the client */
        bool has_ended;     /* the command has, and all its output was read */
        bool leaving;       /* nothing more is read from either side */
        bool broken;        /* the fault of this session has happened */
        struct buf input;   /* for the command */
        struct buf message; /* fragments of one from the client */
        struct buf output;  /* frames for the client */
        struct buf late;    /* frames that come later than they should */
        uint64_t stdin_bytes, stdout_bytes;
        unsigned long messages, stdout_messages;
};

void exec_init(struct exec *exec, const struct api_command *command);
void exec_clear(struct exec *exec);

/* exec_begin: the command runs.  exec_output: what it wrote on channel 1 or 2. */
void exec_begin(struct exec *exec);
void exec_output(struct exec *exec, int channel, const char *data, size_t len);

/* exec_input_faults: what happens once so much of stdin has come; false: leave. */
bool exec_input_faults(struct exec *exec);

/* exec_unstarted: why the command is not started; "" when it is. */
const char *exec_unstarted(const struct exec *exec);

/* exec_finish: the Status, and the close frame. */
void exec_finish(struct exec *exec, const char *status);

/* exec_send_some: as much as the client takes now. */
void exec_send_some(struct exec *exec);

/* exec_say_good_bye: send the rest, and end the connection. */
void exec_say_good_bye(struct exec *exec);

#endif
