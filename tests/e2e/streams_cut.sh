#!/usr/bin/env bash
# A stream out of a pod, or into one, whose ends die: never a success, nothing that runs on,
# nothing half-written.
# timeout: 600
# shellcheck disable=SC2016 # what the pod's shell expands
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_streams.sh
. "$(dirname "$0")/../harness/e2e_streams.sh"

tar_dies() {
        a_pod_with_data 400
        copy_begins
        kube exec one -- sh -c 'for p in /proc/[0-9]*; do
            case $(tr "\0" " " <$p/cmdline) in "tar "*) kill -9 ${p#/proc/};; esac; done'
        copy_fails
        check_contains "$SCRATCH/stderr" tar
        nothing_runs_on
}

pod_dies() {
        a_pod_with_data 400
        copy_begins
        kube delete pod one --grace-period=0 --force >/dev/null 2>&1
        copy_fails
}

program_dies() {
        a_pod_with_data 400
        copy_begins
        kill -KILL "$COPY"
        nothing_runs_on
}

program_is_cancelled() {
        a_pod_with_data 400
        copy_begins
        kill -TERM "$COPY"
        copy_fails
        check_equal "$STATUS" 130
        nothing_runs_on
}

upload_tar_dies() {
        a_pod_with_data 1
        upload_begins
        kube exec one -- sh -c 'for p in /proc/[0-9]*; do
            case $(tr "\0" " " <$p/cmdline) in "tar "*) kill -9 ${p#/proc/}; echo killed;; esac; done' >killed
        check_contains killed killed
        upload_ends 1
        one_error
        nothing_runs_on
        check_not kube exec one -- test -e /data/out/new
}

# upload_ends: the program, which stands still, goes on, and ends with that status.
upload_ends() {
        kill -CONT "$COPY"
        STATUS=0
        wait "$COPY" || STATUS=$?
        check_equal "$STATUS" "$1"
}

upload_pod_dies() {
        a_pod_with_data 1
        upload_begins
        kube delete pod one --grace-period=0 --force >/dev/null 2>&1
        upload_ends 1
        one_error
}

upload_program_dies() {
        a_pod_with_data 1
        upload_begins
        kill -KILL "$COPY"
        nothing_runs_on
}

upload_is_cancelled() {
        a_pod_with_data 1
        upload_begins
        kill -TERM "$COPY"
        upload_ends 130
        nothing_runs_on
}

scenario "tar is killed while a stream comes" tar_dies
scenario "the pod is deleted while a stream comes" pod_dies
scenario "moonkeep is killed while a stream comes" program_dies
scenario "a run is cancelled while a stream comes" program_is_cancelled
scenario "tar is killed while a stream goes" upload_tar_dies
scenario "the pod is deleted while a stream goes" upload_pod_dies
scenario "moonkeep is killed while a stream goes" upload_program_dies
scenario "a run is cancelled while a stream goes" upload_is_cancelled
