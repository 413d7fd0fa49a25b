/*
 * The Lua files that are part of the program, byte for byte (scripts/embed).
 */
#ifndef MOONKEEP_SCRIPTS_H
#define MOONKEEP_SCRIPTS_H

struct script {
        const char *name; /* "lua/http.lua", "recipes/prometheus/backup.lua"; NULL ends the table */
        const char *begin; /* a NUL follows the last byte */
        const char *end;
};

extern const struct script scripts[];

#endif
