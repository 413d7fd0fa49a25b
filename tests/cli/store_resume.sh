#!/usr/bin/env bash
# An upload of a file that was killed: nothing of it is seen, and the same command
# sends only what the server has not got.
# stores: radosgw swift azurite
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

# Ten parts of 8 MiB, one after the other.
PARTS=10

put() {
        exec "$MOONKEEP" store put --store "$STORE&connections=1" a/file file -v
}

# sent FILE: how many parts that log says to be sent.
sent() {
        grep -c ' PUT .*a/file: 20[01],' "$1" || :
}

has_sent() {
        [ "$(sent said)" -ge 3 ]
}

begin() {
        put >said 2>&1 &
        pid=$!
        wait_for 60 has_sent
        kill -9 $pid
        wait $pid 2>/dev/null || :
        check_not grep -q "put a/file into" said
}

# check_again: the same command ends well; what it said is in `again`.
check_again() {
        (put) >again 2>&1 || {
                cat again
                check_failed "it did not go on"
        }
}

listed() {
        "$MOONKEEP" store list --store "$STORE" --all -q | awk '{ print $NF }'
}

goes_on() {
        make_store "$1"
        head -c $((PARTS * 8 * 1024 * 1024)) /dev/urandom >file
        begin
        check_equal "$(listed)" ""
        check_again
        # Besides the parts, Azure has a PUT of the list of all.
        [ "$(sent again)" -le $((PARTS - 3 + 1)) ] || {
                cat said again
                check_failed "$(sent again) parts were sent again"
        }
        check "$MOONKEEP" store get --store "$STORE" a/file back -q
        check cmp file back
        check_equal "$(listed)" a/file
}

# Another content: what the server has of the old one is not taken for it.
changed() {
        make_store "$1"
        head -c $((PARTS * 8 * 1024 * 1024)) /dev/urandom >file
        begin
        head -c $((PARTS * 8 * 1024 * 1024)) /dev/urandom >file
        check_again
        check "$MOONKEEP" store get --store "$STORE" a/file back -q
        check cmp file back
}

# A shorter one: radosgw completes no upload that has parts which are not wanted.
shorter() {
        make_store "$1"
        head -c $((PARTS * 8 * 1024 * 1024)) /dev/urandom >file
        begin
        head -c $((9 * 1024 * 1024)) /dev/urandom >file
        check_again
        check "$MOONKEEP" store get --store "$STORE" a/file back -q
        check cmp file back
}

for kind in radosgw swift azurite; do
        scenario "$kind: goes on" goes_on $kind
done
scenario "radosgw: another file of that name" changed radosgw
scenario "azurite: another file of that name" changed azurite
scenario "radosgw: a shorter file of that name" shorter radosgw
scenario "swift: a shorter file of that name" shorter swift
