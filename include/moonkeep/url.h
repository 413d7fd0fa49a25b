/*
 * URLs, split into their parts (RFC 3986).
 */
#ifndef MOONKEEP_URL_H
#define MOONKEEP_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "moonkeep/err.h"

#define URL_MAX ((size_t)8192)

struct url {
        char *scheme; /* lower case */
        char *user;   /* decoded, or NULL */
        bool has_password;
        char *host;        /* lower case, an IPv6 address without brackets; "" where absent */
        bool has_capitals; /* the host was written with some */
        int port;          /* 0 where absent */
        char *path;        /* decoded; "" where absent */
        char *query;       /* as it stands, without '?'; NULL where absent */
};

/*
 * url_parse: "scheme:path", "scheme://user@host:port/path?query" and what lies
 * between.  ERR_INVALID for what is no URL, or has a fragment, a space, a
 * control character or %00 in it; the message never shows the text.  The
 * password is never kept.
 */
int url_parse(const char *text, struct url *out, struct err *err);

/* url_clear: release the parts; the struct is zeroed. */
void url_clear(struct url *url);

/*
 * url_param: the decoded value of the first query parameter with that name,
 * as a new string ('+' is a plus); NULL when there is none (err code NONE) or
 * on failure.
 */
char *url_param(const struct url *url, const char *name, struct err *err);

#endif
