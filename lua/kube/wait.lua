--- Waiting for objects: for a condition, for a value, for their end.
---
--- A wait that takes too long says what was seen last, and the last warnings.

local clock = require "clock"
local discovery = require "kube.discovery"
local effect = require "effect"
local events = require "kube.events"
local failure = require "failure"
local jsonpath = require "kube.jsonpath"
local object = require "kube.object"
local options = require "kube.options"
local resource = require "kube.resource"
local task = require "task"
local watch = require "kube.watch"

local wait = {}

--- Without a change for so long, waiting ends.
local STALL_MS = 300000

--- A watch for one object is begun anew this often, so that one that tells nothing any
--- more is noticed, whatever the reason.
local TURN_S = 60

--- How often an object is asked for where the user may not watch.
local POLL_MS = 2000

--- How often limits are looked at.
local EVERY_MS = 1000

local WARNINGS = 3

local function conditions_of(item)
  local status = type(item.status) == "table" and item.status or {}
  return type(status.conditions) == "table" and status.conditions or {}, status
end

--- Is what the status says about an older version of the object?
local function is_outdated(item, said)
  local generation = math.tointeger(item.metadata.generation)
  local observed = math.tointeger(said.observedGeneration)
  return generation and observed and observed < generation
end

--- A judge of objects: is the condition NAME, or NAME=VALUE, met?
local function condition_judge(text)
  local name, value = text:match("^([^=]+)=(.*)$")
  name, value = name or text, (value or "True"):lower()
  return function(item)
    local list, status = conditions_of(item)
    for _, condition in ipairs(list) do
      if type(condition) == "table" and condition.type == name then
        if tostring(condition.status):lower() ~= value then
          return false, ("%s is %s%s"):format(name, tostring(condition.status),
            condition.reason and (" (%s%s)"):format(condition.reason,
              (condition.message or "") ~= "" and ": " .. condition.message or "") or "")
        elseif is_outdated(item, condition) or condition.observedGeneration == nil and is_outdated(item, status) then
          return false, ("%s is %s, but of an older version"):format(name, tostring(condition.status))
        end
        return true
      end
    end
    return false, ("it has no condition %s yet"):format(name)
  end, ("to have the condition %s"):format(text)
end

