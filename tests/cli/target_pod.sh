#!/usr/bin/env bash
# What targets promise (tests/harness/target_cases.lua), in a pod of an API server of the scenario's own.
# timeout: 600
# begins early
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "$0")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_pod.sh
. "$(dirname "$0")/../harness/kube_pod.sh"

# cases QUERY: in the pod default/box.
cases() {
        mkdir "$SCRATCH/there"
        TARGET="pod://default/box$1" TARGET_DIR=$SCRATCH/there \
            "$MOONKEEP" _test "$ROOT/tests/harness/target_cases.lua" || check_failed "see above"
        wait_for 20 pod_is_quiet
}

over_tls() {
        kube_start_tls --token sesame --protocols v5
        cases ""
}

digests() {
        kube_start --protocols v4
        cases "?proof=digest"
}

# Nothing but busybox in the container.
busybox_only() {
        local applet
        needs busybox jq
        mkdir bin
        for applet in $(busybox --list); do
                ln -s "$(command -v busybox)" "bin/$applet"
        done
        kube_objects | jq -c --arg path "$PWD/bin" \
            '(.objects[] | select(.metadata.name == "box") | .metadata.annotations) = {"test/path": $path}' >objects.json
        kube_start --objects objects.json
        cases ""
}

scenario "a pod, over TLS" over_tls
scenario "a pod of a server of v4 only, with digests taken on both sides" digests
scenario "a pod with nothing but busybox" busybox_only
