/*
 * The resources that the API server for tests knows: those of Kubernetes that
 * backups meet, and those that the objects file adds.
 */
#ifndef TESTS_KUBE_API_TYPES_H
#define TESTS_KUBE_API_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

enum api_trait {
        API_NAMESPACED = 1,
        API_HAS_STATUS = 2, /* a subresource of its own; the object's main resource keeps it */
        API_HAS_SCALE = 4,
        API_HAS_GENERATION = 8, /* counted at each change of spec */
        API_CUSTOM = 16,        /* of a CustomResourceDefinition */
        API_CREATE_ONLY = 32    /* asked, not kept: SelfSubjectAccessReview */
};

struct api_type {
        const char *group; /* "" for the core */
        const char *version;
        const char *plural;
        const char *singular;
        const char *kind;
        const char *short_names[3];
        unsigned traits;
        const char *more[8]; /* subresources that are served elsewhere: "log", "exec" */
};

/* api_type_count, api_type_at: all of them, those of a group in a row. */
size_t api_type_count(void);
const struct api_type *api_type_at(size_t idx);

/* api_type_find: by group, version and plural; or NULL. */
const struct api_type *api_type_find(const char *group, const char *version, const char *plural);

/* api_type_of_kind: by "apps/v1" and "Deployment"; or NULL. */
const struct api_type *api_type_of_kind(const char *api_version, const char *kind);

/* api_type_version: "v1", "apps/v1"; in static memory of the calling thread. */
const char *api_type_version(const struct api_type *type);

/* api_types_add: those of the objects file: [{group, version, plural, kind, namespaced, ...}]. */
void api_types_add(const json_t *list);

/* api_has_group_version: is there any type of it? */
bool api_has_group_version(const char *group, const char *version);

#endif
