#!/usr/bin/env bash
# A recipe that acts in a pod and stops its workload, on an API server of the scenario's own.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "$0")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_workload.sh
. "$(dirname "$0")/../harness/kube_workload.sh"

scaled_and_back() {
        begin
        check_status 0 restore -v
        check_says "acting through the helper pod m/moonkeep-helper-"
        check_equal "$(cat "$DATA/value")" new
        as_before
        # One patch scales and notes, one scales back and removes the note.
        check_equal "$(kube_asked PATCH '/apis/apps/v1/namespaces/m/statefulsets/db[^ ]*')" 2
}

# While pods come and go, -v says what changed, not each look at them.
waits_are_told() {
        begin "" '"start_ms": 3000, "stop_ms": 2000'
        check_status 0 restore -v
        check_contains "$SCRATCH/stderr" "waiting for the pods of statefulset m/db to go: db-0 is being deleted"
        check_contains "$SCRATCH/stderr" "waiting for statefulset m/db to be ready: db-0 is pending"
        check_contains "$SCRATCH/stderr" "waiting for the helper pod moonkeep-helper-"
        sed -n 's/^[^ ]* debug: //p' "$SCRATCH/stderr" | grep -E '^(GET|waiting)' | sort | uniq -c | sort -rn >told
        cat told
        check test "$(sed -n '1s/^ *\([0-9]*\).*/\1/p' told)" -le 3
}

# Pods that take their time to go: the operator reads what is waited for.
slow_to_go() {
        begin "" '"stop_ms": 11000'
        check_status 0 restore
        check_says "waiting for the pods of statefulset m/db to go: db-"
        check_equal "$(cat "$DATA/value")" new
        as_before
}

failed() {
        begin
        check_status 5 restore --fail
        check_equal "$(cat "$DATA/value")" old
        as_before
}

# Cancelled while the workload is down: within 25 s all is as it was.
cancelled_while_down() {
        begin
        "${MK[@]}" run toy.restore --target "$TARGET" --dir "$DATA" --service workload --yes --hang \
            >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        local pid=$! began status=0
        defer kill -KILL "$pid"
        wait_for 60 grep -qs new "$DATA/value"
        began=$SECONDS
        kill -TERM "$pid"
        wait "$pid" || status=$?
        check_equal "$status" 130
        check test $((SECONDS - began)) -le 25
        check_equal "$(cat "$DATA/value")" old
        as_before
}

killed() {
        begin
        "${MK[@]}" run toy.restore --target "$TARGET" --dir "$DATA" --service workload --yes --hang \
            >"$SCRATCH/run.out" 2>&1 &
        local pid=$!
        defer kill -KILL "$pid"
        wait_for 60 grep -qs new "$DATA/value"
        kill -KILL "$pid"
        wait "$pid" 2>/dev/null || :
        check_equal "$(kubectl -n m get statefulset db -o jsonpath='{.spec.replicas}')" 0
        kubectl -n m get statefulset db -o jsonpath='{.metadata.annotations.moonkeep\.dev/undo}' >undo
        check_contains undo '"replicas":2'
        check_equal "$(kubectl -n m get pods -l moonkeep.dev/run -o name | wc -l)" 1
}

killed_and_rolled_back() {
        killed
        check_status 0 "${MK[@]}" rollback latest
        check_equal "$(cat "$DATA/value")" old
        as_before
}

killed_and_resumed() {
        killed
        sed -i 's/if p.hang then/if false then/' dev/recipes/toy/restore.lua
        check_status 0 "${MK[@]}" resume latest --with-changes
        check_equal "$(cat "$DATA/value")" new
        as_before
}

killed_and_forgotten() {
        killed
        rm -rf "$SCRATCH/state"
        # Another restore must not begin on top of it.
        check_status 4 restore
        check_says "left half-way"
        check_status 0 "${MK[@]}" rollback --target "$TARGET" --dir "$DATA"
        check_equal "$(cat "$DATA/value")" old
        as_before
        check_status 1 "${MK[@]}" rollback --target "$TARGET" --dir "$DATA"
        check_says "nothing was left half-way"
}

