/*
 * The start of a command.  Internal to proc.
 */
#ifndef IO_PROC_SPAWN_H
#define IO_PROC_SPAWN_H

#include <sys/types.h>

#include "moonkeep/proc.h"

/*
 * proc_spawn: start it, in a process group of its own (number *pid), with no
 * descriptor of ours but its three.  *out and *err_out are the ends to read
 * its outputs from, not blocking, owned by the caller.  If in is not NULL, its
 * standard input is a pipe instead of spec->input, and *in our end of that, the same.
 */
int proc_spawn(
    const struct proc_spec *spec, pid_t *pid, int *in, int *out, int *err_out, struct err *err);

#endif
