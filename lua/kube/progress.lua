--- How far a workload has rolled out, as its controller counts it.

local failure = require "failure"

local progress = {}

local function count(value)
  return math.tointeger(value) or 0
end

local function is_observed(item)
  return count(item.status.observedGeneration) >= count(item.metadata.generation)
end

local function unfinished(have, want, what)
  return have < want, ("%d of %d %s"):format(have, want, what)
end

local judges = {}

judges["deployment.apps"] = function(item)
  local status = item.status
  for _, condition in ipairs(type(status.conditions) == "table" and status.conditions or {}) do
    if condition.type == "Progressing" and condition.reason == "ProgressDeadlineExceeded" then
      failure.raise("timeout", ("deployment.apps \"%s\" in namespace \"%s\" made no progress within its own "
        .. "deadline: %s"):format(item.metadata.name, item.metadata.namespace, tostring(condition.message)))
    end
  end
  local want = item.spec.replicas == nil and 1 or count(item.spec.replicas)
  local updated = count(status.updatedReplicas)
  local is_short, why = unfinished(updated, want, "replicas are updated")
  if is_short then
    return false, why
  elseif count(status.replicas) > updated then
    return false, ("%d old replicas still end"):format(count(status.replicas) - updated)
  end
  is_short, why = unfinished(count(status.availableReplicas), updated, "replicas are available")
  return not is_short, why
end

judges["daemonset.apps"] = function(item)
  local status = item.status
  local want = count(status.desiredNumberScheduled)
  local is_short, why = false, nil
  if not (item.spec.updateStrategy and item.spec.updateStrategy.type == "OnDelete") then
    is_short, why = unfinished(count(status.updatedNumberScheduled), want, "pods are updated")
  end
  if not is_short then
    is_short, why = unfinished(count(status.numberAvailable), want, "pods are available")
  end
  return not is_short, why
end

judges["statefulset.apps"] = function(item)
  local spec, status = item.spec, item.status
  local want = spec.replicas == nil and 1 or count(spec.replicas)
  local strategy = type(spec.updateStrategy) == "table" and spec.updateStrategy or {}
  local is_short, why = unfinished(count(status.readyReplicas), want, "pods are ready")
  if is_short then
    return false, why
  elseif strategy.type == "OnDelete" then
    -- Pods become new when somebody deletes them: nothing more comes by itself.
    return true
  end
  local partition = type(strategy.rollingUpdate) == "table" and count(strategy.rollingUpdate.partition) or 0
  if partition > 0 then
    is_short, why = unfinished(count(status.updatedReplicas), math.max(want - partition, 0),
      ("pods above partition %d are updated"):format(partition))
    return not is_short, why
  elseif status.updateRevision ~= status.currentRevision then
    return false, ("%d of %d pods are of the new revision"):format(count(status.updatedReplicas), want)
  end
  return true
end

--- The judge of a kind: function(object) -> boolean, why not.  It raises when a
--- deployment says itself that it does not get on.
--- @param kind table of kube.discovery: deployments, statefulsets, daemonsets of apps
function progress.judge(kind)
  local judge = judges[kind:one()]
  return function(item)
    if type(item.status) ~= "table" or type(item.spec) ~= "table" or not is_observed(item) then
      return false, "its controller has not seen the change yet"
    end
    return judge(item)
  end
end

return progress