# token_file: the token is in the file "token" from here on.
token_file() {
        echo good >token
        sed -i "s|token: \"good\"|tokenFile: \"$PWD/token\"|" "$KUBECONFIG"
        check_contains "$KUBECONFIG" "tokenFile"
}

# no_token_any_more: a restore in the middle, whose token is refused from here on; it is ended.
no_token_any_more() {
        # Over plain HTTP kubectl sends no token.
        START=(kube_start_tls --token good)
        begin
        token_file
        "${MK[@]}" run toy.restore --target "$TARGET" --dir "$DATA" --service workload --yes --hang \
            >"$SCRATCH/run.out" 2>&1 &
        local pid=$!
        defer kill -KILL "$pid"
        wait_for 60 grep -qs new "$DATA/value"
        HELPER=$(kubectl -n m get pods -l moonkeep.dev/run -o name)
        HELPER=${HELPER#pod/}
        echo bad >token
        kill -TERM "$pid"
        STATUS=0
        wait "$pid" || STATUS=$?
        echo good >token
        cat "$SCRATCH/run.out"
        check test -n "$HELPER"
}

# Whoever cannot remove a helper pod says which one is left, and how it goes.
a_helper_is_left() {
        no_token_any_more
        check_equal "$STATUS" 130
        check_contains "$SCRATCH/run.out" "cancelled"
        check_contains "$SCRATCH/run.out" "could not put it back"
        check_contains "$SCRATCH/run.out" "the helper pod $HELPER in namespace m is left"
        check_contains "$SCRATCH/run.out" "kubectl --context test -n m delete pod $HELPER"
        check_contains "$SCRATCH/run.out" "moonkeep rollback 2"
        check_status 0 "${MK[@]}" rollback latest
        check_equal "$(cat "$DATA/value")" old
        as_before
}

# The same for a rollback without a journal, which says first what it could not do.
a_helper_is_left_by_hand() {
        START=(kube_start_tls --token good)
        # Commands in pods find this mv first.
        mkdir bin
        cat >bin/mv <<SH
#!/bin/sh
[ ! -e "$PWD/trap" ] || echo bad >"$PWD/token"
exec $(command -v mv) "\$@"
SH
        chmod 755 bin/mv
        PATH=$PWD/bin:$PATH killed
        rm -rf "$SCRATCH/state"
        token_file
        touch trap
        check_status 1 "${MK[@]}" rollback --target "$TARGET" --dir "$DATA"
        echo good >token
        rm trap
        check_contains "$SCRATCH/stderr" "is left"
        check_contains "$SCRATCH/stderr" "remove it: kubectl --context test -n m delete pod moonkeep-helper-by-hand-"
        check_equal "$(grep -c '^moonkeep: ' "$SCRATCH/stderr")" 2
        check_contains <(head -n 1 "$SCRATCH/stderr") "Unauthorized"
        check_lacks <(head -n 1 "$SCRATCH/stderr") "is left"
        check_lacks "$SCRATCH/stderr" "moonkeep rollback by-hand"
        kubectl -n m delete pod -l moonkeep.dev/run >/dev/null
        check_status 0 "${MK[@]}" rollback --target "$TARGET" --dir "$DATA"
        check_equal "$(cat "$DATA/value")" old
        as_before
}

# The wrong directory: scaled back, the workload would run on data that is half-way exchanged.
rolled_back_elsewhere() {
        killed
        rm -rf "$SCRATCH/state"
        check_status 4 "${MK[@]}" rollback --target "$TARGET" --dir "$DATA/data"
        check_says "replaced the data in \"$DATA\", not in \"$DATA/data\""
        check_says "moonkeep rollback --target $TARGET --dir $DATA"
        check_equal "$(kubectl -n m get statefulset db -o jsonpath='{.spec.replicas}')" 0
        check_equal "$(cat "$DATA/value")" new
        check_status 0 "${MK[@]}" rollback --target "$TARGET" --dir "$DATA"
        check_equal "$(cat "$DATA/value")" old
        as_before
        check_status 1 "${MK[@]}" rollback --target "$TARGET" --dir "$DATA/data"
        check_says "the target has no directory \"$DATA/data\""
}

# Two who are on call roll back at once: one does, the other is told so.
rolled_back_by_two() {
        killed
        rm -rf "$SCRATCH/state"
        local index pids=() status=()
        for index in 0 1; do
                XDG_STATE_HOME=$SCRATCH/state$index "${MK[@]}" rollback --target "$TARGET" --dir "$DATA" \
                    >"$SCRATCH/out$index" 2>&1 &
                pids+=($!)
                defer kill -KILL $!
        done
        for index in 0 1; do
                status[index]=0
                wait "${pids[index]}" || status[index]=$?
                cat "$SCRATCH/out$index"
        done
        check test "${status[0]}" -eq 0 -o "${status[1]}" -eq 0
        for index in 0 1; do
                case ${status[index]} in
                0) ;;
                1) check_contains "$SCRATCH/out$index" "nothing was left half-way" ;;
                4) check_contains "$SCRATCH/out$index" "is just being put back by another" ;;
                *) check_failed "status ${status[index]}" ;;
                esac
        done
        check_equal "$(cat "$DATA/value")" old
        as_before
}

