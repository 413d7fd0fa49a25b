# shellcheck shell=bash
# What the scenarios over the Prometheus recipes share: a small server with its
# backup, points at which the program is killed, and what must be true afterwards.
# Source it after lib.sh.  SEED chooses the points (printed); FAULT_ALL=1 takes all,
# POINTS="N M" just those.

FAULT_ALL=${FAULT_ALL:-}
SEED=${SEED:-$RANDOM}
prometheus=$ROOT/tests/servers/prometheus

# The data directory is $HOME_DIR/data; history of 6 h x 50 series, blocks of 2 h.
new_server() {
        set -E # also in functions
        # shellcheck disable=SC2154 # what set -e would end silently
        trap 'echo "at ${BASH_SOURCE[0]##*/}:$LINENO: status $? of: $BASH_COMMAND" >&2' ERR
        HOME_DIR=$SCRATCH/prom
        "$prometheus" generate "$HOME_DIR" 6 50 60
}

# shellcheck disable=SC2120 # options are for some scenarios
run_server() {
        start_prometheus "$HOME_DIR" "$@"
        DATA=$HOME_DIR/data
        STORE=$SCRATCH/store
        STATE=$SCRATCH/state/moonkeep
        cat >"$SCRATCH/start" <<SH
#!/bin/sh
# Record the blocks as they lie there before the server touches them.
(cd "$DATA" && find 01* -type f | LC_ALL=C sort | xargs sha256sum) >"$SCRATCH/at_start" 2>/dev/null
exec "$prometheus" start "$HOME_DIR"
SH
        chmod 755 "$SCRATCH/start"
        service=(--service "stop=$prometheus stop $HOME_DIR" --service "start=$SCRATCH/start"
                --service "running=$prometheus running $HOME_DIR")
}

# The commands, with what all of them need.
backup() {
        "$MOONKEEP" run prometheus.backup --url "$PROMETHEUS_URL" --store "$STORE" --state "$STATE" "$@"
}

restore() {
        "$MOONKEEP" run prometheus.restore --url "$PROMETHEUS_URL" --store "$STORE" --state "$STATE" \
            --yes "${service[@]}" "$@"
}

# faulty "AT=3 ..." backup|restore [OPTION...]: like with_fault.
faulty() {
        local spec=$1 plain=$MOONKEEP MOONKEEP=$SCRATCH/faulty word spec_words settings=()
        shift
        read -ra spec_words <<<"$spec"
        for word in "${spec_words[@]}"; do
                settings+=("$(printf 'FAULT_%q' "$word")")
        done
        printf '#!/bin/sh\nexec env %s LD_PRELOAD=%q ASAN_OPTIONS=%q %q "$@"\n' "${settings[*]}" \
            "$OUT/faultshim.so" "${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0" "$plain" >"$MOONKEEP"
        chmod 755 "$MOONKEEP"
        "$@"
}

moonkeep() {
        "$MOONKEEP" --state "$STATE" "$@"
}

# digests DIR: of the files of the blocks in it, one a line.
digests() {
        (cd "$1" && find . -path './01*' ! -path '*.tmp-for-*' -type f -printf '%P\n' | LC_ALL=C sort | xargs -r sha256sum)
}

# backup_blocks FOLDER: the blocks of the manifest, with their digests and counts.
backup_blocks() {
        grep -oE '"(ulid|meta_sha256|tombstones_sha256|samples|series|chunks|min_time|max_time)": [^,]*' \
            "$STORE/$1/manifest.json"
}

is_running() {
        "$prometheus" running "$HOME_DIR"
}

newest_run() {
        # Ids begin with the time.
        find "$STATE/runs" -name '*.jsonl' -printf '%f\n' 2>/dev/null | LC_ALL=C sort | tail -n 1 | sed 's/\.jsonl$//' || :
}

# points FILE: the numbers of the calls in the log of a counted run at which to
# kill: all that touch a journal, and a sample of COUNT others; all with FAULT_ALL=1.
points() {
        local log=$1 count=$2
        if [ -n "${POINTS:-}" ]; then
                echo "$POINTS"
                return
        fi
        if [ -n "$FAULT_ALL" ]; then
                cut -d' ' -f1 "$log"
                return
        fi
        {
                grep -E '^[0-9]+ write .*\.jsonl$' "$log" || :
                grep -vE ' write .*\.jsonl$| mkdir ' "$log" | seeded shuf -n "$count"
        } | cut -d' ' -f1 | sort -n
}

# seeded COMMAND ARG...: one that takes --random-source; the same choice for the same SEED.
seeded() {
        "$@" --random-source=<(trap - ERR; awk -v seed="$SEED" 'BEGIN {
                srand(seed)
                for (n = 0; n < 20000; n++)
                        printf "%c", 1 + int(rand() * 255)
        }')
}

# when POINT: before, half or after, by the seed.
when() {
        local words=(before half after)
        echo "${words[(SEED + $1) % 3]}"
}

