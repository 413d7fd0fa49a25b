--- Waiting, and several things at once.

local effect = require "effect"
local failure = require "failure"
local native = require "_task"
local os_ = require "_os"

local task = {}

--- Wait.  Ends early with a "cancelled" error.
--- @param ms integer
function task.sleep(ms)
  native.sleep(ms)
end

--- Start fn(...) as a task of its own; it acts in the same step as the caller.
--- @return table handle with :wait() -> ok, values or error; :cancel(); :ended()
function task.spawn(fn, ...)
  local context = effect.current()
  return native.spawn(function(...)
    return effect.with(context, fn, ...)
  end, ...)
end

--- Was the running task cancelled (also while it is shielded)?
function task.cancelled()
  return native.cancelled()
end

--- Call fn(...) so that a cancel does not reach it, with so much time.
--- @param ms integer
function task.shielded(ms, fn, ...)
  native.shield(ms)
  local results = table.pack(pcall(fn, ...))
  native.unshield()
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Call fn(item, index) for each item, at most n at once, and wait for all.
--- The first error cancels the others and is raised when they have ended.
--- @param n integer at least 1
--- @return table results in the order of the list
function task.each(list, n, fn)
  if math.type(n) ~= "integer" or n < 1 then
    failure.raise("recipe", ("task.each takes how many at once, not %s"):format(tostring(n)))
  end
  local results, running, first = {}, {}, nil
  local next_index = 1

  local function reap(handle, index)
    local ok, value = handle:wait()
    running[index] = nil
    if ok then
      results[index] = value
    elseif first == nil then
      first = value
      for _, other in pairs(running) do
        other:cancel()
      end
    end
  end

  -- Each worker takes the next item until none is left.
  local workers = {}
  for worker = 1, math.min(n, #list) do
    workers[worker] = native.spawn(function(context)
      while next_index <= #list and first == nil do
        local index = next_index
        next_index = next_index + 1
        local handle = native.spawn(effect.with, context, fn, list[index], index)
        running[index] = handle
        reap(handle, index)
      end
    end, effect.current())
  end
  for _, handle in ipairs(workers) do
    local ok, e = handle:wait()
    if not ok and first == nil then
      first = e
    end
  end
  if first ~= nil then
    error(first, 0)
  end
  return results
end

--- Longer than any run, milliseconds.
local FOREVER = 1 << 50

--- Something to wait for that only happens when it is told: a task whose :wait()
--- returns once somebody calls :cancel().
--- @return table handle
function task.gate()
  return native.spawn(native.sleep, FOREVER)
end

local Flow = {}
Flow.__index = Flow

--- A flow of tasks, for as many things as come: only so many run at once, and
--- none is kept when it has ended.  The first error cancels the others.  Closed
--- without Flow:finish, it cancels what runs, and waits for it.
--- @param room integer how much runs at once
function task.flow(room)
  if math.type(room) ~= "integer" or room < 1 then
    failure.raise("recipe", ("task.flow takes how much runs at once, not %s"):format(tostring(room)))
  end
  return setmetatable({ room = room, used = 0, running = {} }, Flow)
end

local function stop(self, e)
  self.first = self.first or e
  for _, handle in pairs(self.running) do
    handle:cancel()
  end
end

--- Wait until all have ended; their ends cannot be missed, also after a cancel.
local function drain(self)
  for _, handle in pairs(self.running) do
    handle:wait()
  end
  if self.first ~= nil then
    error(self.first, 0)
  end
end

local function run(self, slot, weight, fn, ...)
  local ok, e = pcall(fn, ...)
  self.running[slot] = nil
  self.used = self.used - weight
  if not ok then
    stop(self, e)
  end
  if self.gate then
    self.gate:cancel()
  end
end

--- Start fn(...) as a task, as soon as there is room; raises what an earlier one raised.
--- @param weight integer how much room it takes; one that takes more than there is runs alone
function Flow:start(weight, fn, ...)
  while self.first == nil and self.used > 0 and self.used + weight > self.room do
    self.gate = task.gate()
    self.gate:wait()
    self.gate = nil
    if native.cancelled() then
      stop(self, failure.new("cancelled", "cancelled"))
    end
  end
  if self.first ~= nil then
    drain(self)
  end
  self.used = self.used + weight
  local slot = {}
  self.running[slot] = native.spawn(effect.with, effect.current(), run, self, slot, weight, fn, ...)
end

--- Wait for all; raises the first error.
function Flow:finish()
  drain(self)
end

function Flow:__close()
  if next(self.running) ~= nil then
    stop(self, failure.new("cancelled", "cancelled"))
    pcall(drain, self)
  end
end

--- What may go away by itself: a connection that broke, not a defect of what is read.
local PASSING = { network = true, truncated = true, timeout = true }

--- The longest pause between two tries, milliseconds.
local PAUSE_MAX_MS = 30000

--- Call fn() until it does not break off any more; may(tries, pause_ms): another time?
local function repeat_while(may, fn, tell)
  local pause_ms, tries = 1000, 1
  while may(tries, pause_ms) do
    local results = table.pack(pcall(fn))
    if results[1] then
      return table.unpack(results, 2, results.n)
    end
    local e = failure.of(results[2])
    if not (e.retryable or PASSING[e.code]) then
      error(e, 0)
    end
    if tell then
      tell(e)
    end
    task.sleep(pause_ms)
    pause_ms, tries = math.min(2 * pause_ms, PAUSE_MAX_MS), tries + 1
  end
  return fn()
end

--- Call fn() again when what it does broke off, with growing pauses.
--- @param tries integer how often in all
--- @param fn function what it did before is undone by itself, or harmless
--- @param tell? function(e) called before each further try
--- @return any of fn
function task.again(tries, fn, tell)
  return repeat_while(function(tried)
    return tried < tries
  end, fn, tell)
end

--- The same, however often, for what must not be given up soon; once the run is cancelled
--- there is no further try.
--- @param limit_ms integer no further try begins later
--- @param fn function what it did before is undone by itself, or harmless
--- @param tell? function(e) called before each further try
--- @return any of fn
function task.again_within(limit_ms, fn, tell)
  local clock = require "clock"
  local ends = clock.mono() + limit_ms
  return repeat_while(function(_, pause_ms)
    return clock.mono() + pause_ms < ends and not native.cancelled()
  end, fn, tell)
end

--- Call tell("waiting for WHAT: WHY") whenever what is seen changes.
local function on_change(what, tell)
  local said
  return function(why)
    if why and why ~= said then
      said = why
      tell(("waiting for %s: %s"):format(what, why))
    end
  end
end

--- What a wait waits for, said with -v whenever it changes.
--- @param what string what is waited for
--- @return function(why) called with each state that is seen; nil: nothing is known
function task.told(what)
  return on_change(what, os_.tell)
end

--- What a wait waits for, said aloud whenever it changes, once that takes long; beside task.told.
--- @param what string what is waited for
--- @param silent_ms integer how long is waited without a word, from now on
--- @param tell function(text) may be called with a text again, after another one
--- @return function(why) called with each state that is seen; nil: nothing is known
function task.aloud(what, silent_ms, tell)
  local clock = require "clock"
  local ends, say = clock.mono() + silent_ms, on_change(what, tell)
  return function(why)
    if clock.mono() >= ends then
      say(why)
    end
  end
end

--- Ask fn() until it returns something true, with pauses; a stall is an error.
--- In a plan nothing is asked: what is waited for was not begun.
--- @param what string what is waited for, for the message
--- @param limit_ms integer how long at most
--- @param fn function may return false, "why not yet"
--- @param every_ms? integer pause, default 250
function task.wait_until(what, limit_ms, fn, every_ms)
  local clock = require "clock"
  if effect.planning() then
    return nil
  end
  local ends, tell = clock.mono() + limit_ms, task.told(what)
  while true do
    local value, why = fn()
    if value then
      return value
    end
    tell(why)
    if clock.mono() >= ends then
      failure.raise("timeout", ("waited %d s for %s%s"):format(limit_ms // 1000, what,
        why and (": " .. why) or ""))
    end
    task.sleep(every_ms or 250)
  end
end

return task
