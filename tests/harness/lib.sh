# shellcheck shell=bash disable=SC2030,SC2031 # what a scenario changes is its own
# The harness of the shell scenarios.  A scenario file sources it, defines
# functions, and runs each by
#
#     scenario "a backup without manifest is not listed" fn
#
# Each scenario runs in a subshell of its own with `set -euo pipefail`, in an
# empty directory $SCRATCH that is removed afterwards, and prints one line:
# "ok NAME", "not ok NAME (why)" or "skip NAME (why)"; what it said is shown,
# indented, when it fails (V=1: always).  `FILE.sh PATTERN` runs those scenarios whose
# name contains PATTERN; KEEP=1 keeps the directories.
#
# From the runner: ROOT (the tree), OUT (the build), MOONKEEP (the program),
# all absolute; they have defaults, so that a file can be run by hand.

set -uo pipefail

ROOT=${ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
OUT=${OUT:-$ROOT/build}
MOONKEEP=${MOONKEEP:-$OUT/moonkeep}
TMPDIR=${TMPDIR:-/tmp}
export ROOT OUT MOONKEEP TMPDIR

# Patterns of names, as arguments or in SCENARIOS with "|" between them; none: all.
scenario_only=("$@")
[ $# -gt 0 ] || IFS='|' read -ra scenario_only <<<"${SCENARIOS:-}"
scenario_failed=0
trap 'status=$?; exit $((scenario_failed ? scenario_failed : status))' EXIT

# scenario NAME FN [ARG...]
scenario() {
        local name=$1 status why chosen pattern
        shift
        if [ ${#scenario_only[@]} -gt 0 ]; then
                chosen=
                for pattern in "${scenario_only[@]}"; do
                        [[ $name == *"$pattern"* ]] && chosen=1
                done
                [ -n "$chosen" ] || return 0
        fi
        SCRATCH=$(mktemp -d "$TMPDIR/mk.XXXXXX")
        (
                trap 'exit 143' TERM
                trap 'exit 130' INT
                trap scenario_undo EXIT
                scenario_deferred=()
                export SCRATCH XDG_STATE_HOME=$SCRATCH/state
                mkdir "$SCRATCH/state" "$SCRATCH/work"
                cd "$SCRATCH/work" || exit 1
                set -e
                "$@"
        ) </dev/null >"$SCRATCH.log" 2>&1
        status=$?
        why=$(tail -n 1 "$SCRATCH.log")
        if [ $status -eq 77 ]; then
                echo "skip $name ($why)"
        else
                if [ $status -ne 0 ] || [ -n "${V:-}" ]; then
                        sed 's/^/  /' "$SCRATCH.log"
                fi
                if [ $status -eq 0 ]; then
                        echo "ok $name"
                else
                        echo "not ok $name (status $status)"
                        # shellcheck disable=SC2034 # the trap reads it
                        scenario_failed=1
                fi
        fi
        if [ -z "${KEEP:-}" ]; then
                chmod -R u+rwx "$SCRATCH" 2>/dev/null
                rm -rf "$SCRATCH" "$SCRATCH.log"
        else
                echo "  kept $SCRATCH"
        fi
}

scenario_undo() {
        local status=$? idx
        set +e
        trap - EXIT
        cd "$SCRATCH/work" || cd "$SCRATCH" || exit 1
        for ((idx = ${#scenario_deferred[@]} - 1; idx >= 0; idx--)); do
                eval "${scenario_deferred[idx]}"
        done
        exit $status
}

# defer COMMAND...: at the end of the scenario, whatever happens, in the
# directory where the scenario began; last first.
defer() {
        scenario_deferred+=("$(printf '%q ' "$@")")
}

# skip WHY: end the scenario as skipped.
skip() {
        echo "$*"
        exit 77
}

# Where the check stands in the scenario file.
check_place() {
        local idx=1
        while [ "${BASH_SOURCE[idx]}" = "${BASH_SOURCE[0]}" ] && [ $((idx + 1)) -lt ${#BASH_SOURCE[@]} ]; do
                idx=$((idx + 1))
        done
        echo "${BASH_SOURCE[idx]##*/}:${BASH_LINENO[idx - 1]}"
}

check_failed() {
        echo "at $(check_place): $*"
        exit 1
}

# check COMMAND...: it succeeds.
check() {
        "$@" || check_failed "status $? of: $*"
}

# check_not COMMAND...: it fails.
check_not() {
        ! "$@" || check_failed "this should not succeed: $*"
}

# run COMMAND...: STATUS is its exit status; what it printed is in
# $SCRATCH/stdout and $SCRATCH/stderr.  Never fails.
run() {
        STATUS=0
        "$@" >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" || STATUS=$?
}

# check_status N COMMAND...: it ends with that status; output as in `run`.
check_status() {
        local want=$1
        shift
        run "$@"
        [ "$STATUS" -eq "$want" ] && return 0
        echo "--- stdout"
        tail -n 50 "$SCRATCH/stdout"
        echo "--- stderr"
        tail -n 50 "$SCRATCH/stderr"
        check_failed "status $STATUS, not $want, of: $*"
}

# check_contains FILE TEXT, check_lacks FILE TEXT
check_contains() {
        grep -qF -- "$2" "$1" && return 0
        echo "--- $1"
        tail -n 50 "$1"
        check_failed "\"$1\" does not contain \"$2\""
}

check_lacks() {
        ! grep -nF -- "$2" "$1" || check_failed "\"$1\" contains \"$2\""
}

# check_says TEXT: the last `run` or `check_status` printed it, on either output.
check_says() {
        grep -qF -- "$1" "$SCRATCH/stdout" "$SCRATCH/stderr" && return 0
        echo "--- stdout"
        tail -n 50 "$SCRATCH/stdout"
        echo "--- stderr"
        tail -n 50 "$SCRATCH/stderr"
        check_failed "it did not say \"$1\""
}

# check_equal GOT WANT
check_equal() {
        [ "$1" = "$2" ] || check_failed "is \"$1\", want \"$2\""
}

# check_same_tree A B: the same names, contents, modes and links.
check_same_tree() {
        diff -r --no-dereference "$1" "$2" || check_failed "\"$1\" and \"$2\" differ"
        diff <(tree_modes "$1") <(tree_modes "$2") || check_failed "modes in \"$1\" and \"$2\" differ"
}

tree_modes() {
        (cd "$1" && find . -printf '%y %m %U:%G %p %l\n' | LC_ALL=C sort -k4)
}

# needs_root: skip unless root.  needs_user: skip when root, whom no mode stops.
needs_root() {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
}

needs_user() {
        [ "$(id -u)" -ne 0 ] || skip "root may do everything"
}

# needs PROGRAM...: skip unless all are here.
needs() {
        local program
        for program; do
                command -v "$program" >/dev/null || skip "needs $program"
        done
}

# needs_store NAME [https]: skip unless that object store is up (the file says
# "stores: NAME" in its first lines).  Sets what tests/servers/stores tells of
# it (STORE_...) and the environment of its clients (AWS_..., AZURE_...).
needs_store() {
        local env=${MOONKEEP_TEST_STORES:-}/env/$1 why=${MOONKEEP_TEST_STORES:-}/why/$1
        if [ ! -e "$env" ]; then
                [ ! -e "$why" ] || skip "$(cat "$why")"
                skip "no $1 is up (MOONKEEP_TEST_STORES)"
        fi
        set -a
        # shellcheck source=/dev/null
        . "$env"
        [ "${2:-}" != https ] || STORE_ENDPOINT=$STORE_HTTPS_ENDPOINT
        if [ "$1" = azurite ]; then
                export AZURE_STORAGE_ACCOUNT=$STORE_ACCOUNT AZURE_STORAGE_KEY=$STORE_KEY
        else
                export AWS_ACCESS_KEY_ID=$STORE_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$STORE_SECRET_KEY
                export AWS_REGION=$STORE_REGION AWS_ENDPOINT_URL_S3=$STORE_ENDPOINT
                export AWS_CA_BUNDLE=$STORE_CA_FILE
        fi
        set +a
}

# wait_for SECONDS COMMAND...: until it succeeds.  It is asked often at first only: that
# may take more of the machine than what is waited for.
wait_for() {
        local deadline=$((SECONDS + $1)) pause=0.05 tries=0
        shift
        until "$@"; do
                [ $SECONDS -lt $deadline ] || check_failed "never came true: $*"
                tries=$((tries + 1))
                [ $tries -lt 10 ] || pause=0.3
                sleep $pause
        done
}

# free_port: print a TCP port of loopback that nobody listens on, below those
# that the kernel gives to clients.
free_port() {
        local port
        while :; do
                port=$((20000 + RANDOM % 12000))
                grep -qi ":$(printf %04X $port) " /proc/net/tcp || break
        done
        echo "$port"
}

# start_prometheus DIR [OPTION...]: run one there; it ends with the scenario.  PROMETHEUS_URL.
start_prometheus() {
        defer "$ROOT/tests/servers/prometheus" stop "$1"
        PROMETHEUS_URL=$("$ROOT/tests/servers/prometheus" start "$@")
        export PROMETHEUS_URL
}

# with_fault "NAME=VALUE..." COMMAND...: run the program with the faults of
# tests/harness/faultshim.c, whose FAULT_ variables are named without prefix:
#     with_fault "AT=3 WHEN=half ACTION=kill" "$MOONKEEP" run ...
with_fault() {
        local spec word settings=()
        read -ra spec <<<"$1"
        shift
        for word in "${spec[@]}"; do
                settings+=("FAULT_$word")
        done
        env "${settings[@]}" LD_PRELOAD="$OUT/faultshim.so" \
            ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0" "$@"
}
