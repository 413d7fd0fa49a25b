#!/usr/bin/env bash
# common.mirror from directory to directory: what it copies, keeps and removes, killed, broken, watching.
# timeout: 900
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"

FROM=from TO=to

mirror() {
        "$MOONKEEP" run common.mirror --from "./$FROM" --to "./$TO" "$@"
}

# objects FROM TO: so many in each of three folders, and backups of two systems.
objects() {
        local idx
        mkdir -p "$FROM"/{a,b,c}
        for ((idx = $1; idx < $2; idx++)); do
                printf 'object %d\n' "$idx" | tee "$FROM/a/$idx" "$FROM/b/$idx" >"$FROM/c/$idx"
        done
        head -c 3000000 /dev/urandom >"$FROM/large"
        : >"$FROM/empty"
}

# backup NAME TIME: a backup as the library makes them.
backup() {
        cat >"$SCRATCH/backup.lua" <<EOF
local manifest = require "backup.manifest"
local check = require "backup.check"
local stream = require "stream"
local it = require("store").open "./$FROM"
local prefix = "$1/$2/"
return { backup = function()
  local book = { system = "demo", instance = "main", time = "$2", run = "r-1", artifacts = {} }
  for _, name in ipairs { "a.tar", "z.txt" } do
    it:put(prefix .. name, ("content of " .. name):rep(1000))
    local source <close>, digest = stream.digest(it:read(prefix .. name))
    stream.drain(source)
    local artifact = digest:result()
    artifact.name, artifact.codec = name, "none"
    table.insert(book.artifacts, artifact)
  end
  it:put(prefix .. "manifest.json", manifest.encode(book))
  check.record(it, prefix, { level = "digest", result = "good", run = "r-1" })
end }
EOF
        check "$MOONKEEP" _test "$SCRATCH/backup.lua"
}

# what the target has, but for its own
tree() {
        (cd "$1" && find . -type f ! -path './.moonkeep/*' ! -path './locks/*' -exec sha256sum {} + | LC_ALL=C sort)
}

same() {
        diff <(tree "$FROM") <(tree "$TO") || check_failed "source and target differ"
        check_equal "$(find "$TO" -name '.moonkeep-tmp-*')" ""
}

# nothing_half: what the target has is as in the source, and each manifest's backup is complete.
nothing_half() {
        local marker folder
        [ -d "$TO" ] || return 0
        # Temporary files may be left, which no store shows.
        LC_ALL=C comm -13 <(tree "$FROM") <(tree "$TO") | grep -v moonkeep-tmp- && check_failed "not as in the source"
        find "$TO" -name manifest.json | while read -r marker; do
                folder=${marker%/*}
                check cmp "$folder/a.tar" "$FROM/${folder#*/}/a.tar"
                check cmp "$folder/z.txt" "$FROM/${folder#*/}/z.txt"
        done
}

counts() {
        sed -nE "s/^ *\"($1)\": ([0-9]+),?$/\2/p" "$SCRATCH/stdout"
}

whole() {
        objects 0 100
        backup demo/main 20261120T020000Z
        backup demo/main 20261121T020000Z
        check_status 0 mirror --plan
        check_says "would copy a/0: missing"
        check_not test -e "$TO"
        check_status 0 mirror --json
        check_equal "$(counts copied)" 310
        same
        check_status 0 mirror --json
        check_equal "$(counts copied)" 0
        check_equal "$(counts same)" 310
        # Good there, too, but to be verified there.
        check_status 0 "$MOONKEEP" backups --store "./$TO"
        check_says "demo/main/20261121T020000Z"
        check_status 1 "$MOONKEEP" verify --store "./$TO" demo/main/latest-verified
        check_says "none of them verified here"
        check_status 0 "$MOONKEEP" verify --store "./$TO" demo/main/latest
        check_status 0 "$MOONKEEP" verify --store "./$TO" demo/main/latest-verified
        check_status 0 mirror --remove --json
        check_equal "$(counts removed)" 0
}

# An unchanged mirror writes its lock, its journal, and nothing else.
unchanged() {
        objects 0 50
        check_status 0 mirror
        find "$TO" -type f ! -path '*/locks/*' -printf '%p %i %T@\n' | sort >"$SCRATCH/before"
        check_status 0 with_fault "ACTION=count LOG=$SCRATCH/log" "$MOONKEEP" run common.mirror --from ./from --to ./to
        check_lacks "$SCRATCH/stdout" "Copy what"
        check_equal "$(grep -v "/locks/\|/state/\| mkdir " "$SCRATCH/log" || :)" ""
        diff "$SCRATCH/before" <(find "$TO" -type f ! -path '*/locks/*' -printf '%p %i %T@\n' | sort)
}

changes() {
        objects 0 20
        check_status 0 mirror
        echo changed >"$FROM/a/3"
        # Older, of the same size: the time alone would not tell.
        printf 'Object 4\n' >"$FROM/b/4"
        touch -d 2001-02-03 "$FROM/b/4"
        echo new >"$FROM/z"
        printf 'OBJECT 5\n' >"$TO/c/5"
        check_status 0 mirror --json
        check_equal "$(counts copied)" 4
        same
}

