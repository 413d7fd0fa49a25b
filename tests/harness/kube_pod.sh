# shellcheck shell=bash
# Copies out of a pod, and into one, of an API server of the scenario's own.  Source it
# after lib.sh and kube.sh.

# shellcheck source=tests/harness/copies.sh
. "$(dirname "${BASH_SOURCE[0]}")/copies.sh"

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
