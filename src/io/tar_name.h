/*
 * Names of tar entries in messages.  Internal to the tar modules.
 */
#ifndef IO_TAR_NAME_H
#define IO_TAR_NAME_H

#include <stddef.h>

#define TAR_SHOWN_SIZE 256

/*
 * tar_name_show: a name for a message: control bytes become '?', and a long
 * name keeps its two ends around "...".  Returns out.
 */
const char *tar_name_show(const char *name, size_t len, char out[TAR_SHOWN_SIZE]);

#endif
