--- Waiting, and several things at once.

local effect = require "effect"
local failure = require "failure"
local native = require "_task"

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
  local ends = clock.mono() + limit_ms
  while true do
    local value, why = fn()
    if value then
      return value
    end
    if clock.mono() >= ends then
      failure.raise("timeout", ("waited %d s for %s%s"):format(limit_ms // 1000, what,
        why and (": " .. why) or ""))
    end
    task.sleep(every_ms or 250)
  end
end

return task
