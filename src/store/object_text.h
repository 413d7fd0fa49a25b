/*
 * What servers say, on its way into a message.
 */
#ifndef MOONKEEP_STORE_OBJECT_TEXT_H
#define MOONKEEP_STORE_OBJECT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * object_one_line: text as one line of less than size bytes: control
 * characters and runs of spaces are one space, tags are dropped if so wished,
 * and secrets are starred out, before it is cut at the end of a character.
 */
void object_one_line(const char *text, size_t len, bool drop_tags, char *out, size_t size);

#endif
