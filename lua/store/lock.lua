--- Exclusion in a store by create-only objects: locks/NAME/00000001.
---
--- The record with the highest number counts: held until it is released or
--- not renewed for long.  Taking over creates the next number, which only
--- one can; a holder that sees a higher number than its own must stop.
---
--- Where the store knows no create-only writes, records are written without that
--- condition and looked at again: two runs at once are then likely to be seen, and
--- not kept out for sure.

local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local holder_of = require "holder"
local json = require "json"
local task = require "task"

local lock = {}

--- How often a lock is renewed, and after how long without that it may be taken
--- over, milliseconds.  The same everywhere; only tests change them.
lock.times = { renew = 20000, stale = 120000 }

local RECORD_MAX = 64 * 1024

--- How often another number may win before we give up.
local TRIES = 5

local Lock = {}
Lock.__index = Lock

local function record(self, fields)
  local value = holder_of.me()
  value.run, value.renewed = self.run, clock.now()
  for name, field in pairs(fields or {}) do
    value[name] = field
  end
  return json.encode(value)
end

--- What a record says; one that cannot be read holds as long as any: somebody wrote it.
local function understand(text, entry)
  local ok, value = pcall(json.decode, text)
  if not ok or type(value) ~= "table" then
    value = {}
  end
  for _, field in ipairs { "run", "host" } do
    if type(value[field]) ~= "string" then
      value[field] = "?"
    end
  end
  if math.type(value.renewed) ~= "integer" then
    value.renewed = entry.mtime or clock.now()
  end
  return value
end

