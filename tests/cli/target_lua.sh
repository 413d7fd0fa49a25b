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
