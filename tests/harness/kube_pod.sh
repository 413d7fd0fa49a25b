# shellcheck shell=bash
# Copies out of a pod, and into one, of an API server of the scenario's own.  Source it
# after lib.sh and kube.sh.

# pod_program: MK is the program with the recipes bench.copy and bench.restore.
pod_program() {
        mkdir -p dev/recipes
        ln -sfn "$ROOT/lua" dev/lua
        ln -sfn "$ROOT/tests/bench/recipes/bench" dev/recipes/bench
        MK=("$MOONKEEP" --dev dev)
        STORE=$SCRATCH/store
}

# pod_data KIB: so many in $DATA of the pod default/box, which the server puts below $KUBE_ROOT.
pod_data() {
        DATA=$KUBE_ROOT/default/box/data
        mkdir -p "$DATA"
        head -c $(($1 * 1024)) /dev/urandom >"$DATA/one"
        echo two >"$DATA/two"
}

# copy [OPTION...]: the pod's $DATA into the store.
copy() {
        "${MK[@]}" run bench.copy --target "${TARGET:-pod://default/box}" --dir "$DATA" --store "$STORE" \
            --artifact data.tar "$@"
}

# copy_begins: the same in the background, as COPY.
copy_begins() {
        "${MK[@]}" run bench.copy --target pod://default/box --dir "$DATA" --store "$STORE" --artifact data.tar \
            >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        COPY=$!
        defer kill -KILL "$COPY"
}

# pod_is_quiet: nothing runs in any pod.  By the home that its commands have.
pod_is_quiet() {
        ! grep -lzF "HOME=$KUBE_ROOT/" /proc/[0-9]*/environ 2>/dev/null
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
