#!/usr/bin/env bash
# Where a restore acts in a pod: places that do not last, and helper pods without one; on an API
# server of the scenario's own.
# timeout: 300
# shellcheck disable=SC2119 # options are for some scenarios
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "$0")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_workload.sh
. "$(dirname "$0")/../harness/kube_workload.sh"

# The pod is gone, and so the scheduler decides where the helper runs.
no_node_for_a_helper() {
        begin
        kubectl -n m scale statefulset db --replicas=0 >/dev/null
        wait_for 20 no_pod
        kubectl cordon node-1 >/dev/null
        restore >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        local pid=$! status=0
        defer kill -KILL "$pid"
        wait_for 20 grep -q "waiting up to 180 s for the helper pod moonkeep-helper-" "$SCRATCH/stdout"
        check_says "the scheduler finds no node for it: 0/1 nodes are available: 1 node(s) were unschedulable."
        check_equal "$(cat "$DATA/value")" old
        # What an autoscaler does.
        kubectl uncordon node-1 >/dev/null
        wait "$pid" || status=$?
        cat "$SCRATCH/stdout" "$SCRATCH/stderr"
        check_equal "$status" 0
        check_equal "$(cat "$DATA/value")" new
        wait_for 20 no_helper
}

no_pod() {
        [ -z "$(kubectl -n m get pods -o name)" ]
}

# replace DIR [OPTION...]: a restore there, while the pod goes on.
replace() {
        "${MK[@]}" run toy.restore --target "$TARGET" --dir "$1" --service stop=true --service start=true "${@:2}"
}

# forewarned DIR [OPTION...]: a restore there, which warns once that the data would not stay.
forewarned() {
        check_status 0 replace "$1" --yes "${@:2}"
        check_equal "$(grep -c "^moonkeep: warning: .*\"$1\" is on no volume, but in the file system of container db of" \
            "$SCRATCH/stderr")" 1
        check_contains "$SCRATCH/stderr" "hint: is the name right? Its volume is at $DATA"
}

no_warning() {
        check_status 0 replace "$1" --yes
        check_lacks "$SCRATCH/stderr" "warning"
}

# What is restored into a container's own file system: whoever confirms has read that it will not stay.
on_no_volume() {
        begin
        sed -i 's/ctx:step("look", function()/&\n      p.target:forewarn(p.dir)/' dev/recipes/toy/restore.lua
        mkdir -p area/own "$DATA/below"
        ln -s "$PWD/area/own" "$DATA/link"
        ln -s "$DATA/below" area/link
        no_warning "$DATA/not/yet/there"
        # A volume by another name; and the emptyDir, which stays as long as the pod.
        no_warning "$PWD/area/link"
        no_warning "$DATA/tmp"
        forewarned "$PWD/area/own" --plan
        check_not test -e area/own/value
        forewarned "$PWD/area/own"
        check_equal "$(cat area/own/value)" new
        forewarned "$PWD/area/own/"
        forewarned "$PWD/area/data2"
        # By a link on the volume, too.
        forewarned "$DATA/link"
        # Before the question.
        check_status 4 replace "$PWD/area/own"
        check_says "is on no volume"
        check_says "not confirmed"
        no_warning "$DATA"
}

# A container with a shell in which something is missing, and a helper that has it.
without_find() {
        local name
        needs busybox
        mkdir bin
        for name in sh tar dd cat chmod chown df ln mkdir mv readlink rm sleep stat sync; do
                ln -s "$(command -v busybox)" "bin/$name"
        done
        begin "\"annotations\": {\"test/path\": \"$PWD/bin\"}"
        TARGET='pod://m/sts/db?replica=0&helper=busybox'
        check_status 3 restore --plan
        check_says "would create the helper pod m/moonkeep-helper-"
        check_says "the pod has no find"
        check_status 0 restore -v
        check_says "acting through the helper pod"
        check_equal "$(cat "$DATA/value")" new
        as_before
        # Nothing is missing: no helper.
        ln -s "$(command -v busybox)" bin/find
        check_status 0 restore --plan
        check_lacks "$SCRATCH/stdout" "has no find"
}

scenario "a helper acts where a container lacks a program" without_find
scenario "a helper pod that the scheduler cannot place says so, and waits" no_node_for_a_helper
scenario "data that would not outlive its container is warned of" on_no_volume
