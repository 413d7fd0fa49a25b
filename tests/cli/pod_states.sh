#!/usr/bin/env bash
# Pods that do not run yet, or lack a program; on an API server of the scenario's own.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "$0")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_pod.sh
. "$(dirname "$0")/../harness/kube_pod.sh"

# begin ANNOTATIONS [FIELDS]: the pod default/box with these; fields of the objects file.
begin() {
        cat >objects.json <<JSON
{${2:+$2, }"objects": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box", "namespace": "default",
  "annotations": {$1}}, "spec": {"containers": [{"name": "main", "image": "registry.local/busybox"}]}}]}
JSON
        touch faults
        kube_start --objects objects.json --faults faults
        pod_program
        pod_data 100
}

# tools NAME...: a directory of nothing but these, by busybox.
tools() {
        local name
        needs busybox
        mkdir bin
        for name; do
                ln -s "$(command -v busybox)" "bin/$name"
        done
}

not_yet_ready() {
        begin "" '"start_ms": 3000'
        check_status 0 copy
        check_status 0 "$MOONKEEP" verify --store "$STORE" bench/main/latest
}

# Its status says that it runs, and the kubelet does not know it yet.
not_yet_known() {
        cat >faults <<'RULES'
GET */exec* first:1 status 404 NotFound
GET */exec* first:2 unstarted container not found ("main")
RULES
        begin ""
        check_status 0 copy
}

# It stays so: that is no container without a shell.
never_known() {
        echo 'GET */exec* every status 404 NotFound' >faults
        begin ""
        check_status 1 copy
        one_error
        check_says "cannot run"
        check_lacks "$SCRATCH/stderr" "no shell"
        nothing_visible
}

never_ready() {
        begin '"test/ready": "false"'
        check_status 0 copy
}

does_not_start() {
        begin '"test/phase": "Pending", "test/waiting": "ErrImagePull"'
        check_status 1 copy
        one_error
        check_says ErrImagePull
        nothing_visible
}

ended() {
        begin '"test/exit": "1"'
        check_status 1 copy
        one_error
        nothing_visible
}

# lacks PROGRAM NAME...: the container has these, and not that one.
lacks() {
        local missing=$1
        shift
        tools "$@"
        begin "\"test/path\": \"$PWD/bin\""
        check_status 1 copy
        one_error
        check_says "has no $missing"
        check_says "helper=IMAGE"
        nothing_visible
        wait_for 20 pod_is_quiet
}

not_there() {
        begin ""
        DATA=/nowhere check_status 1 copy
        one_error
        check_says '"/nowhere"'
        TARGET=pod://default/nobody check_status 1 copy
        one_error
        check_says "there is no pod for pod://default/nobody"
        TARGET='pod://default/box?container=side' check_status 1 copy
        one_error
        check_says 'no container "side"'
        TARGET=pod://nowhere/box check_status 1 copy
        one_error
        nothing_visible
}

# What was started to see whether there is a shell runs the command, too.
one_connection() {
        begin ""
        check_status 0 "${MK[@]}" run bench.exec --target pod://default/box
        check_equal "$(kube_asked GET '/api/v1/namespaces/default/pods/box/exec.*')" 1
}

scenario "a pod that comes up is waited for" not_yet_ready
scenario "a command takes one connection" one_connection
scenario "a kubelet that does not know a pod yet is asked again" not_yet_known
scenario "a pod that its kubelet never knows is not one without a shell" never_known
scenario "a pod that runs and is not ready will do" never_ready
scenario "a pod that cannot start says why" does_not_start
scenario "a pod that has ended is told" ended
scenario "a container without a shell says so" lacks shell tar dd
scenario "a container without tar says so" lacks tar sh dd cat sleep
scenario "what is not there is named" not_there