only_below() {
        objects 0 5
        check_status 0 mirror --prefix a --json
        check_equal "$(counts copied)" 5
        check_not test -e "$TO/b"
        check_status 0 mirror --exclude b --exclude c/ --json
        check_equal "$(counts copied)" 2
        check_not test -e "$TO/b" -o -e "$TO/c"
}

own_things_stay() {
        objects 0 3
        mkdir -p "$FROM/locks/demo/main" "$FROM/.moonkeep" "$TO/locks/demo/other"
        echo '{}' | tee "$FROM/locks/demo/main/00000001" "$FROM/.moonkeep/x" >"$TO/locks/demo/other/00000003"
        echo half >"$FROM/a/.moonkeep-tmp-0123456789abcdef"
        check_status 0 mirror --remove
        check_not test -e "$TO/locks/demo/main"
        check_not test -e "$TO/.moonkeep/x"
        check_equal "$(find "$TO" -name '.moonkeep-tmp-*')" ""
        check test -e "$TO/locks/demo/other/00000003"
}

removes() {
        objects 0 40
        backup demo/main 20261120T020000Z
        check_status 0 mirror
        rm "$FROM/a/1" "$FROM/b/2"
        check_status 0 mirror
        check test -e "$TO/a/1"
        check_status 0 mirror --remove --plan
        check_says "would remove a/1: the source has it no more"
        check test -e "$TO/a/1"
        check_status 0 mirror --remove --json
        check_equal "$(counts removed)" 2
        same
        rm -r "$FROM/a"
        check_status 4 mirror --remove
        check_says "39 of 124 objects"
        check_says "--max-remove 32"
        check test -e "$TO/a/3"
        check_status 0 mirror --remove --max-remove 32
        same
        # A backup goes, its manifest first.
        rm -r "$FROM/demo"
        check_status 0 with_fault "ACTION=count LOG=$SCRATCH/log" "$MOONKEEP" run common.mirror --from ./from --to ./to --remove
        grep "unlinkat.*demo" "$SCRATCH/log" | head -n 1 >"$SCRATCH/first"
        check_contains "$SCRATCH/first" "manifest.json"
        same
}

empty_source() {
        objects 0 3
        check_status 0 mirror
        rm -r "$FROM"
        check_status 1 mirror --remove --max-remove 100
        mkdir "$FROM"
        check_status 4 mirror --remove --max-remove 100
        check_says "has nothing"
        check_equal "$(tree "$TO" | wc -l)" 11
}

# What is neither file nor folder ends the listing in the middle.
broken_listing() {
        objects 0 30
        check_status 0 mirror
        rm "$FROM/a/7"
        ln -s nowhere "$FROM/b/zz"
        check_status 1 mirror --remove
        check test -e "$TO/a/7"
        rm "$FROM/b/zz"
        ln -s nowhere "$TO/c/zz"
        check_status 1 mirror --remove
        check test -e "$TO/a/7"
        rm "$TO/c/zz"
        check_status 0 mirror --remove
        same
}

partial() {
        objects 0 30
        backup demo/main 20261120T020000Z
        mkdir -p "$TO/a/7" "$TO/demo/main/20261120T020000Z/z.txt"
        echo x | tee "$TO/a/7/in the way" >"$TO/demo/main/20261120T020000Z/z.txt/in the way"
        check_status 3 mirror --remove --max-remove 100
        check_says "there are keys below that name"
        check_says "nothing is removed, because not all could be copied"
        check test -e "$TO/a/7/in the way"
        check test -e "$TO/b/29"
        check test -e "$TO/demo/main/20261120T020000Z/a.tar"
        check_not test -e "$TO/demo/main/20261120T020000Z/manifest.json"
        rm -r "$TO/a/7" "$TO/demo/main/20261120T020000Z/z.txt"
        check_status 0 mirror
        same
}

no_right_to_one() {
        needs_user
        objects 0 10
        chmod 0 "$FROM/a/3"
        check_status 3 mirror
        check_says "Permission denied"
        check_equal "$(tree "$TO" | wc -l)" 31
}

full() {
        objects 0 30
        check_status 1 with_fault "AT=20 ACTION=error:ENOSPC MATCH=/to/[abc]" \
            "$MOONKEEP" run common.mirror --from ./from --to ./to
        check_says "No space left on device"
        nothing_half
        check_status 0 mirror
        same
}

# sample LOG COUNT: some of the numbers of the calls in it; all with FAULT_ALL=1.
sample() {
        if [ -n "${FAULT_ALL:-}" ]; then
                seq "$(wc -l <"$1")"
        else
                shuf -i "1-$(wc -l <"$1")" -n "$2" --random-source=<(yes "${SEED:-1}")
        fi
}

