/*
 * An entry, from its header block and what pax records and long names said
 * before.  Internal to the tar modules.
 */
#ifndef IO_TAR_ENTRY_H
#define IO_TAR_ENTRY_H

#include <stdbool.h>

#include "moonkeep/tar.h"
#include "tar_header.h"
#include "tar_pax.h"

/* tar_entry_knows: is type the flag of a kind of entry that can be read? */
bool tar_entry_knows(char type);

/*
 * tar_entry_make: fill entry; its name is put into name (TAR_NAME_MAX + 1
 * bytes), its link points into header or pax.  Returns 0, or -1 with what is
 * wrong in *why.  header->type is one that tar_entry_knows.
 */
int tar_entry_make(const struct tar_header *header, const struct tar_pax *pax, char *name,
    struct tar_entry *entry, const char **why);

#endif
