# shellcheck shell=bash
# shellcheck disable=SC2016 # what the pod's shell expands
# Streams out of a pod, and into one, that something happens to.  Source it after lib.sh and e2e.sh.

# shellcheck source=tests/harness/copies.sh
. "$(dirname "${BASH_SOURCE[0]}")/copies.sh"

# stream_recipes: MK is the program with the recipe bench.copy, and toy ones; STORE is empty.
stream_recipes() {
        pod_program
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
        cat >dev/recipes/toy/twice.lua <<'END'
local task = require "task"
return recipe {
  summary = "Ask a target, wait for a file of this machine, and ask again",
  params = { target = { "target", required = true, help = "where" },
    file = { "path", required = true, help = "waited for; FILE.waiting is made" } },
  steps = { { "first", "Ask" }, { "wait", "Wait" }, { "second", "Ask again" } },
  example = "moonkeep run toy.twice --target local: --file x",
  run = function(ctx, p)
    local here = require("target").open("local:")
    ctx:step("first", function() p.target:exec { argv = { "true" } } end)
    ctx:step("wait", function()
      here:write(p.file .. ".waiting", "")
      while here:stat(p.file) == nil do task.sleep(100) end
    end)
    ctx:step("second", function() p.target:exec { argv = { "true" } } end)
  end,
}
END
}

# a_pod_with_data: the pod "one" with SIZE MiB in /data; MK is the program with the recipe bench.copy.
a_pod_with_data() {
        make_namespace
        pod_manifest one '' '"volumes": [{"name": "data", "emptyDir": {}}]' |
            sed 's|"name": "main",|&"volumeMounts": [{"name": "data", "mountPath": "/data"}],|' |
            kube create -f - >/dev/null
        kube wait --for=condition=Ready pod/one --timeout=120s >/dev/null
        kube exec one -- sh -c "mkdir /data/in /data/out && cd /data/in && i=0 &&
            while [ \$i -lt $1 ]; do dd if=/dev/zero of=f\$i bs=1048576 count=1 2>/dev/null || exit; i=\$((i+1)); done"
        stream_recipes
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
        one_error
}

# nothing_runs_on: in the pod only what was there before runs.
nothing_runs_on() {
        wait_for 60 only_its_own
}

only_its_own() {
        local found
        found=$(kube exec one -- sh -c 'for p in /proc/[0-9]*; do
            [ "${p#/proc/}" = $$ ] || tr "\0\n" "  " <$p/cmdline; echo; done' 2>/dev/null) || return 1
        # PID 1, its sleep, what the shell that asks makes of itself; zombies have no words.
        ! grep -vE '^sh -c (trap|for p in) |^sleep 1 $|^tr |^ *$' <<<"$found"
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
