--- Helper pods: a shell beside a pod that has none, or that is gone, on the same
--- volumes and with the same user.
---
--- A helper ends by itself when nothing was done in it for ten minutes, or when it
--- is a day old; it is removed at the end of the run, and by whatever run comes next
--- when its own was killed.

local choose = require "target.pod.choose"
local clock = require "clock"
local digest = require "digest"
local failure = require "failure"
local holder = require "holder"
local json = require "json"
local os_ = require "_os"
local task = require "task"

local helper = {}

helper.CONTAINER = "helper"

local RUN, FOR, HOLDER, MADE_AS = "moonkeep.dev/run", "moonkeep.dev/for", "moonkeep.dev/holder",
  "moonkeep.dev/blueprint"

local DEADLINE_S = 24 * 3600

--- How long it may take to be scheduled, to have its volumes, and to start.
local START_MS = 180000

--- What it asks of its node.
local REQUESTS = { cpu = "10m", memory = "32Mi" }

--- How long is waited without a word.
local SILENT_MS = 10000

--- Ends when there was no other process for 20 times 30 s.
local IDLE = [[
trap 'exit 0' TERM INT
idle=0
while [ "$idle" -lt 20 ]; do
  sleep 30 & wait $!
  set -- /proc/[0-9]*
  if [ "$#" -le 1 ]; then idle=$((idle + 1)); else idle=0; fi
done
]]

--- For root, so that files of others can be read and given away.
local ROOT_CAPABILITIES = { "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID" }

local function copy(from)
  local into = {}
  for name, value in pairs(from) do
    into[name] = value
  end
  return into
end

local function container_security(security)
  local root = (security.runAsUser or 0) == 0 and not security.runAsNonRoot
  return {
    allowPrivilegeEscalation = false,
    readOnlyRootFilesystem = true,
    capabilities = { drop = json.array { "ALL" }, add = root and json.array(ROOT_CAPABILITIES) or nil },
  }
end

local function pod_security(security)
  local all = copy(security)
  all.seccompProfile = all.seccompProfile or { type = "RuntimeDefault" }
  if (all.runAsUser or 0) ~= 0 then
    all.runAsNonRoot = true
  end
  return all
end

--- Where it runs: on the pod's node while the pod is there, since a volume may be
--- usable on one node only; else where the scheduler finds the volumes.
local function placement(plan, spec, beside)
  if beside and plan.node then
    spec.nodeName, spec.nodeSelector, spec.affinity = plan.node, nil, nil
  elseif plan.on_node and plan.node then
    spec.nodeSelector = nil
    spec.affinity = { nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution = {
      nodeSelectorTerms = json.array { { matchFields = json.array {
        { key = "metadata.name", operator = "In", values = json.array { plan.node } } } } } } } }
  elseif plan.on_node then
    failure.raise("unsupported", ("pod %s/%s has directories of its node as volumes, and which node that is "
      .. "is not known while it does not run"):format(plan.namespace, plan.pod),
      { hint = "begin while the pod runs" })
  end
end

--- A name for a new helper of a run: another one each time, since one that was
--- removed may stay for long.
function helper.new_name(run)
  local part = run:lower():gsub("[^a-z0-9]+", "-"):sub(1, 40):gsub("%-+$", "")
  return ("moonkeep-helper-%s-%s"):format(part, os_.random_id(5))
end

--- A text as the value of a label.
local function label(text)
  return (text:gsub("[^%w._-]", "-"):sub(1, 63):gsub("[^%w]+$", ""))
end

--- The manifest of a helper.
--- @param plan table of blueprint
--- @param options table {name, run, image, beside = true while the pod is there}
function helper.manifest(plan, options)
  local spec = copy(plan.spec)
  spec.containers = json.array { {
    name = helper.CONTAINER,
    image = options.image,
    imagePullPolicy = plan.image == options.image and plan.pull_policy == "Never" and "Never" or "IfNotPresent",
    command = json.array { "sh", "-c", IDLE },
    volumeMounts = plan.mounts,
    securityContext = container_security(plan.security),
    resources = {
      requests = REQUESTS,
      limits = { cpu = "2", memory = "256Mi" },
    },
  } }
  spec.volumes = plan.volumes
  spec.securityContext = pod_security(plan.security)
  spec.automountServiceAccountToken = false
  spec.enableServiceLinks = false
  spec.restartPolicy = "Never"
  spec.activeDeadlineSeconds = DEADLINE_S
  spec.terminationGracePeriodSeconds = 1
  placement(plan, spec, options.beside)
  local owner = plan.owner
  return {
    apiVersion = "v1", kind = "Pod",
    metadata = {
      namespace = plan.namespace,
      name = options.name,
      -- No label that a Service or a workload may select.
      labels = { [RUN] = label(options.run), [FOR] = label(plan.pod) },
      annotations = {
        [HOLDER] = json.encode(holder.me()),
        [MADE_AS] = digest.sha256(json.encode { plan, options.image }):sub(1, 16),
        -- A mesh would wait for a proxy that never ends.
        ["sidecar.istio.io/inject"] = "false", ["linkerd.io/inject"] = "disabled",
      },
      ownerReferences = owner and json.array { { apiVersion = owner.apiVersion, kind = owner.kind,
        name = owner.name, uid = owner.uid, controller = false, blockOwnerDeletion = false } } or nil,
    },
    spec = spec,
  }
end

