#!/usr/bin/env bash
# Backup, verification and restore of Prometheus with an object store, as with a
# directory; and no secret of the store in anything that is said or kept.
# stores: radosgw swift azurite
# timeout: 900
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/prometheus.sh
. "$(dirname "$0")/../harness/prometheus.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

# setting STORE...: a server, an object store, and a folder for all that is said.
setting() {
        new_server
        run_server
        make_store "$@"
        mkdir "$SCRATCH/said"
}

# saying NAME STATUS COMMAND...: check_status, and keep what was said.
saying() {
        local name=$1
        shift
        check_status "$@"
        cat "$SCRATCH/stdout" "$SCRATCH/stderr" >"$SCRATCH/said/$name"
}

# keys [PREFIX]: of the store, one a line.
keys() {
        "$MOONKEEP" store list --store "$STORE" --all -q "$@" | awk '{ print $NF }'
}

there_and_back() {
        setting "$@"
        saying plan 0 backup --plan
        check_equal "$(keys)" ""
        saying backup 0 backup --skip-head -v
        saying verify 0 moonkeep verify --store "$STORE" prometheus/main/latest -v
        saying list 0 moonkeep backups --store "$STORE" -v
        check_says "verified (content)"
        saying show 0 moonkeep show --store "$STORE" prometheus/main/latest-verified --json
        # Nothing but the backup, the lock that was given back, and the verdict.
        check_equal "$(keys | grep -cvE '^(prometheus/main/|locks/prometheus/main/[0-9]{8}$|\.moonkeep/probe\.json$)')" 0
        check_equal "$(keys locks | wc -l)" 1
        check_equal "$(keys | grep -c SHA256SUMS)" 0

        # Other blocks, over which it is restored.
        "$prometheus" stop "$HOME_DIR"
        digests "$DATA" >"$SCRATCH/wanted"
        rm -rf "$DATA"
        "$prometheus" generate "$HOME_DIR" 6 50 60
        echo mine >"$DATA/marker"
        digests "$DATA" >"$SCRATCH/old"
        "$prometheus" start "$HOME_DIR" >/dev/null
        saying restore 0 restore -v
        is_restored
        saying runs 0 moonkeep runs --json
        saying report 0 moonkeep report latest --json
        check_no_secret "$SCRATCH/said" "$STATE"
}

# A part of a stored object is replaced: it is found, recorded and listed.
damaged() {
        setting "$@"
        check_status 0 backup --skip-head
        local key
        key=$(keys | grep 'tsdb\.tar\.zst$')
        check moonkeep store get --store "$STORE" "$key" object -q
        printf X | dd of=object bs=1 seek=$(($(stat -c %s object) / 2)) conv=notrunc status=none
        check moonkeep store put --store "$STORE" "$key" object -q
        saying verify 5 moonkeep verify --store "$STORE" prometheus/main/latest
        check_says "tsdb.tar.zst"
        saying list 0 moonkeep backups --store "$STORE"
        check_says "BAD"
        check_status 1 moonkeep show --store "$STORE" prometheus/main/latest-verified
        check_no_secret "$SCRATCH/said" "$STATE"
}

# A run that is killed: what it uploaded is no backup, and is removed by the next.
killed() {
        setting "$@"
        check faulty "ACTION=count LOG=$SCRATCH/log" backup --skip-head -q
        local calls before
        calls=$(wc -l <"$SCRATCH/log")
        before=$(keys | grep -c 'manifest\.json$')
        check_equal "$before" 1
        run faulty "AT=$((calls * 2 / 3)) WHEN=before ACTION=kill" backup --skip-head -q
        check_equal "$STATUS" 137
        saying resume 0 moonkeep resume latest --yes
        # The next run tells of one that was not gone on with.
        run faulty "AT=$((calls / 3)) WHEN=before ACTION=kill" backup --skip-head -q
        check_equal "$STATUS" 137
        local left
        left=$(newest_run)
        saying next 0 backup --skip-head
        check_says "moonkeep rollback $left removes what it left"
        saying rollback 0 moonkeep rollback "$left" --yes
        saying verify 0 moonkeep verify --store "$STORE" prometheus/main/latest
        check_equal "$(keys | grep -c 'manifest\.json$')" 3
        check_equal "$(keys | sed -nE 's|^(prometheus/main/[^/]*/).*|\1|p' | sort -u | wc -l)" 3
        check_no_secret "$SCRATCH/said" "$STATE"
}

# What goes wrong with the keys is said without them.
wrong_key() {
        setting "$@"
        local said
        said=$(
                export AWS_SECRET_ACCESS_KEY=${STORE_SECRET_KEY:-}x AZURE_STORAGE_KEY=c29tZXRoaW5nIGVsc2U=
                run backup --skip-head -v
                echo "status $STATUS"
                cat "$SCRATCH/stdout" "$SCRATCH/stderr"
        )
        echo "$said" >"$SCRATCH/said/wrong"
        check_contains "$SCRATCH/said/wrong" "status 1"
        check_no_secret "$SCRATCH/said" "$STATE"
        check_lacks "$SCRATCH/said/wrong" "c29tZXRoaW5nIGVsc2U"
        check_equal "$(keys)" ""
        nothing_left
}

for kind in radosgw "radosgw https" swift azurite; do
        # shellcheck disable=SC2086 # words
        scenario "$kind: backed up, verified, restored" there_and_back $kind
done
scenario "radosgw: damage is found" damaged radosgw
scenario "azurite: damage is found" damaged azurite
scenario "radosgw: a run that is killed is resumed" killed radosgw
scenario "radosgw: a wrong key" wrong_key radosgw
scenario "azurite: a wrong key" wrong_key azurite
