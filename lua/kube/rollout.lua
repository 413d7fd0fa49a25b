--- Workloads: scaled, restarted, and followed until what was wanted runs.

local change = require "kube.change"
local client = require "kube.client"
local clock = require "clock"
local discovery = require "kube.discovery"
local effect = require "effect"
local failure = require "failure"
local object = require "kube.object"
local options = require "kube.options"
local pods = require "kube.pods"
local progress = require "kube.progress"
local task = require "task"
local wait = require "kube.wait"
local write = require "kube.write"

local rollout = {}

--- How often a change is tried that others' changes come before.
local TRIES = 8

--- Without a change of the workload for so long, it is given up: what controllers
--- take for the time of a step, and half as much again.
local STALL_MS = 900000

--- How often the pods of an unfinished rollout are looked at.
local LOOK_MS = 2000

--- How long a pod may be in trouble, since that can pass.
local PATIENCE_MS = 30000

--- Kinds whose own spec.replicas counts, so that other fields can change with it.
local REPLICAS = { ["deployment.apps"] = true, ["statefulset.apps"] = true, ["replicaset.apps"] = true,
  replicationcontroller = true }

local function is_stale(e)
  return failure.is(e) and e.http == 409
end

--- Read, and patch what was read and nothing newer: fn() tries once.
local function until_unchanged(cluster, fn)
  for try = 1, TRIES do
    local results = table.pack(pcall(fn))
    if results[1] then
      return table.unpack(results, 2, results.n)
    elseif not is_stale(results[2]) or try == TRIES then
      error(results[2], 0)
    end
    task.sleep(cluster.pace.first_ms // 4 * try)
  end
end

local function read(cluster, kind, namespace, name, subresource)
  local request = object.request(cluster, "get", kind, namespace, name, subresource)
  request.method = "GET"
  request.refused = nil
  return client.call(cluster, request)
end

local function replicas_of(cluster, kind, item)
  local spec = type(item.spec) == "table" and item.spec or {}
  -- A Scale leaves out a count of 0.
  local count = spec.replicas == nil and 0 or math.tointeger(spec.replicas)
  if count == nil then
    failure.raise("protocol", ("the scale of %s says no number of replicas (context \"%s\")"):format(
      kind:many(), cluster.about.context))
  end
  return count
end

--- Set the number of replicas.
--- @return integer how many there were
function rollout.scale(cluster, typed, name, replicas, given)
  local opts = options.check("kube scale", given, { namespace = "string", why = "string", annotations = "table" })
  if math.type(replicas) ~= "integer" or replicas < 0 then
    failure.raise("recipe", ("%s is no number of replicas"):format(tostring(replicas)))
  end
  local kind = discovery.resource(cluster, typed)
  local namespace = options.namespace(cluster, kind, opts.namespace)
  if opts.annotations and not REPLICAS[kind:one()] then
    failure.raise("unsupported", ("%s cannot be scaled and annotated at once"):format(kind:many()))
  elseif not opts.annotations and next(kind.subresources) and not kind.subresources.scale then
    failure.raise("unsupported", ("%s have no number of replicas"):format(kind:many()))
  end
  if change.is_planned(cluster, kind, namespace, name) then
    change.list(cluster, "scale", ("%s to %d"):format(kind:named(namespace, name), replicas), opts.why)
    return replicas
  end
  local subresource = not opts.annotations and "scale" or nil
  return until_unchanged(cluster, function()
    local item = read(cluster, kind, namespace, name, subresource)
    local before = opts.annotations and item.spec.replicas == nil and 1 or replicas_of(cluster, kind, item)
    local doing = { verb = "scale", said = ("%s from %d to %d"):format(kind:named(namespace, name), before, replicas) }
    write.patch(cluster, kind:typed(), name, { spec = { replicas = replicas },
      metadata = { resourceVersion = item.metadata.resourceVersion, annotations = opts.annotations } },
      { namespace = namespace, subresource = subresource, why = opts.why }, doing)
    return before
  end)
end

local TEMPLATES = { ["deployment.apps"] = true, ["statefulset.apps"] = true, ["daemonset.apps"] = true }

local function template_kind(cluster, typed, what)
  local kind = discovery.resource(cluster, typed)
  if not TEMPLATES[kind:one()] then
    failure.raise("unsupported", ("%s cannot be %s: deployments, statefulsets and daemonsets can"):format(
      kind:many(), what))
  end
  return kind
end

--- Replace the pods of a workload by new ones.
function rollout.restart(cluster, typed, name, given)
  local opts = options.check("kube restart", given, { namespace = "string", why = "string" })
  local kind = template_kind(cluster, typed, "restarted")
  local namespace = options.namespace(cluster, kind, opts.namespace)
  if change.is_planned(cluster, kind, namespace, name) then
    change.list(cluster, "restart", kind:named(namespace, name), opts.why)
    return
  end
  local item = read(cluster, kind, namespace, name)
  if item.spec.paused == true then
    failure.raise("refused", ("%s is paused, and would not restart (context \"%s\")"):format(
      kind:named(namespace, name), cluster.about.context), { hint = "`kubectl rollout resume` lets it go on" })
  end
  write.patch(cluster, kind:typed(), name, { spec = { template = { metadata = { annotations = {
    ["kubectl.kubernetes.io/restartedAt"] = clock.iso(clock.now()) } } } } },
    { namespace = namespace, why = opts.why }, { verb = "restart", said = kind:named(namespace, name) })
end

--- An idle function that ends the wait when pods will not run, and says why.
local function look_after(cluster, kind, namespace, name, patience_ms)
  local looked, troubles = 0, {}
  return function(waiting)
    local now = clock.mono()
    if waiting.item == nil or now - looked < LOOK_MS then
      return false
    end
    looked = now
    local still = {}
    for _, trouble in ipairs(pods.troubles(cluster, waiting.item)) do
      local key = trouble.pod.metadata.uid .. trouble.reason
      still[key] = troubles[key] or now
      if trouble.final or now - still[key] >= patience_ms then
        failure.raise("timeout", ("%s does not come up (context \"%s\"): %s; %s"):format(
          kind:named(namespace, name), cluster.about.context, trouble.text, waiting.why or ""),
          { hint = pods.hint(trouble) })
      end
    end
    troubles = still
    return false
  end
end

--- Wait until a workload has rolled out.
function rollout.status(cluster, typed, name, given)
  local opts = options.check("kube rollout_status", given, { namespace = "string", limit_ms = "integer",
    stall_ms = "integer", patience_ms = "integer" })
  local kind = template_kind(cluster, typed, "rolled out")
  local namespace = options.namespace(cluster, kind, opts.namespace)
  if effect.planning() then
    return nil
  end
  -- What is not there will not roll out.
  local item = read(cluster, kind, namespace, name)
  local judge = progress.judge(kind)
  return wait.run(cluster, kind, name, { namespace = namespace, limit_ms = opts.limit_ms,
    stall_ms = opts.stall_ms or STALL_MS, judge = judge, what = "to roll out",
    idle = look_after(cluster, kind, namespace, name, opts.patience_ms or PATIENCE_MS),
    abouts = function()
      return pods.suspects(cluster, item)
    end })
end

return rollout
