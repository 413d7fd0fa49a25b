#!/usr/bin/env bash
# Encrypted backups of Prometheus: made, shown, verified and restored with the
# key, and what is said with another key or none.
# timeout: 300
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/prometheus.sh"

PASS='correct horse battery staple'

# A running server and its encrypted backup, $NAME.
setting() {
        new_server
        run_server
        echo "$PASS" >"$SCRATCH/key"
        echo "another horse" >"$SCRATCH/other"
        check_status 0 backup --skip-head --encrypt-key "file:$SCRATCH/key"
        NAME=$(cd "$STORE" && ls -d prometheus/main/*)
        ID=$(grep -o '"key": "[0-9a-f]*"' "$STORE/$NAME/manifest.json" | sort -u | cut -d'"' -f4)
        check [ ${#ID} -eq 16 ]
}

# refused TEXT COMMAND...: it ends with status 1 and the code "key" at once, saying that.
refused() {
        check_status 1 "${@:2}"
        check_contains "$SCRATCH/stderr" "$1"
        check_contains "$SCRATCH/stderr" "$ID"
        check_lacks "$SCRATCH/stderr" ".lua:"
}

is_shown() {
        setting
        check_status 0 moonkeep backups --store "$STORE"
        check_says "verified (content)"
        check_says "encrypted with $ID"
        check_status 0 moonkeep show --store "$STORE" "$NAME"
        check_says "OpenPGP, with key $ID"
        check_status 0 moonkeep show --store "$STORE" "$NAME" --json
        check_equal "$(jq -r .key "$SCRATCH/stdout")" "$ID"
        # All but what moonkeep itself has to read.
        check_equal "$(cd "$STORE/$NAME" && find . -maxdepth 1 -type f ! -name '*.gpg' | LC_ALL=C sort | xargs)" \
            "./SHA256SUMS ./manifest.json"
        check_not grep -rqa "prometheus.yml\|node_" "$STORE/$NAME" --include='*.gpg'
}

is_verified() {
        setting
        check_status 0 moonkeep verify --store "$STORE" "$NAME" --encrypt-key "file:$SCRATCH/key"
        export MOONKEEP_ENCRYPT_KEY=$PASS
        check_status 0 moonkeep verify --store "$STORE" "$NAME"
        check_status 0 moonkeep run common.verify --store "$STORE" --backup "$NAME"
        check_not grep -q "not looked at" "$SCRATCH/stdout" "$SCRATCH/stderr"
        unset MOONKEEP_ENCRYPT_KEY
        check_status 0 moonkeep verify --store "$STORE" "$NAME" --level digest
        check_says "not looked at"
        refused "the key is missing" moonkeep verify --store "$STORE" "$NAME"
        refused "the key is wrong" moonkeep verify --store "$STORE" "$NAME" --encrypt-key "file:$SCRATCH/other"
        refused "the key is wrong" moonkeep verify --store "$STORE" "$NAME" --level digest \
            --encrypt-key "file:$SCRATCH/other"
        # None of that made it a bad one.
        check_status 0 moonkeep show --store "$STORE" prometheus/main/latest-verified
}

is_restored() {
        setting
        digests "$DATA" >"$SCRATCH/old"
        rm -f "$SCRATCH/at_start"
        refused "the key is missing" restore
        refused "the key is wrong" restore --encrypt-key "file:$SCRATCH/other"
        check test ! -e "$SCRATCH/at_start"
        check_status 0 restore --encrypt-key "file:$SCRATCH/key" --config-dir "$SCRATCH/config"
        check cmp "$SCRATCH/old" "$SCRATCH/at_start"
        check test -s "$SCRATCH/config/${HOME_DIR#/}/etc/prometheus.yml"
        nothing_left
}

# The key in any form in what was printed, journalled or stored.
is_nowhere() {
        setting
        export MOONKEEP_ENCRYPT_KEY=$PASS
        check_status 0 backup --skip-head --verbose
        check_status 0 moonkeep verify --store "$STORE" "$NAME" --json
        check_contains "$STATE/runs/$(newest_run).jsonl" "env:MOONKEEP_ENCRYPT_KEY"
        unset MOONKEEP_ENCRYPT_KEY
        rm "$SCRATCH/key"
        local form
        for form in "$PASS" "$(printf %s "$PASS" | base64)" "correct%20horse" "correct+horse"; do
                check_not grep -rqaF "$form" "$SCRATCH"
        done
}

finds_damage() {
        setting
        local at
        for at in 20 40 5000; do
                cp -a "$STORE" "$SCRATCH/whole"
                printf '\377' | dd of="$STORE/$NAME/tsdb.tar.zst.gpg" bs=1 seek=$at conv=notrunc status=none
                check_status 5 moonkeep verify --store "$STORE" "$NAME" --encrypt-key "file:$SCRATCH/key"
                check_contains "$SCRATCH/stderr" "tsdb.tar.zst.gpg"
                rm -rf "$STORE"
                mv "$SCRATCH/whole" "$STORE"
        done
}

scenario "an encrypted backup is shown with the id of its key, and nothing else can be read" is_shown
scenario "it is verified with its key; without, only what is stored; with another, not at all" is_verified
scenario "it is restored with its key; without or with another, nothing is touched" is_restored
scenario "the key is nowhere to be found" is_nowhere
scenario "damage is found, also where it looks like another key" finds_damage