--- The records: list of {number, key, mtime}, the newest last; none when there is no store
--- yet: a directory is made when it is written to, a bucket is not.
local function records(self)
  local ok, entries = pcall(self.store.list, self.store, self.prefix)
  if not ok then
    if failure.is(entries, "not_found") and not self.store.url:find("://", 1, true) then
      return {}
    end
    error(entries, 0)
  end
  local found = {}
  for _, entry in ipairs(entries) do
    local digits = entry.key:sub(#self.prefix + 1):match("^%d%d%d%d%d%d%d%d$")
    if digits then
      found[#found + 1] = { number = math.tointeger(tonumber(digits)), key = entry.key, mtime = entry.mtime }
    end
  end
  table.sort(found, function(x, y)
    return x.number < y.number
  end)
  return found
end

--- The newest record: number, {run, host, ..., released}; 0 and nil when there is none.
local function newest(self)
  for _ = 1, TRIES do
    local found = records(self)
    local last = found[#found]
    if last == nil then
      return 0, nil
    end
    local ok, text = pcall(self.store.get, self.store, last.key, RECORD_MAX)
    if not ok and not failure.is(text, "too_big") then
      error(text, 0)
    elseif not ok or text then
      return last.number, understand(ok and text or "", last)
    end
    -- It was given back and removed since it was listed: there is a newer one.
  end
  failure.raise("locked", ("%s: other runs keep taking the lock"):format(self.name))
end

local function key_of(self, number)
  return ("%s%08d"):format(self.prefix, number)
end

local function busy(self, holder)
  local age = clock.now() - holder.renewed
  local duration = require("words").duration
  failure.raise("locked", ("%s is in use by run %s on %s (pid %s, renewed %s)"):format(self.name,
    holder.run, holder.host, tostring(holder.pid or "?"),
    age >= 0 and duration(age) .. " ago" or duration(-age) .. " from now"), {
    hint = age < -lock.times.stale and "its clock or this one is wrong: compare them"
      or ("wait for it; if it is dead, its lock is free %d s after its last renewal")
        :format(lock.times.stale // 1000),
  })
end

--- Does the record keep others out: not released, not stale, its process not known to be gone?
local function keeps_out(holder)
  return holder ~= nil and not holder.released and not holder_of.is_gone(holder)
    and clock.now() - holder.renewed < lock.times.stale
end

--- A lock, not yet held.
--- @param store table
--- @param name string "prometheus/main"
--- @param run string the run's id; a resumed run takes its own lock again
function lock.new(store, name, run)
  return setmetatable({ store = store, name = name, run = run, prefix = "locks/" .. name .. "/" }, Lock)
end

--- Write a new record.  Raises "exists" when somebody else was first.
local function write_new(self, number, text, why)
  local excludes = self.store:excludes() ~= false
  self.store:put(key_of(self, number), text, { exclusive = excludes, why = why })
  if effect.planning() then
    return
  end
  -- Numbers become free again behind a release: ours may be one of long ago by now.
  local last, holder = newest(self)
  if last == number and holder.run == self.run then
    return
  elseif last > number and excludes then
    self.store:remove(key_of(self, number))
  end
  failure.raise("exists", ("%s: another run took the lock at the same time"):format(self.name))
end

--- Take the lock.  Raises "locked" when another run holds it.  When it was taken over
--- from a run that did not release it, `took_over` is set; from another than this one,
--- `before` is what that one wrote: {run, host, ...}.
--- @return integer its number
function Lock:acquire()
  -- Until it is taken, a store that cannot be read has nothing to be released.
  self.refused = true
  local last
  for _ = 1, TRIES do
    local number, holder = newest(self)
    if keeps_out(holder) and holder.run ~= self.run then
      busy(self, holder)
    end
    local ok, e = pcall(write_new, self, number + 1, record(self), "exclude other runs")
    if ok then
      self.number, self.refused = number + 1, nil
      self.took_over = holder ~= nil and not holder.released
      self.before = self.took_over and holder.run ~= self.run and holder or nil
      return self.number
    elseif not failure.is(e, "exists") and not failure.is(e, "not_found") then
      error(e, 0)
    end
    -- Not found: another run's sweep took what we were writing.
    last = e
  end
  if failure.is(last, "not_found") then
    error(last, 0)
  end
  failure.raise("locked", ("%s: other runs keep taking the lock"):format(self.name))
end

--- Does anybody hold the lock?
function Lock:is_held()
  local _, holder = newest(self)
  return keeps_out(holder)
end

--- Raise "locked" when somebody took the lock over, or nobody holds it.
function Lock:check()
  local number, holder = newest(self)
  if holder == nil or holder.run ~= self.run or holder.released then
    failure.raise("locked", ("%s was taken over by run %s: this run must stop"):format(self.name,
      holder and holder.run or "?"))
  end
  self.number = number
end

--- Say that the holder is alive.  Raises "locked" when it holds the lock no more.
function Lock:renew()
  self:check()
  self.store:put(key_of(self, self.number), record(self))
end

--- Call fn(...) while the lock is renewed; raises "locked" when it is lost meanwhile.
function Lock:held(fn, ...)
  -- A resumed run is another process than the one that took the lock.
  self:renew()
  local lost
  local work = task.spawn(fn, ...)
  local renewer = task.spawn(function()
    local renewed, times = clock.mono(), lock.times
    while true do
      task.sleep(times.renew)
      local ok, e = pcall(self.renew, self)
      if ok then
        renewed = clock.mono()
      elseif failure.is(e, "cancelled") then
        error(e, 0)
      elseif failure.is(e, "locked") then
        lost = e
      elseif clock.mono() - renewed >= times.stale - 2 * times.renew then
        -- Before others may take it over.
        lost = failure.prefix(e, ("cannot renew the lock on %s"):format(self.name))
      end
      if lost then
        work:cancel()
        return
      end
    end
  end)
  local results = table.pack(work:wait())
  renewer:cancel()
  renewer:wait()
  if lost then
    error(lost, 0)
  elseif not results[1] then
    error(results[2], 0)
  end
  self:check()
  return table.unpack(results, 2, results.n)
end

--- Remove what interrupted writes of records left, unless another run works here.
local function sweep(self)
  local ok, e = pcall(self.store.sweep, self.store, self.prefix)
  if not ok and not failure.is(e, "not_found") then
    error(e, 0)
  end
end

--- Give the lock back, if this run holds it; older records are removed.
--- @return string|nil who else holds it
function Lock:release()
  local seen, number, holder = pcall(newest, self)
  if not seen and self.refused then
    return
  elseif not seen then
    error(number, 0)
  end
  local ours = holder ~= nil and holder.run == self.run and not holder.released
  if ours or holder == nil or holder.released or holder_of.is_gone(holder) then
    sweep(self)
  end
  if not ours then
    return keeps_out(holder) and ("run %s holds it"):format(tostring(holder.run)) or nil
  end
  local said, e = pcall(write_new, self, number + 1, record(self, { released = true }))
  if not said and failure.is(e, "exists") then
    return  -- It was taken over just now.
  elseif not said and not failure.is(e, "full") then
    error(e, 0)
  end
  -- Where there is no room to say so, removing the record does it, too.
  for _, entry in ipairs(records(self)) do
    if entry.number <= number then
      self.store:remove(entry.key)
    end
  end
end

return lock
