#!/usr/bin/env bash
# Prometheus that is down, hangs, lies, dies: each one clear error with a hint, and
# nothing left; a restore puts back what was there.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/prometheus.sh"

# refuses STATUS TEXT... -- COMMAND...: it ends so, says all of that, and leaves nothing.
refuses() {
        local status=$1 texts=()
        shift
        while [ "$1" != -- ]; do
                texts+=("$1")
                shift
        done
        shift
        check_status "$status" "$@"
        local text
        for text in "${texts[@]}"; do
                check_contains "$SCRATCH/stderr" "$text"
        done
        check_lacks "$SCRATCH/stderr" "traceback"
        check_lacks "$SCRATCH/stderr" ".lua:"
        nothing_left
}

# answers_so TEXT HINT REQUEST ACTION...: the backup fails at it.
answers_so() {
        local text=$1 hint=$2 request=$3
        shift 3
        fake_prometheus "always $request" "$@"
        refuses 1 "$text" "hint: $hint" -- backup --stall 1s
        check_not test -d "$STORE/prometheus"
}

down() {
        fake_prometheus
        PROMETHEUS_URL=http://127.0.0.1:$(free_port)
        refuses 1 'moonkeep: step "inspect": GET ' "cannot connect" "Connection refused" \
            "hint: does the server run" -- backup
}

no_admin_api() {
        new_server
        run_server --no-admin
        refuses 1 "has no admin API" "hint: start it with --web.enable-admin-api" -- backup
}

hangs() {
        local request
        for request in "GET /api/v1/status/buildinfo" "GET /api/v1/rules" "POST /api/v1/admin/tsdb/snapshot*"; do
                fake_prometheus "always $request" "stall 100"
                refuses 1 "no progress for 1" -- backup --stall 1s
        done
}

broken_answers() {
        local another="is this Prometheus, and its route prefix in --url?"
        fake_prometheus "always GET /api/v1/status/flags" \
            'answer-raw "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"status\""' close
        refuses 1 "the answer broke off" -- backup
        fake_prometheus "always GET /api/v1/rules" endless
        refuses 1 "the answer is larger than" -- backup
        fake_prometheus "always GET /api/v1/rules" endless-headers
        refuses 1 "the headers of the answer are larger than" -- backup
        answers_so "not JSON: line 1" "$another" "GET /api/v1/status/buildinfo" \
            "answer 200 text/html <html>log in</html>"
        answers_so "the server answered 302" "$another" "GET /api/v1/status/buildinfo" "answer 302 text/html go"
        answers_so "the server answered 404" "$another" "GET /api/v1/status/buildinfo" "answer 404 text/html no"
        answers_so "the server answered 401" "it wants to know who asks: --token" \
            "GET /api/v1/status/buildinfo" "answer 401 text/html Unauthorized"
        answers_so "does not say its version" "$another" "GET /api/v1/status/buildinfo" \
            'answer 200 application/json {"status":"success","data":[1,2]}'
        answers_so "does not say its version" "$another" "GET /api/v1/status/buildinfo" \
            'answer 200 application/json {"status":"success","data":{"version":{}}}'
        answers_so "this is no answer of Prometheus" "$another" "GET /api/v1/status/flags" \
            'answer 200 application/json {"status":"success","data":"x"}'
        answers_so "this is no answer of Prometheus" "$another" "GET /api/v1/status/flags" \
            'answer 200 application/json {"status":"error","error":"x"}'
}

disk_full_on_snapshot() {
        answers_so "no space left on device" "make room where Prometheus keeps its data" \
            "POST /api/v1/admin/tsdb/snapshot*" \
            'answer 500 application/json {"status":"error","error":"create snapshot: write x: no space left on device"}'
        check_says "undone: remove the incomplete backup from the store"
        check_says "cleaned up: release the lock"
}

snapshot_names() {
        fake_prometheus "always POST /api/v1/admin/tsdb/snapshot*" \
            'answer 200 application/json {"status":"success","data":{"name":"../../../etc"}}'
        refuses 1 "made a snapshot, but did not say its name" -- backup
        fake_prometheus
        refuses 1 "but the target has no \"$DATA/snapshots/$SNAPSHOT\"" \
            "hint: is \"$DATA\" its data on this target? the snapshot is left" -- backup
        mkdir -p "$DATA/snapshots/$SNAPSHOT"
        refuses 1 "holds no data" "hint: it has not scraped anything yet" -- backup
}

