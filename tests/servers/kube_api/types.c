#include "servers/kube_api/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/fault_rules.h"
#include "servers/kube_api/json.h"
#include "servers/kube_api/status.h"

#define TYPES_MAX 128
#define NS API_NAMESPACED
#define ST API_HAS_STATUS
#define GEN API_HAS_GENERATION
#define WORKLOAD (NS | ST | GEN | API_HAS_SCALE)
#define SNAPSHOTS "snapshot.storage.k8s.io"
#define ACCESS "authorization.k8s.io"

static struct api_type types[TYPES_MAX] = {
        { "", "v1", "configmaps", "configmap", "ConfigMap", { "cm" }, NS, { NULL } },
        { "", "v1", "endpoints", "endpoints", "Endpoints", { "ep" }, NS, { NULL } },
        { "", "v1", "events", "event", "Event", { "ev" }, NS, { NULL } },
        { "", "v1", "namespaces", "namespace", "Namespace", { "ns" }, ST, { "finalize" } },
        { "", "v1", "nodes", "node", "Node", { "no" }, ST, { NULL } },
        { "", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim",
            { "pvc" }, NS | ST, { NULL } },
        { "", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume", { "pv" }, ST,
            { NULL } },
        { "", "v1", "pods", "pod", "Pod", { "po" }, NS | ST,
            { "log", "exec", "proxy", "portforward", "eviction" } },
        { "", "v1", "secrets", "secret", "Secret", { NULL }, NS, { NULL } },
        { "", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", { "sa" }, NS, { NULL } },
        { "", "v1", "services", "service", "Service", { "svc" }, NS | ST, { "proxy" } },
        { "apps", "v1", "daemonsets", "daemonset", "DaemonSet", { "ds" }, NS | ST | GEN, { NULL } },
        { "apps", "v1", "deployments", "deployment", "Deployment", { "deploy" }, WORKLOAD,
            { NULL } },
        { "apps", "v1", "replicasets", "replicaset", "ReplicaSet", { "rs" }, WORKLOAD, { NULL } },
        { "apps", "v1", "statefulsets", "statefulset", "StatefulSet", { "sts" }, WORKLOAD,
            { NULL } },
        { "batch", "v1", "cronjobs", "cronjob", "CronJob", { "cj" }, NS | ST | GEN, { NULL } },
        { "batch", "v1", "jobs", "job", "Job", { NULL }, NS | ST | GEN, { NULL } },
        { "coordination.k8s.io", "v1", "leases", "lease", "Lease", { NULL }, NS, { NULL } },
        { "storage.k8s.io", "v1", "storageclasses", "storageclass", "StorageClass", { "sc" }, 0,
            { NULL } },
        { ACCESS, "v1", "selfsubjectaccessreviews", "selfsubjectaccessreview",
            "SelfSubjectAccessReview", { NULL }, API_CREATE_ONLY, { NULL } },
        { SNAPSHOTS, "v1", "volumesnapshotclasses", "volumesnapshotclass", "VolumeSnapshotClass",
            { "vsclass" }, API_CUSTOM | GEN, { NULL } },
        { SNAPSHOTS, "v1", "volumesnapshotcontents", "volumesnapshotcontent",
            "VolumeSnapshotContent", { "vsc" }, API_CUSTOM | ST | GEN, { NULL } },
        { SNAPSHOTS, "v1", "volumesnapshots", "volumesnapshot", "VolumeSnapshot", { "vs" },
            NS | API_CUSTOM | ST | GEN, { NULL } },
};
static size_t type_count;

size_t
api_type_count(void)
{
        while (type_count < TYPES_MAX && types[type_count].plural != NULL)
                type_count++;
        return type_count;
}

const struct api_type *
api_type_at(size_t idx)
{
        return &types[idx];
}

const struct api_type *
api_type_find(const char *group, const char *version, const char *plural)
{
        for (size_t idx = 0; idx < api_type_count(); idx++) {
                const struct api_type *type = &types[idx];
                if (strcmp(type->group, group) == 0 && strcmp(type->version, version) == 0 &&
                    strcmp(type->plural, plural) == 0)
                        return type;
        }
        return NULL;
}

const char *
api_type_version(const struct api_type *type)
{
        static _Thread_local char text[256];

        snprintf(text, sizeof(text), "%s%s%s", type->group, *type->group != '\0' ? "/" : "",
            type->version);
        return text;
}

const struct api_type *
api_type_of_kind(const char *api_version, const char *kind)
{
        for (size_t idx = 0; idx < api_type_count(); idx++) {
                if (strcmp(types[idx].kind, kind) == 0 &&
                    strcmp(api_type_version(&types[idx]), api_version) == 0)
                        return &types[idx];
        }
        return NULL;
}

bool
api_has_group_version(const char *group, const char *version)
{
        for (size_t idx = 0; idx < api_type_count(); idx++) {
                if (strcmp(types[idx].group, group) == 0 &&
                    strcmp(types[idx].version, version) == 0)
                        return true;
        }
        return false;
}

static char *
own(const json_t *entry, const char *key, const char *otherwise)
{
        const char *text = api_text(entry, key);

        return fault_checked(strdup(*text != '\0' ? text : otherwise));
}

void
api_types_add(const json_t *list)
{
        size_t idx;
        const json_t *entry;

        json_array_foreach(list, idx, entry)
        {
                if (api_type_count() == TYPES_MAX || *api_text(entry, "plural") == '\0' ||
                    *api_text(entry, "kind") == '\0')
                        fault_fail("a type needs plural and kind, and there may be %d", TYPES_MAX);
                struct api_type *type = &types[type_count];
                char *kind = own(entry, "kind", "");
                type->group = own(entry, "group", "");
                type->version = own(entry, "version", "v1");
                type->kind = kind;
                type->singular = own(entry, "singular", kind);
                for (char *at = (char *)(uintptr_t)type->singular; *at != '\0'; at++)
                        *at |= *at >= 'A' && *at <= 'Z' ? 0x20 : 0;
                size_t names = json_array_size(api_at(entry, "shortNames"));
                for (size_t at = 0; at < names && at < 3; at++)
                        type->short_names[at] = fault_checked(strdup(
                            json_string_value(json_array_get(api_at(entry, "shortNames"), at))));
                type->traits = API_CUSTOM | API_HAS_GENERATION;
                if (!json_is_false(api_at(entry, "namespaced")))
                        type->traits |= API_NAMESPACED;
                if (json_is_true(api_at(entry, "status")))
                        type->traits |= API_HAS_STATUS;
                type->plural = own(entry, "plural", "");
        }
}
