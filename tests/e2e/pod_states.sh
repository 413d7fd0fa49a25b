#!/usr/bin/env bash
# Pods that do not run yet, and users who may not: one clear error, nothing left.
# timeout: 600
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_streams.sh
. "$(dirname "$0")/../harness/e2e_streams.sh"

copy() {
        "${MK[@]}" run bench.copy --target "$1" --dir "${2:-/etc}" --store "$STORE" --artifact data.tar
}

not_yet_ready() {
        make_namespace
        stream_recipes
        pod_manifest one | kube create -f - >/dev/null
        check_status 0 copy "pod://$NAMESPACE/one"
        check_status 0 "$MOONKEEP" verify --store "$STORE" bench/main/latest
        # It goes, and comes again: what follows waits for the new one.
        kube delete pod one --wait=false >/dev/null
        check_status 1 copy "pod://$NAMESPACE/none"
        one_error
        check_says "there is no pod for"
}

cannot_start() {
        make_namespace
        stream_recipes
        pod_manifest one | sed "s|\"image\": \"[^\"]*\"|\"image\": \"registry.local/nothing:none\"|" | kube create -f - >/dev/null
        wait_for 60 pull_failed
        check_status 1 copy "pod://$NAMESPACE/one"
        one_error
        nothing_visible
        wait_for 120 no_helper
}

pull_failed() {
        kube get pod one -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason}' | grep -E 'ErrImage|ImagePull'
}

# as_user NAME RULE...: KUBECONFIG is of a service account with these rules, and get of kube-system.
as_user() {
        local name=$1 token
        shift
        kube create serviceaccount "$name" >/dev/null
        printf '%s\n' "$@" | jq -sR --arg name "$name" '{apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role",
            metadata: {name: $name}, rules: [split("\n")[] | select(. != "") | split(" ") |
            {apiGroups: [""], resources: [.[0]], verbs: .[1:]}]}' | kube create -f - >/dev/null
        kube create rolebinding "$name" --role="$name" --serviceaccount="$NAMESPACE:$name" >/dev/null
        token=$(kube create token "$name" --duration=1h)
        kubectl config view --raw --minify -o json |
            jq --arg token "$token" '.users[0].user = {token: $token}' >"$name.json"
        chmod 600 "$name.json"
}

# Each of the rights in turn is not given.
one_right_less() {
        local rules=("pods get list" "pods/exec get create") without rule index
        make_namespace
        stream_recipes
        start_pod one
        as_user all "${rules[@]}"
        KUBECONFIG=$PWD/all.json check_status 0 copy "pod://$NAMESPACE/one"
        rm -rf "$STORE"
        for index in 0 1; do
                without=("${rules[@]}")
                rule=${without[index]}
                unset "without[index]"
                as_user "less$index" "${without[@]}"
                KUBECONFIG=$PWD/less$index.json check_status 1 copy "pod://$NAMESPACE/one"
                one_error
                check_says "${rule%% *}"
                check_says "may not"
                nothing_visible
        done
}

is_unknown() {
        ! KUBECONFIG=$PWD/$1 kubectl get --raw /version --request-timeout=5s >/dev/null 2>&1
}

# The user is gone for good in the middle of a run.
token_expires() {
        local pid
        make_namespace
        stream_recipes
        start_pod one
        as_user few "pods get list" "pods/exec get create"
        KUBECONFIG=$PWD/few.json "${MK[@]}" run toy.twice --target "pod://$NAMESPACE/one" --file "$PWD/go-on" \
            --state "$SCRATCH/state/twice" >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        pid=$!
        defer kill -KILL "$pid"
        wait_for 60 test -e go-on.waiting
        kube delete serviceaccount few >/dev/null
        # The API server believes for a while what it has seen.
        wait_for 60 is_unknown few.json
        touch go-on
        STATUS=0
        wait "$pid" || STATUS=$?
        check_equal "$STATUS" 1
        one_error
        check_says Unauthorized
        nothing_runs_on
        check_lacks "$SCRATCH/stderr" "$(jq -r '.users[0].user.token' few.json)"
}

scenario "a pod that comes up is waited for" not_yet_ready
scenario "a pod that cannot start says so" cannot_start
scenario "each right that lacks is named" one_right_less
scenario "a user who is gone in mid-run is an error" token_expires
