/*
 * URLs, split into their parts (RFC 3986).
 */
#ifndef MOONKEEP_URL_H
#define MOONKEEP_URL_H

#include <stdbool.h>

#include "moonkeep/err.h"

#define URL_MAX ((size_t)8192)

struct url {
        char *scheme; /* lower case */
        char *user;   /* decoded, or NULL */
        bool has_password;
        char *host;  /* lower case, an IPv6 address without brackets; "" where absent */
        int port;    /* 0 where absent */
        char *path;  /* decoded; "" where absent */
        char *query; /* as it stands, without '?'; NULL where absent */
};

/* url_parse: ERR_INVALID for what is no URL; the password is never kept. */
int url_parse(const char *text, struct url *out, struct err *err);

/* url_clear: release the parts. */
void url_clear(struct url *url);

/* url_param: the decoded value of a query parameter as a new string; NULL when absent (err code
 * NONE). */
char *url_param(const struct url *url, const char *name, struct err *err);

#endif