only_the_annotation() {
        begin
        kubectl -n m patch statefulset db --type=merge -p '{"spec": {"replicas": 0}, "metadata": {"annotations":
            {"moonkeep.dev/undo": "{\"run\":\"20261121T020000-aaaaa\",\"replicas\":2,\"time\":\"x\"}"}}}' >/dev/null
        check_status 0 "${MK[@]}" rollback --target "$TARGET" --dir "$DATA"
        check_says "20261121T020000-aaaaa"
        as_before
}

another_cluster() {
        killed
        local config=$KUBECONFIG
        kube_start --objects objects.json
        check_status 4 "${MK[@]}" rollback latest
        check_says "leads to another cluster"
        check_status 4 "${MK[@]}" resume latest
        KUBECONFIG=$config
        check_status 0 "${MK[@]}" rollback latest
}

rights() {
        begin "" '"deny": [{"verb": "patch", "group": "apps", "resource": "statefulsets"},
            {"verb": "create", "resource": "pods"}]'
        check_status 1 restore
        check_says "patch statefulsets.apps"
        check_says "create pods"
        check_equal "$(cat "$DATA/value")" old
        check_not test -e "$DATA/.moonkeep-swap"
}

# A replica that there is not is no pod to be waited for, nor one that does not run.
no_such_replica() {
        begin
        local before=$SECONDS
        TARGET='pod://m/sts/db?replica=3' check_status 1 restore
        check_says "there is no replica 3: statefulset m/db has 2 replicas, with the numbers 0 to 1"
        check test $((SECONDS - before)) -lt 20
        no_helper
        TARGET='pod://m/sts/db?replica=1' check_status 0 restore
        as_before
}

# Each right by itself: what has to be there is named before anything is changed, and what
# is only good to have is done without.
each_right() {
        local verb group resource sub
        while read -r verb group resource sub; do
                begin "" "\"deny\": [{\"verb\": \"$verb\", \"group\": \"${group#-}\", \"resource\": \"$resource\",
                    \"subresource\": \"$sub\"}]"
                echo "without $verb $resource $sub"
                check_status 1 restore
                check grep -qE "$verb\"? (on \")?$resource" "$SCRATCH/stderr"
                check_equal "$(kube_asked '(PATCH|POST|DELETE)' '/apis?/[^ ]*/m/[^ ]*')" 0
                check_equal "$(cat "$DATA/value")" old
                check_not test -e "$DATA/.moonkeep-swap"
                kill "$KUBE_PID"
        done <<'END'
get - pods
get - pods exec
create - pods
delete - pods
patch apps statefulsets
END
        while read -r verb group resource; do
                begin "" "\"deny\": [{\"verb\": \"$verb\", \"group\": \"${group#-}\", \"resource\": \"$resource\"}]"
                echo "without $verb $resource"
                check_status 0 restore
                check_equal "$(cat "$DATA/value")" new
                as_before
                kill "$KUBE_PID"
        done <<'END'
get - namespaces
get - persistentvolumeclaims
list - events
list autoscaling horizontalpodautoscalers
END
}

