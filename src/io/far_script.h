/*
 * The scripts that run at the far end: POSIX sh, sent by standard input, so
 * that nothing of them, of their arguments and of secrets shows in a command
 * line, and none of it has the length limits of one.  What they say to us are
 * lines on standard error that begin with a random mark.
 * docs/design/far-streams.md has the protocol of each.  Internal to far.
 */
#ifndef IO_FAR_SCRIPT_H
#define IO_FAR_SCRIPT_H

/*
 * What `sh -c` gets, with the mark as $1: reads a script from standard input
 * up to a line that is the mark, and runs it; a script that was cut is not run.
 */
extern const char far_script_boot[];

/* In front of every script: its channels, how it speaks, and its watchdog. */
extern const char far_script_common[];

extern const char far_script_tar_out[];
extern const char far_script_tar_in[];
extern const char far_script_file_out[];
extern const char far_script_file_in[];
extern const char far_script_shell[];

#endif
