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
        set -E
        # shellcheck disable=SC2154 # what set -e would end silently
        trap 'echo "at ${BASH_SOURCE[0]##*/}:$LINENO: status $? of: $BASH_COMMAND"' ERR
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
        (cd "$1" && find . -path './01*' -type f -printf '%P\n' | LC_ALL=C sort | xargs -r sha256sum)
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
                grep -E '^[0-9]+ write .*\.jsonl$' "$log"
                grep -vE ' write .*\.jsonl$| mkdir ' "$log" | seeded shuf -n "$count"
        } | cut -d' ' -f1 | sort -n
}

# seeded COMMAND ARG...: one that takes --random-source; the same choice for the same SEED.
seeded() {
        "$@" --random-source=<(awk -v seed="$SEED" 'BEGIN {
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
        found=$(find "$SCRATCH" -name '.moonkeep-tmp-*' -not -path "$SCRATCH/prom/tools/*")
        [ -z "$found" ] || check_failed "left behind: $found"
        found=$(find "$DATA/snapshots" -mindepth 1 -maxdepth 1 2>/dev/null || :)
        [ -z "$found" ] || check_failed "a snapshot is left: $found"
        found=$(find "$DATA" -maxdepth 1 -name .moonkeep-swap)
        [ -z "$found" ] || check_failed "a swap is left: $found"
        [ -d "$STORE" ] || return 0
        found=$(find "$STORE/locks" -type f 2>/dev/null | LC_ALL=C sort | tail -n 1) || :
        [ -z "$found" ] || grep -q '"released": *true' "$found" || check_failed "the lock is held: $(cat "$found")"
        for folder in "$STORE"/prometheus/*/*; do
                [ ! -e "$folder" ] || [ -e "$folder/manifest.json" ] || check_failed "no backup, but there: $folder"
        done
}
