#!/usr/bin/env bash
# docs/design/backup-format.md, "Restore by hand, encrypted": the commands of that
# page, run as they stand there with gpg against a real backup of a real Prometheus.
# timeout: 300

# shellcheck source=tests/harness/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/lib.sh"

page=$ROOT/docs/design/backup-format.md
server=$ROOT/tests/servers/prometheus

# commands: the ```sh blocks of the page's last section, in a row.
commands() {
        awk '
            /^## / { inside = ($0 == "## Restore by hand, encrypted") }
            inside && /^```sh$/ { code = 1; next }
            /^```/ { code = 0 }
            code' "$page"
}

# digests DIR: every file of every block below it.
digests() {
        (cd "$1" && find . -path './0*' -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum)
}

# A server with history, its encrypted backup, and the variables that the page asks for.
prepare() {
        needs jq zstd gpg gpgconf
        local dir=$SCRATCH/prometheus
        DATA=$SCRATCH/restored
        KEY=$SCRATCH/key
        echo "correct horse battery staple" >"$KEY"
        "$server" generate "$dir" 4 40
        start_prometheus "$dir"
        digests "$dir/data" >"$SCRATCH/live"
        check_status 0 "$MOONKEEP" run prometheus.backup --store "$SCRATCH/store" --json \
            --encrypt-key "file:$KEY"
        BACKUP=$SCRATCH/store/$(jq -r .result.backup "$SCRATCH/stdout")
        export GNUPGHOME=$SCRATCH/gpg DATA KEY BACKUP
        mkdir -m 700 "$GNUPGHOME"
        defer gpgconf --homedir "$GNUPGHOME" --kill all
        {
                echo "set -eu -o pipefail"
                commands
        } >"$SCRATCH/by_hand"
        [ "$(commands | wc -l)" -ge 6 ] || check_failed "the page has no commands"
}

reads() {
        prepare
        (cd "$BACKUP" && check sha256sum --quiet -c SHA256SUMS)
        check_status 0 bash "$SCRATCH/by_hand"
        check test -s "$DATA.config/${SCRATCH#/}/prometheus/etc/prometheus.yml"
        check [ "$(wc -l <"$SCRATCH/live")" -gt 5 ]
        (cd "$DATA.new" && check sha256sum --quiet -c "$SCRATCH/live")
}

finds_damage() {
        prepare
        printf x | dd of="$BACKUP/tsdb.tar.zst.gpg" bs=1 seek=5000 conv=notrunc status=none
        run bash "$SCRATCH/by_hand"
        check [ "$STATUS" -ne 0 ]
}

wants_the_key() {
        prepare
        echo "another key" >"$KEY"
        run bash "$SCRATCH/by_hand"
        check [ "$STATUS" -ne 0 ]
        check_says "ecryption failed"
}

scenario "the page's commands read an encrypted backup, each byte of each block" reads
scenario "the page's commands stop at a damaged artifact" finds_damage
scenario "the page's commands stop with another key" wants_the_key
