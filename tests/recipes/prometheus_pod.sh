#!/usr/bin/env bash
# The backup of a Prometheus in a pod that goes away meanwhile: on an API server of the
# scenario's own, in whose pod a real server answers.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "$0")/../harness/kube.sh"
# shellcheck source=tests/harness/prometheus.sh
. "$(dirname "$0")/../harness/prometheus.sh"

FAULTS=()

# in_a_pod SCRIPT [START_MS]: the pod prometheus-0 with the server's data as a volume; in it `rm` of a
# snapshot does what the script says first, the first time.
in_a_pod() {
        needs kubectl
        new_server
        run_server
        mkdir bin
        cat >bin/rm <<SH
#!/bin/sh
case "\$*" in
*/snapshots/2*) if mkdir "$PWD/tripped" 2>/dev/null; then $1; fi ;;
esac
exec $(command -v rm) "\$@"
SH
        chmod 755 bin/rm
        cat >objects.json <<JSON
{"start_ms": ${2:-500}, "objects": [
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}},
  {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "prometheus", "namespace": "m"},
   "spec": {"replicas": 1, "serviceName": "prometheus", "selector": {"matchLabels": {"app": "prometheus"}},
     "template": {"metadata": {"labels": {"app": "prometheus"},
         "annotations": {"test/port-9090": "${PROMETHEUS_URL##*:}"}},
       "spec": {"containers": [{"name": "prometheus", "image": "registry.local/prometheus",
         "volumeMounts": [{"name": "data", "mountPath": "$HOME_DIR"}]}]}},
     "volumeClaimTemplates": [{"metadata": {"name": "data"},
       "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}]}
JSON
        PATH=$PWD/bin:$PATH kube_start --objects objects.json "${FAULTS[@]}"
        wait_for 30 is_ready
}

is_ready() {
        [ "$(kubectl -n m get statefulset prometheus -o jsonpath='{.status.readyReplicas}')" = 1 ]
}

pod_backup() {
        "$MOONKEEP" run prometheus.backup --target pod://m/prometheus-0 --store "$STORE" --state "$STATE" "$@"
}

snapshots() {
        find "$DATA/snapshots" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}

# kib_copied: what the last backup said that it has copied.
kib_copied() {
        sed -nE '/Stream the snapshot/,/done in/s/.* done in [^,]*, ([0-9]+)\.[0-9] KiB.*/\1/p' "$SCRATCH/stdout"
}

# A copy that breaks off and begins anew is counted once.
broken_off() {
        echo 'GET *exec* nth:2 close stdout:50000' >faults
        FAULTS=(--faults faults)
        in_a_pod :
        check_status 0 pod_backup
        check_says "tsdb.tar.zst once more: "
        local broken whole
        broken=$(kib_copied)
        check_status 0 pod_backup
        whole=$(kib_copied)
        check_lacks "$SCRATCH/stdout" "once more"
        # The second snapshot has some more samples.
        check test "$broken" -gt 60 -a "$broken" -le "$((whole + 10))"
}

# The pod is deleted while the snapshot is removed; the StatefulSet brings another.
replaced() {
        in_a_pod "kubectl -n m delete pod prometheus-0 --grace-period=0 --force --wait=false; sleep 60" 15000
        check_status 0 pod_backup
        check test -d tripped
        check_says "cleaned up: remove the snapshot from the server"
        check_equal "$(snapshots)" 0
        check_status 0 moonkeep verify --store "$STORE" prometheus/main/latest
}

# Which snapshot is left, in which pod, and how it goes.
left() {
        in_a_pod "rmdir $PWD/tripped; echo \"rm: cannot remove it: Operation not permitted\" >&2; exit 1"
        check_status 3 pod_backup
        check_equal "$(snapshots)" 1
        # From here on rm does what it is for.
        mkdir tripped
        local path
        path=$(find "$DATA/snapshots" -mindepth 1 -maxdepth 1)
        check_says "the snapshot \"pod m/prometheus-0:$path\" is left"
        check_says "kubectl --context test -n m exec prometheus-0 -c prometheus -- rm -rf -- $path"
        check_says "Next: moonkeep resume"
        check_status 0 moonkeep resume latest
        check_equal "$(snapshots)" 0
}

# A pod that does not come back is not waited for longer than a cancelled run may take.
not_coming_back() {
        in_a_pod "kubectl -n m patch statefulset prometheus --type=merge -p \
            '{\"spec\": {\"template\": {\"metadata\": {\"annotations\": {\"test/phase\": \"Pending\"}}}}}';
            kubectl -n m delete pod prometheus-0 --grace-period=0 --force --wait=false; sleep 60"
        (exec "$MOONKEEP" run prometheus.backup --target pod://m/prometheus-0 --store "$STORE" --state "$STATE") \
            >"$SCRATCH/run.out" 2>&1 &
        local pid=$! began
        defer kill -KILL "$pid"
        defer cat "$SCRATCH/run.out"
        wait_for 60 grep -qE "not removed yet|waiting for pod:" "$SCRATCH/run.out"
        began=$SECONDS
        kill -TERM "$pid"
        STATUS=0
        wait "$pid" || STATUS=$?
        check test $((SECONDS - began)) -lt 25
        check_equal "$STATUS" 3
        check_contains "$SCRATCH/run.out" "the snapshot \"pod m/prometheus-0:$DATA/snapshots/2"
        check_contains "$SCRATCH/run.out" "exec prometheus-0 -c prometheus -- rm -rf -- $DATA/snapshots/2"
}

# Whoever restores to a place that does not last reads it before anything is done.
place_that_does_not_last() {
        in_a_pod :
        check_status 0 pod_backup
        local elsewhere=$PWD/promehteus
        check_status 0 "$MOONKEEP" run prometheus.restore --target pod://m/prometheus-0 --store "$STORE" \
            --state "$STATE" --backup prometheus/main/latest --service stop=true --service start=true --plan \
            --data-dir "$elsewhere" --config-dir "$elsewhere/conf"
        check_contains "$SCRATCH/stderr" "warning: \"$elsewhere\" is on no volume"
        check_contains "$SCRATCH/stderr" "warning: \"$elsewhere/conf\" is on no volume"
        check_contains "$SCRATCH/stderr" "hint: is the name right? Its volume is at $HOME_DIR"
        check_equal "$(grep -c warning "$SCRATCH/stderr")" 2
        # Where the pod itself is stopped it is lost for certain.
        check_status 1 "$MOONKEEP" run prometheus.restore --target pod://m/prometheus-0 --store "$STORE" \
            --state "$STATE" --backup prometheus/main/latest --service workload --plan --data-dir "$elsewhere"
        check_says "it is lost when the pod is stopped"
}

scenario "a restore to a place that does not last is warned of" place_that_does_not_last
scenario "a pod that is replaced while its snapshot is removed" replaced
scenario "a copy that breaks off is counted once in what is shown" broken_off
scenario "a snapshot that cannot be removed is named, with the command that removes it" left
scenario "a cancelled run does not wait long for a pod that does not come back, and names the snapshot" not_coming_back
