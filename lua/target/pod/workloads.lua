--- Pods and the workloads that they are of.

local absent = require "target.pod.absent"
local choose = require "target.pod.choose"
local failure = require "failure"
local json = require "json"

local workloads = {}

--- The annotation of a workload that a run has scaled to 0: how it was.
workloads.UNDO = "moonkeep.dev/undo"

local KINDS = { StatefulSet = "statefulset", Deployment = "deployment", ReplicaSet = "replicaset",
  DaemonSet = "daemonset" }

--- How kube names a kind: "statefulset" for "StatefulSet"; with its group for others.
function workloads.kind(owner)
  local group = owner.apiVersion:match("^(.*)/[^/]*$")
  return KINDS[owner.kind] or (group and ("%s.%s"):format(owner.kind:lower(), group) or owner.kind:lower())
end

--- The owner that controls an object: its ownerReference, or nil.
function workloads.controller(object)
  for _, owner in ipairs(object.metadata.ownerReferences or {}) do
    if owner.controller then
      return { apiVersion = owner.apiVersion, kind = owner.kind, name = owner.name, uid = owner.uid }
    end
  end
  return nil
end

--- The workload of a pod, {apiVersion, kind, name, uid}: its controller, of a
--- ReplicaSet the Deployment; a pod without is its own.
function workloads.of_pod(cluster, pod)
  local owner = workloads.controller(pod)
  if owner and owner.kind == "ReplicaSet" then
    -- Without the right to look, it stays the ReplicaSet.
    local ok, set = pcall(cluster.get, cluster, "replicaset", owner.name, { namespace = pod.metadata.namespace })
    if not ok and not failure.is(set, "permission") then
      error(set, 0)
    end
    owner = ok and set and workloads.controller(set) or owner
  end
  return owner or { apiVersion = "v1", kind = "Pod", name = pod.metadata.name, uid = pod.metadata.uid }
end

