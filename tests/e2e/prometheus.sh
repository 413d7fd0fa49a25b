#!/usr/bin/env bash
# The Prometheus recipes against a pod, unchanged.
# timeout: 900
# stores: radosgw
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_prometheus.sh
. "$(dirname "$0")/../harness/e2e_prometheus.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

need_image() {
        needs_cluster
        [ -n "${!1:-}" ] || skip "needs $1"
}

# history: 6 h of samples, backed up on this machine, are restored into the pod.
history() {
        local local_store=$SCRATCH/local_store
        "$ROOT/tests/servers/prometheus" generate "$SCRATCH/prom" 6 50 60
        start_prometheus "$SCRATCH/prom"
        check "$MOONKEEP" run prometheus.backup --url "$PROMETHEUS_URL" --store "$local_store" --state "$STATE"
        unset PROMETHEUS_URL
        check "$MOONKEEP" run prometheus.restore --target "$POD" --store "$local_store" --state "$STATE" --yes \
            --service workload --data-dir "$DATA" --no-keep-old
}

to_a_directory() {
        need_image E2E_PROMETHEUS_IMAGE
        make_prometheus "$E2E_PROMETHEUS_IMAGE"
        history
        check_status 0 backup -v
        check_contains "$SCRATCH/stdout" "HTTP to 127.0.0.1:9090 goes by the API server's proxy"
        check_status 0 "$MOONKEEP" verify --store "$STORE" --state "$STATE" prometheus/main/latest
        check_equal "$(kube exec prometheus-0 -- sh -c "ls $DATA/snapshots | wc -l")" 0
        check_status 0 restore
        check_says "started    true"
        as_before
        # What it says of the past is what it said before.
        check test "$(ask 'count(%7B__name__%3D~%22.%2B%22%7D)')" -gt 10
        check_equal "$(kube exec prometheus-0 -- sh -c "ls -ad $DATA/.moonkeep-old-* | wc -l")" 1
        check_equal "$(kube exec prometheus-0 -- sh -c "find $DATA ! -user 65534 | wc -l")" 0
}

to_s3() {
        need_image E2E_PROMETHEUS_IMAGE
        make_store radosgw
        local store=$STORE
        make_prometheus "$E2E_PROMETHEUS_IMAGE"
        STORE=$store
        check_status 0 backup --streams 2
        check_status 0 "$MOONKEEP" verify --store "$STORE" --state "$STATE" prometheus/main/latest
        check_status 0 restore
        as_before
}

# The plan of a restore is complete, and changes nothing.
a_plan() {
        need_image E2E_PROMETHEUS_IMAGE
        make_prometheus "$E2E_PROMETHEUS_IMAGE"
        check_status 0 backup
        local before
        before=$(kube get statefulset,pods -o jsonpath='{.items[*].metadata.resourceVersion}')
        check_status 0 restore --plan
        check_says "would scale to 0 statefulset $NAMESPACE/prometheus"
        check_says "would scale back statefulset $NAMESPACE/prometheus"
        check_says "It is in context"
        check_equal "$(kube get statefulset,pods -o jsonpath='{.items[*].metadata.resourceVersion}')" "$before"
}

# The last step fails, when the server runs on the restored data: the old comes back.
a_failure_in_the_middle() {
        need_image E2E_PROMETHEUS_IMAGE
        make_prometheus "$E2E_PROMETHEUS_IMAGE"
        check_status 0 backup
        kube exec prometheus-0 -- touch "$DATA/mark"
        check_status 1 restore --config-dir /etc/prometheus/not-here
        check_says "undone: put the old data back, and the server as it was"
        as_before
        check kube exec prometheus-0 -- test -e "$DATA/mark"
        check_not kube exec prometheus-0 -- test -e "$DATA/.moonkeep-swap"
        # A workload that was scaled down is left so.
        kube scale statefulset prometheus --replicas=0 >/dev/null
        kube wait --for=delete pod/prometheus-0 --timeout=60s >/dev/null
        check_status 1 restore --config-dir /etc/prometheus/not-here
        as_before 0
}

