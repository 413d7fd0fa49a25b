#!/usr/bin/env bash
# docs/design/backup-format.md, "Restore by hand": the commands of that page, run
# as they stand there against a real backup of a real Prometheus.
# timeout: 300

# shellcheck source=tests/harness/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/lib.sh"

page=$ROOT/docs/design/backup-format.md
server=$ROOT/tests/servers/prometheus

# commands: the ```sh blocks of the page's last section, in a row.
commands() {
        awk '
            /^## / { inside = ($0 == "## Restore by hand") }
            inside && /^```sh$/ { code = 1; next }
            /^```/ { code = 0 }
            code' "$page"
}

# digests DIR: every file of every block below it.
digests() {
        (cd "$1" && find . -path './0*' -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum)
}

# A server with history, its backup, and the variables that the page asks for.
prepare() {
        needs jq zstd
        dir=$SCRATCH/prometheus
        DATA=$dir/data
        "$server" generate "$dir" 4 40
        start_prometheus "$dir"
        digests "$DATA" >"$SCRATCH/live"
        check_status 0 "$MOONKEEP" run prometheus.backup --store "$SCRATCH/store" --json
        BACKUP=$SCRATCH/store/$(jq -r .result.backup "$SCRATCH/stdout")
        # What the disk holds is recorded before the server touches it.
        cat >"$SCRATCH/start" <<SH
#!/bin/sh
(cd "$DATA" && find . -path './0*' -type f | LC_ALL=C sort | xargs sha256sum) >"$SCRATCH/restored"
exec "$server" start "$dir"
SH
        chmod 755 "$SCRATCH/start"
        {
                echo "set -eu -o pipefail"
                commands
        } >"$SCRATCH/by_hand"
        [ "$(commands | wc -l)" -gt 15 ] || check_failed "the page has no commands"
}

by_hand() {
        # promtool of the tests; a page's reader has the one of the server.
        BACKUP=$BACKUP DATA=$DATA STOP="$server stop $dir" START="$SCRATCH/start" URL=$PROMETHEUS_URL \
            PATH="${MOONKEEP_TOOLS:-$ROOT/build/tools}/bin:$PATH" bash "$SCRATCH/by_hand"
}

restores() {
        prepare
        "$server" kill "$dir"
        rm -rf "$DATA"
        check_status 0 by_hand
        # The answer of promtool: {labels} => value @[time].
        check_says "=> "

        local live=0 digest file
        diff <(jq -r '.content.blocks[].ulid' "$BACKUP/manifest.json" | LC_ALL=C sort) \
            <(cut -d/ -f2 "$SCRATCH/restored" | sort -u)
        while read -r digest file; do
                check_contains "$SCRATCH/restored" "$digest  $file"
                live=$((live + 1))
        done <"$SCRATCH/live"
        check [ $live -gt 5 ]
        check test -s "$DATA.config/${dir#/}/etc/prometheus.yml"
}

keeps_the_old() {
        prepare
        check_status 0 by_hand
        check test -d "$DATA.old/wal"
        check "$server" running "$dir"
}

# damage FILE WHERE: invert one byte of the backup.
damage() {
        local byte
        byte=$(od -An -tu1 -j "$2" -N 1 "$BACKUP/$1")
        # shellcheck disable=SC2059 # an escape
        printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$BACKUP/$1" bs=1 seek="$2" conv=notrunc status=none
}

finds_damage() {
        prepare
        local before
        before=$(digests "$DATA")
        damage "$1" "$2"
        run by_hand
        check [ "$STATUS" -ne 0 ]
        check_equal "$(digests "$DATA")" "$before"
        check "$server" running "$dir"
        check_not test -e "$DATA.new"
}

scenario "the page's commands restore a destroyed server, each byte of each block" restores
scenario "the page's commands keep the old data aside" keeps_the_old
scenario "the page's commands stop at a damaged artifact, and nothing was touched" finds_damage tsdb.tar.zst 5000
scenario "the page's commands stop at a damaged manifest, and nothing was touched" finds_damage manifest.json 100
