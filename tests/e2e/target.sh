#!/usr/bin/env bash
# What targets promise, on pods: tests/harness/target_cases.lua.
# timeout: 900
# shellcheck disable=SC2016 # what the pod's shell expands
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"

cases() {
        make_namespace
        start_pod one
        kube exec one -- mkdir -p /tmp/mk
        TARGET="pod://$NAMESPACE/one${1:-}" TARGET_DIR=/tmp/mk \
            "$MOONKEEP" _test "$ROOT/tests/harness/target_cases.lua" || check_failed "see above"
        check_equal "$(kube exec one -- sh -c 'for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline; echo; done' |
            grep -c _mk)" 0
}

scenario "a pod" cases
scenario "a pod, with digests taken on both sides" cases '?proof=digest'
