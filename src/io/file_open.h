/*
 * Opening files for reading, for file_source and file_read.
 */
#ifndef MOONKEEP_FILE_OPEN_H
#define MOONKEEP_FILE_OPEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "moonkeep/err.h"

/*
 * file_open: open the regular file path for reading and fill *st.  Without
 * follow a symbolic link at the last component is ERR_INVALID; so is anything
 * that is no regular file.  Never waits for the other end of a FIFO.
 * Returns the descriptor or -1.
 */
int file_open(const char *path, bool follow, struct stat *st, struct err *err);

#endif
