#!/usr/bin/env bash
# Stores, disks, locks and clocks that do not do what they should.
# timeout: 1800 (with FAULT_ALL=1)
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/prometheus.sh"

setting() {
        new_server
        run_server
}

# fails STATUS TEXT... -- COMMAND...: it ends so, and says all of that.
fails() {
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
        check_lacks "$SCRATCH/stderr" ".lua:"
}

# as_nobody FUNCTION ARG...: the program runs as a user who owns nothing.
as_nobody() {
        local plain=$MOONKEEP MOONKEEP=$SCRATCH/nobody
        chmod 755 "$SCRATCH" "$SCRATCH/state"
        chmod -R a+rX "$HOME_DIR"
        mkdir -p "$STATE"
        chown -R 65534:65534 "$STATE"
        cp "$plain" "$SCRATCH/program"
        printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups "%s" "$@"\n' "$SCRATCH/program" >"$MOONKEEP"
        chmod 755 "$MOONKEEP" "$SCRATCH/program"
        "$@"
}

read_only() {
        needs_root
        needs setpriv
        setting
        mkdir "$STORE"
        chmod 555 "$STORE"
        fails 1 'step "lock": ' "$STORE" "Permission denied" "hint: " -- as_nobody backup
        nothing_left
        # A store that was begun by another user.
        chmod 755 "$STORE"
        check_status 0 backup
        fails 1 'step "lock": ' "Permission denied" "hint: " -- as_nobody backup --skip-head
        check is_running
}

is_a_file() {
        setting
        echo precious >"$STORE"
        fails 1 'step "lock": ' "cannot open the store \"$STORE\": it is no directory" "hint: name a directory" -- backup
        check_equal "$(cat "$STORE")" precious
        fails 1 "\"$STORE\"" -- moonkeep backups --store "$STORE"
        fails 1 "$SCRATCH/nowhere" -- moonkeep backups --store "$SCRATCH/nowhere"
}

# In a mount namespace of its own: tmpfs SIZE DIR, then the rest.
own_mounts() {
        needs_root
        needs unshare
        unshare -m true 2>/dev/null || skip "no mount namespaces here"
}

# on_tmpfs OPTIONS DIR FUNCTION ARG...: the program sees a small disk there.
on_tmpfs() {
        local options=$1 dir=$2 plain=$MOONKEEP MOONKEEP=$SCRATCH/small
        shift 2
        # What is in it beforehand and afterwards is copied, since the mount goes with the program.
        cat >"$MOONKEEP" <<SH
#!/bin/sh
mkdir -p "$dir" "$SCRATCH/outside" && mount --bind "$dir" "$SCRATCH/outside" &&
mount -t tmpfs -o "$options" none "$dir" && cp -a "$SCRATCH/outside/." "$dir/" || exit 99
LD_PRELOAD=\$PRELOAD "$plain" "\$@"
status=\$?
find "$SCRATCH/outside" -mindepth 1 -delete
cp -a "$dir/." "$SCRATCH/outside/" || exit 98
exit \$status
SH
        chmod 755 "$MOONKEEP"
        printf '#!/bin/sh\nexec unshare -m "%s" "$@"\n' "$SCRATCH/small" >"$SCRATCH/unshared"
        chmod 755 "$SCRATCH/unshared"
        MOONKEEP=$SCRATCH/unshared
        "$@"
}

store_full() {
        own_mounts
        setting
        local pages
        for pages in 1 2 3 4 6 10 14 17 18 19 20 22 30; do
                echo "$pages pages"
                rm -rf "$STORE"
                run on_tmpfs "size=$((pages * 4))k,nr_inodes=100" "$STORE" backup --skip-head
                case $STATUS in
                0)
                        [ "$pages" -ge 18 ] || check_failed "it cannot fit"
                        check_status 0 moonkeep verify --store "$STORE" prometheus/main/latest
                        ;;
                1)
                        check_contains "$SCRATCH/stderr" "No space left on device"
                        check_contains "$SCRATCH/stderr" "hint: "
                        check_equal "$(grep -c '^moonkeep: ' "$SCRATCH/stderr")" 1
                        check_equal "$(find "$STORE" -name manifest.json)" ""
                        ;;
                *) say; check_failed "status $STATUS" ;;
                esac
                nothing_left
                check_status 0 backup --skip-head
        done
}

file_size_limit() {
        setting
        # ulimit -f counts KiB in bash.
        printf '#!/bin/bash\nulimit -f 30\nexec "%s" "$@"\n' "$MOONKEEP" >"$SCRATCH/limited"
        chmod 755 "$SCRATCH/limited"
        # shellcheck disable=SC2317 # `fails` calls it
        limited() { local MOONKEEP=$SCRATCH/limited; backup --skip-head; }
        fails 1 'step "copy": ' "File too large" "hint: " -- limited
        check_says "undone: remove the incomplete backup from the store"
        nothing_left
}

store_vanishes() {
        setting
        stopped_backup 'tsdb\.tar\.zst' --skip-head
        rm -rf "$STORE"
        goes_on
        [ "$STATUS" -eq 1 ] || { say; check_failed "status $STATUS"; }
        check_contains "$SCRATCH/stderr" 'moonkeep: step "'
        check is_running
        nothing_left
}