local function no_shell(image, message)
  failure.raise("unsupported", ("the image \"%s\" has no shell: %s"):format(image, message or "it does not start"),
    { hint = "name one that has sh, tar and dd: helper=IMAGE behind the ? of the target" })
end

--- Raise what keeps a helper from starting.
--- @return string|nil what it waits for
--- @return boolean|nil true: it has no node yet
local function check_start(pod, image)
  local stuck, reason, message = choose.is_stuck(pod, helper.CONTAINER)
  if not stuck then
    return reason and ("%s%s"):format(reason, message and " (" .. message .. ")" or "")
  elseif message and message:find("executable file not found", 1, true)
    or message and message:find("no such file or directory", 1, true) then
    no_shell(image, message)
  elseif reason == "Unschedulable" then
    return "the scheduler finds no node for it" .. (message and ": " .. message or ""), true
  end
  failure.raise("process", ("the helper pod %s does not start: %s%s"):format(pod.metadata.name, reason,
    message and " (" .. message .. ")" or ""),
    { hint = reason:find("Image") and "can the node pull it? another image: helper=IMAGE behind the ? of the target"
      or nil })
end

--- What the cluster has told of a pod lately, for an error: its last warning.
local function last_warning(cluster, pod)
  local ok, events = pcall(cluster.events, cluster, pod)
  local said
  for _, event in ipairs(ok and events or {}) do
    if event.type == "Warning" then
      said = ("%s: %s"):format(tostring(event.reason), tostring(event.message))
    end
  end
  return said
end

--- Where a helper cannot be placed: it goes where the pod's volumes are.
local PLACED = "it has to run where the pod's volumes are: look at the nodes, and at the quotas of the namespace"

--- The same where the scheduler has said why.
local UNPLACED = ("free or uncordon a node that can have the pod's volumes (kubectl describe nodes says what each has "
  .. "left; a helper pod needs %s of CPU and %s of memory), then run this again"):format(REQUESTS.cpu, REQUESTS.memory)

local function wait_running(cluster, made, image, tell)
  local began = clock.mono()
  local see = task.told("the helper pod " .. made.metadata.name)
  while true do
    local pod = cluster:get("pod", made.metadata.name, { namespace = made.metadata.namespace })
    if pod == nil or pod.metadata.deletionTimestamp then
      failure.raise("changed", ("the helper pod %s was deleted before it ran"):format(made.metadata.name),
        { hint = "who deletes pods here? perhaps a quota or a policy" })
    elseif choose.runs(pod, helper.CONTAINER) then
      return pod
    end
    local why, unplaced = check_start(pod, image)
    local waited = clock.mono() - began
    if unplaced then
      -- Somebody has to act, or an autoscaler does: the sooner this is known the better.
      tell(("waiting up to %d s for the helper pod %s: %s"):format(START_MS // 1000, made.metadata.name, why))
    elseif waited >= SILENT_MS then
      tell(("waiting for the helper pod %s: %s"):format(made.metadata.name, why or choose.state(pod)))
    end
    if waited >= START_MS then
      failure.raise("timeout", ("waited %d s for the helper pod %s: %s"):format(START_MS // 1000,
        made.metadata.name, unplaced and why or last_warning(cluster, pod) or why or choose.state(pod)),
        { hint = unplaced and UNPLACED or PLACED })
    end
    see(choose.state(pod))
    task.sleep(250)
  end
end

--- Remove a helper; some nodes take half a minute until it is gone.
function helper.remove(cluster, namespace, name, why)
  cluster:delete("pod", name, { namespace = namespace, grace = 1, why = why })
end

--- The helper that was made before, running, when it is as it must be; else it is removed.
--- @param manifest table of helper.manifest
--- @param tell function(text) is told what is waited for
--- @return table|nil the pod
function helper.adopt(cluster, manifest, tell)
  local meta = manifest.metadata
  local there = cluster:get("pod", meta.name, { namespace = meta.namespace })
  if there == nil or there.metadata.deletionTimestamp then
    return nil
  end
  local same = (there.metadata.annotations or {})[MADE_AS] == meta.annotations[MADE_AS]
  if same and not choose.is_stuck(there, helper.CONTAINER) then
    return wait_running(cluster, there, manifest.spec.containers[1].image, tell)
  end
  helper.remove(cluster, meta.namespace, meta.name, "it is not as it must be")
  return nil
end

--- Start a helper.
--- @param manifest table of helper.manifest
--- @param tell function(text) is told what is waited for
--- @return table the pod, running
function helper.start(cluster, manifest, tell)
  local meta = manifest.metadata
  local made = cluster:create(manifest)
  local ok, pod = pcall(wait_running, cluster, made, manifest.spec.containers[1].image, tell)
  if not ok then
    task.shielded(5000, pcall, helper.remove, cluster, meta.namespace, meta.name, "it does not run")
    error(pod, 0)
  end
  return pod
end

--- The helpers of a run, and those of runs whose process is gone.
--- @return table list of names
function helper.left(cluster, namespace, run)
  local names = {}
  for _, pod in ipairs(cluster:list("pod", { namespace = namespace, selector = RUN })) do
    local ok, who = pcall(json.decode, (pod.metadata.annotations or {})[HOLDER] or "")
    local gone = ok and type(who) == "table" and holder.is_gone(who)
    local ended = pod.status and (pod.status.phase == "Succeeded" or pod.status.phase == "Failed")
    if pod.metadata.labels[RUN] == label(run) or gone or ended then
      names[#names + 1] = pod.metadata.name
    end
  end
  return names
end

return helper
