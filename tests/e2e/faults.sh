#!/usr/bin/env bash
# What dies while a stream comes out of a pod, or goes into one: never a success,
# nothing that runs on, nothing half-written.
# timeout: 900
# shellcheck disable=SC2016 # what the pod's shell expands
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"

# a_pod_with_data: the pod "one" with SIZE MiB in /data; MK is the program with the recipe bench.copy.
a_pod_with_data() {
        make_namespace
        pod_manifest one '' '"volumes": [{"name": "data", "emptyDir": {}}]' |
            sed 's|"name": "main",|&"volumeMounts": [{"name": "data", "mountPath": "/data"}],|' |
            kube create -f - >/dev/null
        kube wait --for=condition=Ready pod/one --timeout=120s >/dev/null
        kube exec one -- sh -c "mkdir /data/in /data/out && cd /data/in && i=0 &&
            while [ \$i -lt $1 ]; do dd if=/dev/zero of=f\$i bs=1048576 count=1 2>/dev/null || exit; i=\$((i+1)); done"
        mkdir -p dev/recipes
        ln -sfn "$ROOT/lua" dev/lua
        ln -sfn "$ROOT/tests/bench/recipes/bench" dev/recipes/bench
        mkdir dev/recipes/toy
        cat >dev/recipes/toy/upload.lua <<'END'
local stream = require "stream"
return recipe {
  summary = "Extract a tar of this machine on a target",
  params = { target = { "target", required = true, help = "where" },
    file = { "path", required = true, help = "the tar" }, dir = { "path", required = true, help = "where to" } },
  steps = { { "extract", "Extract it" } },
  example = "moonkeep run toy.upload --target local: --file x --dir y",
  run = function(ctx, p)
    ctx:step("extract", function()
      p.target:make_dirs(p.dir, 448)
      local ok, e = pcall(p.target.tar_in, p.target, p.dir, stream.from_file(p.file), {})
      if not ok then
        pcall(p.target.remove_tree, p.target, p.dir)
        error(e, 0)
      end
    end)
  end,
}
END
        STORE=$SCRATCH/store
        MK=("$MOONKEEP" --dev dev)
}

# copy_begins: a copy of /data/in has been going on for some bytes; its process is COPY.
copy_begins() {
        "${MK[@]}" run bench.copy --target "pod://$NAMESPACE/one" --dir /data/in --store "$STORE" \
            --artifact data.tar >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        COPY=$!
        defer kill -KILL "$COPY"
        wait_for 60 bytes_came
}

bytes_came() {
        [ "$(find "$STORE" -type f -size +4M 2>/dev/null | wc -l)" -gt 0 ]
}

# copy_fails: it ends, without success, and nothing of it is visible.
copy_fails() {
        STATUS=0
        wait "$COPY" || STATUS=$?
        check test "$STATUS" -ne 0
        check test "$STATUS" -le 130
        check_equal "$(find "$STORE" -name manifest.json | wc -l)" 0
        check_equal "$(find "$STORE" -type f -size +1M | wc -l)" 0
        sed 's/^/said: /' "$SCRATCH/stderr"
}

# nothing_runs_on: in the pod only what was there before runs.
nothing_runs_on() {
        wait_for 60 only_its_own
}

only_its_own() {
        local found
        found=$(kube exec one -- sh -c 'for p in /proc/[0-9]*; do
            tr "\0\n" "  " <$p/cmdline; echo; done' 2>/dev/null) || return 1
        # PID 1, its sleep, and the shell that asks.
        ! grep -E '(^| )tar |_mk' <<<"$found"
}

component_dies() {
        needs_components
        a_pod_with_data 600
        copy_begins
        kill_component "$1"
        copy_fails
        mend
        # Where the runtime itself died, nobody closes the command's input: what runs in the
        # pod ends when it has heard nothing for a quarter of an hour.
        [ "$1" = containerd ] || nothing_runs_on
        # And again: the same command does it.
        check_status 0 "${MK[@]}" run bench.copy --target "pod://$NAMESPACE/one" --dir /data/in --store "$STORE"
}

tar_dies() {
        a_pod_with_data 400
        copy_begins
        kube exec one -- sh -c 'for p in /proc/[0-9]*; do
            case $(tr "\0" " " <$p/cmdline) in "tar "*) kill -9 ${p#/proc/};; esac; done'
        copy_fails
        check_contains "$SCRATCH/stderr" tar
        nothing_runs_on
}

pod_dies() {
        a_pod_with_data 400
        copy_begins
        kube delete pod one --grace-period=0 --force >/dev/null 2>&1
        copy_fails
}

program_dies() {
        a_pod_with_data 400
        copy_begins
        kill -KILL "$COPY"
        nothing_runs_on
}

program_is_cancelled() {
        a_pod_with_data 400
        copy_begins
        kill -TERM "$COPY"
        copy_fails
        check_equal "$STATUS" 130
        nothing_runs_on
}

upload_begins() {
        head -c 1 /dev/zero >x
        mkdir -p files
        for ((n = 0; n < 600; n++)); do
                ln -f "$SCRATCH/block" "files/f$n" 2>/dev/null || {
                        head -c 1048576 /dev/zero >"$SCRATCH/block"
                        ln "$SCRATCH/block" "files/f$n"
                }
        done
        tar --hard-dereference -cf up.tar -C files .
        "${MK[@]}" run toy.upload --target "pod://$NAMESPACE/one" --file up.tar --dir /data/out/new \
            >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        COPY=$!
        defer kill -KILL "$COPY"
        wait_for 60 kube exec one -- sh -c 'set -- /data/out/new/f*; [ $# -gt 5 ]'
        kill -STOP "$COPY"
        check test "$(kube exec one -- sh -c 'set -- /data/out/new/f*; echo $#')" -lt 600
}

upload_is_cut() {
        needs_components
        a_pod_with_data 1
        upload_begins
        kill_component "$1"
        kill -CONT "$COPY"
        STATUS=0
        wait "$COPY" || STATUS=$?
        check test "$STATUS" -ne 0
        mend
        nothing_runs_on
}

upload_tar_dies() {
        a_pod_with_data 1
        upload_begins
        kube exec one -- sh -c 'for p in /proc/[0-9]*; do
            case $(tr "\0" " " <$p/cmdline) in "tar "*) kill -9 ${p#/proc/}; echo killed;; esac; done' >killed
        check_contains killed killed
        kill -CONT "$COPY"
        STATUS=0
        wait "$COPY" || STATUS=$?
        check_equal "$STATUS" 1
        nothing_runs_on
        check_not kube exec one -- test -e /data/out/new
}

scenario "the API server dies while a stream comes" component_dies kube-apiserver
scenario "the kubelet dies while a stream comes" component_dies kubelet
scenario "containerd dies while a stream comes" component_dies containerd
scenario "tar is killed while a stream comes" tar_dies
scenario "the pod is deleted while a stream comes" pod_dies
scenario "moonkeep is killed while a stream comes" program_dies
scenario "a run is cancelled while a stream comes" program_is_cancelled
scenario "the API server dies while a stream goes" upload_is_cut kube-apiserver
scenario "the kubelet dies while a stream goes" upload_is_cut kubelet
scenario "tar is killed while a stream goes" upload_tar_dies