killed() {
        local point id
        objects 0 20
        backup demo/main 20261120T020000Z
        backup demo/main 20261121T020000Z
        TO=count
        check_status 0 with_fault "ACTION=count LOG=$SCRATCH/log" "$MOONKEEP" run common.mirror --from ./from --to ./count
        echo "SEED=${SEED:-1}, $(wc -l <"$SCRATCH/log") calls"
        for point in $(sample "$SCRATCH/log" 12); do
                TO=to$point
                echo "point $point: $(sed -n "${point}p" "$SCRATCH/log")"
                run with_fault "AT=$point WHEN=half ACTION=kill" \
                    "$MOONKEEP" --state "./state$point" run common.mirror --from ./from --to "./$TO"
                [ "$STATUS" -eq 137 ] || [ "$STATUS" -eq 0 ] || check_failed "status $STATUS"
                nothing_half
                id=$(find "state$point" -name '*.jsonl' -printf '%f\n' | sed 's/\.jsonl$//')
                if [ "$STATUS" -eq 137 ] && [ $((point % 2)) -eq 0 ]; then
                        run "$MOONKEEP" --state "./state$point" resume "$id"
                        [ "$STATUS" -eq 0 ] || check_status 0 mirror
                else
                        check_status 0 mirror
                fi
                same
                check_status 0 mirror --json
                check_equal "$(counts copied)" 0
                rm -r "${TO:?}" "state$point"
        done
}

journal_is_small() {
        objects 0 300
        check_status 0 mirror
        check test "$(cat "$SCRATCH"/state/moonkeep/runs/*.jsonl | wc -l)" -lt 20
}

holds() {
        grep -qs '"pid"' "$TO/locks/mirror/00000001"
}

watching() {
        local pid
        objects 0 5
        "$MOONKEEP" run common.mirror --from ./from --to ./to --watch --interval 200ms --remove --max-remove 50 \
            >"$SCRATCH/watch.log" 2>&1 &
        pid=$!
        defer eval "kill $pid 2>/dev/null || :"
        wait_for 20 holds
        check_status 4 mirror
        check_says "is in use by run"
        wait_for 20 test -e "$TO/empty"
        echo new >"$FROM/a/new"
        wait_for 20 cmp -s "$FROM/a/new" "$TO/a/new"
        rm "$FROM/a/0"
        wait_for 20 test ! -e "$TO/a/0"
        # The source goes and comes back.
        mv "$FROM" away
        wait_for 20 grep -q "failed, the next one is in" "$SCRATCH/watch.log"
        check test -e "$TO/a/1"
        mv away "$FROM"
        echo newer >"$FROM/a/new"
        wait_for 60 cmp -s "$FROM/a/new" "$TO/a/new"
        check kill -TERM "$pid"
        STATUS=0
        wait "$pid" || STATUS=$?
        check_equal "$STATUS" 130
        check_contains "$SCRATCH/watch.log" "1 object copied (4 B)"
        check_contains "$SCRATCH/watch.log" "release the lock on the target"
        check_not holds
        same
}

digests() {
        objects 0 10
        cp -r "$FROM" "$TO"
        printf 'OBJECT 3\n' >"$TO/a/3"
        touch -r "$FROM/a/3" "$TO/a/3"
        check_status 0 mirror --check digest --json
        check_equal "$(counts copied)" 1
        same
        check_status 0 mirror --json
        check_equal "$(counts copied)" 0
}

wrong_words() {
        objects 0 1
        check_status 2 mirror --prefix ../x
        check_status 2 "$MOONKEEP" run common.mirror --from ./from --to ./from/a
        check_says "one is part of the other"
        check_status 2 "$MOONKEEP" run common.mirror --from ./from
        check_status 2 mirror --max-remove 101
        check_status 1 "$MOONKEEP" run common.mirror --from ./none --to ./to
        check_says "No such file or directory"
}

scenario "a mirror is whole, then unchanged, and its backups have to be verified there" whole
scenario "an unchanged mirror writes nothing" unchanged
scenario "what changed is copied, also when only one end knows" changes
scenario "a prefix is mirrored, others are left alone" only_below
scenario "locks, what moonkeep keeps for itself and unfinished files stay where they are" own_things_stay
scenario "what the source has no more is removed when that is asked for, within bounds" removes
scenario "nothing is removed when the source has nothing" empty_source
scenario "nothing is removed when a listing breaks off" broken_listing
scenario "what cannot be copied makes it partial, without the manifest, and nothing is removed" partial
scenario "an object that may not be read makes it partial" no_right_to_one
scenario "a full disk ends it, with nothing half, and the next one goes on" full
scenario "a mirror killed at any point has nothing half, and is resumed or repeated" killed
scenario "the journal does not grow with the objects" journal_is_small
scenario "a mirror that watches copies what comes, survives the loss of its source, ends by a signal" watching
scenario "contents are compared when that is asked for" digests
scenario "what cannot be meant is refused" wrong_words
