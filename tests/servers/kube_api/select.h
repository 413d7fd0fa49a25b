/*
 * Which objects a request of a collection means: labelSelector and fieldSelector.
 */
#ifndef TESTS_KUBE_API_SELECT_H
#define TESTS_KUBE_API_SELECT_H

#include <stdbool.h>

#include "servers/kube_api/http.h"
#include "servers/kube_api/types.h"

struct api_selector {
        const struct api_type *type;
        const char *ns;     /* "" for all */
        const char *labels; /* as in the request; or NULL */
        const char *fields;
};

/* api_select_check: a Status when it cannot be understood, else NULL. */
json_t *api_select_check(const struct api_selector *selector);

/* api_selects: does it mean that object? */
bool api_selects(const struct api_selector *selector, const json_t *object);

/* api_matches_labels: "a=b,c!=d,e in (f,g),!h" against labels; false, too, when it is no selector.
 */
bool api_matches_labels(const char *text, const json_t *labels);

#endif
