# shellcheck shell=bash
# A StatefulSet with a directory of this machine as its volume, on an API server of the scenario's own,
# and a recipe that replaces what is in it.  Source it after lib.sh and kube.sh.

# objects [PODSPEC [MORE]]: a StatefulSet whose pod has the directory $DATA as a volume.
objects() {
        cat <<JSON
{"objects": [
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}},
  {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "m"},
   "spec": {"replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
     "template": {"metadata": {"labels": {"app": "db"}${1:+, $1}},
       "spec": {"containers": [{"name": "db", "image": "registry.local/db",
         "volumeMounts": [{"name": "data", "mountPath": "$DATA"}, {"name": "tmp", "mountPath": "$DATA/tmp"}]}],
         "securityContext": {"runAsUser": 65534}, "volumes": [{"name": "tmp", "emptyDir": {}}]}},
     "volumeClaimTemplates": [{"metadata": {"name": "data"},
       "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}]${2:+, $2}}
JSON
}

# begin [ANNOTATIONS [MORE]]: the server (started by START), its pods, and the program with a
# recipe toy.restore.
START=(kube_start)
begin() {
        needs kubectl
        DATA=$PWD/area/data
        mkdir -p "$DATA" dev/recipes/toy
        echo old >"$DATA/value"
        objects "$@" >objects.json
        "${START[@]}" --objects objects.json
        wait_for 20 is_ready 2
        ln -sfn "$ROOT/lua" dev/lua
        MK=("$MOONKEEP" --dev dev)
        TARGET=pod://m/db-0
        cat >dev/recipes/toy/restore.lua <<'LUA'
local failure = require "failure"
local swap = require "swap"
local task = require "task"

return recipe {
  summary = "Replace a directory's content",
  params = {
    target = { "target", default = "local:", help = "where" },
    dir = { "path", required = true, help = "the data" },
    service = { "service", required = true, help = "what to stop" },
    fail = { "boolean", default = false, help = "fail when all is done" },
    hang = { "boolean", default = false, help = "hang when the data is exchanged" },
  },
  steps = { { "look", "Look" }, { "prepare", "Make the place" }, { "stop", "Stop the service" },
    { "exchange", "Exchange the data", plan = function() return {} end }, { "start", "Start the service" } },
  example = "moonkeep run toy.restore --dir /tmp/data",
  run = function(ctx, p)
    local place = swap.new(p.target, p.dir, ctx.run)
    local ran = ctx:step("look", function()
      return { running = p.service:is_running(p.target) }
    end)
    ctx:confirm("Replace it?")
    ctx:compensate("remove what is staged", {}, function()
      place:undo()
    end)
    ctx:step("prepare", function()
      place:prepare({ service = p.service:plain(), was_running = ran.running }, 4096)
      place:restage()
      p.target:write(place:staging() .. "/value", "new\n")
    end)
    ctx:compensate("put it back", {}, function()
      p.service:halt_surely(p.target, "put it back")
      place:undo()
      if ran.running then
        p.service:launch(p.target, "it ran before")
      end
    end)
    ctx:step("stop", function()
      p.service:halt(p.target, "its data is replaced")
    end)
    ctx:step("exchange", function()
      place:exchange()
      if p.hang then
        task.sleep(60000)
      end
    end)
    ctx:step("start", function()
      p.service:launch(p.target, "its data is replaced")
      if p.fail then
        failure.raise("unverified", "it is not as it should be")
      end
      place:finish(false)
    end)
  end,
}
LUA
}

is_ready() {
        [ "$(kubectl -n m get statefulset db -o jsonpath='{.status.readyReplicas}')" = "$1" ]
}

restore() {
        "${MK[@]}" run toy.restore --target "$TARGET" --dir "$DATA" --service workload --yes "$@"
}

# as_before: two replicas, ready; nothing noted; no helper pod.
as_before() {
        check_equal "$(kubectl -n m get statefulset db -o jsonpath='{.spec.replicas}')" 2
        check_equal "$(kubectl -n m get statefulset db -o jsonpath='{.metadata.annotations.moonkeep\.dev/undo}')" ""
        wait_for 20 no_helper
        check is_ready 2
        check_not test -e "$DATA/.moonkeep-swap"
}

no_helper() {
        [ -z "$(kubectl -n m get pods -l moonkeep.dev/run -o name)" ]
}
