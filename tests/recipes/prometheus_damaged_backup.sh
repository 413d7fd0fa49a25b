#!/usr/bin/env bash
# A backup that was damaged in the store: found, named, not restored.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/prometheus.sh"

# Two backups, of which the newer, $BAD, is to be damaged; $HERE is its folder.
setting() {
        new_server
        run_server
        check_status 0 backup --skip-head
        GOOD=$(cd "$STORE" && ls -d prometheus/main/*)
        check_status 0 backup --skip-head
        BAD=$(cd "$STORE" && find prometheus/main -mindepth 1 -maxdepth 1 | LC_ALL=C sort | tail -n 1)
        HERE=$STORE/$BAD
        cp -a "$STORE" "$SCRATCH/whole"
        digests "$DATA" >"$SCRATCH/old"
        echo mine >"$DATA/marker"
}

# flip FILE OFFSET: one bit of it.
flip() {
        local byte
        byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
        # shellcheck disable=SC2059 # an octal escape is made
        printf "\\$(printf %03o $((byte ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# is_found TEXT: verify says so, the listing shows it, latest-verified is the other one,
# and a restore of it does not touch anything.
is_found() {
        check_status 5 moonkeep verify --store "$STORE" "$BAD"
        check_contains "$SCRATCH/stderr" "$1"
        check_contains "$SCRATCH/stderr" "hint: "
        check_lacks "$SCRATCH/stderr" ".lua:"
        check_status 0 moonkeep backups --store "$STORE"
        check_equal "$(grep -F "$BAD" "$SCRATCH/stdout" | grep -ciE "bad|damaged|fail")" 1
        check_status 0 moonkeep show --store "$STORE" prometheus/main/latest-verified
        check_says "$GOOD"
        check_status 0 moonkeep show --store "$STORE" prometheus/main/latest
        check_says "$GOOD"
        case $1 in
        tsdb.tar.zst | *manifest* | *"bytes instead of"* | *missing) untouched ;;
        *) restored_with_a_warning ;;
        esac
        rm -rf "$STORE"
        cp -a "$SCRATCH/whole" "$STORE"
}

# untouched: a restore of the bad one by its name ends before the server is stopped.
untouched() {
        rm -f "$SCRATCH/at_start"
        run restore --backup "$BAD"
        [ "$STATUS" -eq 5 ] || { say; check_failed "restore ended with $STATUS"; }
        check_lacks "$SCRATCH/stdout" "Stop Prometheus"
        check test ! -e "$SCRATCH/at_start"
        check_equal "$(cat "$DATA/marker")" mine
        check is_running
        nothing_left
}

# What is damaged is not needed: the database is restored, and the damage told.
restored_with_a_warning() {
        check_status 3 restore --backup "$BAD"
        check_contains "$SCRATCH/stderr" "moonkeep: warning: "
        check_contains "$SCRATCH/stderr" "the backup $BAD is not good; what is restored of it is checked"
        check cmp "$SCRATCH/at_start" "$SCRATCH/old"
        echo mine >"$DATA/marker"
        nothing_left
}

at() {
        echo "$HERE/$1: $2" >&2
}

flipped_artifacts() {
        setting
        local name size place
        for name in tsdb.tar.zst config.tar.gz tsdb.catalog.jsonl; do
                size=$(stat -c %s "$HERE/$name")
                for place in 0 4 $((size / 2)) $((size - 1)); do
                        at "$name" "bit at $place"
                        flip "$HERE/$name" "$place"
                        is_found "$name"
                done
        done
}

cut_artifacts() {
        setting
        local name size length
        for name in tsdb.tar.zst config.catalog.jsonl; do
                size=$(stat -c %s "$HERE/$name")
                for length in 0 1 $((size / 2)) $((size - 1)); do
                        at "$name" "cut to $length"
                        truncate -s "$length" "$HERE/$name"
                        is_found "artifact \"$BAD/$name\" has $length bytes instead of $size"
                done
        done
        at tsdb.tar.zst longer
        echo >>"$HERE/tsdb.tar.zst"
        is_found "bytes instead of"
        at tsdb.tar.zst missing
        rm "$HERE/tsdb.tar.zst"
        is_found "artifact \"$BAD/tsdb.tar.zst\" is missing"
}

# Every class of place: a brace, a name, a number, a digest, the own digest, the end.
damaged_manifest() {
        setting
        local size place
        size=$(stat -c %s "$HERE/manifest.json")
        for place in 0 $(grep -abo '"bytes"' "$HERE/manifest.json" | head -n 1 | cut -d: -f1) \
            $(($(grep -abo '"bytes": ' "$HERE/manifest.json" | head -n 1 | cut -d: -f1) + 9)) \
            $(($(grep -abo '"parts"' "$HERE/manifest.json" | head -n 1 | cut -d: -f1) + 30)) \
            $(($(grep -abo '"manifest_sha256": "' "$HERE/manifest.json" | cut -d: -f1) + 25)) \
            $((size / 2)) $((size - 2)); do
                at manifest.json "bit at $place"
                flip "$HERE/manifest.json" "$place"
                is_found "the manifest \"$BAD/manifest.json\" is damaged"
        done
        for place in 0 1 $((size / 2)) $((size - 2)); do
                at manifest.json "cut to $place"
                truncate -s "$place" "$HERE/manifest.json"
                is_found "the manifest \"$BAD/manifest.json\" is damaged"
        done
}

# An honest manifest around another database: only the blocks themselves tell.
content_differs() {
        setting
        mkdir "$SCRATCH/x"
        cp -a "$HERE/tsdb.tar.zst" "$SCRATCH/whole.zst"
        # Another backup's archive under this name: as long as a digest differs, it is said.
        cp "$STORE/$GOOD/config.tar.gz" "$HERE/tsdb.tar.zst"
        is_found "tsdb.tar.zst"
}

# Records of verifications that cannot be read count as none.
garbage_records() {
        setting
        local record
        for record in "$HERE"/verifications/*.json "$STORE/$GOOD"/verifications/*.json; do
                head -c 3000 /dev/urandom >"$record"
        done
        check_status 0 moonkeep backups --store "$STORE"
        check_lacks "$SCRATCH/stdout" "verified ("
        check_status 1 moonkeep show --store "$STORE" prometheus/main/latest-verified
        check_says "none of them verified"
        check_status 1 restore
        check_says 'there is no backup "prometheus/main/latest-verified"'
        check_status 0 moonkeep verify --store "$STORE" "$GOOD"
        check_status 0 moonkeep show --store "$STORE" prometheus/main/latest-verified
        check_says "$GOOD"
        printf '{"store":"%s","level":{},"result":7}' "$STORE" >"$HERE/verifications/99991231T000000Z-x.json"
        printf '[]' >"$HERE/verifications/99991231T000001Z-x.json"
        check_status 0 moonkeep backups --store "$STORE"
}

# A bad verification, then a good one: the newest counts.
repaired() {
        setting
        flip "$HERE/tsdb.tar.zst" 100
        check_status 5 moonkeep verify --store "$STORE" "$BAD"
        flip "$HERE/tsdb.tar.zst" 100
        sleep 1
        check_status 0 moonkeep verify --store "$STORE" "$BAD"
        check_status 0 moonkeep show --store "$STORE" prometheus/main/latest-verified
        check_says "$BAD"
}

scenario "a flipped bit in an artifact is found and named" flipped_artifacts
scenario "an artifact that was cut, grew or is gone is found and named" cut_artifacts
scenario "a damaged manifest is found" damaged_manifest
scenario "another file in the place of an artifact is found" content_differs
scenario "records of verifications that cannot be read count as none" garbage_records
scenario "the newest verification counts" repaired
