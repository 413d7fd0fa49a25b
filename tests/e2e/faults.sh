#!/usr/bin/env bash
# A component of the cluster dies while a stream comes out of a pod, and another goes into it: never
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
        upload_begins
        local upload=$COPY
        mv "$SCRATCH/stderr" "$SCRATCH/upload.stderr"
        copy_begins
        kill_component "$1"
        kill -CONT "$upload"
        copy_fails
        STATUS=0
        wait "$upload" || STATUS=$?
        check test "$STATUS" -ne 0
        mv "$SCRATCH/upload.stderr" "$SCRATCH/stderr"
        one_error
        mend
        # Where the runtime itself died, nobody closes the commands' input: what runs in the
        # pod ends when it has heard nothing for a quarter of an hour.
        [ "$1" = containerd ] || nothing_runs_on
        # And again: the same command does it.
        check_status 0 "${MK[@]}" run bench.copy --target "pod://$NAMESPACE/one" --dir /data/in --store "$STORE"
}

scenario "the API server dies while a stream comes, and one goes" component_dies kube-apiserver
scenario "the kubelet dies while a stream comes, and one goes" component_dies kubelet
scenario "containerd dies while a stream comes, and one goes" component_dies containerd