a_plan() {
        begin
        check_status 0 restore --plan
        check_says "would scale to 0 statefulset m/db: its data is replaced"
        check_says "It is in context \"test\""
        as_before
        check_equal "$(kube_asked '(PATCH|POST)' '/ap[^ ]*/m/[^ ]*')" 0
}

# Somebody scales it back while the data is exchanged.
scaled_by_somebody() {
        begin
        sed -i 's/if p.hang then/if p.hang then\n        p.target:cluster():patch("sts", "db", { spec = { replicas = 1 } }, { namespace = "m" })/;
            s/task.sleep(60000)/task.sleep(100)/' dev/recipes/toy/restore.lua
        check_status 4 restore --hang
        check_says "was scaled back to 1 while its data is replaced"
        check_equal "$(cat "$DATA/value")" old
        as_before
}

without_a_shell() {
        mkdir -p none
        begin "\"annotations\": {\"test/path\": \"$PWD/none\"}"
        check_status 1 restore
        check_says "has no shell in container db"
        TARGET="$TARGET?helper=busybox"
        check_status 0 restore
        check_equal "$(cat "$DATA/value")" new
        as_before
        DATA=$DATA/tmp check_status 1 restore
        check_says "lies in an emptyDir"
}

# What a helper pod would not see is lost with the pod: nothing is stopped then.
data_that_goes_with_the_pod() {
        begin
        mkdir -p "$DATA/tmp"
        DATA=$DATA/tmp check_status 1 restore
        check_says "lies in an emptyDir"
        check_says "it is lost when the pod is stopped"
        check_equal "$(kube_asked PATCH '/apis/apps/[^ ]*')" 0
        as_before
}

# A helper pod that does not start, shown before anything is stopped.
no_helper_starts() {
        begin
        TARGET="$TARGET?helper=none.invalid/lost"
        check_status 1 restore
        check_says "does not start: ErrImagePull"
        check_equal "$(kube_asked PATCH '/apis/apps/[^ ]*')" 0
        check_equal "$(cat "$DATA/value")" old
        as_before
}

scenario "data that goes with its pod keeps it from being stopped" data_that_goes_with_the_pod
scenario "a helper pod that does not start keeps the workload from being stopped" no_helper_starts
scenario "a restore scales a workload to 0 and back" scaled_and_back
scenario "while something is waited for, -v says what changes" waits_are_told
scenario "what is waited for is told" slow_to_go
scenario "a restore that fails leaves all as it was" failed
scenario "a restore that is cancelled leaves all as it was" cancelled_while_down
scenario "a killed restore is rolled back" killed_and_rolled_back
scenario "a killed restore is resumed" killed_and_resumed
scenario "a killed restore without a journal is rolled back" killed_and_forgotten
scenario "a helper pod that cannot be removed is named" a_helper_is_left
scenario "a helper pod that a rollback by hand cannot remove is named beside what failed" a_helper_is_left_by_hand
scenario "a rollback by hand of another directory is refused" rolled_back_elsewhere
scenario "of two who roll back a killed restore at once one does" rolled_back_by_two
scenario "what is only noted on the workload is rolled back" only_the_annotation
scenario "a run of one cluster is not ended on another" another_cluster
scenario "missing rights are named before anything is changed" rights
scenario "a replica that the workload does not have is told at once" no_such_replica
scenario "each right that is missing is named, or done without" each_right
scenario "a plan changes nothing in the cluster" a_plan
scenario "a workload that somebody scales back is a failure" scaled_by_somebody
scenario "a pod without a shell is reached through a helper pod" without_a_shell