two_at_once() {
        setting
        stopped_backup 'tsdb\.tar\.zst' --skip-head
        local first=$STATE
        STATE=$SCRATCH/second
        fails 4 "prometheus/main is in use by run" "hint: wait for it" -- backup --skip-head
        check_contains "$SCRATCH/stdout" "not needed: release the lock on prometheus/main (run 2"
        check_status 0 moonkeep backups --store "$STORE"
        STATE=$first
        goes_on
        check_equal "$STATUS" 0
        nothing_left
        # Another instance is not in its way.
        stopped_backup 'tsdb\.tar\.zst' --skip-head
        STATE=$SCRATCH/second
        check_status 0 backup --skip-head --instance other
        STATE=$first
        goes_on
        check_equal "$STATUS" 0
        nothing_left
}

killed_holder() {
        setting
        run faulty "AT=1 ACTION=kill MATCH=tsdb\.tar\.zst" backup --skip-head
        check_equal "$STATUS" 137
        local killed
        killed=$(newest_run)
        check_status 0 backup --skip-head
        # The first one finds the lock gone, and removes what it left.
        fails 4 "was taken over by run" -- moonkeep resume "$killed"
        nothing_left
        check_status 0 moonkeep verify --store "$STORE" prometheus/main/latest
}

foreign_lock() {
        setting
        mkdir -p "$STORE/locks/prometheus/main"
        printf '{"run":"20990101T000000-abcde","host":"elsewhere","pid":7,"renewed":%s000}' "$(date +%s)" \
            >"$STORE/locks/prometheus/main/00000007"
        fails 4 "is in use by run 20990101T000000-abcde on elsewhere" "hint: wait for it" -- backup
        printf '{"run":"20990101T000000-abcde","host":"elsewhere","pid":7,"renewed":%s000}' "$(($(date +%s) - 130))" \
            >"$STORE/locks/prometheus/main/00000007"
        check_status 0 backup --skip-head
        nothing_left
        echo garbage >"$STORE/locks/prometheus/main/00000099"
        fails 4 "is in use by run ?" -- backup --skip-head
        touch -d '10 minutes ago' "$STORE/locks/prometheus/main/00000099"
        check_status 0 backup --skip-head
        nothing_left
}

clock_set_back() {
        setting
        check_status 0 backup --skip-head
        local folder
        folder=$(ls -d "$STORE"/prometheus/main/*)
        cp -a "$folder" "${folder%/*}/20991231T235959Z"
        fails 4 "the newest backup of prometheus/main is of 20991231T235959Z" "hint: set the clock right" -- backup
        check_equal "$(find "$STORE/prometheus/main" -mindepth 1 -maxdepth 1 | wc -l)" 2
        nothing_left
}

# What a restore finds in its way.
restore_targets() {
        restore_setting
        restart_before
        fails 4 "\"$HOME_DIR/etc/prometheus.yml\" is no directory" -- restore --data-dir "$HOME_DIR/etc/prometheus.yml"
        is_as_before
        fails 2 "must be an absolute path" -- restore --data-dir data
        is_as_before
}

other_device() {
        own_mounts
        restore_setting
        restart_before
        mkdir "$DATA/mounted"
        printf '#!/bin/sh\nmount -t tmpfs none "%s/mounted" && exec "%s" "$@"\n' "$DATA" "$MOONKEEP" >"$SCRATCH/mounting"
        printf '#!/bin/sh\nexec unshare -m "%s" "$@"\n' "$SCRATCH/mounting" >"$SCRATCH/unshared"
        chmod 755 "$SCRATCH/mounting" "$SCRATCH/unshared"
        # shellcheck disable=SC2317,SC2119 # `fails` calls it
        mounted() { local MOONKEEP=$SCRATCH/unshared; restore; }
        fails 4 "\"$DATA/mounted\" lies on another device" "hint: unmount it first" -- mounted
        rmdir "$DATA/mounted"
        is_as_before
}

# Without a server: the program alone sees the small disk.
small_disk() {
        own_mounts
        restore_setting
        "$prometheus" stop "$HOME_DIR"
        rm -rf "$DATA"
        service=()
        fails 1 "has " " free, and the new data takes" "hint: " -- on_tmpfs "size=20k" "$DATA" restore
        check_equal "$(ls -A "$DATA")" ""
        # Enough for the bytes, but not for the pages that they take: it fills up meanwhile.
        local bytes pages
        bytes=$(grep -A3 '"name": "tsdb.tar.zst"' -B8 "$STORE"/prometheus/main/*/manifest.json | grep -oE '"file_bytes": [0-9]+' | cut -d' ' -f2)
        for pages in 1 2 3 4; do
                fails 1 'step "' "No space left on device" "hint: " -- on_tmpfs "size=$((bytes / 1024 + 4 * pages + 8))k" "$DATA" restore
                check_equal "$(ls -A "$DATA")" ""
        done
        nothing_left
}

