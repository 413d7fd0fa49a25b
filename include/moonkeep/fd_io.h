/*
 * Descriptors that somebody else opened, as streams: standard input and output.
 */
#ifndef MOONKEEP_FD_IO_H
#define MOONKEEP_FD_IO_H

#include "moonkeep/stream.h"

/*
 * fd_source: what can be read from fd (borrowed) until its end.  A pipe's end
 * does not say whether its writer succeeded: that is for the caller to know.
 * name is for messages.
 */
struct source *fd_source(int fd, const char *name, struct cancel *cancel, struct err *err);

/*
 * fd_sink: write to fd (borrowed), which has nothing to commit: what is written
 * is gone.  A reader that went away is ERR_IO; the program must ignore SIGPIPE.
 */
struct sink *fd_sink(int fd, const char *name, struct cancel *cancel, struct err *err);

#endif