--- A judge: does the path lead to the value; without one, to anything but nothing?
local function path_judge(text, value, is_secret)
  local steps = jsonpath.parse(text)
  local wanted = value ~= nil and jsonpath.text(value) or nil
  return function(item)
    local found = jsonpath.values(steps, item)
    if #found > 1 and wanted then
      failure.raise("recipe", ("the path \"%s\" leads to %d values; one can be compared"):format(text, #found))
    elseif #found == 0 then
      return false, ("%s is not there"):format(text)
    end
    local got = jsonpath.text(found[1])
    if wanted == nil and got ~= "" or got == wanted then
      return true
    end
    return false, ("%s is %s"):format(text, is_secret and "another" or ("\"%s\""):format(got:sub(1, 300)))
  end, wanted == nil and ("to have %s"):format(text)
    or ("to have %s at %s"):format(is_secret and "the value" or ("\"%s\""):format(wanted), text)
end

--- How the object is, in a few words, beside what the judge says.
local function phase_of(item)
  local status = type(item.status) == "table" and item.status or {}
  return type(status.phase) == "string" and ("phase %s, "):format(status.phase) or ""
end

--- Look at what is known now.  Returns true when the wait is over.
local function judge_now(self)
  local item = self.item
  if self.gone then
    self.uid = self.uid or item and item.metadata.uid
    self.why = item and (item.metadata.deletionTimestamp and "it is being deleted"
      or "it is there, and nobody deletes it")
    if item and type(item.metadata.finalizers) == "table" and #item.metadata.finalizers > 0 then
      self.why = self.why .. "; finalizers: " .. table.concat(item.metadata.finalizers, ", ")
    end
    return item == nil or item.metadata.uid ~= self.uid
  elseif item == nil then
    self.why = "it does not exist"
    return false
  end
  local done, why = self.judge(item)
  self.why = phase_of(item) .. (why or "")
  return done
end

local function too_long(self, text)
  local about = self.item or { kind = self.kind.kind, metadata = { name = self.name, namespace = self.namespace } }
  local warnings = events.warnings(self.cluster, self.abouts and self.abouts() or { about }, WARNINGS)
  failure.raise("timeout", ("waited %d s for %s (context \"%s\") %s%s: %s%s"):format(
    (clock.mono() - self.began) // 1000, self.kind:named(self.namespace, self.name), self.cluster.about.context,
    self.what, text, self.why or "nothing is known", warnings and "; last warnings: " .. warnings or ""),
    { hint = self.hint })
end

--- Called again and again.  Returns true when the wait is over.
local function tick(self)
  self.tell(self.why)
  local now = clock.mono()
  if self.limit_ms and now - self.began >= self.limit_ms then
    too_long(self, "")
  elseif now - self.changed >= self.stall_ms then
    too_long(self, (", %d s without a change"):format((now - self.changed) // 1000))
  end
  return self.idle and self.idle(self)
end

local function see(self, item)
  local before = self.item
  if (before and before.metadata.resourceVersion) ~= (item and item.metadata.resourceVersion) then
    self.changed = clock.mono()
  end
  self.item = item
end

--- Until the wait is over, by a watch.
local function follow(self, every_ms)
  watch.run(self.cluster, self.kind, { namespace = self.namespace, fields = "metadata.name=" .. self.name,
    turn_s = TURN_S, relist = true }, {
    every_ms = every_ms,
    event = function(type, item)
      if type == "DELETED" then
        item = nil
      end
      see(self, item)
      -- Until the list is told, nobody knows what is not there.
      return self.synced and judge_now(self)
    end,
    synced = function()
      self.synced = true
      return judge_now(self)
    end,
    idle = function()
      return tick(self)
    end,
  })
end

--- The same by asking again and again.
local function poll(self, every_ms)
  repeat
    see(self, object.get(self.cluster, self.kind:typed(), self.name, { namespace = self.namespace }))
    local done = judge_now(self) or tick(self)
    if not done then
      task.sleep(math.min(math.max(every_ms, POLL_MS // 4), POLL_MS))
    end
  until done
end

--- Wait for one object.
--- @param kind table of kube.discovery
--- @param how table namespace, limit_ms, stall_ms, gone, uid, judge = function(object) ->
---   boolean, why not; what = "to have ..." for messages; idle = function(waiting) called
---   about every every_ms, returns true to stop; abouts = function() -> objects whose
---   warnings are told; hint
--- @return table|nil the object; nil when it is gone, and in a plan, where nothing is waited for
function wait.run(cluster, kind, name, how)
  if effect.planning() then
    return nil
  end
  resource.segment("name", name)
  local now = clock.mono()
  local self = { cluster = cluster, kind = kind, name = name, began = now, changed = now,
    namespace = how.namespace, limit_ms = how.limit_ms, stall_ms = how.stall_ms or STALL_MS, gone = how.gone,
    uid = how.uid, judge = how.judge, what = how.what, idle = how.idle, abouts = how.abouts, hint = how.hint,
    tell = task.told(("%s %s"):format(kind:named(how.namespace, name), how.what)) }
  local shortest_ms = math.min(self.stall_ms, self.limit_ms or self.stall_ms)
  local every_ms = math.min(how.every_ms or EVERY_MS, math.max(shortest_ms // 4, 20))
  local ok, e = pcall(follow, self, every_ms)
  if not ok and failure.is(e, "permission") and e.http == 403 then
    poll(self, every_ms)
  elseif not ok then
    error(e, 0)
  end
  if self.gone then
    return nil
  end
  return self.item
end

local WAITING = { namespace = "string", condition = "string", path = "string", value = "any", gone = "boolean",
  uid = "string", test = "function", limit_ms = "integer", stall_ms = "integer" }

--- Wait for one object, of a kind as users write it.
function wait.object(cluster, typed, name, given)
  local opts = options.check("kube wait", given, WAITING)
  local how = { limit_ms = opts.limit_ms, stall_ms = opts.stall_ms, gone = opts.gone, uid = opts.uid }
  local goals = (opts.condition and 1 or 0) + (opts.path and 1 or 0) + (opts.gone and 1 or 0) + (opts.test and 1 or 0)
  if goals ~= 1 then
    failure.raise("recipe", "kube wait takes one of condition, path, gone = true and test")
  end
  local kind = discovery.resource(cluster, typed)
  how.namespace = options.namespace(cluster, kind, opts.namespace)
  if opts.condition then
    how.judge, how.what = condition_judge(opts.condition)
  elseif opts.path then
    how.judge, how.what = path_judge(opts.path, opts.value, kind:is_secret())
  elseif opts.gone then
    how.what = "to be gone"
  else
    how.judge, how.what = opts.test, "to be as wanted"
  end
  return wait.run(cluster, kind, name, how)
end

return wait
