#!/usr/bin/env bash
# prometheus.restore, killed at every call that changes a file or starts a program,
# or a sample of them.
# timeout: 1800 (with FAULT_ALL=1)
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/prometheus.sh"

# killed_restore POINT: over a server that runs on the other database.
killed_restore() {
        echo "SEED=$SEED point $1 $(when "$1"): $(sed -n "$1p" "$SCRATCH/log")"
        STATE=$SCRATCH/$1
        restart_before
        run faulty "AT=$1 WHEN=$(when "$1") ACTION=kill" restore -q
        [ "$STATUS" -eq 137 ] || check_failed "not killed, but status $STATUS"
        wait_for 20 no_orphan
        KILLED=$(newest_run)
}

# no_orphan: no command that stops or starts the server has outlived the program.
# What it does while its work is undone is its own; service.lua stops what it started.
no_orphan() {
        local all
        # Processes go while they are looked at.
        all=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ') || :
        [[ $all != *"$SCRATCH/start"* && $all != *"$prometheus start $HOME_DIR"* &&
                $all != *"$prometheus stop $HOME_DIR"* ]]
}

ended() {
        grep -qE "ended \((ok|rolled back)\): there is nothing to" "$SCRATCH/stderr"
}

resumed() {
        restore_setting
        local point
        for point in $(points "$SCRATCH/log" 12); do
                killed_restore "$point"
                if [ -z "$KILLED" ]; then
                        is_as_before
                        continue
                fi
                run moonkeep resume "$KILLED"
                if grep -q "interrupted before it began" "$SCRATCH/stderr"; then
                        is_as_before
                else
                        [ "$STATUS" -eq 0 ] || ended || { say; check_failed "resume ended with $STATUS"; }
                        is_restored
                fi
        done
}

rolled_back() {
        restore_setting
        local point
        for point in $(points "$SCRATCH/log" 12); do
                killed_restore "$point"
                if [ -z "$KILLED" ]; then
                        is_as_before
                        continue
                fi
                run moonkeep rollback "$KILLED"
                if grep -q "had done its work" "$SCRATCH/stderr"; then
                        check_equal "$STATUS" 4
                        check_status 0 moonkeep resume "$KILLED"
                        is_restored
                elif ended; then
                        is_restored
                elif grep -q "interrupted before it began" "$SCRATCH/stderr"; then
                        is_as_before
                else
                        [ "$STATUS" -eq 0 ] || { say; check_failed "rollback ended with $STATUS"; }
                        is_as_before
                fi
        done
}

journal_lost() {
        restore_setting
        local point
        for point in $(grep -vE "$SCRATCH/count| mkdir " "$SCRATCH/log" >"$SCRATCH/log.data"; points "$SCRATCH/log.data" 15); do
                killed_restore "$point"
                rm -rf "$STATE"
                run moonkeep rollback --target local: --dir "$DATA"
                if [ "$STATUS" -eq 0 ]; then
                        is_as_before
                elif grep -qE "was complete already" "$SCRATCH/stderr" || compgen -G "$DATA/.moonkeep-old-*" >/dev/null; then
                        is_restored
                else
                        check_says "nothing was left half-way"
                        is_as_before
                fi
        done
}

# A rollback is killed, too, and repeated.
rollback_killed() {
        restore_setting
        local point later
        for point in $(grep -E ' renameat2 .*/data/01' "$SCRATCH/log" | cut -d' ' -f1 | seeded shuf -n "${FAULT_ALL:+100}${FAULT_ALL:-2}"); do
                killed_restore "$point"
                cp -a "$DATA" "$SCRATCH/half"
                cp -a "$STATE" "$SCRATCH/half.state"
                run faulty "ACTION=count LOG=$SCRATCH/undo.log" moonkeep rollback "$KILLED"
                check_equal "$STATUS" 0
                is_as_before
                for later in $(points "$SCRATCH/undo.log" 4); do
                        "$prometheus" stop "$HOME_DIR"
                        rm -rf "$DATA" "$STATE" "$SCRATCH/at_start"
                        cp -a "$SCRATCH/half" "$DATA"
                        cp -a "$SCRATCH/half.state" "$STATE"
                        echo "SEED=$SEED then $later $(when "$later"): $(sed -n "${later}p" "$SCRATCH/undo.log")"
                        run faulty "AT=$later WHEN=$(when "$later") ACTION=kill" moonkeep rollback "$KILLED"
                        [ "$STATUS" -eq 137 ] || check_failed "not killed, but status $STATUS"
                        wait_for 20 no_orphan
                        if grep -q '"event":"rollback"' "$STATE/runs/$KILLED.jsonl" && [ $((later % 2)) -eq 0 ]; then
                                check_status 4 moonkeep resume "$KILLED"
                        fi
                        run moonkeep rollback "$KILLED"
                        [ "$STATUS" -eq 0 ] || ended || { say; check_failed "rollback ended with $STATUS"; }
                        is_as_before
                done
                rm -rf "$SCRATCH/half" "$SCRATCH/half.state" "$SCRATCH/undo.log"
        done
}

# No server and no directory before: all of it is made, or nothing.
into_nothing() {
        restore_setting
        "$prometheus" stop "$HOME_DIR"
        local point name
        service=()
        rm -rf "$DATA" "$SCRATCH/log"
        STATE=$SCRATCH/count2
        check faulty "ACTION=count LOG=$SCRATCH/log" restore -q
        diff <(digests "$DATA") "$SCRATCH/wanted"
        for point in $(grep -E "$DATA" "$SCRATCH/log" >"$SCRATCH/log.data"; points "$SCRATCH/log.data" 12); do
                echo "SEED=$SEED point $point $(when "$point"): $(sed -n "${point}p" "$SCRATCH/log")"
                for name in resume rollback; do
                        rm -rf "$DATA"
                        STATE=$SCRATCH/$name.$point
                        run faulty "AT=$point WHEN=$(when "$point") ACTION=kill" restore -q
                        check_equal "$STATUS" 137
                        run moonkeep $name "$(newest_run)"
                        if [ $name = resume ] || grep -q "had done its work" "$SCRATCH/stderr"; then
                                [ $name = resume ] || check_status 0 moonkeep resume "$(newest_run)"
                                check_equal "$STATUS" 0
                                diff <(digests "$DATA") "$SCRATCH/wanted"
                                check_equal "$(stat -c %a "$DATA")" "$(stat -c %a "$SCRATCH/before")"
                        else
                                check_equal "$STATUS" 0
                                check test ! -e "$DATA"
                        fi
                        nothing_left
                done
        done
}

scenario "a restore killed at any point is resumed and equals an undisturbed one" resumed
scenario "a restore killed at any point is rolled back, and the server runs on what it had" rolled_back
scenario "a killed restore whose journal is lost is undone by the record beside the data" journal_lost
scenario "a rollback that is killed, too, is finished by the next" rollback_killed
scenario "a restore into nothing, killed at any point, is resumed or leaves nothing" into_nothing
