/*
 * The options of a store's URL, "?name=value&name=value", of a list that the
 * driver knows.
 */
#ifndef MOONKEEP_STORE_URL_OPTIONS_H
#define MOONKEEP_STORE_URL_OPTIONS_H

#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/err.h"
#include "moonkeep/url.h"

struct url_option {
        const char *name; /* NULL ends the list */
        char *value;      /* decoded; NULL: not given */
};

/*
 * url_options_parse: fill in the values that url gives.  ERR_USAGE for an
 * option that is not in the list (with a hint at the one that was meant), one
 * without or with an empty value, one given twice, and a control character in
 * a value.  The values are to be cleared, on failure too.
 */
int url_options_parse(struct url_option *options, const struct url *url, struct err *err);
void url_options_clear(struct url_option *options);

/* url_options_get: the value of an option of the list, borrowed, or NULL. */
const char *url_options_get(const struct url_option *options, const char *name);

/* url_options_set: another value. */
int url_options_set(
    struct url_option *options, const char *name, const char *value, struct err *err);

/*
 * url_options_number: *out, if the option is given: a decimal number from min
 * to max; ERR_USAGE otherwise.
 */
int url_options_number(const struct url_option *options, const char *name, uint64_t min,
    uint64_t max, uint64_t *out, struct err *err);

/* url_options_write: "?a=1&b=2", in the order of the list; nothing when none is given. */
int url_options_write(const struct url_option *options, struct buf *out, struct err *err);

#endif
