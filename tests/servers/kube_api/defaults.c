#include "servers/kube_api/defaults.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/json.h"
#include "servers/kube_api/status.h"
#include "moonkeep/rand.h"

static void
text(json_t *object, const char *path, const char *value)
{
        if (api_at(object, path) == NULL)
                api_set_text(object, path, value);
}

static void
number(json_t *object, const char *path, int64_t value)
{
        if (api_at(object, path) == NULL)
                api_set_number(object, path, value);
}

static void
value(json_t *object, const char *path, json_t *what)
{
        if (api_at(object, path) == NULL)
                api_set(object, path, what);
        else
                json_decref(what);
}

static void
pod_spec(json_t *spec)
{
        json_t *containers = api_at(spec, "containers");

        text(spec, "restartPolicy", "Always");
        number(spec, "terminationGracePeriodSeconds", 30);
        text(spec, "dnsPolicy", "ClusterFirst");
        text(spec, "schedulerName", "default-scheduler");
        value(spec, "securityContext", json_object());
        for (size_t idx = 0; idx < json_array_size(containers); idx++) {
                json_t *container = json_array_get(containers, idx);
                text(container, "terminationMessagePath", "/dev/termination-log");
                text(container, "terminationMessagePolicy", "File");
                text(container, "imagePullPolicy", "Always");
                value(container, "resources", json_object());
        }
}

#define TOKEN_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

static json_t *
token_volume(const char *name)
{
        return api_checked(
            json_pack("{s:s, s:{s:i, s:[{s:{s:i, s:s}}, {s:{s:s, s:[{s:s, s:s}]}}]}}", "name", name,
                "projected", "defaultMode", 420, "sources", "serviceAccountToken",
                "expirationSeconds", 3607, "path", "token", "configMap", "name", "kube-root-ca.crt",
                "items", "key", "ca.crt", "path", "ca.crt"));
}

void
api_admit_pod(json_t *pod)
{
        json_t *containers = api_at(pod, "spec.containers");
        char suffix[6];

        text(pod, "spec.serviceAccountName", "default");
        api_set_text(pod, "spec.serviceAccount", api_text(pod, "spec.serviceAccountName"));
        number(pod, "spec.priority", 0);
        text(pod, "spec.preemptionPolicy", "PreemptLowerPriority");
        value(pod, "spec.enableServiceLinks", json_true());
        value(pod, "spec.tolerations",
            json_pack("[{s:s, s:s, s:s, s:i}]", "key", "node.kubernetes.io/not-ready", "operator",
                "Exists", "effect", "NoExecute", "tolerationSeconds", 300));
        if (json_is_false(api_at(pod, "spec.automountServiceAccountToken")))
                return;
        if (rand_id(suffix, 5, NULL) < 0)
                fault_fail("no random bytes");
        char *name = api_format("kube-api-access-%s", suffix);
        value(pod, "spec.volumes", json_array());
        json_array_append_new(api_at(pod, "spec.volumes"), token_volume(name));
        for (size_t idx = 0; idx < json_array_size(containers); idx++) {
                json_t *container = json_array_get(containers, idx);
                value(container, "volumeMounts", json_array());
                json_array_append_new(
                    api_at(container, "volumeMounts"), json_pack("{s:s, s:s, s:b}", "name", name,
                                                           "mountPath", TOKEN_DIR, "readOnly", 1));
        }
        free(name);
}

static void
service(json_t *object)
{
        json_t *ports = api_at(object, "spec.ports");

        text(object, "spec.type", "ClusterIP");
        text(object, "spec.clusterIP", "10.96.0.10");
        text(object, "spec.sessionAffinity", "None");
        value(object, "status.loadBalancer", json_object());
        for (size_t idx = 0; idx < json_array_size(ports); idx++) {
                json_t *port = json_array_get(ports, idx);
                text(port, "protocol", "TCP");
                if (api_at(port, "targetPort") == NULL && api_at(port, "port") != NULL)
                        api_set(port, "targetPort", api_copy(api_at(port, "port")));
        }
}

static void
workload(const char *plural, json_t *object)
{
        number(object, "spec.revisionHistoryLimit", 10);
        if (strcmp(plural, "statefulsets") == 0) {
                text(object, "spec.podManagementPolicy", "OrderedReady");
                text(object, "spec.updateStrategy.type", "RollingUpdate");
                if (strcmp(api_text(object, "spec.updateStrategy.type"), "RollingUpdate") == 0)
                        number(object, "spec.updateStrategy.rollingUpdate.partition", 0);
        } else if (strcmp(plural, "deployments") == 0) {
                number(object, "spec.progressDeadlineSeconds", 600);
                text(object, "spec.strategy.type", "RollingUpdate");
                if (strcmp(api_text(object, "spec.strategy.type"), "RollingUpdate") == 0) {
                        text(object, "spec.strategy.rollingUpdate.maxSurge", "25%");
                        text(object, "spec.strategy.rollingUpdate.maxUnavailable", "25%");
                }
        }
}

void
api_set_defaults(const struct api_type *type, json_t *object)
{
        const char *plural = type->plural;

        if ((type->traits & API_CUSTOM) != 0)
                return;
        if ((type->traits & API_HAS_SCALE) != 0)
                number(object, "spec.replicas", 1);
        if (strcmp(plural, "pods") == 0 && api_at(object, "spec") != NULL)
                pod_spec(api_at(object, "spec"));
        if (api_at(object, "spec.template.spec") != NULL)
                pod_spec(api_at(object, "spec.template.spec"));
        if (strcmp(plural, "services") == 0)
                service(object);
        else if (strcmp(plural, "statefulsets") == 0 || strcmp(plural, "deployments") == 0)
                workload(plural, object);
        else if (strcmp(plural, "jobs") == 0)
                number(object, "spec.backoffLimit", 6);
        else if (strcmp(plural, "secrets") == 0)
                text(object, "type", "Opaque");
        else if (strcmp(plural, "namespaces") == 0)
                text(object, "status.phase", "Active");
        else if (strcmp(plural, "persistentvolumeclaims") == 0)
                text(object, "spec.volumeMode", "Filesystem");
}
