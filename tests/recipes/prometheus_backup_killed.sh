#!/usr/bin/env bash
# prometheus.backup, killed at every call that changes a file, or a sample of them.
# timeout: 1800 (with FAULT_ALL=1)
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/prometheus.sh"

# The same blocks each time: no head, and no compaction while it runs.
options=(--skip-head)
setting() {
        new_server
        run_server
        started=$SECONDS
        STORE=$SCRATCH/count/store STATE=$SCRATCH/count/state
        check faulty "ACTION=count LOG=$SCRATCH/log" backup "${options[@]}"
        whole=$(backup_blocks "$(only_backup)")
        check test -n "$whole"
        echo "SEED=$SEED, $(wc -l <"$SCRATCH/log") calls"
}

# A server that runs for a minute compacts.
refresh() {
        if [ $((SECONDS - started)) -ge 30 ]; then
                "$prometheus" stop "$HOME_DIR" && "$prometheus" start "$HOME_DIR" >/dev/null
                started=$SECONDS
        fi
}

only_backup() {
        (cd "$STORE" && ls -d prometheus/main/*)
}

# killed_backup POINT: one backup that is killed there, in a store of its own.
killed_backup() {
        echo "SEED=$SEED point $1 $(when "$1"): $(sed -n "$1p" "$SCRATCH/log")"
        refresh
        STORE=$SCRATCH/$1/store STATE=$SCRATCH/$1/state
        run faulty "AT=$1 WHEN=$(when "$1") ACTION=kill" backup "${options[@]}"
        [ "$STATUS" -eq 137 ] || check_failed "not killed, but status $STATUS"
        KILLED=$(newest_run)
        [ ! -d "$STORE" ] || listed_are_good
}

# listed_are_good: what is listed is complete and verifies.
listed_are_good() {
        local name
        check_status 0 "$MOONKEEP" backups --store "$STORE" --json
        # shellcheck disable=SC2013 # names have no spaces
        for name in $(sed -nE 's/.*"name": "([^"]*)".*/\1/p' "$SCRATCH/stdout"); do
                check test -e "$STORE/$name/manifest.json"
                check_status 0 moonkeep verify --store "$STORE" "$name" --level content
        done
}

as_undisturbed() {
        check_equal "$(find "$STORE/prometheus" -name manifest.json | wc -l)" 1
        check_equal "$(backup_blocks "$(only_backup)")" "$whole"
        listed_are_good
        check_status 0 moonkeep backups --store "$STORE"
        check_says "verified (content)"
        check is_running
        nothing_left
        rm -r "${STORE%/store}"
}

resumed() {
        setting
        local point
        for point in $(points "$SCRATCH/log" "${1:-8}"); do
                killed_backup "$point"
                if [ -n "$KILLED" ]; then
                        run moonkeep resume "$KILLED"
                fi
                if [ -z "$KILLED" ] || grep -q "interrupted before it began" "$SCRATCH/stderr"; then
                        # Killed before it began, or after it had ended.
                        [ -n "$(find "$STORE" -name manifest.json 2>/dev/null)" ] || run backup "${options[@]}"
                fi
                [ "$STATUS" -eq 0 ] || grep -q "there is nothing to resume" "$SCRATCH/stderr" || {
                        cat "$SCRATCH/stdout" "$SCRATCH/stderr"
                        check_failed "resume ended with $STATUS"
                }
                as_undisturbed
        done
}

rolled_back() {
        setting
        local point
        for point in $(points "$SCRATCH/log" "${1:-8}"); do
                killed_backup "$point"
                if [ -n "$KILLED" ]; then
                        run moonkeep rollback "$KILLED"
                        [ "$STATUS" -eq 0 ] || grep -qE "nothing to roll back|interrupted before it began" "$SCRATCH/stderr" || {
                                cat "$SCRATCH/stdout" "$SCRATCH/stderr"
                                check_failed "rollback ended with $STATUS"
                        }
                        nothing_left
                fi
                if [ -z "$(find "$STORE" -name manifest.json 2>/dev/null)" ]; then
                        check_status 0 backup "${options[@]}"
                fi
                as_undisturbed
        done
}

several_streams() {
        options+=(--streams 3)
        resumed 6
}

scenario "a backup killed at any point is resumed and equals an undisturbed one" resumed
scenario "a backup killed at any point is rolled back, leaves nothing, and the next one is good" rolled_back
scenario "a backup of several streams killed at any point is resumed and equals an undisturbed one" several_streams
