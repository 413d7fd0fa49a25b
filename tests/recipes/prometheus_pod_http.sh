#!/usr/bin/env bash
# The Prometheus recipes, unchanged, against a pod of an API server of the scenario's own, with a
# real Prometheus behind it; by each of the ways that HTTP has into a pod.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/prometheus.sh
. "$(dirname "$0")/../harness/prometheus.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "$0")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_pod.sh
. "$(dirname "$0")/../harness/kube_pod.sh"

# begin PATH [DENIED...]: the pod m/prometheus-0 whose programs are in PATH, where that
# Prometheus listens; the subresources DENIED of pods are forbidden.
begin() {
        local path=$1 port denied=''
        shift
        new_server
        run_server
        port=${PROMETHEUS_URL##*:}
        for sub; do
                denied+="${denied:+, }{\"verb\": \"*\", \"resource\": \"pods\", \"subresource\": \"$sub\"}"
        done
        cat >objects.json <<JSON
{"deny": [$denied], "objects": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "prometheus-0", "namespace": "m",
  "annotations": {"test/path": "$path", "test/port-$port": "$port"}},
  "spec": {"containers": [{"name": "prometheus", "image": "registry.local/prometheus"}]}}]}
JSON
        touch faults
        kube_start --objects objects.json --faults faults
}

in_pod() {
        local verb=$1
        shift
        "$verb" --target pod://m/prometheus-0 "$@"
}

# applets [WITHOUT]: BIN is a directory of busybox's programs, except that one.
applets() {
        local name
        needs busybox
        BIN=$PWD/bin
        mkdir bin
        for name in $(busybox --list); do
                [ "$name" = "${1:-}" ] || ln -s "$(command -v busybox)" "bin/$name"
        done
}

# goes_by WAY: a backup is made, and said to go that way.
goes_by() {
        check_status 0 in_pod backup -v
        check_says "HTTP to 127.0.0.1:${PROMETHEUS_URL##*:} goes by $1"
        check_status 0 moonkeep verify --store "$STORE" prometheus/main/latest
        check_equal "$(find "$DATA/snapshots" -mindepth 1 | wc -l)" 0
}

by_proxy() {
        begin "$PATH"
        goes_by "the API server's proxy"
}

by_command() {
        applets
        begin "$BIN" proxy
        goes_by 'nc in the container (pods "prometheus-0:'
        check_equal "$(kube_asked '[A-Z]*' '[^ ]*portforward[^ ]*')" 0
}

by_forward() {
        applets nc
        begin "$BIN" proxy
        goes_by 'port-forward (pods "prometheus-0:'
        check test "$(kube_asked '[A-Z]*' '[^ ]*portforward[^ ]*')" -gt 0
}

by_nothing() {
        applets nc
        begin "$BIN" proxy portforward
        check_status 1 in_pod backup
        check_says "cannot connect to 127.0.0.1:${PROMETHEUS_URL##*:}"
        check_says 'pods "prometheus-0:'
        check_says "pods/portforward"
        check_equal "$(find "$STORE" -name manifest.json 2>/dev/null)" ""
}

# Nobody listens: no other way is better, and it is no matter of rights.
stopped() {
        begin "$PATH"
        "$prometheus" stop "$HOME_DIR"
        check_status 1 in_pod backup
        check_says "connection refused"
}

# Extracted beside the data, exchanged, started, and asked: in the pod.
restored() {
        begin "$PATH"
        check_status 0 in_pod backup --streams 2
        before=$(digests "$DATA")
        echo mark >"$DATA/mark"
        check_status 0 in_pod restore
        check_equal "$(cd "$DATA" && echo "$before" | sha256sum -c --quiet)" ""
        check_not test -e "$DATA/mark"
        check is_running
}

# Killed while its streams are under way: the snapshot and what is in the store are adopted or
# removed, and nothing runs on in the pod.
killed() {
        local pid
        echo "GET */exec* every stall 3 stdout:8000" >faults
        begin "$PATH"
        "$MOONKEEP" run prometheus.backup --target pod://m/prometheus-0 --url "$PROMETHEUS_URL" --store "$STORE" \
            --state "$STATE" --streams 2 >"$SCRATCH/run.out" 2>&1 &
        pid=$!
        defer kill -KILL "$pid"
        wait_for 60 grep -qs Stream "$SCRATCH/run.out"
        # Each stream stands still for 3 s.
        sleep 1
        kill -KILL "$pid"
        wait "$pid" 2>/dev/null || :
        check_status 0 moonkeep resume latest
        check_status 0 moonkeep verify --store "$STORE" prometheus/main/latest
        check_equal "$(find "$DATA/snapshots" -mindepth 1 | wc -l)" 0
        check_equal "$(find "$STORE" -name manifest.json | wc -l)" 1
        wait_for 20 pod_is_quiet
}

scenario "HTTP goes by the API server's proxy" by_proxy
scenario "without the right to that, by nc in the container" by_command
scenario "without nc, by port-forward" by_forward
scenario "where no way leads to the server each is told" by_nothing
scenario "a server that does not run is told" stopped
scenario "a backup of a pod is restored into it" restored
scenario "a backup of a pod that was killed is resumed" killed
