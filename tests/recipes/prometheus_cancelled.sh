#!/usr/bin/env bash
# Ctrl-C and SIGTERM at every step and in mid-stream: undone, said, soon.
# timeout: 1800 (with FAULT_ALL=1)
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/prometheus.sh"

# signal_at POINT: HUP, INT or TERM, by number.
signal_at() {
        local signals=(1 2 15)
        echo "${signals[$1 % 3]}"
}

# cancelled POINT COMMAND...
cancelled() {
        local point=$1 before=$SECONDS
        shift
        echo "SEED=$SEED point $point signal $(signal_at "$point"): $(sed -n "${point}p" "$SCRATCH/log")"
        run faulty "AT=$point ACTION=signal:$(signal_at "$point")" "$@"
        [ $((SECONDS - before)) -lt 25 ] || check_failed "it took $((SECONDS - before)) s"
        case $STATUS in
        130)
                check_contains "$SCRATCH/stderr" "cancelled"
                grep -qs '"status":"cancelled"' "$STATE/runs/$(newest_run).jsonl" ||
                        check_equal "$(wc -l <"$STATE/runs/$(newest_run).jsonl")" 0
                ;;
        0) ;; # it had done its work
        *) say; check_failed "status $STATUS" ;;
        esac
}

backup_at_every_step() {
        new_server
        run_server
        STORE=$SCRATCH/0/store STATE=$SCRATCH/0/state
        check faulty "ACTION=count LOG=$SCRATCH/log" backup -q
        local point
        for point in $(points "$SCRATCH/log" 12); do
                STORE=$SCRATCH/$point/store STATE=$SCRATCH/$point/state
                cancelled "$point" backup
                nothing_left
                check is_running
                if [ -n "$(find "$STORE" -name manifest.json 2>/dev/null)" ]; then
                        check_status 0 moonkeep verify --store "$STORE" prometheus/main/latest
                elif grep -q "Stream the snapshot" "$SCRATCH/stdout"; then
                        check_equal "$STATUS" 130
                        check_says "undone: remove the incomplete backup from the store"
                        check_says "cleaned up: remove the snapshot from the server"
                        check_says "cleaned up: release the lock"
                fi
        done
}

restore_at_every_step() {
        restore_setting
        local point
        for point in $(points "$SCRATCH/log" 12); do
                STATE=$SCRATCH/$point
                restart_before
                cancelled "$point" restore
                if [ "$STATUS" -eq 0 ]; then
                        is_restored
                else
                        is_as_before
                        if grep -q "Stop Prometheus" "$SCRATCH/stdout"; then
                                check_says "undone: put the old data back, and the server as it was"
                        fi
                fi
        done
}

# in_background COMMAND...: PID; its output as of `run`.
in_background() {
        "$@" >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        PID=$!
        # The function is a shell that waits for the program.
        wait_for 10 child_of "$PID"
}

# child_of PID: PID_OF_IT, its first child, once that is the program.
child_of() {
        PID_OF_IT=$(cut -d' ' -f1 "/proc/$1/task/$1/children") &&
            [ -n "$PID_OF_IT" ] && [ "$(cat "/proc/$PID_OF_IT/comm")" = moonkeep ]
}

# ends_within SECONDS: STATUS.
ends_within() {
        local begin=$SECONDS
        STATUS=0
        wait "$PID" || STATUS=$?
        [ $((SECONDS - begin)) -le "$1" ] || check_failed "it took $((SECONDS - begin)) s"
}

# Bytes that cannot be compressed, at the level that takes longest.
in_mid_stream() {
        fake_prometheus
        local signal
        for signal in INT TERM HUP; do
                mkdir -p "$DATA/snapshots/$SNAPSHOT"
                cp -r "$ROOT"/tests/data/tsdb/01* "$DATA/snapshots/$SNAPSHOT/"
                head -c 100000000 /dev/urandom >"$DATA/snapshots/$SNAPSHOT/large"
                in_background backup --level 19
                wait_for 10 grep -q "Stream the snapshot" "$SCRATCH/stdout"
                wait_for 10 compgen -G "$STORE/prometheus/main/*/.moonkeep-tmp-tsdb.tar.zst-*"
                kill -s "$signal" "$PID_OF_IT"
                ends_within 5
                check_equal "$STATUS" 130
                check_contains "$SCRATCH/stderr" 'moonkeep: step "copy": '
                check_contains "$SCRATCH/stderr" "cancelled"
                check_says "undone: remove the incomplete backup from the store"
                nothing_left
        done
}

# A server that does not answer, at each question.
while_it_stalls() {
        local path
        for path in "GET /api/v1/status/buildinfo" "GET /api/v1/rules" "POST /api/v1/admin/tsdb/snapshot*"; do
                fake_prometheus "always $path" "stall 100"
                in_background backup
                wait_for 10 grep -qsF "${path%\*}" "$SCRATCH/requests"
                kill -INT "$PID_OF_IT"
                ends_within 3
                check_equal "$STATUS" 130
                nothing_left
                rm "$SCRATCH/requests"
        done
}

# slow_stop: the command that stops the server hangs until $SCRATCH/fast is there.
slow_stop() {
        printf '#!/bin/sh\necho $$ >"%s/slow.pid"\n[ -e "%s/fast" ] || sleep 100\nexec "%s" stop "%s"\n' \
            "$SCRATCH" "$SCRATCH" "$prometheus" "$HOME_DIR" >"$SCRATCH/slow"
        chmod 755 "$SCRATCH/slow"
        service[1]="stop=$SCRATCH/slow"
}

# The command that stops the server hangs: undoing has its limit.
undoing_hangs() {
        restore_setting
        restart_before
        slow_stop
        STATE=$SCRATCH/hanging
        in_background restore
        wait_for 10 grep -q "Stop Prometheus" "$SCRATCH/stdout"
        sleep 0.5
        kill -TERM "$PID_OF_IT"
        ends_within 25
        check_equal "$STATUS" 130
        check_says "could not put the old data back, and the server as it was: it took longer than undoing may take"
        check_says "Next: moonkeep rollback"
        check is_running
        diff <(digests "$DATA") "$SCRATCH/old"
        touch "$SCRATCH/fast"
        check_status 0 moonkeep rollback latest
        is_as_before
}

# The second one ends at once, and leaves what can be rolled back.
twice() {
        restore_setting
        restart_before
        slow_stop
        STATE=$SCRATCH/twice
        in_background restore
        wait_for 10 grep -q "Stop Prometheus" "$SCRATCH/stdout"
        kill -INT "$PID_OF_IT"
        wait_for 10 grep -q "Undoing what was done" "$SCRATCH/stdout"
        kill -INT "$PID_OF_IT"
        ends_within 3
        check_equal "$STATUS" 130
        # The command that hung may outlive the program that called it; it leads its group.
        kill -KILL -- "-$(cat "$SCRATCH/slow.pid")" 2>/dev/null || :
        touch "$SCRATCH/fast"
        check_status 0 moonkeep runs
        check_says interrupted
        check_status 4 moonkeep resume latest
        check_says "was being undone"
        check_status 0 moonkeep rollback latest
        is_as_before
}

scenario "a backup cancelled at any step is undone" backup_at_every_step
scenario "a restore cancelled at any step is undone, and the server runs on what it had" restore_at_every_step
scenario "a backup cancelled in mid-stream ends at once and leaves nothing" in_mid_stream
scenario "a server that stalls does not hold up a cancel" while_it_stalls
scenario "undoing that hangs has a limit, and is told" undoing_hangs
scenario "a second signal ends at once; what is left is rolled back" twice
