#!/usr/bin/env bash
# The Prometheus recipes against a pod, unchanged.
# timeout: 600
# stores: radosgw
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_prometheus.sh
. "$(dirname "$0")/../harness/e2e_prometheus.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

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
        as_before 1
        # What it says of the past is what it said before.
        check test "$(ask 'count(last_over_time(%7B__name__%3D~%22.%2B%22%7D%5B1d%5D))')" -gt 10
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
        as_before 1
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
        as_before 1
        check kube exec prometheus-0 -- test -e "$DATA/mark"
        check_not kube exec prometheus-0 -- test -e "$DATA/.moonkeep-swap"
        # A workload that was scaled down is left so.
        kube scale statefulset prometheus --replicas=0 >/dev/null
        kube wait --for=delete pod/prometheus-0 --timeout=60s >/dev/null
        check_status 1 restore --config-dir /etc/prometheus/not-here
        as_before 0
}

scenario "a pod's Prometheus is backed up, verified and restored" to_a_directory
scenario "a pod's Prometheus is backed up to S3, and restored from there" to_s3
scenario "the plan of a restore is complete, and changes nothing" a_plan
scenario "a restore that fails puts the old data and the replicas back" a_failure_in_the_middle
