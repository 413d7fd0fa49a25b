#!/usr/bin/env bash
# moonkeep store: probing a store, listing, copying and removing, on each kind of store.
# stores: radosgw swift azurite
# timeout: 600
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

store() {
        local verb=$1
        shift
        "$MOONKEEP" store "$verb" --store "$STORE" "$@"
}

copies() {
        make_store "$@"
        head -c 20000000 /dev/urandom >large
        printf 1 >one
        : >empty
        for file in large one empty; do
                check_status 0 store put "a/$file" "$file"
                check_says "put a/$file"
                check_status 0 store get "a/$file" "back"
                check cmp "$file" back
                rm back
        done
        # Standard input and output, in both spellings.
        # shellcheck disable=SC2002 # a pipe is meant
        cat large | check store put b/piped >/dev/null
        check store put b/redirected - <large >/dev/null
        check_status 0 store get b/piped
        check cmp large "$SCRATCH/stdout"
        check_equal "$(wc -c <"$SCRATCH/stderr")" 0
        store get b/redirected - | cat >back
        check cmp large back
        # Over what is there.
        check_status 0 store put b/piped one
        check_status 0 store get b/piped back
        check cmp one back
        check_status 0 store put b/json one --json
        check_says '"bytes": 1'
        check_status 0 store get b/json back --json -q
        check_says '"bytes": 1'
        check_status 0 store put b/quiet one --quiet
        check_equal "$(cat "$SCRATCH/stdout" "$SCRATCH/stderr")" ""
}

names() {
        local key
        make_store "$@"
        printf 'text\n' >text
        for key in 'a b' 'a+b' 'a%2Fb' "it's" 'ü/日' 'a&b=c?d#e' '-x' '~'; do
                check_status 0 store put -- "$key" text
                check_status 0 store get -- "$key"
                check cmp text "$SCRATCH/stdout"
                check_status 0 store list --all
                check_contains "$SCRATCH/stdout" "  $key"
        done
        for key in '' '/' 'a//b' '../a' 'a/./b'; do
                check_status 1 store put -- "$key" text
                check_says "is no key of a store"
        done
        printf x >'file with ?'
        check_status 0 store put plain 'file with ?'
}

# What is typed in the place of a key or of a file.
typed() {
        make_store "$@"
        printf 'text\n' >text
        mkfifo pipe
        mkdir dir
        check_status 0 store put a/ text
        check_status 0 store get a/text dir
        check cmp text dir/text
        check_status 0 store list a/text
        check_equal "$(listed)" "a/text "
        # A device or a pipe is not replaced, and not read as if it had an end.
        check_status 1 store get a/text pipe
        check_says "a/text > pipe"
        check_status 1 store put a/x pipe
        check_says "a/x < pipe"
        check_status 1 store put a/x dir
        check_says "tar -c dir |"
        check test -p pipe
}

# object_url KEY: the URL of an object of STORE.
object_url() {
        echo "${STORE%%\?*}/$1?${STORE#*\?}"
}

# A URL in the place of a key names the store, too.
typed_url() {
        make_store "$@"
        printf 'text\n' >text
        check_status 0 "$MOONKEEP" store put "$(object_url a/b%20c)" text
        check_status 0 "$MOONKEEP" store get "$(object_url a/b%20c)"
        check cmp text "$SCRATCH/stdout"
        check_status 0 store list --all
        check_contains "$SCRATCH/stdout" "  a/b c"
        check_status 0 "$MOONKEEP" store list "$STORE"
        check_equal "$(listed)" "a/ "
        check_status 0 "$MOONKEEP" store list "$(object_url a/b%20c)"
        check_says "1 entry, 5 B"
        check_status 2 store list "$STORE"
        check_says "two stores are named"
        check_status 2 store probe "$STORE"
        check_status 2 "$MOONKEEP" store get "${STORE%%/some*}?${STORE#*\?}"
        check_status 0 "$MOONKEEP" store remove --yes "$(object_url a/)"
        check_says "removed 1 object (5 B) below a/"
}

# Half of it old and half of it new is neither.
changed() {
        make_store directory
        head -c 50000000 /dev/zero >file
        "$MOONKEEP" store put --store "$STORE" a/b file >said 2>&1 &
        pid=$!
        while kill -0 $pid 2>/dev/null; do
                echo x >>file
        done
        STATUS=0
        wait $pid || STATUS=$?
        check_equal $STATUS 1
        check_contains said "changed while it was read"
        check_status 0 store list --all
        check_equal "$(listed)" ""
}

# listed: the keys that the last command listed, in a line.
listed() {
        awk '{ print $NF }' "$SCRATCH/stdout" | tr '\n' ' '
}

lists() {
        make_store "$@"
        printf 'text\n' >text
        for key in a/1 a/2 a/b/3 c; do
                check store put "$key" text >/dev/null
        done
        check_status 0 store list
        check_equal "$(listed)" "a/ c "
        for prefix in a a/; do
                check_status 0 store list "$prefix"
                check_equal "$(listed)" "a/1 a/2 a/b/ "
        done
        check_status 0 store list --all
        check_equal "$(listed)" "a/1 a/2 a/b/3 c "
        check_equal "$(awk '{ print $2 }' "$SCRATCH/stdout" | sort -u)" 5
        check_says "4 entries, 20 B"
        check_status 0 store list nothing --json
        check_equal "$(cat "$SCRATCH/stdout")" "[]"
        check_status 0 store list a --json --all
        check_equal "$(grep -c '"key":"a/' "$SCRATCH/stdout")" 3
}

