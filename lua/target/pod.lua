--- The target `pod://`: a container in a Kubernetes cluster.
---
--- The interface is that of target.machine.  What is asked is asked in the
--- container, or in a helper pod beside it (target.pod.place).

local address = require "target.pod.address"
local blueprint = require "target.pod.blueprint"
local effect = require "effect"
local failure = require "failure"
local lasting = require "target.pod.lasting"
local place = require "target.pod.place"
local shells = require "target.pod.shells"

local pod = {}

local Pod = {}
Pod.__index = Pod

--- Is the text a pod?  Raises "usage".
function pod.check(text)
  address.parse(text)
end

--- Open a pod as a target; for target.open.  Nothing is contacted yet.
function pod.open(text)
  local where = address.parse(text)
  return setmetatable({ url = text, name = address.describe(where), address = where,
    place = place.new(where) }, Pod)
end

--- What may show that the pod went away meanwhile.
local GONE = { not_found = true, truncated = true, network = true, timeout = true }

--- Where to act, on paths that can be seen from there.
local function enter(self, paths)
  local current = self.place:enter()
  if current.via == "helper" then
    for _, path in ipairs(paths) do
      blueprint.check_path(self.place.memory.blueprint, path, current.stuck)
    end
  end
  return current
end

--- Call a method of the machine that is acted on.  When the pod went away
--- meanwhile, what only reads, or was not started, is asked again where it is now.
local function act(self, method, reads, paths, ...)
  local current = enter(self, paths)
  local results = table.pack(pcall(current.machine[method], current.machine, ...))
  if not results[1] then
    local e = results[2]
    if e == effect.plan_end then
      error(e, 0)
    end
    e = failure.of(e)
    if not GONE[e.code] then
      error(e, 0)
    end
    local before = current
    current.seen = -math.huge -- look again before the next use
    if not reads and not shells.is_unknown(e) then
      error(e, 0)
    end
    current = enter(self, paths)
    if current == before and e.code ~= "truncated" then
      error(e, 0)
    elseif current == before then
      self.place:leave()
      current = enter(self, paths)
    end
    results = table.pack(pcall(current.machine[method], current.machine, ...))
    if not results[1] then
      error(results[2], 0)
    end
  end
  return table.unpack(results, 2, results.n)
end

--- Run a command; see target.machine.
function Pod:exec(spec)
  if not spec.reads and effect.planning() then
    effect.change_for_result("run", table.concat(spec.argv, " "), spec.why)
  end
  return act(self, "exec", false, {}, spec)
end

for name, reads in pairs { stat = true, list = true, read = true, free = true, real = true, check_tsdb = true,
  make_dirs = false, remove_tree = false, chown = false, chmod = false, write = false } do
  Pod[name] = function(self, path, ...)
    return act(self, name, reads, { path }, path, ...)
  end
end

--- Move; the new name must be free and on the same file system.
function Pod:rename(from, to, why)
  return act(self, "rename", false, { from, to }, from, to, why)
end

--- Who acts on this target: {uid, gid, root = boolean, is_server = true: it is the user
--- of the container}.
function Pod:identity()
  local who = act(self, "identity", true, {})
  who.is_server = true
  return who
end

--- A directory as a tar source; see target.machine.
function Pod:tar_out(path, options)
  local paths = { path }
  for index, name in ipairs(options and options.names or {}) do
    paths[index] = (path == "/" and "" or path) .. "/" .. name
  end
  return act(self, "tar_out", true, paths, path, options)
end

--- Extract a tar source; see target.machine.
function Pod:tar_in(path, source, options)
  return act(self, "tar_in", false, { path }, path, source, options)
end

--- Warn the operator, once, where what is restored to a directory would not stay; see
--- target.machine.  What a helper pod acts on is a volume.
function Pod:forewarn(path)
  local current = enter(self, { path })
  if current.via == "pod" then
    local doubt, hint = lasting.doubt(self, self.place.memory.blueprint, path)
    if doubt then
      self:caution(doubt, hint)
    end
  end
end

--- An HTTP client for a URL as it is seen from the pod.
function Pod:http(url, options)
  return require("target.pod.http").client(self.place, url, options)
end

--- What a person types to run a command there.  In a pod without a shell there may be no
--- such program either; its volumes are seen by other pods that mount them.
--- @param argv table
function Pod:command(argv)
  return self.place:command(argv)
end

--- The path with its pod, for messages.
function Pod:describe(path)
  return ("%s:%s"):format(self.name, path)
end

--- Raise "usage" when a path is not absolute.
function Pod:check_absolute(path, what)
  if path:sub(1, 1) ~= "/" then
    failure.raise("usage", ("%s must be an absolute path, not \"%s\""):format(what, path))
  end
end

--- The cluster that the pod is in (module kube).
function Pod:cluster()
  return self.place:cluster()
end

--- The workload that the pod is of: {apiVersion, kind, name, uid}, and which of its pods this is.
function Pod:workload()
  return self.place:workload()
end

--- The pod has gone, or is about to: it is looked for anew.
function Pod:leave()
  self.place:leave()
end

--- The pod is about to be stopped: raise what would keep the path from being reached then.
function Pod:stand_by(path)
  self.place:stand_by(path)
end

--- The pod is about to come back: nobody else uses its volumes.
function Pod:vacate()
  self.place:vacate()
end

--- The cluster for confirmations: "context \"prod\" (https://10.0.0.1:6443)".
function Pod:surroundings()
  local info = self:cluster():info()
  return ("context \"%s\" (%s)"):format(info.context, info.server)
end

--- Raise "permission" where something is not granted: list of {verb, kind, subresource}.
function Pod:need(needs)
  require("target.pod.guard").need(self.place, needs)
end

--- The run that acts, for what is left on objects of the cluster.
function Pod:run()
  return self.place:run()
end

--- Remember a number or a text for the run, also for when it is resumed or rolled back.
function Pod:keep(name, value)
  local numbers = {}
  for key, kept in pairs(self.place.memory.numbers or {}) do
    numbers[key] = kept
  end
  numbers[name] = value
  self.place:remember("numbers", numbers)
end

--- What was remembered, or nil.
function Pod:kept(name)
  return (self.place.memory.numbers or {})[name]
end

--- Tell the operator, once.
function Pod:tell(text)
  self.place:once("say", "%s", text)
end

--- Warn the operator, once.
--- @param hint? string what to do
function Pod:caution(text, hint)
  self.place:caution(text, hint)
end

--- Belong to a run: what it remembers comes from its journal and goes there.
--- @param session table of recipe.session
function Pod:attach(session)
  self.place:attach(session)
end

--- Raise "refused" when the run began on another cluster.
function Pod:demand()
  if self.place.memory.pinned then
    require("target.pod.guard").check_cluster(self.place)
  end
end

--- The end: helper pods are removed.
function Pod:release()
  self.place:release()
end

return pod
