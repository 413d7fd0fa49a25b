#!/usr/bin/env bash
# An image with a shell and without tar, on a real cluster: what is missing is named, and a helper
# pod acts on its volumes.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_streams.sh
. "$(dirname "$0")/../harness/e2e_streams.sh"

# make_image: the image of this machine's shell and its tools but tar.  busybox will not do: its
# shell is its own tar.
make_image() {
        local program lib
        needs_cluster
        [ -x "${E2E_CLUSTER:-}/mkimage" ] || skip "needs a cluster that takes images (E2E_CLUSTER/mkimage)"
        needs ldd
        mkdir -p root/bin root/tmp root/proc root/lib64
        for program in dash cat sleep stat df readlink mkdir mv ln rm sync chmod chown find dd; do
                needs "$program"
                [ "$(basename "$(readlink -f "$(command -v "$program")")")" != busybox ] || skip "needs another $program than busybox"
                cp -L "$(command -v "$program")" root/bin/
        done
        ln -s dash root/bin/sh
        for lib in $(ldd root/bin/* | grep -oE '/[^ ]+' | grep -F .so | sort -u); do
                mkdir -p "root$(dirname "$lib")"
                cp -L "$lib" "root$lib"
        done
        echo "$NAMESPACE" >root/name
        defer forget_image
        env -u TMPDIR HOME=/ "$E2E_CLUSTER/mkimage" "$NAMESPACE" root >/dev/null
}

# forget_image: neither the node nor the next start of the cluster has it any more.
forget_image() {
        local dir=${KUBECONFIG%%:*} id
        dir=${dir%/*}
        id=$(tar -xOf "$dir/images/$NAMESPACE.tar" config.json | sha256sum)
        rm -f "$dir/images/$NAMESPACE.tar" "$dir/var/imported/$NAMESPACE"
        "$dir/deb/usr/bin/ctr" -a "$dir/run/containerd.sock" -n k8s.io images rm "registry.local/$NAMESPACE:latest" \
            "sha256:${id%% *}"
}

# begin: the pod "one" of that image, with a volume of its node in /data and nothing in /own.
begin() {
        make_namespace
        make_image
        stream_recipes
        # The directory is made for the pod, and emptied by one with busybox.
        WHERE=/tmp/$NAMESPACE
        VOLUMES="\"volumes\": [{\"name\": \"data\", \"hostPath\": {\"path\": \"$WHERE\", \"type\": \"DirectoryOrCreate\"}}]"
        pod_manifest one "" "$VOLUMES" | sed "s|\"image\": \"[^\"]*\"|\"image\": \"registry.local/$NAMESPACE\"|;
            s|\"Never\"|&, \"volumeMounts\": [{\"name\": \"data\", \"mountPath\": \"/data\"}]|" | kube create -f - >/dev/null
        kube wait --for=condition=Ready pod/one --timeout=120s >/dev/null
        defer empty_volume
        kube exec one -- sh -c 'mkdir -p /own /data/in && echo hello >/own/file && echo hello >/data/in/file'
        check_not kube exec one -- sh -c 'command -v tar'
}

empty_volume() {
        kube exec one -- rm -rf /data/in /data/out /own
        kube delete pod one --grace-period=0 --force >/dev/null 2>&1
        rmdir "$WHERE"
}

copy() {
        "${MK[@]}" run bench.copy --target "pod://$NAMESPACE/one${2:-}" --dir "$1" --store "$STORE" --artifact data.tar \
            "${@:3}"
}

back() {
        "${MK[@]}" run bench.restore --target "pod://$NAMESPACE/one${2:-}" --dir "$1" --store "$STORE" --artifact data.tar
}

no_tar() {
        begin
        local dir with="?helper=$E2E_IMAGE"
        for dir in /own /data/in; do
                check_status 1 copy "$dir"
                one_error
                check_says "has no tar"
                check_says "helper=IMAGE"
                nothing_visible
        done
        check_equal "$(kube get pods -l moonkeep.dev/run -o name)" ""
        # A command needs no tar.
        check_status 0 "${MK[@]}" run bench.exec --target "pod://$NAMESPACE/one"
        # On no volume, no helper sees it.
        check_status 1 copy /own "$with"
        one_error
        check_says "lies in the container's own file system"
        check_says "tar"
        nothing_visible
        wait_for 60 no_helper
        # The volume it does, on the same node.
        check_status 0 copy /data/in "$with" -v
        check_says "acting through the helper pod"
        check_status 0 "$MOONKEEP" verify --store "$STORE" bench/main/latest
        check_status 1 back /data/out
        one_error
        check_says "has no tar"
        check_status 0 back /data/out "$with"
        check_equal "$(kube exec one -- cat /data/out/file)" hello
        wait_for 60 no_helper
}

scenario "without tar in the container what is missing is named, and a helper acts on its volume" no_tar