elsewhere() {
        new_server
        run_server
        refuses 1 "has no directory \"/nowhere\"" "hint: is this the right --target?" -- backup --data-dir /nowhere
        mkdir "$SCRATCH/other"
        refuses 1 "\"$SCRATCH/other\" on the target is no data directory of Prometheus" -- backup --data-dir "$SCRATCH/other"
        check_not test -e "$DATA/snapshots"
        # That of another server.
        mkdir "$SCRATCH/other/wal"
        check_status 1 backup --data-dir "$SCRATCH/other"
        check_contains "$SCRATCH/stderr" "but the target has no \"$SCRATCH/other/snapshots/"
        check_contains "$SCRATCH/stderr" "the snapshot is left where the server made it"
        check test -n "$(ls "$DATA/snapshots")"
        rm -r "$DATA/snapshots"
        nothing_left
}

# It dies while its files are copied: they are still there, and the backup is good.
dies_during_copy() {
        new_server
        run_server
        # The first write into the tar is behind the last question.
        run_stopped_at 'tsdb\.tar\.zst' "$prometheus" kill "$HOME_DIR"
        check_equal "$STATUS" 0
        nothing_left
        check_status 0 "$MOONKEEP" verify --store "$STORE" --state "$STATE" prometheus/main/latest
}

# run_stopped_at PATTERN COMMAND...: a backup that is stopped at the first write to
# such a file, goes on when the command is done; STATUS.
run_stopped_at() {
        local pattern=$1 pid
        shift
        faulty "ACTION=signal:19 AT=2 MATCH=$pattern" backup >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        local job=$!
        wait_for 20 stopped_child "$job"
        pid=$(cat "$SCRATCH/stopped")
        "$@"
        kill -CONT "$pid"
        STATUS=0
        wait "$job" || STATUS=$?
}

# Its snapshot is taken away in the middle of the copy.
snapshot_vanishes() {
        new_server
        run_server
        run_stopped_at 'tsdb\.catalog\.jsonl' rm -rf "$DATA/snapshots"
        [ "$STATUS" -eq 1 ] || { say; check_failed "status $STATUS"; }
        check_contains "$SCRATCH/stderr" 'step "copy"'
        check_says "undone: remove the incomplete backup from the store"
        nothing_left
}

# restore_fails STATUS TEXT...: and everything is as it was.
restore_fails() {
        local status=$1 text
        shift
        check_status "$status" restore "${more[@]}"
        for text; do
                check_contains "$SCRATCH/stderr" "$text"
        done
        check_says "undone: put the old data back, and the server as it was"
        is_as_before "${started_with:-old}"
}

script() {
        printf '#!/bin/sh\n%s\n' "$2" >"$SCRATCH/$1"
        chmod 755 "$SCRATCH/$1"
}

stop_fails() {
        restore_setting
        restart_before
        script stop 'echo "unit is masked" >&2; exit 4'
        service[1]="stop=$SCRATCH/stop"
        check_status 1 restore
        check_contains "$SCRATCH/stderr" "step \"stop\": cannot stop the service: \"$SCRATCH/stop\" ended with status 4: unit is masked"
        check is_running
        diff <(digests "$DATA") "$SCRATCH/old"
        check_equal "$(cat "$DATA/marker")" mine
        check_says "undone: remove the staged data"
        check test ! -e "$DATA/.moonkeep-swap"
}

start_fails() {
        restore_setting
        # The new data does not start; the old does.
        more=()
        script start "[ -e '$DATA/marker' ] || { echo 'it is not allowed' >&2; exit 5; }; exec '$prometheus' start '$HOME_DIR'"
        service[3]="start=$SCRATCH/start"
        restart_before
        restore_fails 1 'step "start": cannot start the service' "ended with status 5: it is not allowed"
}

