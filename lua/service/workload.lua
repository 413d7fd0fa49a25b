--- Services that are workloads of pods: scaled to 0, and back to what they were.
---
--- What undoes the scaling lies on the workload itself, in the annotation
--- moonkeep.dev/undo, written and removed by the same patch that scales: whoever
--- finds it can undo it, also when journal and record are lost.

local clock = require "clock"
local choose = require "target.pod.choose"
local effect = require "effect"
local failure = require "failure"
local json = require "json"
local task = require "task"
local words = require "words"
local workloads = require "target.pod.workloads"

local workload = {}

local UNDO = workloads.UNDO

--- Under this and its name the target remembers whose data is replaced while a workload is down.
local DATA_OF = "data of "

--- Kinds that can be scaled, as they are typed.
local KINDS = { sts = "statefulset", statefulset = "statefulset", statefulsets = "statefulset",
  deploy = "deployment", deployment = "deployment", deployments = "deployment" }

--- On top of what the pods themselves ask for to end.
local GONE_MS = 60000

--- How long all may take to be ready: a server may replay its log for long.
local READY_MS = 900000

--- How long is waited without a word.
local SILENT_MS = 10000

--- How often a patch is tried when somebody changes the object meanwhile.
local TRIES = 8

local Workload = {}
Workload.__index = Workload

--- Read a service parameter: "workload", "sts/NAME", "deploy/NAME".
function workload.open(text)
  local kind, name = text:match("^(%a+)/(.+)$")
  if kind then
    if KINDS[kind] == nil then
      failure.raise("usage", ("--service \"%s\": \"%s\" cannot be scaled: sts and deploy can"):format(text, kind))
    elseif not name:match("^[a-z0-9][a-z0-9.-]*$") then
      failure.raise("usage", ("--service \"%s\": \"%s\" is no name of a %s"):format(text, name, KINDS[kind]))
    end
  end
  return setmetatable({ name = text, text = text, kind = KINDS[kind], object_name = name, running = true },
    Workload)
end

--- The plain form, for an undo record.
function Workload:plain()
  return { workload = self.object_name and ("%s/%s"):format(self.kind, self.object_name) or "workload",
    replicas = self.replicas }
end

--- A workload from its plain form.
function workload.from_plain(plain)
  local self = workload.open(plain.workload)
  self.replicas = math.type(plain.replicas) == "integer" and plain.replicas or nil
  return self
end

local function cluster_of(target)
  if type(target.cluster) ~= "function" then
    failure.raise("usage", ("a workload is no service of the target %s"):format(target.url),
      { hint = "the target must be a pod: --target pod://NAMESPACE/NAME" })
  end
  return target:cluster()
end

--- Find out which workload it is.
local function resolve(self, target)
  local cluster = cluster_of(target)
  if self.object_name == nil then
    local owner, ordinal = target:workload()
    local kind = workloads.kind(owner)
    if KINDS[kind] == nil then
      failure.raise("unsupported", ("%s belongs to the %s %s, which cannot be scaled"):format(target.url,
        owner.kind, owner.name), { hint = "stop it by commands: --service stop=COMMAND start=COMMAND" })
    end
    self.kind, self.object_name, self.ordinal = kind, owner.name, ordinal
  end
  self.namespace = target.address.namespace
  self.name = ("%s %s/%s"):format(self.kind, self.namespace, self.object_name)
  self.replicas = self.replicas or target:kept(self.name)
  if not self.allowed then
    target:need { { "get", self.kind }, { "patch", self.kind }, { "list", "pod" }, { "create", "pod" },
      { "delete", "pod" } }
    self.allowed = true
  end
  return cluster
end

local function read(self, cluster)
  local object = cluster:get(self.kind, self.object_name, { namespace = self.namespace })
  if object == nil then
    failure.raise("not_found", ("there is no %s"):format(self.name))
  end
  return object
end

local function replicas_of(object)
  return math.tointeger(object.spec.replicas) or 1
end

--- What was noted when it was scaled to 0: {run, replicas, time, dir}, or nil.
local function noted(object)
  local text = (object.metadata.annotations or {})[UNDO]
  if text == nil then
    return nil
  end
  local ok, undo = pcall(json.decode, text)
  if not ok or type(undo) ~= "table" or math.type(undo.replicas) ~= "integer" or undo.replicas < 0
    or undo.dir ~= nil and type(undo.dir) ~= "string" then
    failure.raise("invalid", ("the annotation %s of %s %s is not understood"):format(UNDO, object.kind or "",
      object.metadata.name), { hint = "scale it by hand, and remove the annotation" })
  end
  return undo
end