# killed_while_down: a restore that dies when the workload is scaled to 0.
killed_while_down() {
        need_image E2E_PROMETHEUS_IMAGE
        make_prometheus "$E2E_PROMETHEUS_IMAGE"
        check_status 0 backup
        kube exec prometheus-0 -- touch "$DATA/mark"
        "$MOONKEEP" run prometheus.restore --target "$POD" --store "$STORE" --state "$STATE" --yes \
            --service workload >"$SCRATCH/run.out" 2>&1 &
        local pid=$!
        defer kill -KILL "$pid"
        wait_for 60 grep -qsE '^\[[0-9]+/[0-9]+\] Move the old data' "$SCRATCH/run.out"
        kill -KILL "$pid"
        wait "$pid" 2>/dev/null || :
        check_equal "$(kube get statefulset prometheus -o jsonpath='{.spec.replicas}')" 0
        check_contains <(kube get statefulset prometheus -o jsonpath='{.metadata.annotations}') '\"replicas\":1'
}

rolled_back_by_the_journal() {
        killed_while_down
        check_status 0 "$MOONKEEP" rollback --state "$STATE" latest
        as_before
        check kube exec prometheus-0 -- test -e "$DATA/mark"
}

rolled_back_by_the_record() {
        killed_while_down
        rm -rf "$STATE"
        check_status 0 "$MOONKEEP" rollback --target "$POD" --dir "$DATA"
        as_before
        check kube exec prometheus-0 -- test -e "$DATA/mark"
        check_status 1 "$MOONKEEP" rollback --target "$POD" --dir "$DATA"
        check_says "nothing was left half-way"
}

resumed() {
        killed_while_down
        check_status 0 "$MOONKEEP" resume --state "$STATE" latest
        as_before
        check_not kube exec prometheus-0 -- test -e "$DATA/mark"
}

# Only the annotation says that something was begun.
rolled_back_by_the_annotation() {
        need_image E2E_PROMETHEUS_IMAGE
        make_prometheus "$E2E_PROMETHEUS_IMAGE"
        kube patch statefulset prometheus --type=merge -p '{"spec": {"replicas": 0}, "metadata": {"annotations":
            {"moonkeep.dev/undo": "{\"run\":\"20261121T020000-aaaaa\",\"replicas\":1,\"time\":\"x\"}"}}}' >/dev/null
        kube wait --for=delete pod/prometheus-0 --timeout=60s >/dev/null
        check_status 0 "$MOONKEEP" rollback --target "$POD" --dir "$DATA"
        check_says "20261121T020000-aaaaa"
        as_before
}

without_a_shell() {
        need_image E2E_DISTROLESS_IMAGE
        make_prometheus "$E2E_DISTROLESS_IMAGE"
        check_status 1 backup
        check_says "has no shell in container prometheus"
        check_says "helper=IMAGE"
        check_equal "$(kube get pods -l moonkeep.dev/run -o name)" ""
        POD="$POD?helper=$E2E_IMAGE"
        check_status 0 backup -v
        check_says "acting through the helper pod"
        as_before
        check_status 0 restore
        as_before
        # An emptyDir is the pod's own.
        check_status 1 restore --data-dir /prometheus/scratch
        check_says 'lies in an emptyDir'
        as_before
}

scenario "a pod's Prometheus is backed up, verified and restored" to_a_directory
scenario "a pod's Prometheus is backed up to S3, and restored from there" to_s3
scenario "the plan of a restore is complete, and changes nothing" a_plan
scenario "a restore that fails puts the old data and the replicas back" a_failure_in_the_middle
scenario "a killed restore is rolled back by its journal" rolled_back_by_the_journal
scenario "a killed restore is rolled back without its journal" rolled_back_by_the_record
scenario "a killed restore is resumed" resumed
scenario "a workload that was only scaled down is scaled back" rolled_back_by_the_annotation
scenario "a pod without a shell is reached by a helper pod, which goes" without_a_shell
