# shellcheck shell=bash
# What the scenarios on a real cluster share.  Source it after lib.sh.
#
# From scripts/e2e: KUBECONFIG (whatever cluster that is), MOONKEEP_E2E (the run,
# which the namespaces carry as a label), E2E_IMAGE (an image with busybox) and
# E2E_PULL (its imagePullPolicy), and E2E_CLUSTER (a folder with the programs up,
# down and status, where the cluster's components may be killed), or "".

# needs_cluster: skip unless this is a run against a cluster.
needs_cluster() {
        if [ -z "${MOONKEEP_E2E:-}" ] || [ -z "${KUBECONFIG:-}" ]; then
                skip "needs a cluster: KUBECONFIG=... make e2e"
        fi
        needs kubectl
}

# needs_components: skip unless the cluster's components may be killed and mended.
needs_components() {
        needs_cluster
        [ -x "${E2E_CLUSTER:-}/up" ] || skip "needs a cluster whose components may be killed (E2E_CLUSTER)"
}

# mend: whatever of the cluster's components does not run, runs again.  They are not
# processes of the test, and do not end with it.
mend() {
        # What it starts outlives this test, and its scratch directory.
        env -u MOONKEEP_TEST_RUN -u TMPDIR HOME=/ "$E2E_CLUSTER/up" >/dev/null 2>&1
}

# kill_component NAME: until mend, or the scenario's end.
kill_component() {
        local dir=${KUBECONFIG%%:*}
        needs_components
        dir=${dir%/*}
        [ -e "$dir/run/$1.pid" ] || skip "the cluster does not say which process $1 is"
        defer mend
        kill -KILL "$(cut -d' ' -f1 "$dir/run/$1.pid")"
}

pods_may_come() {
        pod_manifest probe | kubectl -n "$NAMESPACE" create --dry-run=server -f - >/dev/null 2>&1
}

# make_namespace: NAMESPACE is a new one of a random name; it goes with the scenario.
make_namespace() {
        needs_cluster
        NAMESPACE=mk-e2e-$(od -An -N5 -tx1 /dev/urandom | tr -d ' \n')
        export NAMESPACE
        defer kubectl delete namespace "$NAMESPACE" --wait=false --ignore-not-found >/dev/null
        kubectl create namespace "$NAMESPACE" >/dev/null
        kubectl label namespace "$NAMESPACE" "moonkeep.dev/e2e=$MOONKEEP_E2E" >/dev/null
        # Pods are refused before it has its service account, and that its token.
        wait_for 60 pods_may_come
}

# kube COMMAND...: kubectl in that namespace.
kube() {
        kubectl -n "$NAMESPACE" "$@"
}

# pod_manifest NAME [LABELS [SPEC]]: a pod that sleeps; LABELS and SPEC are
# more fields in JSON: '"app": "x"', '"nodeName": "y"'.
pod_manifest() {
        cat <<END
{"apiVersion": "v1", "kind": "Pod",
 "metadata": {"name": "$1", "labels": {"made-by": "moonkeep-e2e"${2:+, $2}}},
 "spec": {"terminationGracePeriodSeconds": 0${3:+, $3},
  "containers": [{"name": "main", "image": "$E2E_IMAGE", "imagePullPolicy": "$E2E_PULL",
   "command": ["sh", "-c", "trap 'exit 0' TERM; echo started; while :; do sleep 1; done"]}]}}
END
}

# start_pod NAME [LABELS [SPEC]]: it runs when this returns.
start_pod() {
        pod_manifest "$@" | kube create -f - >/dev/null
        kube wait --for=condition=Ready "pod/$1" --timeout=120s >/dev/null || {
                kube describe pod "$1"
                check_failed "pod $1 is not ready"
        }
}

# no_helper: no helper pod is there.
no_helper() {
        [ -z "$(kube get pods -l moonkeep.dev/run -o name)" ]
}
