--- How many requests are under way to one server at once; others wait in turn.

local failure = require "failure"
local native = require "_task"

local gate = {}

local Gate = {}
Gate.__index = Gate

--- Longer than any run, milliseconds.
local FOREVER = 1 << 50

--- One for each server, however often it was opened.
local gates = setmetatable({}, { __mode = "v" })

--- The gate of a server.
--- @param room integer how many at once
function gate.of(server, room)
  local found = gates[server]
  if found == nil then
    found = setmetatable({ free = room, queue = {} }, Gate)
    gates[server] = found
  end
  return found
end

local function enter(self)
  if self.free > 0 then
    self.free = self.free - 1
    return
  end
  local waiter = { handle = native.spawn(native.sleep, FOREVER) }
  self.queue[#self.queue + 1] = waiter
  waiter.handle:wait()
  if not waiter.granted then
    -- Who waits was cancelled; nobody shall give the place to a task that has gone.
    waiter.left = true
    failure.raise("cancelled", "cancelled")
  end
end

local function leave(self)
  while #self.queue > 0 do
    local waiter = table.remove(self.queue, 1)
    if not waiter.left then
      waiter.granted = true
      waiter.handle:cancel()
      return
    end
  end
  self.free = self.free + 1
end

--- Call fn(...) when there is room.
function Gate:pass(fn, ...)
  enter(self)
  local results = table.pack(pcall(fn, ...))
  leave(self)
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

return gate
