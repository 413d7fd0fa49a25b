--- Which pod, and which container of it; and in what state a pod is.

local failure = require "failure"

local choose = {}

local DEFAULT = "kubectl.kubernetes.io/default-container"

--- States in which a container waits for something that will not come by itself.
local STUCK = { CrashLoopBackOff = true, ImagePullBackOff = true, ErrImagePull = true, ErrImageNeverPull = true,
  InvalidImageName = true, CreateContainerConfigError = true, CreateContainerError = true,
  RunContainerError = true, StartError = true, RegistryUnavailable = true, ImageInspectError = true }

--- The status of a container, or nil.
function choose.status(pod, container)
  for _, field in ipairs { "containerStatuses", "initContainerStatuses" } do
    for _, status in ipairs(pod.status and pod.status[field] or {}) do
      if status.name == container then
        return status
      end
    end
  end
  return nil
end

--- The image of a container, as exactly as the node knows it.
--- @param container table its part of the spec
function choose.image(pod, container)
  local status = choose.status(pod, container.name)
  local id = status and status.imageID or ""
  return id ~= "" and id or container.image
end

--- Does the container run?
function choose.runs(pod, container)
  local status = choose.status(pod, container)
  return status ~= nil and status.state ~= nil and status.state.running ~= nil
end

--- Is the pod being deleted, and have its containers ended?  Its object may stay for long.
function choose.has_ended(pod)
  if pod.metadata.deletionTimestamp == nil then
    return false
  end
  local statuses = pod.status and pod.status.containerStatuses or {}
  for _, status in ipairs(statuses) do
    if not (status.state and status.state.terminated) then
      return false
    end
  end
  return #statuses == #pod.spec.containers
end

--- Why a container waits or has ended: reason, message; nil when neither is so.
local function trouble(status)
  local state = status and status.state or {}
  local cause = state.waiting or state.terminated
  if cause == nil then
    return nil
  end
  local text = cause.message or (cause.exitCode and "exit status " .. cause.exitCode)
  if state.waiting and state.waiting.reason == "CrashLoopBackOff" and status.lastState
    and status.lastState.terminated then
    local last = status.lastState.terminated
    text = ("restarted %s times, it ended with status %s"):format(tostring(status.restartCount),
      tostring(last.exitCode))
  end
  return cause.reason or (state.terminated and "ended" or "waiting"), text
end

--- Will the container not come to run without somebody's help?
--- @return boolean, string|nil reason, string|nil message
function choose.is_stuck(pod, container)
  local status = choose.status(pod, container)
  local reason, message = trouble(status)
  local phase = pod.status and pod.status.phase
  if phase == "Failed" or phase == "Succeeded" then
    return true, pod.status.reason or reason or phase, pod.status.message or message
  elseif reason and (STUCK[reason] or (status.state.terminated and (pod.spec or {}).restartPolicy == "Never")) then
    return true, reason, message
  end
  for _, condition in ipairs(pod.status and pod.status.conditions or {}) do
    if condition.type == "PodScheduled" and condition.status == "False" then
      return condition.reason == "Unschedulable", condition.reason, condition.message
    end
  end
  return false, reason, message
end

--- A pod's state for people: "running, ready", "pending: ImagePullBackOff (...)".
function choose.state(pod)
  local status = pod.status or {}
  local phase = (status.phase or "unknown"):lower()
  if pod.metadata.deletionTimestamp then
    return "being deleted"
  end
  for _, container in ipairs((pod.spec or {}).containers or {}) do
    local _, reason, message = choose.is_stuck(pod, container.name)
    if reason then
      -- The phase of a pod whose container keeps ending is "Running".
      return ("%snot ready: %s%s"):format(phase ~= "running" and phase .. ", " or "", reason,
        message and " (" .. message:sub(1, 200) .. ")" or "")
    end
  end
  for _, condition in ipairs(status.conditions or {}) do
    if condition.type == "Ready" then
      return phase .. (condition.status == "True" and ", ready"
        or ", not ready" .. (condition.message and ": " .. condition.message:sub(1, 200) or ""))
    end
  end
  return phase
end

--- Is the pod ready?
function choose.is_ready(pod)
  for _, condition in ipairs(pod.status and pod.status.conditions or {}) do
    if condition.type == "Ready" then
      return condition.status == "True" and pod.metadata.deletionTimestamp == nil
    end
  end
  return false
end

--- The pods as lines for an error: "prometheus-0 (running, ready)".
local function listed(pods)
  local lines = {}
  for index, pod in ipairs(pods) do
    lines[index] = ("%s (%s)"):format(pod.metadata.name, choose.state(pod))
  end
  return table.concat(lines, ", ")
end

--- The number behind a StatefulSet's pod's name, or nil.
function choose.ordinal(name)
  return math.tointeger(tonumber(name:match("%-(%d+)$")))
end

--- One of several pods.
--- @param pods table list of pods
--- @param where table of address.parse
--- @param what string what they are of, for messages
--- @return table|nil the pod; nil when there is none
function choose.among(pods, where, what)
  local sorted, leaving = {}, {}
  for _, pod in ipairs(pods) do
    local phase = pod.status and pod.status.phase
    local ended = where.kind ~= "pod" and (phase == "Succeeded" or phase == "Failed")
    local list = (pod.metadata.deletionTimestamp or ended) and leaving or sorted
    list[#list + 1] = pod
  end
  if #sorted == 0 then
    sorted = leaving
  end
  table.sort(sorted, function(a, b)
    local left, right = a.metadata.name, b.metadata.name
    if where.kind == "statefulset" then
      local one, other = choose.ordinal(left) or 0, choose.ordinal(right) or 0
      if one ~= other then
        return one < other
      end
    end
    return left < right
  end)
  if where.replica then
    if where.kind == "statefulset" then
      for _, pod in ipairs(sorted) do
        if choose.ordinal(pod.metadata.name) == where.replica then
          return pod
        end
      end
      return nil
    elseif #sorted > 0 and sorted[where.replica + 1] == nil then
      failure.raise("not_found", ("%s has no replica %d: there are %s"):format(what, where.replica, listed(sorted)))
    end
    return sorted[where.replica + 1]
  elseif #sorted > 1 then
    failure.raise("usage", ("%s has %d pods: %s"):format(what, #sorted, listed(sorted)),
      { hint = "say which: replica=0, or the pod's own name" })
  end
  return sorted[1]
end

--- The container to act in: as asked, the only one, or the pod's default.
--- @param pod table {metadata, spec}, also a workload's template
--- @param wanted string|nil
--- @param what string for messages
--- @return table its part of the spec
function choose.container(pod, wanted, what)
  local containers = pod.spec.containers
  local annotations = (pod.metadata or {}).annotations or {}
  local name = wanted or annotations[DEFAULT]
  if name == nil and #containers == 1 then
    return containers[1]
  end
  local names = {}
  for index, container in ipairs(containers) do
    if container.name == name then
      return container
    end
    names[index] = container.name
  end
  if wanted then
    failure.raise("not_found", ("%s has no container \"%s\": %s"):format(what, wanted,
      #names == 1 and "there is " .. names[1] or "there are " .. table.concat(names, ", ")))
  end
  failure.raise("usage", ("%s has the containers %s"):format(what, table.concat(names, ", ")),
    { hint = "say which one: container=" .. names[1] })
end

return choose
