--- Where a pod target acts: in the container, while that runs and has a shell; else
--- in a helper pod on the same volumes.
---
--- What was seen of the pod is remembered, also in the run's journal: a workload
--- that was scaled to 0 by this run has no pod to look at any more.

local absent = require "target.pod.absent"
local blueprint = require "target.pod.blueprint"
local choose = require "target.pod.choose"
local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local guard = require "target.pod.guard"
local helper = require "target.pod.helper"
local kube = require "kube"
local native = require "_kube"
local remote = require "target.remote"
local shells = require "target.pod.shells"
local task = require "task"
local words = require "words"
local workloads = require "target.pod.workloads"

local place = {}

--- How long a place is used before the pod is looked at again.
local FRESH_MS = 2000

--- How long a pod that should run may take to come, or to go.
local COMING_MS = 120000

--- The same once the run was cancelled: it must end soon.
local CANCELLED_MS = 10000

--- How long is waited without a word.
local SILENT_MS = 5000

local Place = {}
Place.__index = Place

--- @param where table of address.parse
--- @param cluster? table of the module kube, where it is open already
function place.new(where, cluster)
  return setmetatable({ where = where, session = nil, memory = {}, _cluster = cluster }, Place)
end

--- Belong to a run (recipe.session).
function Place:attach(session)
  self.session = session
  self.memory = session.memory or self.memory
end

local function say(self, kind, text, ...)
  if self.session then
    self.session:tell(kind, text:format(...))
  end
end

--- The cluster; opened when it is first needed.
function Place:cluster()
  if self._cluster == nil then
    self._cluster = kube.open { context = self.where.context, namespace = self.where.namespace,
      waiting = function(text)
        say(self, "say", "%s", text)
      end }
  end
  return self._cluster
end

