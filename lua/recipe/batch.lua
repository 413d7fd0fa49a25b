--- Several turns of a step at once.  Their beginnings and ends are told to the
--- recipe's own line alone, one at a time, so that a journal is written in order.

local effect = require "effect"
local native = require "_task"
local task = require "task"

local batch = {}

--- Wait until a turn has ended.
local function await(state)
  while #state.ended == 0 do
    state.gate = task.gate()
    state.gate:wait()
    state.gate = nil
    if #state.ended == 0 and native.cancelled() then
      -- They are cancelled, too, and their ends cannot be missed.
      local _, handle = next(state.running)
      handle:wait()
    end
  end
  return table.remove(state.ended, 1)
end

local function start(state, turn, run)
  state.running[turn] = native.spawn(effect.with, effect.current(), function()
    local ok, value = pcall(run, turn)
    state.ended[#state.ended + 1] = { turn = turn, ok = ok, value = value }
    if state.gate then
      state.gate:cancel()
    end
  end)
  state.count = state.count + 1
end

--- Do all turns, at most n at once.  After the first that fails no other begins,
--- and those under way are cancelled; its error is raised when all have ended.
--- @param turns table
--- @param n integer at least 1
--- @param calls table begin(turn), run(turn) -> value (in a task of its own), done(turn, value),
---   failed(turn, e) -> e
function batch.run(turns, n, calls)
  local state = { running = {}, ended = {}, count = 0 }
  local first

  local function fail(e)
    first = first or e
    for _, handle in pairs(state.running) do
      handle:cancel()
    end
  end

  local function reap()
    local one = await(state)
    state.running[one.turn] = nil
    state.count = state.count - 1
    if one.ok then
      local noted, e = pcall(calls.done, one.turn, one.value)
      one.ok, one.value = noted, e
    end
    if not one.ok then
      fail(calls.failed(one.turn, one.value))
    end
  end

  for _, turn in ipairs(turns) do
    while state.count >= n do
      reap()
    end
    if first ~= nil then
      break
    end
    local ok, e = pcall(calls.begin, turn)
    if not ok then
      fail(e)
      break
    end
    start(state, turn, calls.run)
  end
  while state.count > 0 do
    reap()
  end
  if first ~= nil then
    error(first, 0)
  end
end

return batch
