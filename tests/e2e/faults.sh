#!/usr/bin/env bash
# A component of the cluster dies while a stream comes out of a pod, or goes into one: never
# a success, nothing that runs on, nothing half-written.
# timeout: 600
# shellcheck disable=SC2016 # what the pod's shell expands
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_streams.sh
. "$(dirname "$0")/../harness/e2e_streams.sh"

component_dies() {
        needs_components
        a_pod_with_data 600
        copy_begins
        kill_component "$1"
        copy_fails
        mend
        # Where the runtime itself died, nobody closes the command's input: what runs in the
        # pod ends when it has heard nothing for a quarter of an hour.
        [ "$1" = containerd ] || nothing_runs_on
        # And again: the same command does it.
        check_status 0 "${MK[@]}" run bench.copy --target "pod://$NAMESPACE/one" --dir /data/in --store "$STORE"
}

upload_is_cut() {
        needs_components
        a_pod_with_data 1
        upload_begins
        kill_component "$1"
        kill -CONT "$COPY"
        STATUS=0
        wait "$COPY" || STATUS=$?
        check test "$STATUS" -ne 0
        one_error
        mend
        [ "$1" = containerd ] || nothing_runs_on
}

scenario "the API server dies while a stream comes" component_dies kube-apiserver
scenario "the kubelet dies while a stream comes" component_dies kubelet
scenario "containerd dies while a stream comes" component_dies containerd
scenario "the API server dies while a stream goes" upload_is_cut kube-apiserver
scenario "the kubelet dies while a stream goes" upload_is_cut kubelet
scenario "containerd dies while a stream goes" upload_is_cut containerd
