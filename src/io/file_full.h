/*
 * What to tell the user when a file can grow no further.
 */
#ifndef MOONKEEP_FILE_FULL_H
#define MOONKEEP_FILE_FULL_H

#include "moonkeep/err.h"

/*
 * file_full_hint: if sys is ENOSPC, EDQUOT or EFBIG, add the hint how much
 * room there is at the place of the descriptor fd, or which limit was met.
 * Returns -1.
 */
int file_full_hint(int fd, int sys, struct err *err);

#endif