--- Change what make(object) says, unless that is nil, and unless somebody else
--- changed it meanwhile: then look again.
--- @param make function(object) -> patch|nil
local function change(self, cluster, why, make)
  for try = 1, TRIES do
    local object = read(self, cluster)
    local patch = make(object)
    if patch == nil then
      return object
    end
    patch.metadata = patch.metadata or {}
    patch.metadata.resourceVersion = object.metadata.resourceVersion
    local ok, done = pcall(cluster.patch, cluster, self.kind, self.object_name, patch,
      { namespace = self.namespace, type = "merge", why = why })
    if ok then
      return done
    elseif not (failure.is(done, "changed") or failure.is(done, "exists")) or try == TRIES then
      error(done, 0)
    end
    task.sleep(50 * try)
  end
end

--- Who else may scale it: autoscalers, and what manages the object.
local function others(self, cluster, object)
  local names = {}
  local owner = workloads.controller(object)
  if owner then
    names[#names + 1] = ("%s %s (%s), which manages it"):format(owner.kind, owner.name, owner.apiVersion)
  end
  local ok, list = pcall(cluster.list, cluster, "horizontalpodautoscaler", { namespace = self.namespace })
  for _, scaler in ipairs(ok and list or {}) do
    local of = scaler.spec and scaler.spec.scaleTargetRef or {}
    if of.name == self.object_name and KINDS[tostring(of.kind):lower()] == self.kind then
      names[#names + 1] = ("the HorizontalPodAutoscaler %s"):format(scaler.metadata.name)
    end
  end
  return #names > 0 and table.concat(names, " and ") or nil
end

local function scaled_back(self, cluster, object)
  local who = others(self, cluster, object)
  failure.raise("changed", ("%s was scaled back to %d while its data is replaced%s"):format(self.name,
    replicas_of(object), who and ", by " .. who .. "?" or ", by somebody else"),
    { hint = "pause what manages it (an autoscaler, an operator, GitOps), and begin anew" })
end

--- Wait; what is waited for is told where that takes long.
--- @param fn function() -> boolean, why not yet
local function wait_aloud(target, what, limit_ms, fn)
  local aloud = task.aloud(what, SILENT_MS, function(text)
    target:tell(text)
  end)
  task.wait_until(what, limit_ms, function()
    local done, why = fn()
    if not done then
      aloud(why)
    end
    return done, why
  end)
end

--- How long its pods may take to end.
local function grace_ms(pods)
  local most = 30
  for _, pod in ipairs(pods) do
    most = math.max(most, math.tointeger(pod.spec.terminationGracePeriodSeconds) or 0)
  end
  return most * 1000 + GONE_MS
end

--- Wait until none of its pods is left.
--- @param surely boolean also when somebody scales it back: scale to 0 again
local function wait_gone(self, target, cluster, again)
  local object = read(self, cluster)
  local pods = workloads.pods(cluster, object)
  target:leave()
  wait_aloud(target, ("the pods of %s to go"):format(self.name), grace_ms(pods), function()
    object = read(self, cluster)
    if replicas_of(object) > 0 then
      if again then
        again()
      else
        scaled_back(self, cluster, object)
      end
    end
    local states = {}
    for index, pod in ipairs(workloads.pods(cluster, object)) do
      states[index] = ("%s is %s"):format(pod.metadata.name, choose.state(pod))
    end
    return #states == 0, table.concat(states, ", ")
  end)
  target:leave()
end

--- Do its pods run, or should they?
function Workload:is_running(target)
  local cluster = resolve(self, target)
  local object = read(self, cluster)
  if self.replicas == nil then
    self.replicas = (noted(object) or {}).replicas or replicas_of(object)
    target:keep(self.name, self.replicas)
  end
  if replicas_of(object) > 0 then
    return true
  end
  return #workloads.pods(cluster, object) > 0
end

--- The patch that scales to 0 and notes how many there were; nothing is noted where
--- there were none before the run.
local function to_zero(self, run, object, dir)
  local undo, replicas = noted(object), replicas_of(object)
  if replicas == 0 then
    return nil
  elseif undo == nil and self.replicas == 0 then
    return { spec = { replicas = 0 } }
  end
  return {
    metadata = { annotations = { [UNDO] = json.encode { run = undo and undo.run or run,
      replicas = undo and undo.replicas or replicas, time = undo and undo.time or clock.iso(clock.now()),
      dir = undo and undo.dir or dir } } },
    spec = { replicas = 0 },
  }
end

local function scale_down(self, target, cluster, why, mine)
  local run = target:run()
  local object = change(self, cluster, why, function(object)
    local undo = noted(object)
    if undo and mine and undo.run ~= run then
      failure.raise("refused", ("%s was left scaled down by run %s"):format(self.name, tostring(undo.run)),
        { hint = ("end that first: moonkeep resume %s, or rollback %s; where its journal is lost: "
          .. "moonkeep rollback --target %s --dir %s"):format(undo.run, undo.run, words.quote(target.url),
          undo.dir and words.quote(undo.dir) or "DIR") })
    end
    return to_zero(self, run, object, target:kept(DATA_OF .. self.name))
  end)
  self.replicas = (noted(object) or {}).replicas or self.replicas
end

--- Raise what would keep its data from being reached, and so from being put back, while it
--- is scaled to 0: data that goes with its pods, a helper pod that does not start.
--- @param dir string where the data is
function Workload:rehearse(target, dir)
  resolve(self, target)
  target:stand_by(dir)
  target:keep(DATA_OF .. self.name, dir)
end

--- Scale it to 0, and wait until its pods are gone.
function Workload:halt(target, why)
  local cluster = resolve(self, target)
  if not effect.change("scale to 0", self.name, why) then
    return
  end
  local object = read(self, cluster)
  local who = replicas_of(object) > 0 and others(self, cluster, object)
  if who then
    target:caution(("%s may be scaled back by %s while its data is replaced"):format(self.name, who))
  end
  scale_down(self, target, cluster, why, true)
  wait_gone(self, target, cluster)
end

--- Scale it to 0 for an undoing: whatever run left it how, and again when somebody
--- scales it back.
function Workload:halt_surely(target, why)
  local cluster = resolve(self, target)
  if not effect.change("scale to 0", self.name, why) then
    return
  end
  scale_down(self, target, cluster, why, false)
  wait_gone(self, target, cluster, function()
    scale_down(self, target, cluster, why, false)
  end)
end

--- Raise "process" with its last words when a pod's container keeps ending.
local function check_crash(cluster, pod)
  for _, container in ipairs(pod.spec.containers) do
    local stuck, reason, message = choose.is_stuck(pod, container.name)
    if stuck and reason ~= "Unschedulable" then
      local ok, said = pcall(cluster.logs, cluster, pod.metadata.name, { namespace = pod.metadata.namespace,
        container = container.name, tail = 3, previous = reason == "CrashLoopBackOff" })
      failure.raise("process", ("pod %s does not start: %s%s"):format(pod.metadata.name, reason,
        message and " (" .. message:sub(1, 300) .. ")" or ""),
        { hint = ok and type(said) == "string" and said ~= "" and "it said: " .. said:sub(-400) or nil })
    end
  end
end

local function wait_ready(self, target, cluster)
  target:leave()
  wait_aloud(target, self.name .. " to be ready", READY_MS, function()
    local object = read(self, cluster)
    local wanted, ready = replicas_of(object), 0
    local states = {}
    for _, pod in ipairs(workloads.pods(cluster, object)) do
      if choose.is_ready(pod) then
        ready = ready + 1
      else
        check_crash(cluster, pod)
        states[#states + 1] = ("%s is %s"):format(pod.metadata.name, choose.state(pod))
      end
    end
    return ready >= wanted, #states > 0 and table.concat(states, ", ")
      or ("%d of %d are ready"):format(ready, wanted)
  end)
  target:leave()
end

--- Scale it back to what it was, and wait until that is ready.  What was at 0 before
--- anybody touched it is given the pod that the target is.
function Workload:launch(target, why)
  local cluster = resolve(self, target)
  if not effect.change("scale back", self.name, why) then
    return
  end
  local forced = effect.undoing()
  target:vacate()
  change(self, cluster, why, function(object)
    local undo, replicas = noted(object), replicas_of(object)
    if undo == nil and replicas > 0 then
      return nil
    elseif undo and replicas > 0 and not forced then
      scaled_back(self, cluster, object)
    end
    local before = undo and undo.replicas or self.replicas or 0
    local wanted = before > 0 and before or (self.ordinal or 0) + 1
    return { metadata = { annotations = { [UNDO] = json.null } }, spec = { replicas = wanted } }
  end)
  wait_ready(self, target, cluster)
end

--- A workload of the target that some run left scaled to 0, found by its annotation.
--- @return table|nil the service
--- @return string|nil the run
--- @return string|nil the directory whose data it was replacing, where that is noted
function workload.left(target)
  local ok, owner = pcall(target.workload, target)
  if not ok then
    if failure.is(owner, "not_found") then
      return nil
    end
    error(owner, 0)
  end
  local self = workload.open("workload")
  self.kind = KINDS[workloads.kind(owner)]
  if self.kind == nil then
    return nil
  end
  self.object_name = owner.name
  local undo = noted(read(self, resolve(self, target)))
  if undo == nil then
    return nil
  end
  return self, tostring(undo.run), undo.dir
end

return workload