--- A label selector as text.
--- @param selector table matchLabels, matchExpressions
function workloads.selector(selector)
  local parts = {}
  for name, value in pairs(selector.matchLabels or {}) do
    parts[#parts + 1] = name .. "=" .. value
  end
  for _, rule in ipairs(selector.matchExpressions or {}) do
    local values = table.concat(rule.values or {}, ",")
    parts[#parts + 1] = rule.operator == "In" and ("%s in (%s)"):format(rule.key, values)
      or rule.operator == "NotIn" and ("%s notin (%s)"):format(rule.key, values)
      or rule.operator == "Exists" and rule.key or "!" .. rule.key
  end
  table.sort(parts)
  return table.concat(parts, ",")
end

--- Those that have not ended.
local function left(pods)
  local list = {}
  for _, pod in ipairs(pods) do
    if not choose.has_ended(pod) then
      list[#list + 1] = pod
    end
  end
  return list
end

--- The pods of a workload that have not ended.
function workloads.pods(cluster, workload)
  local found = cluster:list("pod", { namespace = workload.metadata.namespace,
    selector = workloads.selector(workload.spec.selector) })
  local own = {}
  for _, pod in ipairs(left(found)) do
    local owner = workloads.controller(pod)
    -- A Deployment's pods are those of its ReplicaSets, which are named after it.
    local of = owner and (owner.uid == workload.metadata.uid or (workload.kind == "Deployment"
      and owner.kind == "ReplicaSet" and owner.name:sub(1, #workload.metadata.name + 1)
        == workload.metadata.name .. "-"))
    if of then
      own[#own + 1] = pod
    end
  end
  return own
end

--- Do labels satisfy a selector of equalities ("a=b,c")?  nil when it says more than that.
local function matches(selector, labels)
  for part in selector:gmatch("[^,]+") do
    local name, value = part:match("^%s*([%w._/-]+)%s*==?%s*([%w._-]*)%s*$")
    if name == nil then
      name = part:match("^%s*([%w._/-]+)%s*$")
      if name == nil then
        return nil
      end
    end
    if labels[name] == nil or (value ~= nil and labels[name] ~= value) then
      return false
    end
  end
  return true
end

--- The workload whose pods would have those labels, when there is just one.
local function by_template(cluster, where)
  local found = {}
  for _, kind in ipairs { "statefulset", "deployment" } do
    for _, workload in ipairs(cluster:list(kind, { namespace = where.namespace })) do
      if matches(where.selector, (workload.spec.template.metadata or {}).labels or {}) then
        workload.kind = workload.kind or (kind == "statefulset" and "StatefulSet" or "Deployment")
        workload.apiVersion = workload.apiVersion or "apps/v1"
        found[#found + 1] = workload
      end
    end
  end
  return #found == 1 and found[1] or nil
end

--- The workload that a pod's blueprint names.
local function of_blueprint(cluster, where, plan)
  local owner = plan and plan.owner
  if owner == nil or owner.kind == "Pod" then
    return nil
  end
  return cluster:get(workloads.kind(owner), owner.name, { namespace = where.namespace })
end

--- The StatefulSet that a pod of that name would be of.
local function by_name(cluster, where)
  local base, ordinal = where.name:match("^(.*)%-(%d+)$")
  if base == nil then
    return nil
  end
  local workload = cluster:get("statefulset", base, { namespace = where.namespace })
  return workload, math.tointeger(tonumber(ordinal))
end

local function find_named(cluster, where, plan)
  local pod = cluster:get("pod", where.name, { namespace = where.namespace })
  if pod and not choose.has_ended(pod) then
    return { pod = pod }
  end
  local workload, ordinal = by_name(cluster, where)
  workload = workload or of_blueprint(cluster, where, plan)
  return { workload = workload, ordinal = ordinal or 0 }
end

--- How many pods a workload has when it runs: as it says, or, where a run has scaled it to 0,
--- as that has noted; nil: nobody says.
local function replicas_of(workload)
  local count = workload.kind ~= "DaemonSet" and (math.tointeger(workload.spec.replicas) or 1)
  if count == 0 then
    local ok, undo = pcall(json.decode, (workload.metadata.annotations or {})[workloads.UNDO] or "")
    count = ok and type(undo) == "table" and math.tointeger(undo.replicas) or 0
  end
  return count and count > 0 and count or nil
end

--- What is wrong with the number of a pod that a workload does not have: "statefulset m/db has
--- 1 replica, with the number 0"; nil where it may have it.
--- @param number integer
function workloads.lacks(workload, number)
  local count = replicas_of(workload)
  local ordinals = workload.kind == "StatefulSet" and workload.spec.ordinals
  local first = type(ordinals) == "table" and math.tointeger(ordinals.start) or 0
  if count == nil or number >= first and number < first + count then
    return nil
  end
  return ("%s %s/%s has %s"):format(workloads.kind(workload), workload.metadata.namespace, workload.metadata.name,
    count == 1 and ("1 replica, with the number %d"):format(first)
      or ("%d replicas, with the numbers %d to %d"):format(count, first, first + count - 1))
end

--- Raise "not_found" for a replica that a workload does not have.  One that was seen in
--- this run stays what is meant: somebody has taken it away, and its volumes may be there.
local function check_replica(workload, where, plan)
  local name = where.replica and ("%s-%d"):format(workload.metadata.name, where.replica)
  local why = where.replica and not (plan and plan.pod == name) and workloads.lacks(workload, where.replica)
  if why then
    failure.raise("not_found", ("there is no replica %d: %s"):format(where.replica, why),
      { hint = "choose another one behind the ? of the target, or scale it first" })
  end
end

local function find_selected(cluster, where, plan)
  local pods = cluster:list("pod", { namespace = where.namespace, selector = where.selector })
  local pod = choose.among(left(pods), where, ("the selector %s in %s"):format(where.selector, where.namespace))
  if pod then
    return { pod = pod }
  end
  local workload = of_blueprint(cluster, where, plan)
  if workload == nil then
    workload = by_template(cluster, where)
    if workload then
      check_replica(workload, where, plan)
    end
  end
  return { workload = workload, ordinal = where.replica or 0 }
end

--- Find the pod that an address means, or, where it is gone, what it was of.
--- @param where table of address.parse
--- @param plan table|nil the blueprint of when it was there
--- @return table {pod, owner} or {workload, ordinal}
function workloads.find(cluster, where, plan)
  if where.kind == "pod" then
    return find_named(cluster, where, plan)
  elseif where.kind == "selector" then
    return find_selected(cluster, where, plan)
  end
  local workload = cluster:get(where.kind, where.name, { namespace = where.namespace })
  if workload == nil then
    absent.raise(cluster, where, where.kind, ("there is no %s %s in namespace %s"):format(where.kind, where.name,
      where.namespace))
  end
  local pod = choose.among(workloads.pods(cluster, workload), where,
    ("%s %s/%s"):format(where.kind, where.namespace, where.name))
  if pod then
    return { pod = pod, owner = { apiVersion = workload.apiVersion, kind = workload.kind,
      name = workload.metadata.name, uid = workload.metadata.uid } }
  end
  check_replica(workload, where, plan)
  return { workload = workload, ordinal = where.replica or 0 }
end

--- Can no second pod use a volume of a blueprint?  Without the right to look: one can.
function workloads.is_exclusive(cluster, plan)
  for _, volume in ipairs(plan.volumes) do
    local claim = volume.persistentVolumeClaim
    if claim then
      local ok, object = pcall(cluster.get, cluster, "persistentvolumeclaim", claim.claimName,
        { namespace = plan.namespace })
      for _, mode in ipairs(ok and object and object.spec.accessModes or {}) do
        if mode == "ReadWriteOncePod" then
          return true
        end
      end
    end
  end
  return false
end

--- The addresses of a pod.
function workloads.addresses(pod)
  local set = {}
  if pod.status.podIP then
    set[pod.status.podIP] = true
  end
  for _, entry in ipairs(pod.status.podIPs or {}) do
    set[entry.ip] = true
  end
  return set
end

return workloads
