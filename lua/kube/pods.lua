--- The pods of a workload, and why they do not run.

local discovery = require "kube.discovery"
local failure = require "failure"
local object = require "kube.object"

local pods = {}

local PAGE = 500

--- A selector of a workload as the server takes it.
local function selector_of(selector)
  local parts = {}
  for name, value in pairs(type(selector.matchLabels) == "table" and selector.matchLabels or {}) do
    parts[#parts + 1] = ("%s=%s"):format(name, value)
  end
  for _, one in ipairs(type(selector.matchExpressions) == "table" and selector.matchExpressions or {}) do
    local values = table.concat(type(one.values) == "table" and one.values or {}, ",")
    parts[#parts + 1] = one.operator == "In" and ("%s in (%s)"):format(one.key, values)
      or one.operator == "NotIn" and ("%s notin (%s)"):format(one.key, values)
      or one.operator == "Exists" and one.key or "!" .. one.key
  end
  table.sort(parts)
  return table.concat(parts, ",")
end

local function list(cluster, typed, namespace, selector)
  local kind, found = discovery.resource(cluster, typed), {}
  local request = object.list_request(cluster, kind, { namespace = namespace, selector = selector }, "list")
  object.pages(cluster, kind, request, PAGE, function(items)
    table.move(items, 1, #items, #found + 1, found)
  end, function()
    found = {}
  end)
  return found
end

local function is_owned(item, uid)
  for _, owner in ipairs(type(item.metadata.ownerReferences) == "table" and item.metadata.ownerReferences or {}) do
    if owner.uid == uid then
      return true
    end
  end
  return false
end

local function annotation(item, name)
  return type(item.metadata.annotations) == "table" and item.metadata.annotations[name] or nil
end

local function label(item, name)
  return type(item.metadata.labels) == "table" and item.metadata.labels[name] or nil
end

local REVISION = "deployment.kubernetes.io/revision"

--- The objects between a deployment and its new pods: its newest ReplicaSet.
local function new_set(cluster, workload, selector)
  local revision = annotation(workload, REVISION)
  for _, set in ipairs(list(cluster, "replicasets.apps", workload.metadata.namespace, selector)) do
    if is_owned(set, workload.metadata.uid) and annotation(set, REVISION) == revision then
      return set
    end
  end
end

--- Is the pod of the revision that is wanted?  Old ones may fail; they are to go.
local function is_new(workload, set, pod)
  if workload.kind == "Deployment" then
    return set ~= nil and is_owned(pod, set.metadata.uid)
  elseif not is_owned(pod, workload.metadata.uid) then
    return false
  elseif workload.kind == "StatefulSet" then
    local revision = type(workload.status) == "table" and workload.status.updateRevision
    return not revision or label(pod, "controller-revision-hash") == revision
  end
  local generation = annotation(workload, "deprecated.daemonset.template.generation")
  return generation == nil or label(pod, "pod-template-generation") == generation
end

--- The new pods of a workload, and its newest ReplicaSet where it has them.
local function new_pods(cluster, workload)
  local selector = selector_of(type(workload.spec.selector) == "table" and workload.spec.selector or {})
  local set = workload.kind == "Deployment" and new_set(cluster, workload, selector) or nil
  local found = {}
  for _, pod in ipairs(list(cluster, "pods/v1", workload.metadata.namespace, selector)) do
    if is_new(workload, set, pod) and pod.metadata.deletionTimestamp == nil then
      found[#found + 1] = pod
    end
  end
  return found, set
end

--- Why a container waits; true: this does not pass.
local WAITS = {
  ErrImagePull = false, ImagePullBackOff = false, RegistryUnavailable = false, CrashLoopBackOff = false,
  CreateContainerConfigError = false, CreateContainerError = false, RunContainerError = false,
  InvalidImageName = true, ErrImageNeverPull = true, ImageInspectError = false,
}

local function one_line(text)
  return (tostring(text):gsub("%s+", " "):sub(1, 300))
end

local NOT_STARTED = { StartError = true, ContainerCannotRun = true }

--- How the container ended before, for one that is started again and again.
local function last_end(status)
  local ended = type(status.lastState) == "table" and status.lastState.terminated
  if type(ended) ~= "table" then
    return ""
  end
  -- Of a container that did not start the message is the runtime's, else its own words.
  local why = NOT_STARTED[ended.reason] and ended.message
  return (", it ended with status %s%s"):format(tostring(ended.exitCode), ended.reason and ended.reason ~= "Error"
    and (" (%s%s)"):format(ended.reason, why and ": " .. one_line(why) or "") or "")
end

local function container_trouble(pod, status)
  local waiting = type(status.state) == "table" and status.state.waiting
  local reason = type(waiting) == "table" and waiting.reason
  if not reason or WAITS[reason] == nil then
    return nil
  end
  return { pod = pod, container = status.name, reason = reason, final = WAITS[reason],
    text = ("pod \"%s\", container \"%s\": %s%s%s"):format(pod.metadata.name, status.name, reason,
      waiting.message and (" (%s)"):format(one_line(waiting.message)) or "", last_end(status)) }
end

--- Why a pod does not run: {pod, reason, text, final (it will not pass), container}, or nil.
function pods.trouble(pod)
  local status = type(pod.status) == "table" and pod.status or {}
  for _, list_name in ipairs { "initContainerStatuses", "containerStatuses" } do
    for _, container in ipairs(type(status[list_name]) == "table" and status[list_name] or {}) do
      local found = container_trouble(pod, container)
      if found then
        return found
      end
    end
  end
  for _, condition in ipairs(type(status.conditions) == "table" and status.conditions or {}) do
    if condition.type == "PodScheduled" and condition.status == "False" and condition.reason == "Unschedulable" then
      return { pod = pod, reason = "Unschedulable", final = false,
        text = ("pod \"%s\" finds no node: %s"):format(pod.metadata.name, one_line(condition.message or "")) }
    end
  end
  if status.phase == "Failed" then
    return { pod = pod, reason = "Failed", final = false, text = ("pod \"%s\" failed%s%s"):format(pod.metadata.name,
      status.reason and ": " .. status.reason or "", status.message and ": " .. one_line(status.message) or "") }
  end
end

--- The same as far as the user may see them: they only tell more than is known.
local function visible_pods(cluster, workload)
  local ok, found, set = pcall(new_pods, cluster, workload)
  if not ok and failure.is(found, "cancelled") then
    error(found, 0)
  end
  return ok and found or {}, ok and set or nil
end

--- The troubles of a workload's new pods.
function pods.troubles(cluster, workload)
  local troubles = {}
  for _, pod in ipairs((visible_pods(cluster, workload))) do
    troubles[#troubles + 1] = pods.trouble(pod)
  end
  return troubles
end

--- The objects whose warnings tell why a workload does not get on.
function pods.suspects(cluster, workload)
  local found, set = visible_pods(cluster, workload)
  local suspects = { workload, set }
  for _, pod in ipairs(found) do
    if pods.trouble(pod) and #suspects < 5 then
      suspects[#suspects + 1] = pod
    end
  end
  return suspects
end

--- What a user can look at, for a trouble.
function pods.hint(trouble)
  local pod = trouble.pod.metadata
  if trouble.reason == "CrashLoopBackOff" then
    return ("its last words: kubectl -n %s logs %s -c %s --previous"):format(pod.namespace, pod.name, trouble.container)
  end
  return ("kubectl -n %s describe pod %s"):format(pod.namespace, pod.name)
end

return pods
