--- Workloads: scaled, restarted, rolled out.

local json = require "json"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()

local test = {}

local APPS = "/apis/apps/v1/namespaces/default/"
local DEPLOY, STS, DS = APPS .. "deployments", APPS .. "statefulsets", APPS .. "daemonsets"
local PODS = "GET /api/v1/namespaces/default/pods"
local EVENTS = "GET /api/v1/namespaces/default/events"

local function scale_of(replicas, version)
  return { kind = "Scale", spec = { replicas = replicas }, metadata = { resourceVersion = version } }
end

test["scaling returns how many there were, and changes only what was read"] = function(t)
  local sent = {}
  local function keep(request)
    sent[#sent + 1] = json.decode(request.body)
  end
  local cluster, played = script.open { { "GET " .. DEPLOY .. "/d/scale", body = scale_of(3, "7") },
    { "PATCH " .. DEPLOY .. "/d/scale", status = 409, body = script.status(409, "Conflict", "modified"), check = keep },
    { "GET " .. DEPLOY .. "/d/scale", body = scale_of(4, "8") },
    { "PATCH " .. DEPLOY .. "/d/scale", check = keep } }
  t.equal(cluster:scale("deploy", "d", 0), 4)
  t.equal(sent[2], { spec = { replicas = 0 }, metadata = { resourceVersion = "8" } })
  t.equal(sent[1].metadata.resourceVersion, "7")
  played()
end

test["a scale without a count is 0"] = function(t)
  local cluster = script.open { { "GET " .. STS .. "/s/scale", body = { spec = {}, metadata = {} } },
    { "PATCH " .. STS .. "/s/scale" } }
  t.equal(cluster:scale("sts", "s", 2), 0)
end

test["an annotation goes with the scaling, in one patch"] = function(t)
  local sent
  local cluster, played = script.open { { "GET " .. STS .. "/s", body = { spec = {}, metadata = {
    resourceVersion = "7" } } }, { "PATCH " .. STS .. "/s", check = function(request) sent = request.body end } }
  t.equal(cluster:scale("sts", "s", 0, { annotations = { ["moonkeep.dev/undo"] = "1", old = json.null } }), 1)
  t.equal(sent, '{"metadata":{"annotations":{"moonkeep.dev/undo":"1","old":null},"resourceVersion":"7"},'
    .. '"spec":{"replicas":0}}')
  played()
end

test["what cannot be scaled is told"] = function(t)
  local cluster = script.open {}
  t.raises("unsupported", "pods have no number of replicas", cluster.scale, cluster, "pod", "x", 1)
  t.raises("unsupported", "daemonsets.apps cannot be scaled and annotated", cluster.scale, cluster, "ds", "x", 1,
    { annotations = {} })
  for _, bad in ipairs { -1, 1.5, "1" } do
    t.raises("recipe", "is no number of replicas", cluster.scale, cluster, "deploy", "d", bad)
  end
  cluster = script.open { { "GET " .. DEPLOY .. "/d/scale", status = 404,
    body = script.status(404, "NotFound", "no d", { name = "d" }) } }
  t.raises("not_found", "cannot get scale of deployment.apps \"d\"", cluster.scale, cluster, "deploy", "d", 1)
end

test["a restart marks the template; what is paused or has none is refused"] = function(t)
  local cluster, played = script.open { { "GET " .. DS .. "/d", body = { spec = {} } },
    { "PATCH " .. DS .. "/d", check = function(request)
      t.contains(request.body, '{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"20')
    end }, { "GET " .. DEPLOY .. "/d", body = { spec = { paused = true } } } }
  cluster:restart("ds", "d")
  t.raises("refused", "is paused", cluster.restart, cluster, "deploy", "d")
  t.raises("unsupported", "pods cannot be restarted", cluster.restart, cluster, "pod", "x")
  played()
end

local function workload(kind, version, spec, status, generation)
  spec.selector = { matchLabels = { app = "x" } }
  return { apiVersion = "apps/v1", kind = kind, spec = spec, status = status, metadata = { name = "x",
    namespace = "default", uid = "w", resourceVersion = version, generation = generation or 1, annotations = {
      ["deployment.kubernetes.io/revision"] = "2" } } }
end

--- The judge of a kind on one object: done, why not.
local function judged(kind, spec, status, generation)
  local cluster = script.open {}
  return require("kube.progress").judge(cluster:resource(kind))(workload(kind, "1", spec, status, generation))
end

test["a deployment is done when its new replicas are there and the old are gone"] = function(t)
  local function status(replicas, updated, available)
    return { observedGeneration = 1, replicas = replicas, updatedReplicas = updated, availableReplicas = available }
  end
  t.equal({ judged("deploy", { replicas = 3 }, status(3, 3, 3), 2) },
    { false, "its controller has not seen the change yet" })
  t.equal({ judged("deploy", { replicas = 3 }, status(4, 2, 2)) }, { false, "2 of 3 replicas are updated" })
  t.equal({ judged("deploy", { replicas = 3 }, status(5, 3, 3)) }, { false, "2 old replicas still end" })
  t.equal({ judged("deploy", { replicas = 3 }, status(3, 3, 1)) }, { false, "1 of 3 replicas are available" })
  t.equal((judged("deploy", { replicas = 3 }, status(3, 3, 3))), true)
  t.equal((judged("deploy", { replicas = 0 }, { observedGeneration = 1 })), true)
  t.equal((judged("deploy", {}, { observedGeneration = 1 })), false)
  t.raises("timeout", "no progress within its own deadline: too slow", judged, "deploy", { replicas = 1 },
    { observedGeneration = 1, conditions = { { type = "Progressing", status = "False",
      reason = "ProgressDeadlineExceeded", message = "too slow" } } })
end

test["a statefulset is done when its pods are ready and of the revision that is wanted"] = function(t)
  local function status(ready, updated, current, update)
    return { observedGeneration = 1, readyReplicas = ready, updatedReplicas = updated, currentRevision = current,
      updateRevision = update }
  end
  local rolling = { type = "RollingUpdate" }
  t.equal({ judged("sts", { replicas = 3, updateStrategy = rolling }, status(2, 3, "a", "a")) },
    { false, "2 of 3 pods are ready" })
  t.equal({ judged("sts", { replicas = 3, updateStrategy = rolling }, status(3, 1, "a", "b")) },
    { false, "1 of 3 pods are of the new revision" })
  t.equal((judged("sts", { replicas = 3, updateStrategy = rolling }, status(3, 3, "b", "b"))), true)
  local partition = { type = "RollingUpdate", rollingUpdate = { partition = 2 } }
  t.equal({ judged("sts", { replicas = 3, updateStrategy = partition }, status(3, 0, "a", "b")) },
    { false, "0 of 1 pods above partition 2 are updated" })
  t.equal((judged("sts", { replicas = 3, updateStrategy = partition }, status(3, 1, "a", "b"))), true)
  t.equal((judged("sts", { replicas = 3, updateStrategy = { type = "OnDelete" } }, status(3, 0, "a", "b"))), true)
end

test["a daemonset is done when each node has its pod"] = function(t)
  local function status(want, updated, available)
    return { observedGeneration = 1, desiredNumberScheduled = want, updatedNumberScheduled = updated,
      numberAvailable = available }
  end
  local rolling = { updateStrategy = { type = "RollingUpdate" } }
  t.equal({ judged("ds", rolling, status(3, 2, 3)) }, { false, "2 of 3 pods are updated" })
  t.equal({ judged("ds", rolling, status(3, 3, 2)) }, { false, "2 of 3 pods are available" })
  t.equal((judged("ds", rolling, status(3, 3, 3))), true)
  t.equal((judged("ds", { updateStrategy = { type = "OnDelete" } }, status(3, 0, 3))), true)
end

local function waiting_pod(name, owner, reason, message)
  return { metadata = { name = name, namespace = "default", uid = name, ownerReferences = { { uid = owner } } },
    status = { containerStatuses = { { name = "main", state = { waiting = { reason = reason, message = message } },
      lastState = { terminated = { exitCode = 3, reason = "Error" } } } } } }
end

local function listed(line, ...)
  return { line, body = { items = json.array { ... }, metadata = { resourceVersion = "5" } } }
end

--- The steps of a rollout that does not finish, with these pods.
local function unfinished(...)
  local it = workload("Deployment", "1", { replicas = 1 }, { observedGeneration = 1 })
  return { { "GET " .. DEPLOY .. "/x", body = it }, listed("GET " .. DEPLOY, it),
    { "FOLLOW " .. DEPLOY, lines = { "waiting", "waiting" } },
    listed("GET " .. APPS .. "replicasets", { metadata = { uid = "old", name = "x-old", ownerReferences = {
      { uid = "w" } }, annotations = { ["deployment.kubernetes.io/revision"] = "1" } } },
      { metadata = { uid = "new", name = "x-new", ownerReferences = { { uid = "w" } },
        annotations = { ["deployment.kubernetes.io/revision"] = "2" } } }),
    listed(PODS, ...) }
end

test["a pod that cannot start ends the wait at once, with its reason"] = function(t)
  local cluster = script.open(unfinished(waiting_pod("p", "new", "ErrImageNeverPull", "image is not there")))
  local e = t.raises("timeout", "deployment.apps \"x\" in namespace \"default\" does not come up (context \"script\"): "
    .. "pod \"p\", container \"main\": ErrImageNeverPull (image is not there)", cluster.rollout_status, cluster,
    "deploy", "x")
  t.contains(e.message, "0 of 1 replicas are updated")
  t.contains(e.hint, "kubectl -n default describe pod p")
end

test["trouble that may pass has its time"] = function(t)
  for reason, hint in pairs { CrashLoopBackOff = "logs p -c main --previous", ImagePullBackOff = "describe pod p" } do
    local cluster = script.open(unfinished(waiting_pod("p", "new", reason, "since long")))
    local e = t.raises("timeout", reason, cluster.rollout_status, cluster, "deploy", "x", { patience_ms = 0 })
    t.contains(e.message, "ended with status 3")
    t.contains(e.hint, hint)
  end
  local nowhere = { metadata = { name = "p", namespace = "default", uid = "p", ownerReferences = { { uid = "new" } } },
    status = { phase = "Pending", conditions = { { type = "PodScheduled", status = "False", reason = "Unschedulable",
      message = "0/1 nodes are available" } } } }
  local cluster = script.open(unfinished(nowhere))
  t.raises("timeout", "pod \"p\" finds no node: 0/1 nodes are available", cluster.rollout_status, cluster, "deploy",
    "x", { patience_ms = 0 })
end

test["pods of the revision that goes are no trouble, nor are those of others"] = function(t)
  local steps = unfinished(waiting_pod("p", "old", "ErrImageNeverPull"), waiting_pod("q", "else", "ErrImageNeverPull"))
  local done = workload("Deployment", "9", { replicas = 1 }, { observedGeneration = 1, replicas = 1,
    updatedReplicas = 1, availableReplicas = 1 })
  steps[3].lines[3] = { type = "MODIFIED", object = done }
  local cluster, played = script.open(steps)
  t.equal(cluster:rollout_status("deploy", "x", { patience_ms = 0 }).metadata.resourceVersion, "9")
  played()
end

test["a rollout that takes too long says why, with the warnings of what it is made of"] = function(t)
  local steps = unfinished(waiting_pod("p", "new", "ContainerCreating"))
  table.remove(steps)
  table.remove(steps)
  steps[#steps + 1] = listed("GET " .. APPS .. "replicasets")
  steps[#steps + 1] = listed(PODS)
  steps[#steps + 1] = listed(EVENTS, { metadata = {}, type = "Warning", reason = "FailedCreate", message = "quota" })
  local cluster = script.open(steps)
  t.raises("timeout", "waited 0 s for deployment.apps \"x\" in namespace \"default\" (context \"script\") to roll out: "
    .. "0 of 1 replicas are updated; last warnings: FailedCreate: quota", cluster.rollout_status, cluster, "deploy",
    "x", { limit_ms = 0 })
end

test["what is not there does not roll out"] = function(t)
  local cluster = script.open { { "GET " .. DEPLOY .. "/x", status = 404,
    body = script.status(404, "NotFound", "no x", { name = "x" }) } }
  t.raises("not_found", "cannot get deployment.apps \"x\"", cluster.rollout_status, cluster, "deploy", "x")
  t.raises("unsupported", "pods cannot be rolled out", cluster.rollout_status, cluster, "pod", "x")
end

return test
