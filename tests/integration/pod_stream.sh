#!/usr/bin/env bash
# Copies out of a pod whose server cuts, lies, forgets and refuses: each time one error, no
# backup, and nothing that runs on; and the same command does it when that has passed.
# timeout: 600
# begins early
# shellcheck source=tests/harness/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_pod.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube_pod.sh"

# begin KIB [OPTION...]: a server that breaks as $SCRATCH/faults says, and a pod with data.
begin() {
        local kib=$1
        shift
        touch "$SCRATCH/faults"
        kube_start --faults "$SCRATCH/faults" "$@"
        pod_program
        pod_data "$kib"
}

# fails TEXT...: the copy does, with one error that says so.
fails() {
        local text
        # shellcheck disable=SC2119 # no options
        run copy
        check test "$STATUS" -ne 0
        one_error
        for text; do
                check_says "$text"
        done
        nothing_visible
        wait_for 20 pod_is_quiet
}

# Only the copy itself has so many bytes.
a_cut() {
        local fault
        for fault in "success stdout:3000000" "close stdout:3000000" "reset stdout:3000000" \
                "close-frame stdout:3000000" "lose 3000000 1" "lose 3000000 512" "lose 3000000 32768"; do
                echo "GET */exec* every $fault" >"$SCRATCH/faults"
                begin 6000
                fails "pod default/box"
                # Without the fault, the same command does it.
                kill "$KUBE_PID"
                true >"$SCRATCH/faults"
                kube_start --faults "$SCRATCH/faults"
                pod_data 6000
                check_status 0 copy
                mkdir back
                check_status 0 "${MK[@]}" run bench.restore --target local: --dir "$PWD/back/to" --store "$STORE" \
                    --artifact data.tar
                check diff -r "$DATA" back/to
                kill "$KUBE_PID"
                rm -rf back "$STORE"
        done
}

# Of every command: also of the shell that asks.
no_status() {
        local fault
        for fault in "final missing" "final empty" "final garbage" "final failure" "frame masked 1" \
                "upgrade wrong-accept" "upgrade no-protocol" "upgrade v9.channel.k8s.io" "close head" "close answer-head" \
                "status 401 Unauthorized" "status 403 Forbidden" "status 404 NotFound" "status 409 Conflict" "status 410 Gone" \
                "status 429 TooManyRequests" "status 500 InternalError" "status 503 ServiceUnavailable" \
                "redirect http://127.0.0.1:1/" "garbage 200"; do
                echo "GET */exec* every $fault" >"$SCRATCH/faults"
                begin 10
                fails
                echo "said of $fault:"
                cat "$SCRATCH/stderr"
                kill "$KUBE_PID"
        done
}

no_protocol() {
        begin 10 --protocols none
        fails "WebSocket protocol"
}

# in_mid_stream: a copy, COPY, that stands still when half of it has come.
in_mid_stream() {
        echo "GET */exec* every stall 3 stdout:3000000" >"$SCRATCH/faults"
        begin 6000
        copy_begins
        wait_for 20 bytes_came
}

bytes_came() {
        [ "$(find "$STORE" -type f -size +100k 2>/dev/null | wc -l)" -gt 0 ]
}

ends_with() {
        STATUS=0
        wait "$COPY" || STATUS=$?
        check_equal "$STATUS" "$1"
        nothing_visible
        wait_for 20 pod_is_quiet
}

server_killed() {
        in_mid_stream
        kill -KILL "$KUBE_PID"
        ends_with 1
        one_error
}

pod_deleted() {
        needs kubectl
        in_mid_stream
        kubectl delete pod box --grace-period=0 --force >/dev/null 2>&1
        ends_with 1
        one_error
}

cancelled() {
        in_mid_stream
        kill -TERM "$COPY"
        ends_with 130
}

killed() {
        in_mid_stream
        kill -KILL "$COPY"
        wait "$COPY" || :
        wait_for 20 pod_is_quiet
        check_equal "$(find "$STORE" -name manifest.json)" ""
}

# Tokens.

with_token() {
        echo one >valid
        echo one >token
        chmod 600 token
        begin "$1" --token "@$PWD/valid"
        kube_write_config "$KUBECONFIG" "$KUBE_URL" "" "tokenFile: \"$PWD/token\""
}

# The kubelet writes a new one, and the old one is refused from then on.
token_renewed() {
        echo "GET */exec* every stall 2 stdout:3000000" >"$SCRATCH/faults"
        with_token 6000
        copy_begins
        wait_for 20 bytes_came
        echo two >token.new
        mv token.new token
        echo two >valid
        check wait "$COPY"
        check_status 0 "$MOONKEEP" verify --store "$STORE" bench/main/latest
}

token_expired() {
        local target=pod://default/box
        with_token 10
        check_status 0 copy
        echo two >valid
        rm -rf "$STORE"
        fails "log in again"
        # Without one.
        sed -i 's/{tokenFile.*}/{}/' "$KUBECONFIG"
        fails "$target"
}

# Secrets.

# neither FILE... nor the environment or the arguments of anybody but the command has it.
secret_in_the_pod() {
        begin 10
        mkdir -p dev/recipes/toy
        cat >dev/recipes/toy/secret.lua <<'LUA'
return recipe {
  summary = "Give a command a secret",
  params = { target = { "target", required = true, help = "where" }, word = { "secret", required = true, help = "it" },
    fail = { "boolean", default = false, help = "fail" } },
  steps = { { "tell", "Tell it" } },
  example = "moonkeep run toy.secret --target local: --word env:WORD",
  run = function(ctx, p)
    return { said = ctx:step("tell", function()
      local result = p.target:exec { argv = { "sh", "-c", "cat /proc/$$/cmdline /proc/$PPID/cmdline >seen; "
        .. "printf %s \"$WORD\" >got; echo \"$WORD\" >&2; echo \"$WORD\"" }, env = { WORD = p.word } }
      if p.fail then
        error("it said " .. result.stdout .. result.stderr, 0)
      end
      return result.stdout
    end) }
  end,
}
LUA
        # shellcheck disable=SC2016 # as it stands
        local word='hunter2 $(x) "'"'" form
        export WORD=$word
        check_status 0 "${MK[@]}" run toy.secret --target pod://default/box --word env:WORD -v
        check_equal "$(cat "$KUBE_ROOT/default/box/got")" "$word"
        cp "$SCRATCH/stdout" out
        cp "$SCRATCH/stderr" err
        check_status 2 "${MK[@]}" run toy.secret --target pod://default/box --word env:WORD --fail -v
        local form
        for form in hunter2 "$(printf %s "$word" | base64)" 'hunter2%20'; do
                check_equal "$(grep -rlF -- "$form" out err "$SCRATCH/stdout" "$SCRATCH/stderr" "$SCRATCH/state" \
                    "$KUBE_LOG" "$KUBE_ROOT/default/box/seen")" ""
        done
}

scenario "a stream that is cut, or loses bytes, is no backup" a_cut
scenario "a command whose end or beginning is not as it should be is an error" no_status
scenario "a server of another protocol is told" no_protocol
scenario "a server that is killed in mid-stream is an error" server_killed
scenario "a pod that is deleted in mid-stream is an error" pod_deleted
scenario "a cancelled copy leaves nothing" cancelled
scenario "a killed copy leaves nothing in the pod" killed
scenario "a token that is renewed in mid-run is taken" token_renewed
scenario "a token that has expired is told" token_expired
scenario "a secret of a command in a pod is seen by that alone" secret_in_the_pod