# nothing_left: no temporary file, no lock, no snapshot, no folder without manifest.
nothing_left() {
        local found folder
        found=$(find "$SCRATCH" -name '.moonkeep-tmp-*')
        [ -z "$found" ] || check_failed "left behind: $found"
        found=$(find "$DATA/snapshots" -mindepth 1 -maxdepth 1 2>/dev/null || :)
        [ -z "$found" ] || check_failed "a snapshot is left: $found"
        found=$(find "$DATA" -maxdepth 1 -name .moonkeep-swap 2>/dev/null) || :
        [ -z "$found" ] || check_failed "a swap is left: $found"
        [ -d "$STORE" ] || return 0
        found=$(find "$STORE/locks" -type f 2>/dev/null | LC_ALL=C sort | tail -n 1) || :
        [ -z "$found" ] || grep -q '"released": *true' "$found" || check_failed "the lock is held: $(cat "$found")"
        for folder in "$STORE"/prometheus/*/*; do
                [ ! -e "$folder" ] || [ -e "$folder/manifest.json" ] || check_failed "no backup, but there: $folder"
        done
}

# A backup of one database, and another one, with other blocks, to restore over.
restore_setting() {
        new_server
        run_server
        check_status 0 backup --skip-head
        "$prometheus" stop "$HOME_DIR"
        digests "$DATA" >"$SCRATCH/wanted"
        rm -rf "$DATA"
        "$prometheus" generate "$HOME_DIR" 6 51 60
        echo mine >"$DATA/marker"
        cp -a "$DATA" "$SCRATCH/before"
        digests "$DATA" >"$SCRATCH/old"
        check_not cmp -s "$SCRATCH/wanted" "$SCRATCH/old"
        "$prometheus" start "$HOME_DIR" >/dev/null
        STATE=$SCRATCH/count
        check faulty "ACTION=count LOG=$SCRATCH/log" restore -q
        check cmp "$SCRATCH/at_start" "$SCRATCH/wanted"
        check test -e "$DATA"/.moonkeep-old-*/marker
        echo "SEED=$SEED, $(wc -l <"$SCRATCH/log") calls"
}

# restart_before: the server runs on that other database again.
restart_before() {
        "$prometheus" stop "$HOME_DIR"
        rm -rf "$DATA" "$SCRATCH/at_start"
        cp -a "$SCRATCH/before" "$DATA"
        "$prometheus" start "$HOME_DIR" >/dev/null
}

# say: what the last command said.
say() {
        cat "$SCRATCH/stdout" "$SCRATCH/stderr"
}

# The server runs on the restored blocks, as they were in the backup when it
# started, and the old data is kept.
is_restored() {
        check cmp "$SCRATCH/at_start" "$SCRATCH/wanted"
        check is_running
        check test -e "$DATA"/.moonkeep-old-*/marker
        check test ! -e "$DATA/marker"
        diff <(digests "$DATA"/.moonkeep-old-*) "$SCRATCH/old" || check_failed "the old data that is kept differs"
        nothing_left
}

# The server runs on the old data, as if nothing had happened.
# shellcheck disable=SC2120 # options are for some scenarios
is_as_before() {
        check is_running
        check_equal "$(cat "$DATA/marker")" mine
        diff <(digests "$DATA") "$SCRATCH/old" || check_failed "the old data is not back"
        [ ! -e "$SCRATCH/at_start" ] || check cmp "$SCRATCH/at_start" "$SCRATCH/${1:-old}"
        check_equal "$(find "$DATA" -mindepth 1 -maxdepth 1 -name '.moonkeep*')" ""
        nothing_left
}

# fake_prometheus [LINE...]: an HTTP server instead, for answers that no real one
# gives: the lines go before those of a healthy one (tests/servers/http_script.c).
# Its database is $DATA, its snapshot always $SNAPSHOT.
fake_prometheus() {
        local json="200 application/json"
        DATA=$SCRATCH/fake
        SNAPSHOT=20261121T000000Z-0123456789abcdef
        STORE=$SCRATCH/store
        STATE=$SCRATCH/state/moonkeep
        service=()
        mkdir -p "$DATA/wal"
        rm -f "$SCRATCH/port" "$SCRATCH/requests"
        {
                printf '%s\n' "$@"
                cat <<END
always GET /api/v1/status/buildinfo
answer $json {"status":"success","data":{"version":"2.42.0"}}
always GET /api/v1/status/flags
answer $json {"status":"success","data":{"web.enable-admin-api":"true","storage.tsdb.path":"$DATA"}}
always GET /api/v1/rules
answer $json {"status":"success","data":{"groups":[]}}
always GET /api/v1/label/*
answer $json {"status":"success","data":[]}
always POST /api/v1/admin/tsdb/snapshot*
answer $json {"status":"success","data":{"name":"$SNAPSHOT"}}
always GET /-/ready
answer 200 text/plain ready
forever
END
        } >"$SCRATCH/script"
        "$OUT/servers/http_script" --time 120 --log "$SCRATCH/requests" "$SCRATCH/script" >"$SCRATCH/port" 2>"$SCRATCH/script.err" &
        defer kill "$!"
        wait_for 10 grep -qs port "$SCRATCH/port"
        PROMETHEUS_URL=http://127.0.0.1:$(cut -d' ' -f2 "$SCRATCH/port")
}

# stopped_child PID: it or a child of it is stopped; $SCRATCH/stopped is which.
stopped_child() {
        local pid state
        for pid in "$1" $(cat "/proc/$1/task/$1/children"); do
                state=$(awk '$1 == "State:" { print $2 }' "/proc/$pid/status")
                [ "$state" != T ] || { echo "$pid" >"$SCRATCH/stopped"; return 0; }
        done
        return 1
}
