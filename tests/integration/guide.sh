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

# The packages that the guide names are those that the program needs, and no more.
libraries() {
        local page name
        needs dpkg readelf
        # shellcheck source=/dev/null
        [ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = "debian 12" ] || skip "its packages have other names"
        readelf -d "$MOONKEEP" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r name; do
                dpkg -S "*/$name" | sed -n 's/^\([^:]*\):.*/\1/p'
        done | grep -vE '^(libc6.*|lib[a-z]*san[0-9]*)$' | sort -u >needed
        for page in 010-install 120-in-the-cluster; do
                grep -hE '^ *.?liblua5' "$ROOT/docs/guide/$page.md" | grep -oE 'lib[a-z0-9.-]+' | sort -u >named
                check diff needed named
        done
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
scenario "the guide names the libraries that the program needs" libraries
scenario "no page links to what is not there" links
