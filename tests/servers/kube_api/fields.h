/*
 * Who has set which fields of an object: metadata.managedFields, as server-side
 * apply needs them.  Lists of named things are known by item, others as a whole.
 *
 * Simpler than the real server: each manager has one entry for Apply and one for
 * Update, the fields of status are nobody's.
 */
#ifndef TESTS_KUBE_API_FIELDS_H
#define TESTS_KUBE_API_FIELDS_H

#include <stdbool.h>

#include <jansson.h>

/* api_fields_note: object was made out of before (may be NULL) by a manager's create, update or
 * patch. */
void api_fields_note(json_t *object, const json_t *before, const char *manager);

/*
 * api_fields_apply: object (a copy of the live one) as it is after the manager
 * applied; what that manager no longer applies goes.  Without force, what another
 * manager has set to something else is a conflict: a Status, else NULL.
 */
json_t *api_fields_apply(json_t *object, const json_t *applied, const char *manager, bool force);

#endif