removes() {
        make_store "$@"
        printf 'text\n' >text
        for key in a/1 a/2 a/b/3 'a/x&<y>' ab/1 c; do
                check store put "$key" text >/dev/null
        done
        check_status 4 store remove c
        check_says "not confirmed"
        check_status 4 store remove a/
        check_says 'remove 4 objects (20 B) below "a/"'
        check_status 0 store remove --yes c
        check_status 1 store remove --yes c
        check_says 'there is no "c"'
        check_status 0 store remove --yes a/
        check_status 0 store list --all
        check_equal "$(listed)" "ab/1 "
        check_status 0 store remove --yes a/
        check_status 0 store remove --yes ab/ --json
        check_says '"removed": 1'
        check_status 1 store remove --yes /
}

# An upload that is ended, a command that fails: nothing is there that is not whole.
half_written() {
        make_store "$@"
        head -c 20000000 /dev/urandom >large
        mkfifo pipe
        "$MOONKEEP" store put --store "$STORE" a/half <pipe >/dev/null 2>&1 &
        pid=$!
        exec 9>pipe
        cat large >&9
        kill -TERM $pid
        STATUS=0
        wait $pid || STATUS=$?
        exec 9>&-
        check_equal $STATUS 130
        check_status 0 store list --all --json
        check_equal "$(cat "$SCRATCH/stdout")" "[]"
        # A file is as it was, when what should replace it cannot be read.
        echo old >file
        check_status 1 store get a/none file
        check_says "a/none"
        check_equal "$(cat file)" old
        check_equal "$(find . -name '.moonkeep*')" ""
        check_status 1 store put a/none no-such-file
        check_says "no-such-file"
        check_status 1 store put a/none .
        check_status 2 store get a/none --json
        check_says "moonkeep store get KEY FILE"
}

probed() {
        make_store "$@"
        check_status 0 "$MOONKEEP" store probe "$STORE"
        check_says "Usable"
        check_says "all is removed at the end"
        check_says "yes      create-only writes, several at once"
        check_status 0 store list --all
        case $(listed) in
        "" | ".moonkeep/probe.json ") ;;
        *) check_failed "the probe left $(listed)" ;;
        esac
        check_status 0 store probe --json
        check_says '"verdict": "usable"'
        check_says '"exclusive": true'
        check_status 0 store probe -q
        check_equal "$(cat "$SCRATCH/stdout" "$SCRATCH/stderr")" ""
}

# What knows no conditions is usable, with limits, and that is remembered.
probed_without_conditions() {
        make_store swift
        check_status 3 store probe
        check_says "NO       create-only writes"
        check_says "Usable, with limits"
        check_says "two runs at once are not kept apart"
        check_status 0 store get .moonkeep/probe.json
        check_contains "$SCRATCH/stdout" '"exclusive": false'
}

unusable() {
        check_status 1 "$MOONKEEP" store probe /proc/none
        check_status 2 "$MOONKEEP" store probe word
        check_status 2 "$MOONKEEP" store
        check_says "store needs a second word"
        check_status 2 "$MOONKEEP" store pu a
        check_says 'did you mean "store put"'
        check_status 2 "$MOONKEEP" store put
        check_says "store put needs KEY"
        check_status 2 "$MOONKEEP" store put a b c
        check_status 1 "$MOONKEEP" store list --store ./none
        check_status 0 "$MOONKEEP" help store
        check_says "store probe [STORE]"
        check_status 0 "$MOONKEEP" help store put
        check_status 0 "$MOONKEEP" store get --help
}

no_secret_is_said() {
        make_store "$@"
        printf 'text\n' >text
        {
                store put a text -v
                store get a -v
                store list -v
                store probe -v --log-format json
                STORE=${STORE/some/other} store get none -v
                "$MOONKEEP" store list --store "${STORE/mk-/mk-no-}" -v
                AWS_SECRET_ACCESS_KEY=${STORE_SECRET_KEY:-}x store list -v
        } >"$SCRATCH/said" 2>&1 || true
        check test -s "$SCRATCH/said"
        check_no_secret "$SCRATCH/said" "$SCRATCH/state"
}

for kind in directory radosgw "radosgw https" swift azurite; do
        # shellcheck disable=SC2086 # words
        {
                scenario "$kind: files and pipes are copied" copies $kind
                scenario "$kind: what is half written is not there" half_written $kind
        }
done
for kind in directory radosgw swift azurite; do
        scenario "$kind: odd keys" names "$kind"
        scenario "$kind: listings" lists "$kind"
        scenario "$kind: what is typed in the place of a key or a file" typed "$kind"
        scenario "$kind: removing" removes "$kind"
        scenario "$kind: no secret is said" no_secret_is_said "$kind"
done
scenario "radosgw: a URL in the place of a key" typed_url radosgw
scenario "azurite: a URL in the place of a key" typed_url azurite
scenario "a file that is written to while it is put" changed
scenario "directory: probed" probed directory
scenario "radosgw: probed" probed radosgw
scenario "azurite: probed" probed azurite
scenario "swift: probed, without conditions" probed_without_conditions
scenario "what cannot be done is told" unusable
