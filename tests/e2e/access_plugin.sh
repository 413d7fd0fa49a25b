#!/usr/bin/env bash
# A user whose credentials a plugin says, on a real cluster: asked when it must be, and told
# from what it says when it cannot.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_streams.sh
. "$(dirname "$0")/../harness/e2e_streams.sh"
# shellcheck source=tests/harness/e2e_access.sh
. "$(dirname "$0")/../harness/e2e_access.sh"

V1=client.authentication.k8s.io/v1beta1

# begin: the pod "one", and a user whose plugin gives what stands in the file "now", for as many
# seconds as stand in "lives"; each call is a line of "asked", its time; what it was told is in "info".
begin() {
        make_namespace
        start_pod one
        account
        stream_recipes
        recipe_two
        make_token first
        cp first.token now
        echo 3600 >lives
        : >asked
        cat >plugin <<SH
#!/bin/sh
cd "$PWD" && date +%s >>asked && printf %s "\$KUBERNETES_EXEC_INFO" >info
echo '{"kind": "ExecCredential", "apiVersion": "$V1", "status": {"token": "'"\$(cat now)"'",
  "expirationTimestamp": "'"\$(date -u -d "+\$(cat lives) seconds" +%Y-%m-%dT%H:%M:%SZ)"'"}}'
SH
        chmod 755 plugin
        user_config plugged "{\"exec\": {\"apiVersion\": \"$V1\", \"command\": \"$PWD/plugin\",
            \"interactiveMode\": \"Never\", \"provideClusterInfo\": true}}"
}

calls() {
        wc -l <asked
}

two() {
        export KUBECONFIG=$PWD/plugged
        two_begins "pod://$NAMESPACE/one" /etc --file "$PWD/go-on"
        wait_for 60 test -e go-on.waiting
}

# What it says is kept until shortly before it expires: of 12 s, 9.
expires() {
        local seen before=0
        begin
        echo 12 >lives
        two
        sleep $(($(tail -n 1 asked) + 10 - $(date +%s)))
        seen=$(calls)
        touch go-on
        two_ends 0
        check test "$(calls)" -gt "$seen"
        while read -r seen; do
                check test $((seen - before)) -ge 8
                before=$seen
        done <asked
        check_lacks "$SCRATCH/stderr" "$(cat first.token)"
}

# The token that it gave is revoked in the middle of a run.
revoked() {
        begin
        two
        check_equal "$(calls)" 1
        KUBECONFIG=$ADMIN make_token second
        cp second.token now
        KUBECONFIG=$ADMIN revoke first
        touch go-on
        two_ends 0
        check_equal "$(calls)" 2
        check_status 0 "$MOONKEEP" verify --store "$STORE" bench/main/latest
}

# One that was never good is asked for another one once, and is one error then.
refused() {
        begin
        echo bad >now
        KUBECONFIG=$PWD/plugged check_status 1 "${MK[@]}" run bench.exec --target "pod://$NAMESPACE/one"
        one_error
        check_says Unauthorized
        check_equal "$(calls)" 2
        # The first one is bad, and the second is not.
        # shellcheck disable=SC2016 # for the plugin
        sed -i 's|^cd .*|&; [ "$(wc -l <asked)" -eq 1 ] \&\& cp bad now \|\| cp first.token now|' plugin
        echo bad >bad
        : >asked
        KUBECONFIG=$PWD/plugged check_status 0 "${MK[@]}" run bench.exec --target "pod://$NAMESPACE/one"
        check_equal "$(calls)" 2
}

# It learns of the cluster what kubectl tells it.
told() {
        begin
        KUBECONFIG=$PWD/plugged check_status 0 "${MK[@]}" run bench.exec --target "pod://$NAMESPACE/one"
        jq -S '.spec.cluster, .apiVersion, .kind' info >ours
        KUBECONFIG=$PWD/plugged kube get pods >/dev/null
        jq -S '.spec.cluster | del(.config)' info >theirs
        jq -S '.apiVersion, .kind' info >>theirs
        diff theirs ours
        check_contains ours certificate-authority-data
}

# says SCRIPT TEXT: with that plugin there is one error with the text, and no secret.
says() {
        printf '#!/bin/sh\n%s\n' "$1" >plugin
        KUBECONFIG=$PWD/plugged check_status 1 "${MK[@]}" run bench.copy --target "pod://$NAMESPACE/one" --dir /etc \
            --store "$STORE"
        one_error
        check_says "cannot get credentials for user"
        check_says "$2"
        check_lacks "$SCRATCH/stderr" hidden
        nothing_visible
}

no_help() {
        local pid status=0
        begin
        sed 's|/plugin"|/slow"|' plugged >hanging
        chmod 600 hanging
        printf '#!/bin/sh\necho $$ >started; exec sleep 600\n' >slow
        chmod 755 slow
        # It is given up after a minute, during which the others fail at once.
        KUBECONFIG=$PWD/hanging "${MK[@]}" run bench.exec --target "pod://$NAMESPACE/one" >out 2>err &
        pid=$!
        defer kill -KILL "$pid"
        says 'echo "log in first" >&2; exit 3' 'ended with status 3: log in first'
        says 'echo hidden' 'it is no JSON'
        says "echo '{\"kind\": \"ExecCredential\", \"apiVersion\": \"$V1\", \"status\": {}}'" 'neither a token'
        rm plugin
        KUBECONFIG=$PWD/plugged check_status 1 "${MK[@]}" run bench.exec --target "pod://$NAMESPACE/one"
        one_error
        check_says "cannot get credentials for user"
        wait "$pid" || status=$?
        cat out err
        check_equal "$status" 1
        check_equal "$(grep -c '^moonkeep: ' err)" 1
        check_contains err "cannot get credentials for user"
        check_not kill -0 "$(cat started)"
}

ADMIN=${KUBECONFIG:-}
scenario "a plugin is asked again when what it gave expires" expires
scenario "a plugin is asked again when what it gave is revoked in mid-run" revoked
scenario "a plugin is asked for another token once" refused
scenario "a plugin is told of the cluster what kubectl tells it" told
scenario "a plugin that does not help is one error" no_help
