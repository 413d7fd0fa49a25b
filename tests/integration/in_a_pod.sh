#!/usr/bin/env bash
# The program where a pod has it: process 1 on a read-only root without a shell, of a user whom
# /etc/passwd does not know and whose home is /, without a terminal, with a service account.
# timeout: 120
# shellcheck source=tests/harness/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_pod.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube_pod.sh"
# shellcheck source=tests/harness/image.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/image.sh"

# a_container [OPTION...]: an API server with these; MK is the program in a container beside it,
# with the service account $ACCOUNT, which may write to /tmp, here $SCRATCH/tmp, alone.
a_container() {
        local root=$SCRATCH/root
        needs_root
        needs unshare
        unshare -mp true 2>/dev/null || skip "may not have mounts of its own"
        image_root "$root"
        ACCOUNT=$root/var/run/secrets/kubernetes.io/serviceaccount
        mkdir -p "$ACCOUNT" "$root/var/tmp" "$root/dev1/recipes" "$SCRATCH/tmp"
        cp -r "$ROOT/lua" "$root/dev1/lua"
        cp -r "$ROOT/tests/bench/recipes/bench" "$root/dev1/recipes/bench"
        printf sesame >"$ACCOUNT/token"
        kube_start --token "@$ACCOUNT/token" "$@"
        "$OUT/servers/tls_front" --ca "$ACCOUNT/ca.crt" "${KUBE_URL##*:}" >front &
        defer kill $!
        chmod -R a+rX "$root"
        chmod 1777 "$SCRATCH/tmp"
        cat >inside <<SH
#!/bin/sh
mount --bind "$root" "$root" && mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" &&
    mount --bind "$SCRATCH/tmp" "$root/tmp" && mount -o remount,bind,ro "$root" &&
    exec env -i HOME=/ KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=$(kube_port front) \
    "$(command -v chroot)" --userspec=10001:10001 "$root" /usr/bin/moonkeep --dev /dev1 "\$@"
SH
        chmod 755 inside
        MK=(unshare -mpf --kill-child "$PWD/inside")
        STORE=/tmp/store
}

# A block's index, which is read from its end, is kept in a file meanwhile.
tmp_is_enough() {
        local server=$ROOT/tests/servers/prometheus
        a_container
        "$server" generate prometheus 4 20
        pod_data 0
        mv prometheus/data/01* "$DATA/"
        check_status 0 "${MK[@]}" run bench.copy --target pod://default/box --dir "$DATA" --store "$STORE" \
            --state /tmp/state --check
        check_says "Done in"
        check_equal "$(stat -c %u "$SCRATCH/tmp/store")" 10001
        check_equal "$(find "$SCRATCH/tmp" -maxdepth 1 -mindepth 1 -printf '%f ' | sort)" "store state "
        check_not grep -q $'[\033\r]' "$SCRATCH/stdout" "$SCRATCH/stderr"
}

# What a pod lacks is told with what to do.
what_is_missing() {
        a_container
        pod_data 1
        check_status 1 copy
        one_error
        check_says 'cannot begin a journal: cannot create the directory "/.local": Read-only file system'
        check_says "--state or MOONKEEP_STATE name"
        rm "$ACCOUNT/token"
        check_status 1 copy --state /tmp/state
        one_error
        check_says "automountServiceAccountToken"
}

# The kubelet replaces the token in the middle of a run, before it takes the old one away.
new_token() {
        echo "GET *exec* nth:1 stall 3 head" >faults
        a_container --faults "$PWD/faults"
        pod_data 64
        copy --state /tmp/state >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        local pid=$!
        defer kill -KILL "$pid"
        wait_for 30 grep -q '^\[2/3\]' "$SCRATCH/stdout"
        printf hunter2 >"$ACCOUNT/new"
        chmod 644 "$ACCOUNT/new"
        mv "$ACCOUNT/new" "$ACCOUNT/token"
        STATUS=0
        wait "$pid" || STATUS=$?
        check_equal "$STATUS" 0
        check test "$(kube_asked '[A-Z]+' '.* 401')" -le 1
}

# Nobody else would: the default of process 1 is to ignore it.
told_to_end() {
        echo "GET *exec* every stall 100 head" >faults
        a_container --faults "$PWD/faults"
        pod_data 1
        copy --state /tmp/state >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        local pid=$! child
        defer kill -KILL "$pid"
        wait_for 30 grep -q '^\[2/3\]' "$SCRATCH/stdout"
        # The shell's child is unshare, whose child is process 1.
        child=$(cat "/proc/$pid/task/$pid/children")
        child=$(cat "/proc/${child% }/task/${child% }/children")
        kill -TERM "${child% }"
        STATUS=0
        wait "$pid" || STATUS=$?
        check_equal "$STATUS" 130
        check_says "cleaned up: release the lock"
        check_equal "$(find "$SCRATCH/tmp/store" -name '*.tar' -o -name manifest.json)" ""
}

scenario "in a pod /tmp alone can be written to" tmp_is_enough
scenario "a pod without a place for journals, or without a token, is told so" what_is_missing
scenario "a service account's token may change in mid-run" new_token
scenario "as process 1 it ends when it is told to" told_to_end
