# shellcheck shell=bash
# A Kubernetes API server of one's own for the scenarios: tests/servers/kube_api.
# Source it after lib.sh.
#
#     kube_start [OPTION...]       start it; KUBE_URL, KUBECONFIG, KUBE_LOG, KUBE_ROOT
#     kube_start_tls [OPTION...]   the same behind TLS, with client certificates ($KUBE_DIR/one.pem)
#     kube_objects                 the objects file that kube_start uses where there is no
#                                  --objects: a StatefulSet, a Deployment, a bare pod
#
# It ends with the scenario.  The pods' files are in $KUBE_ROOT/NAMESPACE/POD.

# kube_port FILE: the port, once FILE says "port N".
kube_port() {
        wait_for 20 grep -q '^port ' "$1"
        sed -n 's/^port //p' "$1"
}

kube_objects() {
        cat <<'JSON'
{"objects": [
  {"apiVersion": "apps/v1", "kind": "StatefulSet",
   "metadata": {"name": "prometheus", "namespace": "monitoring", "labels": {"app": "prometheus"}},
   "spec": {"replicas": 1, "serviceName": "prometheus", "selector": {"matchLabels": {"app": "prometheus"}},
     "template": {"metadata": {"labels": {"app": "prometheus"}},
       "spec": {"containers": [{"name": "prometheus", "image": "registry.local/prometheus"}]}},
     "volumeClaimTemplates": [{"metadata": {"name": "data"},
       "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}},
  {"apiVersion": "apps/v1", "kind": "Deployment",
   "metadata": {"name": "web", "namespace": "monitoring", "labels": {"app": "web"}},
   "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
     "template": {"metadata": {"labels": {"app": "web"}},
       "spec": {"containers": [{"name": "web", "image": "registry.local/web"},
                               {"name": "side", "image": "registry.local/side"}]}}}},
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box", "namespace": "default", "labels": {"app": "box"}},
   "spec": {"containers": [{"name": "box", "image": "registry.local/busybox"}]}}
]}
JSON
}

# kube_write_config FILE SERVER [LINE...]: lines of the cluster and of the user.
kube_write_config() {
        local file=$1 server=$2 cluster=${3:-} user=${4:-}
        cat >"$file" <<YAML
apiVersion: v1
kind: Config
current-context: test
contexts:
- name: test
  context: {cluster: test, user: tester, namespace: default}
clusters:
- name: test
  cluster: {server: "$server"$cluster}
users:
- name: tester
  user: {$user}
YAML
        chmod 600 "$file"
}

kube_start() {
        local option token='' objects=''
        for option; do
                [ "$option" != --objects ] || objects=1
        done
        KUBE_DIR=$(mktemp -d "$SCRATCH/kube.XXXXXX")
        KUBE_ROOT=$KUBE_DIR/root
        KUBE_LOG=$KUBE_DIR/log
        KUBECONFIG=$KUBE_DIR/config
        KUBECACHEDIR=$KUBE_DIR/cache
        export KUBE_DIR KUBE_ROOT KUBE_LOG KUBECONFIG KUBECACHEDIR
        mkdir "$KUBE_ROOT"
        if [ -z "$objects" ]; then
                kube_objects >"$KUBE_DIR/objects"
                set -- --objects "$KUBE_DIR/objects" "$@"
        fi
        "$OUT/servers/kube_api" --root "$KUBE_ROOT" --log "$KUBE_LOG" "$@" >"$KUBE_DIR/port" &
        KUBE_PID=$!
        defer kill "$KUBE_PID"
        while [ $# -gt 1 ]; do
                [ "$1" != --token ] || token="token: \"$2\""
                shift 2
        done
        KUBE_URL=http://127.0.0.1:$(kube_port "$KUBE_DIR/port")
        export KUBE_URL
        kube_write_config "$KUBECONFIG" "$KUBE_URL" "" "$token"
}

kube_start_tls() {
        local plain user='' option
        kube_start "$@"
        plain=$KUBE_URL
        for option; do
                [ "$user" != next ] || user=", token: \"$option\""
                [ "$option" != --token ] || user=next
        done
        "$OUT/servers/tls_front" --ca "$KUBE_DIR/ca.pem" --clients "$KUBE_DIR" --require yes \
            "${plain##*:}" >"$KUBE_DIR/front" &
        defer kill $!
        KUBE_URL=https://127.0.0.1:$(kube_port "$KUBE_DIR/front")
        kube_write_config "$KUBECONFIG" "$KUBE_URL" ", certificate-authority: \"$KUBE_DIR/ca.pem\"" \
            "client-certificate: \"$KUBE_DIR/one.pem\", client-key: \"$KUBE_DIR/one.key\"$user"
}

# kube_asked METHOD TARGET-PATTERN: how many such requests there were.
kube_asked() {
        grep -cE "^$1 $2 " "$KUBE_LOG" || :
}
