#!/usr/bin/env bash
# A token file that is replaced in the middle of a run, on a real cluster, while much comes
# out of a pod.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_streams.sh
. "$(dirname "$0")/../harness/e2e_streams.sh"
# shellcheck source=tests/harness/e2e_access.sh
. "$(dirname "$0")/../harness/e2e_access.sh"

# begin: a user with the token that stands in the file "now", and two copies of 150 MiB of which the
# first is on its way; it stands still.
begin() {
        a_pod_with_data 150
        recipe_two
        account
        make_token first
        cp first.token now
        user_config filed "{\"tokenFile\": \"$PWD/now\"}"
        KUBECONFIG=$PWD/filed two_begins "pod://$NAMESPACE/one" /data/in
        wait_for 60 bytes_came
        kill -STOP "$COPY"
}

# The stream goes on, and what comes behind it is asked for with the new one.
replaced() {
        begin
        make_token second
        # As everybody does who does it well, and the kubelet.
        cp second.token next
        mv next now
        revoke first
        kill -CONT "$COPY"
        two_ends 0
        check_status 0 "$MOONKEEP" verify --store "$STORE" bench/main/latest
        check_equal "$(find "$STORE" -type f -size +150M | wc -l)" 2
        check_lacks "$SCRATCH/stderr" "$(cat second.token)"
        nothing_runs_on
}

# Nobody brings a new one: what was under way ends, and nothing comes behind it.
not_replaced() {
        begin
        revoke first
        kill -CONT "$COPY"
        two_ends 1
        one_error
        check_says Unauthorized
        check_lacks "$SCRATCH/stderr" "$(cat first.token)"
        nothing_visible
        nothing_runs_on
}

scenario "a token file that is replaced while a stream comes is read again" replaced
scenario "a token that is revoked while a stream comes is one error" not_replaced
