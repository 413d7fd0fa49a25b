--- Following what happens to objects: listed, then watched from the list's moment
--- on.  A watch that ends or breaks goes on where it was; what the server has
--- forgotten (410) is listed anew, and the difference told as events.  So each
--- change of what is known is told once, and nothing stays untold.

local client = require "kube.client"
local clock = require "clock"
local event = require "kube.event"
local failure = require "failure"
local json = require "json"
local object = require "kube.object"
local options = require "kube.options"
local retry = require "kube.retry"
local task = require "task"

local watch = {}

local PAGE = 500

--- Bound on an event: etcd keeps objects of at most 1.5 MiB, where nobody changed that.
local LINE_MAX = 6 * 1024 * 1024

--- How long a watch lasts by the server's word, seconds; one that is silent for
--- longer than that is dead.
local TURN_S, GRACE_S = 240, 15

--- A watch that lasts shorter than this and tells nothing is not begun anew at once.
local SHORT_MS = 1000

--- How often handler.idle is called.
local EVERY_MS = 1000

local function key_of(item)
  return ("%s/%s"):format(item.metadata.namespace, item.metadata.name)
end

local function is_same(a, b)
  return a.metadata.uid == b.metadata.uid
end

local function is_unchanged(a, b)
  return is_same(a, b) and a.metadata.resourceVersion == b.metadata.resourceVersion
end

--- The object is there: tell it, if that is news.  Returns true to stop.
local function seen(self, item)
  local key = key_of(item)
  local known = self.known[key]
  if known and is_unchanged(known, item) then
    return false
  end
  self.known[key] = item
  if known and not is_same(known, item) then
    if self.handler.event("DELETED", known) then
      return true
    end
    known = nil
  end
  return self.handler.event(known and "MODIFIED" or "ADDED", item)
end

--- The object is not there any more.
local function lost(self, item)
  local key = key_of(item)
  local known = self.known[key]
  if known == nil or not is_same(known, item) then
    return false
  end
  self.known[key] = nil
  return self.handler.event("DELETED", item)
end

