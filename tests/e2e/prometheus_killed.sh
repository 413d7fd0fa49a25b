#!/usr/bin/env bash
# A restore of a pod that was killed half-way is taken back, or goes on.
# timeout: 600
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_prometheus.sh
. "$(dirname "$0")/../harness/e2e_prometheus.sh"

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
        as_before 1
        check kube exec prometheus-0 -- test -e "$DATA/mark"
}

rolled_back_by_the_record() {
        killed_while_down
        rm -rf "$STATE"
        check_status 0 "$MOONKEEP" rollback --target "$POD" --dir "$DATA"
        as_before 1
        check kube exec prometheus-0 -- test -e "$DATA/mark"
        check_status 1 "$MOONKEEP" rollback --target "$POD" --dir "$DATA"
        check_says "nothing was left half-way"
}

resumed() {
        killed_while_down
        check_status 0 "$MOONKEEP" resume --state "$STATE" latest
        as_before 1
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
        as_before 1
}

scenario "a killed restore is rolled back by its journal" rolled_back_by_the_journal
scenario "a killed restore is rolled back without its journal" rolled_back_by_the_record
scenario "a killed restore is resumed" resumed
scenario "a workload that was only scaled down is scaled back" rolled_back_by_the_annotation