--- The words of kubectl for this cluster.
local function kubectl(self, ...)
  local info = self:cluster():info()
  local argv = { "kubectl", "-n", self.where.namespace }
  if info.context ~= "in-cluster" then
    argv = { "kubectl", "--context", info.context, "-n", self.where.namespace }
  end
  return table.move({ ... }, 1, select("#", ...), #argv + 1, argv)
end

--- Keep what is remembered, where a run has a journal.
function Place:remember(name, value)
  self.memory[name] = value
  if self.session then
    self.session:remember(self.memory)
  end
end

--- Was that not told yet?
local function is_news(self, text)
  self._told = self._told or {}
  local is = not self._told[text]
  self._told[text] = true
  return is
end

--- Tell once.
function Place:once(kind, text, ...)
  text = text:format(...)
  if is_news(self, text) then
    say(self, kind, "%s", text)
  end
end

--- Warn once.
--- @param hint? string what to do
function Place:caution(text, hint)
  if is_news(self, text) and self.session then
    self.session:tell("caution", text, hint)
  end
end

--- Keep the blueprint of a pod that is there.
local function note_pod(self, pod, owner)
  local container = choose.container(pod, self.where.container, "pod " .. pod.metadata.name)
  local known = self.memory.blueprint
  if known == nil or known.uid ~= pod.metadata.uid or known.container ~= container.name
    or known.node ~= pod.spec.nodeName then
    self:remember("blueprint", blueprint.of_pod(pod, container, owner or workloads.of_pod(self:cluster(), pod)))
  end
  return container
end

--- Nothing is there: what a helper is to be like.
local function note_absent(self, workload, ordinal)
  local known = self.memory.blueprint
  if known and (workload == nil or (known.owner and known.owner.uid == workload.metadata.uid)) then
    return
  elseif workload == nil then
    absent.raise(self:cluster(), self.where, "pod", ("there is no pod for %s, nor a workload that would make one")
      :format(self.where.text))
  end
  local template = workload.spec.template
  local container = choose.container(template, self.where.container, ("%s %s"):format(workload.kind,
    workload.metadata.name))
  self:remember("blueprint", blueprint.of_workload(workload, container, ordinal or 0))
end

--- Look for the pod.
--- @return table|nil pod
--- @return table|nil its container
--- @return boolean|nil it should be there
--- @return string|nil why it is not there
local function look(self)
  local found = workloads.find(self:cluster(), self.where, self.memory.blueprint)
  if found.pod then
    return found.pod, note_pod(self, found.pod, found.owner)
  end
  note_absent(self, found.workload, found.ordinal)
  if found.workload == nil then
    return nil, nil, false
  end
  local lacks = workloads.lacks(found.workload, found.ordinal)
  return nil, nil, lacks == nil and found.workload.spec.replicas ~= 0, lacks
end

--- Wait until the container runs, or will not, or the pod is gone for good.
local function settle(self)
  local began = clock.mono()
  local ends, tell = began + COMING_MS, task.told(self.where.text)
  local aloud = task.aloud(self.where.text, SILENT_MS, function(text)
    self:once("say", "%s", text)
  end)
  while true do
    local pod, container, expected = look(self)
    if pod == nil and not expected then
      return nil
    elseif pod and choose.runs(pod, container.name) then
      return pod, container
    elseif pod and not pod.metadata.deletionTimestamp and choose.is_stuck(pod, container.name) then
      self:once("caution", "%s is %s: its volumes are reached through a helper pod",
        self.where.text, choose.state(pod))
      return pod, container, true
    elseif clock.mono() >= ends or task.cancelled() and clock.mono() >= began + CANCELLED_MS then
      failure.raise("timeout", ("waited %d s for %s: %s"):format((clock.mono() - began) // 1000, self.where.text,
        pod and choose.state(pod) or "it does not come"), { hint = "kubectl describe says more" })
    end
    aloud(pod and choose.state(pod) or "it does not come yet")
    tell(pod and choose.state(pod) or "it does not come")
    task.sleep(300)
  end
end

local function machine_of(self, host)
  return remote.new { host = host, url = self.where.text, proof = self.where.proof,
    name = ("pod %s/%s"):format(self.memory.blueprint.namespace, self.memory.blueprint.pod) }
end

local function in_pod(self, pod, host, shell)
  local machine = machine_of(self, host)
  if shell then
    machine:keep(shell)
  end
  return { via = "pod", uid = pod.metadata.uid, pod = pod.metadata.name, host = host, machine = machine }
end

--- What a container lacks, where a helper is named that may have it; the shell is ended then.
local function lacking(self, host, image, shell)
  local name, waits = shells.lacking(self, host, image, shell)
  if name == "" then
    return nil, waits
  elseif waits then
    waits:close()
  end
  return name
end

--- The image of the helper: as asked, else the container's own, unless it has no shell.
local function helper_image(self, pod, image)
  if self.where.helper then
    return self.where.helper
  elseif pod and shells.known(self, image) == false then
    failure.raise("unsupported", ("pod %s/%s has no shell in container %s"):format(pod.metadata.namespace,
      pod.metadata.name, self.memory.blueprint.container),
      { hint = "name an image with sh, tar and dd for a helper pod beside it: helper=IMAGE behind the ? of "
        .. "the target" })
  end
  return self.memory.blueprint.image
end

--- The helper that there is already, or a new one; noted before it is made.
local function find_helper(self, plan, options)
  local known = self.memory.helper
  local function tell(text)
    self:once("say", "%s", text)
  end
  if known then
    options.name = known.name
    local made = helper.adopt(self:cluster(), helper.manifest(plan, options), tell)
    if made then
      return made
    end
  end
  options.name = helper.new_name(options.run)
  local manifest = helper.manifest(plan, options)
  guard.need(self, { { "create", "pod" }, { "delete", "pod" } })
  effect.change_for_result("create", ("the helper pod %s/%s"):format(plan.namespace, options.name),
    options.why)
  self:remember("helper", { name = options.name, namespace = plan.namespace })
  return helper.start(self:cluster(), manifest, tell)
end

--- @param lacks? string the program that keeps a container with a shell from it
local function in_helper(self, pod, image, lacks)
  local plan = self.memory.blueprint
  image = helper_image(self, pod, image)
  local made = find_helper(self, plan, { run = self:run(), image = image, beside = pod ~= nil,
    why = lacks and "the pod has no " .. lacks or pod and "the pod has no shell" or "the pod is gone" })
  local name = made.metadata.name
  local host = self:host(name, helper.CONTAINER)
  self:once("detail", "acting through the helper pod %s/%s, image %s", plan.namespace, name, image)
  return { via = "helper", uid = pod and pod.metadata.uid, helper = made.metadata.uid, pod = name,
    host = host, machine = machine_of(self, host) }
end

--- The run that acts; where there is none, an id of its own.
function Place:run()
  if self.session then
    return self.session.run
  end
  self._run = self._run or "by-hand-" .. require("_os").random_id(8)
  return self._run
end

--- Commands in a container.
function Place:host(pod, container)
  return native.pod_host(self:cluster().native, self.where.namespace, pod, container)
end

--- Is what was used still right?
local function still_there(self)
  local current = self.current
  local cluster, namespace = self:cluster(), self.where.namespace
  if current.via == "pod" then
    local pod = cluster:get("pod", current.pod, { namespace = namespace })
    return pod ~= nil and pod.metadata.uid == current.uid and not pod.metadata.deletionTimestamp
  end
  local made = cluster:get("pod", current.pod, { namespace = namespace })
  if made == nil or made.metadata.uid ~= current.helper or not choose.runs(made, helper.CONTAINER) then
    return false
  end
  local pod = look(self)
  return (pod and pod.metadata.uid) == current.uid
end

local function enter(self)
  if self.current then
    if clock.mono() - self.current.seen < FRESH_MS then
      return self.current
    elseif still_there(self) then
      self.current.seen = clock.mono()
      return self.current
    end
    self:leave()
  end
  guard.check(self)
  local pod, container, stuck = settle(self)
  local current
  if pod and not stuck then
    local host, image = self:host(pod.metadata.name, container.name), choose.image(pod, container)
    local has, shell = shells.find(self, host, image)
    local lacks
    if has and self.where.helper then
      lacks, shell = lacking(self, host, image, shell)
    end
    if has and not lacks then
      current = in_pod(self, pod, host, shell)
    else
      current = in_helper(self, pod, image, lacks)
    end
  else
    current = in_helper(self, pod, nil)
    current.stuck = stuck
  end
  current.seen = clock.mono()
  self.current = current
  return current
end

--- Where to act now; several tasks of a step ask one after the other.
--- @return table {via = "pod"|"helper", uid, pod, host, machine}
function Place:enter()
  while self.entering do
    task.sleep(10)
  end
  self.entering = true
  local ok, current = pcall(enter, self)
  self.entering = nil
  if not ok then
    error(current, 0)
  end
  return current
end

--- Before the pod is stopped, a helper pod starts beside it: what keeps one from starting, or
--- the path from being seen there, is raised while nothing has been done.
function Place:stand_by(path)
  local current = self:enter()
  local plan = self.memory.blueprint
  local ok, e = pcall(blueprint.check_path, plan, path)
  if not ok then
    e.hint = "it is lost when the pod is stopped: only what lies on a volume of its own can be restored this way"
    error(e, 0)
  elseif current.via == "helper" or workloads.is_exclusive(self:cluster(), plan) then
    return
  elseif effect.planning() then
    effect.change("create", ("a helper pod beside %s/%s"):format(plan.namespace, plan.pod),
      "it acts while the pod is gone")
    return
  end
  in_helper(self, (look(self)))
end

--- Forget where it acted: the pod has gone, or is about to.
function Place:leave()
  self._running = nil
  if self.current then
    pcall(self.current.machine.close, self.current.machine)
    self.current = nil
  end
end

--- Leave, and give the volumes free: a pod that comes back, perhaps on another node,
--- must not wait for a helper to go.
function Place:vacate()
  self:leave()
  local made = self.memory.helper
  if made then
    helper.remove(self:cluster(), made.namespace, made.name, "the pod comes back")
    self:remember("helper", nil)
  end
end

--- What to look at where the pod does not run.
local function look_closer(self, pod, container)
  if pod == nil then
    return "only a server that runs can be asked: name a pod that runs, or scale its workload up"
  end
  local hint = "why? " .. words.command(kubectl(self, "describe", "pod", pod.metadata.name))
  local status = choose.status(pod, container.name)
  if status and (status.restartCount or 0) > 0 then
    hint = ("%s; %s"):format(hint, words.command(kubectl(self, "logs", pod.metadata.name, "-c", container.name,
      "--previous")))
  end
  return hint
end

--- The pod as it is now, for HTTP: {name, uid, ips, container, image}, or nil while it does not run.
--- @return table|nil
--- @return string|nil why it does not
--- @return string|nil what says more
function Place:running()
  local known = self._running
  if known and clock.mono() - known.seen < FRESH_MS then
    return known
  end
  self._running = nil
  guard.check_cluster(self)
  local pod, container, expected, why = look(self)
  if pod == nil or not choose.runs(pod, container.name) then
    return nil, pod and choose.state(pod) or why or (expected and "it does not come yet"
      or "there is no such pod now"), look_closer(self, pod, container)
  end
  self._running = { seen = clock.mono(), name = pod.metadata.name, uid = pod.metadata.uid,
    ips = workloads.addresses(pod), container = container.name, image = choose.image(pod, container) }
  return self._running
end

--- Has the container a shell?
function Place:has_shell(pod)
  local has, shell = shells.find(self, self:host(pod.name, pod.container), pod.image)
  if shell then
    shell:close()
  end
  return has
end

--- What a person types to run a command in the container.
function Place:command(argv)
  local plan = self.memory.blueprint
  if plan == nil then
    return words.command(argv)
  end
  local line = kubectl(self, "exec", plan.pod, "-c", plan.container, "--")
  return words.command(table.move(argv, 1, #argv, #line + 1, line))
end

--- The workload that the pod is of: its object; raises "not_found" for a pod of its own.
function Place:workload()
  guard.check_cluster(self)
  local found = workloads.find(self:cluster(), self.where, self.memory.blueprint)
  if found.pod then
    note_pod(self, found.pod, found.owner)
  else
    note_absent(self, found.workload, found.ordinal)
  end
  local owner = self.memory.blueprint.owner
  if owner == nil or owner.kind == "Pod" then
    failure.raise("not_found", ("%s belongs to no workload that could be scaled"):format(self.where.text),
      { hint = "name one: --service sts/NAME or deploy/NAME" })
  end
  return owner, found.ordinal or choose.ordinal(self.memory.blueprint.pod) or 0
end

--- The names of the helpers that the end removes: those of the run, and of runs that were killed.
local function helpers_left(self, made)
  local ok, names = pcall(helper.left, self:cluster(), self.where.namespace, self:run())
  if not ok then
    -- Not allowed to list: then there is only what is known.
    names = {}
  end
  for _, name in ipairs(names) do
    if made and made.name == name then
      return names
    end
  end
  names[#names + 1] = made and made.name
  return names
end

--- Raise that helpers could not be removed, and how they go.
local function left_behind(self, names, e)
  local line = kubectl(self, "delete", "pod", table.unpack(names))
  local run = self.session and ("; `moonkeep rollback %s`, or resume, does that, too"):format(self.session.run) or ""
  local late = e.code == "cancelled"
  failure.raise(late and "timeout" or e.code, ("the helper pod %s in namespace %s is left: %s"):format(
    table.concat(names, ", "), self.where.namespace, late and "its removal took too long" or e.message),
    { hint = ("remove it: %s%s"):format(words.command(line), run) })
end

--- End: remove what was made, also by runs that were killed.  Raises what keeps it from
--- being removed, when all was tried.
function Place:release()
  self:leave()
  local made = self.memory.helper
  -- Nothing was made in a cluster that was not reached, and it is not waited for once more.
  if not self._checked and made == nil then
    return
  end
  local left, first = {}, nil
  for _, name in ipairs(helpers_left(self, made)) do
    local ok, e = pcall(helper.remove, self:cluster(), self.where.namespace, name, "nobody needs it any more")
    if ok then
      say(self, "detail", "the helper pod %s is removed", name)
    else
      left[#left + 1] = name
      first = first or failure.of(e)
    end
  end
  if #left > 0 then
    left_behind(self, left, first)
  elseif made then
    self:remember("helper", nil)
  end
end

return place