--- List, and tell what differs from what is known.  Returns true to stop.
local function list(self)
  local now, order = {}, {}
  local request = object.list_request(self.cluster, self.kind, self.opts, "list")
  self.version = object.pages(self.cluster, self.kind, request, PAGE, function(items)
    for _, item in ipairs(items) do
      order[#order + 1] = item
      now[key_of(item)] = item
    end
  end, function()
    now, order = {}, {}
  end)
  for key, known in pairs(self.known) do
    if now[key] == nil and lost(self, known) then
      return true
    end
  end
  for _, item in ipairs(order) do
    if seen(self, item) then
      return true
    end
  end
  if self.is_synced or self.handler.synced == nil then
    return false
  end
  self.is_synced = true
  return self.handler.synced()
end

--- What a line of the watch tells.  Returns "stop", "expired" or nil.
local function take(self, text)
  local kind, item = failure.during(client.what(self.cluster, self.request), event.parse, text)
  if kind == "ERROR" then
    local code = math.tointeger(item.code) or 500
    if code == 410 then
      return "expired"
    end
    client.refuse(self.cluster, self.request, { status = code, headers = {}, body = json.encode(item) })
  end
  local stop = false
  if kind == "DELETED" then
    stop = lost(self, item)
  elseif kind ~= "BOOKMARK" then
    stop = seen(self, item)
  end
  self.version = item.metadata.resourceVersion
  return stop and "stop" or nil
end

local function read_lines(self, lines)
  while true do
    local text, why = lines:next(self.every_ms)
    local outcome
    if text then
      self.told = true
      outcome = text ~= "" and take(self, text) or nil
    elseif why == "ended" then
      return self.handler.idle and self.handler.idle() and "stop" or "ended"
    end
    if outcome == nil and self.handler.idle and self.handler.idle() then
      outcome = "stop"
    end
    if outcome then
      return outcome
    end
  end
end

--- Follow from the version on, until the server or the handler ends it.
--- @return string "stop", "ended" or "expired"
local function turn(self)
  local seconds = self.turn_s + math.random(0, self.turn_s // 4)
  local request = object.list_request(self.cluster, self.kind, self.opts, "watch")
  self.request, self.told = request, false
  request.query.watch = "1"
  request.query.allowWatchBookmarks = "true"
  request.query.resourceVersion = self.version
  request.query.timeoutSeconds = seconds
  local lines = client.follow(self.cluster, request, { stall_ms = (seconds + GRACE_S) * 1000, line_max = LINE_MAX })
  local ok, outcome = pcall(read_lines, self, lines)
  lines:close()
  if not ok then
    error(outcome, 0)
  end
  return outcome
end

--- May the watch go on after this error?
local function can_resume(e)
  if not failure.is(e) then
    return false
  end
  local status = e.http
  return status == 429 or status and status >= 500 or status == nil and retry.makes_sense(nil, e, true)
end

--- Pause before the next turn; raises e when it has been too long.
local function pause(self, e)
  self.pauses = self.pauses or retry.begin(self.cluster.pace)
  local ms = self.pauses:next_ms()
  if ms == nil and e then
    error(e, 0)
  end
  task.sleep(ms or self.cluster.pace.longest_ms)
  return self.handler.idle and self.handler.idle()
end

--- Errors of what the watch is for are not those of the watch.
local function guard(fn)
  return fn and function(...)
    local ok, value = pcall(fn, ...)
    if ok then
      return value
    end
    error(setmetatable({ e = value }, watch), 0)
  end
end

local function run(self)
  while true do
    if self.version == nil and list(self) then
      return
    end
    local begun = clock.mono()
    local ok, outcome = pcall(turn, self)
    if ok and outcome == "stop" then
      return
    elseif self.told then
      self.pauses = nil
    end
    if not ok then
      if getmetatable(outcome) == watch then
        error(outcome, 0)
      elseif failure.is(outcome) and outcome.http == 410 then
        outcome = "expired"
      elseif not can_resume(outcome) then
        error(outcome, 0)
      elseif pause(self, outcome) then
        return
      end
    end
    if outcome == "ended" and self.opts.relist then
      self.version = nil
    end
    local was_short = ok and not self.told and clock.mono() - begun < SHORT_MS
    if outcome == "expired" then
      self.version = nil
      was_short = was_short or self.expired_at and clock.mono() - self.expired_at < SHORT_MS
      self.expired_at = clock.mono()
    end
    if was_short and pause(self) then
      return
    end
  end
end

--- Follow the objects of a kind.
--- @param kind table of kube.discovery
--- @param opts table namespace, all, selector, fields; turn_s = seconds of a turn, relist =
---   true: list anew after each, for a cluster whose past changes (etcd restored: then a
---   watch from a later version than there is tells nothing)
--- @param handler table event = function(type, object), synced = function() when the first
---   list is told, idle = function() about every every_ms; each returns true to stop
function watch.run(cluster, kind, opts, handler)
  local self = { cluster = cluster, kind = kind, opts = opts, known = {},
    every_ms = handler.every_ms or EVERY_MS, turn_s = opts.turn_s or TURN_S,
    handler = { event = guard(handler.event), synced = guard(handler.synced), idle = guard(handler.idle) } }
  local ok, e = pcall(run, self)
  if not ok then
    error(getmetatable(e) == watch and e.e or e, 0)
  end
end

local WATCHING = { namespace = "string", all = "boolean", selector = "any", fields = "any", name = "string",
  synced = "function", idle = "function" }

--- Follow the objects of a kind, as users write it.
function watch.each(cluster, typed, given, fn)
  local opts = options.check("kube watch", given, WATCHING)
  local kind = require("kube.discovery").resource(cluster, typed)
  local fields = options.selector(opts.fields)
  if opts.name then
    fields = (fields and fields .. "," or "") .. "metadata.name=" .. opts.name
  end
  watch.run(cluster, kind, { namespace = opts.namespace, all = opts.all, selector = opts.selector, fields = fields },
    { event = fn, synced = opts.synced, idle = opts.idle })
end

return watch
