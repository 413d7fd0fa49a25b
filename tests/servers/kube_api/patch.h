/*
 * The patches of Kubernetes, on plain values.
 *
 * Strategic merge: maps are merged; a list whose items have names (or, in a
 * list of ports, numbers) is merged by them, another is replaced; "$patch":
 * "delete" and "replace" and null are understood.
 */
#ifndef TESTS_KUBE_API_PATCH_H
#define TESTS_KUBE_API_PATCH_H

#include <jansson.h>

/* api_merge: RFC 7386.  api_merge_strategic: the same with lists of named things.  In place. */
void api_merge(json_t *target, const json_t *patch);
void api_merge_strategic(json_t *target, const json_t *patch);

/*
 * api_patch_json: RFC 6902, all or nothing: a new value; NULL with *why (to be
 * freed) when an operation cannot be done.
 */
json_t *api_patch_json(const json_t *target, const json_t *operations, char **why);

/* api_key_of_list: what names the items of a list: "name", "containerPort"...; NULL: nothing does.
 */
const char *api_key_of_list(const json_t *list);

/* api_list_find: the item of that name in a list, or NULL. */
json_t *api_list_find(const json_t *list, const char *key, const json_t *value);

#endif