wrong_owner() {
        needs_root
        needs setpriv
        restore_setting
        restart_before
        "$prometheus" stop "$HOME_DIR"
        service=()
        chmod -R a+rX "$STORE"
        fails 1 "belong to user 0, and only root can give them to it" "hint: run as root or as that user" -- as_nobody restore
        fails 1 "Permission denied" -- as_nobody restore --owner 65534
        diff <(digests "$DATA") "$SCRATCH/old"
        check test ! -e "$DATA/.moonkeep-swap"
}

# stopped_backup PATTERN OPTION...: one in the background, that stands still at the
# second call on such a file; goes_on lets it, and waits: STATUS.
stopped_backup() {
        local pattern=$1
        shift
        faulty "ACTION=signal:19 AT=2 MATCH=$pattern" backup "$@" >"$SCRATCH/first.out" 2>"$SCRATCH/first.err" &
        JOB=$!
        wait_for 20 stopped_child "$JOB"
        STOPPED=$(cat "$SCRATCH/stopped")
        defer kill -KILL "$STOPPED" 2>/dev/null
}

goes_on() {
        kill -CONT "$STOPPED"
        STATUS=0
        wait "$JOB" || STATUS=$?
        cp "$SCRATCH/first.out" "$SCRATCH/stdout"
        cp "$SCRATCH/first.err" "$SCRATCH/stderr"
}

# Calls that fail once: the run fails and is undone, or what failed did not matter.
backup_calls_fail() {
        setting
        STORE=$SCRATCH/0/store STATE=$SCRATCH/0/state
        check faulty "ACTION=count LOG=$SCRATCH/log" backup -q --skip-head
        local point error
        for point in $(points "$SCRATCH/log" 20); do
                STORE=$SCRATCH/$point/store STATE=$SCRATCH/$point/state
                error=$([ $((point % 2)) = 0 ] && echo EIO || echo ENOSPC)
                echo "SEED=$SEED point $point $error: $(sed -n "${point}p" "$SCRATCH/log")"
                run faulty "AT=$point ACTION=error:$error" backup --skip-head
                is_told
                if [ -n "$(find "$STORE" -name manifest.json 2>/dev/null)" ]; then
                        check_status 0 moonkeep verify --store "$STORE" prometheus/main/latest
                else
                        check_not test "$STATUS" -eq 0
                fi
        done
}

restore_calls_fail() {
        restore_setting
        local point error
        for point in $(points "$SCRATCH/log" 20); do
                STATE=$SCRATCH/$point
                restart_before
                error=$([ $((point % 2)) = 0 ] && echo EIO || echo ENOSPC)
                echo "SEED=$SEED point $point $error: $(sed -n "${point}p" "$SCRATCH/log")"
                run faulty "AT=$point ACTION=error:$error" restore
                is_told
                if [ -e "$DATA/marker" ]; then
                        check_not test "$STATUS" -eq 0
                        is_as_before
                else
                        is_restored
                fi
        done
}

# is_told: a failure has its one error, and what could not be undone is undone by rollback.
is_told() {
        case $STATUS in
        0 | 3) ;;
        1) check_contains "$SCRATCH/stderr" "moonkeep: " ;;
        *) say; check_failed "status $STATUS" ;;
        esac
        check_lacks "$SCRATCH/stderr" ".lua:"
        local status=$STATUS
        if grep -q "NOT everything could be undone" "$SCRATCH/stdout"; then
                check_equal "$status" 1
                check_says "Next: moonkeep rollback"
                check_status 0 moonkeep rollback latest
        elif grep -q "not everything could be cleaned up" "$SCRATCH/stdout"; then
                check_equal "$status" 3
                check_says "Next: moonkeep resume"
                check_status 4 moonkeep rollback latest
                check_status 0 moonkeep resume latest
        fi
        STATUS=$status
        if grep -q "what is left beside it could not be cleared up" "$SCRATCH/stderr"; then
                check_equal "$STATUS" 3
                cleared_up_by_the_next
        fi
        nothing_left
}

# The new data stays, and the next restore removes what is left of this one.
cleared_up_by_the_next() {
        check cmp "$SCRATCH/at_start" "$SCRATCH/wanted"
        check is_running
        check_status 0 restore --no-keep-old
        check test -z "$(compgen -G "$DATA/.moonkeep-old-*.*" || :)"
}

scenario "a store that cannot be written" read_only
scenario "a store that is a file, or not there" is_a_file
scenario "a store that is full, at every size" store_full
scenario "a limit on the size of files" file_size_limit
scenario "a store that vanishes during the copy" store_vanishes
scenario "two backups of one instance at once" two_at_once
scenario "the lock of a run that was killed is taken over" killed_holder
scenario "the lock of another host holds until it is stale" foreign_lock
scenario "a clock that was set back" clock_set_back
scenario "a backup whose calls fail is undone" backup_calls_fail
scenario "a restore whose calls fail is undone" restore_calls_fail
scenario "a restore into what is no directory" restore_targets
scenario "a restore over something on another device" other_device
scenario "a restore onto a disk that is too small" small_disk
scenario "a restore by a user who may not" wrong_owner
