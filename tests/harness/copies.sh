# shellcheck shell=bash disable=SC2034 # MK and STORE are for who sources it
# Copies of what a pod has into a store, on whatever cluster: kube_pod.sh and e2e_streams.sh
# source it.

# pod_program: MK is the program with the recipes bench.copy and bench.restore; STORE is empty.
pod_program() {
        mkdir -p dev/recipes
        ln -sfn "$ROOT/lua" dev/lua
        ln -sfn "$ROOT/tests/bench/recipes/bench" dev/recipes/bench
        MK=("$MOONKEEP" --dev dev)
        STORE=$SCRATCH/store
}

# nothing_visible: neither a backup nor a part of one is in the store.
nothing_visible() {
        [ -d "$STORE" ] || return 0
        check_equal "$(find "$STORE" -name manifest.json -o -type f -size +64k)" ""
}

# one_error: the last command said one, and what to do.
one_error() {
        local count
        count=$(grep '^moonkeep: ' "$SCRATCH/stderr" | grep -vc '^moonkeep: warning: ' || :)
        [ "$count" -eq 1 ] || {
                cat "$SCRATCH/stdout" "$SCRATCH/stderr"
                check_failed "it said $count errors"
        }
}
