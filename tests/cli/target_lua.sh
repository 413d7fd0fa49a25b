#!/usr/bin/env bash
# What targets promise, on each kind that needs no other machine: tests/harness/target_cases.lua.
# timeout: 600
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"

cases() {
        TARGET=$1 "$MOONKEEP" _test "$ROOT/tests/harness/target_cases.lua" || check_failed "see above"
}

scenario "this machine" cases local:
scenario "this machine as a far host" cases process:

# Nothing but busybox on the way.
busybox_only() {
        local applet
        command -v busybox >/dev/null || skip "no busybox"
        mkdir bin
        for applet in $(busybox --list); do
                ln -s "$(command -v busybox)" "bin/$applet"
        done
        TARGET=process: PATH=$PWD/bin "$MOONKEEP" _test "$ROOT/tests/harness/target_cases.lua" || check_failed "see above"
}

scenario "busybox as a far host" busybox_only

# The programs that the guide names are enough.
named_programs() {
        local name
        command -v busybox >/dev/null || skip "no busybox"
        mkdir bin
        # shellcheck disable=SC2016 # backquotes of the page
        for name in $(sed -n '/^| for | programs |/,/^$/p' "$ROOT/docs/guide/110-kubernetes.md" |
            cut -d'|' -f3 | grep -o '`[^`]*`' | tr -d '`' | grep -vE '^(/proc|nc|openssl)$' | sort -u); do
                check_contains <(busybox --list) "$name"
                ln -s "$(command -v busybox)" "bin/$name"
        done
        # What the cases make there themselves.
        for name in cmp diff mkfifo touch; do
                ln -s "$(command -v busybox)" "bin/$name"
        done
        TARGET=process: PATH=$PWD/bin "$MOONKEEP" _test "$ROOT/tests/harness/target_cases.lua" || check_failed "see above"
}

scenario "the programs that the guide names are enough" named_programs
