#!/usr/bin/env bash
# common.mirror between directories and real object stores, within one service and across two.
# stores: radosgw swift azurite
# timeout: 900
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

mirror() {
        local from=$1 to=$2
        shift 2
        "$MOONKEEP" run common.mirror --from "$from" --to "$to" --json "$@"
}

count() {
        sed -nE "s/^ *\"$1\": ([0-9]+),?$/\1/p" "$SCRATCH/stdout"
}

# copied WANT FROM TO OPTION...: that many objects are copied.
copied() {
        local want=$1
        shift
        check_status 0 mirror "$@"
        check_equal "$(count copied)" "$want"
}

# objects: some of each kind in ./files; OBJECTS is how many.
objects() {
        local idx
        mkdir -p files/{a,b} "files/odd names/ü"
        for ((idx = 0; idx < 30; idx++)); do
                printf 'object %d\n' "$idx" >"files/a/$idx"
        done
        for idx in 'a b' 'a+b' 'a%2Fb' "it's" 'a&b=c?d#e' 'ü/日' '~'; do
                printf '%s\n' "$idx" >"files/odd names/$idx"
        done
        : >files/empty
        head -c 20000000 /dev/urandom >files/b/large
        touch -d 2026-01-02 files/*/* files/*
        OBJECTS=39
}

own() {
        (cd "$1" && rm -rf .moonkeep locks)
}

# both KIND KIND: OTHER and STORE, of one service with the credentials of the environment,
# or of two services, with a profile for each that speaks S3.
both() {
        local first second
        make_store "$1"
        OTHER=$STORE
        [ "$1" != "$2" ] || {
                make_store "$2"
                return 0
        }
        first=$(profile "$1")
        # The bucket is removed with the credentials with which it was made.
        defer export AWS_ACCESS_KEY_ID="${AWS_ACCESS_KEY_ID:-}" AWS_SECRET_ACCESS_KEY="${AWS_SECRET_ACCESS_KEY:-}"
        make_store "$2"
        second=$(profile "$2")
        OTHER=$OTHER$first STORE=$STORE$second
        export AWS_SHARED_CREDENTIALS_FILE=$SCRATCH/credentials
}

# profile KIND: the option for URLs of that kind.
profile() {
        case $1 in azurite | directory) return ;; esac
        printf '[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$1" "$AWS_ACCESS_KEY_ID" \
                "$AWS_SECRET_ACCESS_KEY" >>"$SCRATCH/credentials"
        echo "&profile=$1"
}

between() {
        both "$@"
        objects
        copied "$OBJECTS" ./files "$OTHER"
        copied 0 ./files "$OTHER"
        copied "$OBJECTS" "$OTHER" "$STORE"
        if [ "$1" = "$2" ]; then
                check_equal "$(count by_server)" "$OBJECTS"
        else
                check_equal "$(count by_server)" ""
        fi
        copied 0 "$OTHER" "$STORE"
        # What changed, at either end.
        echo changed >files/a/3
        rm files/a/4
        head -c 20000000 /dev/urandom >files/b/large
        copied 2 ./files "$OTHER" --remove
        check_equal "$(count removed)" 1
        printf 'OBJECT 5\n' >five
        check "$MOONKEEP" store put --store "$STORE" a/5 five
        copied 3 "$OTHER" "$STORE" --remove
        check_equal "$(count removed)" 1
        # And back.
        copied $((OBJECTS - 1)) "$STORE" ./back
        own back
        check diff -r files back
        check_no_secret "$SCRATCH/stdout" "$SCRATCH/stderr" "$SCRATCH/state"
}

# Uploads of another part size have another name for the same content.
other_parts() {
        both radosgw radosgw
        mkdir files
        head -c 20000000 /dev/urandom >files/large
        copied 1 ./files "$OTHER"
        copied 1 "$OTHER" "$STORE"
        check_status 0 "$MOONKEEP" store list --store "$OTHER" --all --json
        copied 0 "$OTHER" "$STORE"
        copied 0 "$OTHER" "$STORE" --check digest
}

# A target whose credentials may not write, and one that is not there.
no_right() {
        both radosgw radosgw
        objects
        copied "$OBJECTS" ./files "$OTHER"
        check_status 1 env AWS_ACCESS_KEY_ID="$STORE_OTHER_ACCESS_KEY" \
                AWS_SECRET_ACCESS_KEY="$STORE_OTHER_SECRET_KEY" \
                "$MOONKEEP" run common.mirror --from ./files --to "$STORE"
        check_says "denied"
        check_status 1 mirror "$OTHER" "${STORE/mk-/mk-none-}"
        check_says "bucket"
        check_status 1 mirror "${STORE/mk-/mk-none-}" ./back --remove
        check_says "bucket"
}

killed() {
        local pid
        both radosgw radosgw
        objects
        "$MOONKEEP" run common.mirror --from ./files --to "$STORE" >log 2>&1 &
        pid=$!
        wait_for 20 grep -q "Copy what" log
        kill -KILL "$pid"
        wait "$pid" || :
        check_status 0 mirror ./files "$STORE"
        copied 0 ./files "$STORE"
        copied "$OBJECTS" "$STORE" ./back
        own back
        check diff -r files back
}

scenario "a directory and radosgw" between radosgw directory
scenario "radosgw to radosgw: the server copies" between radosgw radosgw
scenario "radosgw to swift" between radosgw swift
scenario "swift to swift: the server copies" between swift swift
scenario "azurite to azurite: the server copies" between azurite azurite
scenario "radosgw to azurite" between radosgw azurite
scenario "what was copied in other parts is known to be the same" other_parts
scenario "no right to write, no such bucket" no_right
scenario "killed in the middle, and repeated" killed
