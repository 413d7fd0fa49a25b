#!/usr/bin/env bash
# What README.md and the guide show is run as it stands there.
# timeout: 300

# shellcheck source=tests/harness/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/lib.sh"
# shellcheck source=tests/harness/page.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/page.sh"

server=$ROOT/tests/servers/prometheus

# A systemctl that controls the server of the test, and moonkeep, as PATH finds them.
programs() {
        mkdir "$SCRATCH/bin"
        ln -s "$MOONKEEP" "$SCRATCH/bin/moonkeep"
        cat >"$SCRATCH/bin/systemctl" <<SH
#!/bin/sh
verb=\$1
[ "\$verb" != is-active ] || verb=running
exec "$server" "\$verb" "$1" >/dev/null
SH
        chmod 755 "$SCRATCH/bin/systemctl"
}

readme() {
        local dir=$SCRATCH/prometheus
        programs "$dir"
        "$server" generate "$dir" 4 20
        start_prometheus "$dir"
        {
                echo "set -eu -o pipefail"
                block "$ROOT/README.md" "A backup and a restore" sh | sed "s,/srv/backups,$SCRATCH/store,g"
        } >"$SCRATCH/readme"
        check_contains "$SCRATCH/readme" "prometheus.restore"
        # Between the backup and the restore the disk is lost.
        sed -i "s,^# The disk is gone.*,systemctl stop prometheus; rm -rf '$dir/data'," "$SCRATCH/readme"
        check_contains "$SCRATCH/readme" "rm -rf"
        PATH=$SCRATCH/bin:$PATH check_status 0 bash "$SCRATCH/readme"
        check_says "verified (content)"
        check_says "would start prometheus"
        check "$server" running "$dir"
        check compgen -G "$dir/data/01*/meta.json" >/dev/null
}

recipe() {
        mkdir -p dev/recipes/files wiki/pages
        ln -s "$ROOT/lua" dev/lua
        block "$ROOT/docs/guide/070-write-a-recipe.md" "A whole one" lua >dev/recipes/files/backup.lua
        echo hello >wiki/pages/start
        local options=(--dir "$PWD/wiki" --store "$SCRATCH/store")
        check_status 0 "$MOONKEEP" --dev dev run files.backup "${options[@]}" --plan
        check_says "would write files.tar.zst"
        check_not test -e "$SCRATCH/store"
        check_status 0 "$MOONKEEP" --dev dev run files.backup "${options[@]}"
        check_status 0 "$MOONKEEP" backups --store "$SCRATCH/store"
        check_says "verified (digest)"
        check_status 0 "$MOONKEEP" verify --store "$SCRATCH/store" files/main/latest
        check_status 2 "$MOONKEEP" --dev dev run files.backup --dir /nowhere --store "$SCRATCH/store"
        check_says 'there is no directory "/nowhere"'
        needs zstd
        mkdir out
        zstd -qdc "$SCRATCH"/store/files/main/*/files.tar.zst | tar -x -C out
        check_same_tree wiki out
}

# Every relative link of a page leads somewhere.
links() {
        local page link wrong=0
        while read -r page; do
                while read -r link; do
                        link=${link%%#*}
                        [ -z "$link" ] || [ -e "$(dirname "$page")/$link" ] || {
                                echo "${page#"$ROOT"/}: $link"
                                wrong=1
                        }
                done < <(grep -oE '\]\([^)]+\)' "$page" | sed 's/^](//; s/)$//' | grep -v '^[a-z]*://')
        done < <(find "$ROOT/README.md" "$ROOT/docs" "$ROOT/recipes" -name '*.md')
        check [ $wrong -eq 0 ]
}

scenario "the commands of the README restore a lost Prometheus" readme
scenario "the recipe of the guide runs, and its backup opens with zstd and tar" recipe
scenario "no page links to what is not there" links
