#!/usr/bin/env bash
# What is said to somebody who named the wrong pod, or a pod that does not run: what there is
# instead, which cluster was asked, and what to look at.
# timeout: 120
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "$0")/../harness/kube.sh"

# begin [OPTION...]: a server with those objects.
begin() {
        needs kubectl
        cat >objects.json <<'JSON'
{"objects": [
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}},
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "empty"}},
  {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "prometheus", "namespace": "m"},
   "spec": {"replicas": 1, "serviceName": "p", "selector": {"matchLabels": {"app": "p"}},
     "template": {"metadata": {"labels": {"app": "p"}},
       "spec": {"containers": [{"name": "prometheus", "image": "registry.local/prometheus"}]}}}},
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pull", "namespace": "m",
     "annotations": {"test/phase": "Pending", "test/waiting": "ImagePullBackOff"}},
   "spec": {"containers": [{"name": "c", "image": "registry.local/x"}]}},
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "moonkeep-helper-x", "namespace": "m",
     "labels": {"moonkeep.dev/run": "x"}},
   "spec": {"containers": [{"name": "c", "image": "registry.local/x"}]}}]}
JSON
        "${START:-kube_start}" --objects objects.json "$@"
        wait_for 20 is_ready
}

is_ready() {
        [ "$(kubectl -n m get statefulset prometheus -o jsonpath='{.status.readyReplicas}')" = 1 ]
}

backup() {
        "$MOONKEEP" run prometheus.backup --store "$SCRATCH/store" --target "$@"
}

no_such_pod() {
        begin
        check_status 1 backup pod://m/promethus-0
        check_says "there is no pod for pod://m/promethus-0"
        check_says "namespace \"m\" has the pods prometheus-0, pull; the cluster is that of context \"test\" ($KUBE_URL)"
        check_status 1 backup pod://empty/prometheus-0
        check_says "namespace \"empty\" has no pod; the cluster is that of context \"test\""
        check_status 1 backup pod://m/sts/promethus
        check_says "there is no statefulset promethus in namespace m"
        check_says "namespace \"m\" has the statefulset prometheus; the cluster"
}

does_not_run() {
        begin
        check_status 1 backup pod://m/pull
        check_says "pod://m/pull does not run: pending, not ready: ImagePullBackOff"
        check_says "kubectl --context test -n m describe pod pull"
        check_status 1 backup pod://m/prometheus-1
        check_says "pod://m/prometheus-1 does not run: statefulset m/prometheus has 1 replica, with the number 0"
        check_says "name a pod that runs, or scale its workload up"
}

# What is waited for is told while it is waited for.
busy() {
        echo "GET */namespaces/kube-system first:6 status 503 ServiceUnavailable" >faults
        begin --faults faults
        check_status 1 backup pod://m/promethus-0
        check_says "the API server of context \"test\" is asked again for up to 60 s: it answers 503"
        check_says "there is no pod for pod://m/promethus-0"
}

# Whoever was not let in has made nothing there, and does not ask for it at the end.
not_let_in() {
        START=kube_start_tls begin --token good
        sed -i 's/"good"/"expired"/' "$KUBECONFIG"
        : >"$KUBE_LOG"
        check_status 1 backup pod://m/prometheus-0
        check_says "cannot find out which cluster this is (context \"test\"): Unauthorized"
        check_says "log in again"
        check_equal "$(wc -l <"$KUBE_LOG")" "$(kube_asked GET '[^ ]*/namespaces/kube-system')"
}

scenario "a name that leads to nothing is answered with what there is" no_such_pod
scenario "a pod that does not run says why" does_not_run
scenario "a server that is busy is named while it is waited for" busy
scenario "a run that was not let in ends without asking again" not_let_in