dies_after_start() {
        restore_setting
        more=(--ready 20s)
        script start "'$prometheus' start '$HOME_DIR' && { [ -e '$DATA/marker' ] || '$prometheus' kill '$HOME_DIR'; }"
        service[3]="start=$SCRATCH/start"
        restart_before
        restore_fails 1 "waited 15 s for the service to run"
}

never_ready() {
        restore_setting
        # Something else listens: it answers, but is never ready.
        more=(--ready 2s)
        restart_before
        local port=${PROMETHEUS_URL##*:}
        printf 'always GET *\nanswer 503 text/plain Service Unavailable\nforever\n' >"$SCRATCH/script"
        script start "[ -e '$DATA/marker' ] && { kill \$(cat '$SCRATCH/impostor'); exec '$prometheus' start '$HOME_DIR'; }
'$OUT/servers/http_script' --time 60 --port $port '$SCRATCH/script' >'$SCRATCH/port' 2>&1 &
echo \$! >'$SCRATCH/impostor'"
        script running "[ -e '$DATA/marker' ] && exec '$prometheus' running '$HOME_DIR'; kill -0 \$(cat '$SCRATCH/impostor')"
        script stop "'$prometheus' stop '$HOME_DIR'; kill \$(cat '$SCRATCH/impostor') 2>/dev/null; rm -f '$SCRATCH/impostor'"
        service=(--service "stop=$SCRATCH/stop" --service "start=$SCRATCH/start" --service "running=$SCRATCH/running")
        restore_fails 1 'step "ask": waited 2 s for Prometheus' "to be ready: it answers 503"
}

# The restored server is not what was backed up: its data is changed after the check.
answers_otherwise() {
        restore_setting
        more=()
        script start "[ -e '$DATA/marker' ] || rm -r '$DATA'/\$(ls '$DATA' | grep '^01' | head -n 1); exec '$prometheus' start '$HOME_DIR'"
        service[3]="start=$SCRATCH/start"
        restart_before
        restore_fails 5 'step "ask":' "answers \"" "of when the backup was made"
}

# Without a command that says whether it runs, its answers tell.
without_running() {
        restore_setting
        service=("${service[@]:0:4}")
        restart_before
        STATE=$SCRATCH/state2
        check_status 0 restore
        is_restored
        more=()
        script start "[ -e '$DATA/marker' ] || exit 5; exec '$prometheus' start '$HOME_DIR'"
        service[3]="start=$SCRATCH/start"
        restart_before
        restore_fails 1 'step "start": cannot start the service'
}

# The server was down before: it is down again when the restore fails.
down_before() {
        restore_setting
        restart_before
        "$prometheus" stop "$HOME_DIR"
        script start "exit 5"
        service[3]="start=$SCRATCH/start"
        check_status 1 restore
        check_not is_running
        diff <(digests "$DATA") "$SCRATCH/old"
        check_equal "$(cat "$DATA/marker")" mine
        nothing_left
}

# The server runs, and nothing says how to stop it.
no_service() {
        restore_setting
        restart_before
        service=()
        check_status 4 restore
        check_contains "$SCRATCH/stderr" "there is no --service to stop it with"
        check_contains "$SCRATCH/stderr" "hint: stop it yourself, or say how: --service systemd:UNIT"
        is_as_before
}

scenario "a server that is down" down
scenario "a server without the admin API" no_admin_api
scenario "a server that hangs is given up after --stall" hangs
scenario "answers that are cut, endless, or no answers of Prometheus" broken_answers
scenario "the server's disk is full when it makes the snapshot" disk_full_on_snapshot
scenario "a snapshot of a strange name, that is not there, or empty" snapshot_names
scenario "a data directory that is not the server's" elsewhere
scenario "a server that dies during the copy is backed up" dies_during_copy
scenario "a snapshot that vanishes during the copy" snapshot_vanishes
scenario "a server that does not stop keeps its data" stop_fails
scenario "a server that does not start on the new data gets its old data back" start_fails
scenario "a server that dies after its start gets its old data back" dies_after_start
scenario "a server that is never ready gets its old data back" never_ready
scenario "a server that answers otherwise gets its old data back" answers_otherwise
scenario "a service without a command that says whether it runs" without_running
scenario "a server that was down is down after a restore that failed" down_before
scenario "a server that runs is not restored without a way to stop it" no_service
