--- The live line of a step: time, bytes, rate and what is left, redrawn five
--- times a second on a terminal, said twice a minute elsewhere.

local clock = require "clock"
local task = require "task"
local text = require "cli.text"
local words = require "words"

local live = {}

local REDRAW_MS = 200
local SAY_MS = 30000

--- How much of the rate shown is the newest measurement.
local FRESH = 0.2

local Live = {}
Live.__index = Live

--- "512.0 MiB of 1.2 GiB, 101.3 MiB/s, 7.0 s left" of a counter, or "".
--- @param counter table {bytes, total, rate}
function live.describe(counter)
  if counter.bytes == 0 and counter.total == 0 then
    return ""
  end
  local parts = { words.bytes(counter.bytes) }
  if counter.total > 0 then
    parts[1] = ("%s of %s"):format(parts[1], words.bytes(counter.total))
  end
  if counter.rate and counter.rate >= 1 then
    parts[#parts + 1] = words.bytes(math.floor(counter.rate)) .. "/s"
    if counter.total > counter.bytes then
      local left = (counter.total - counter.bytes) / counter.rate * 1000
      parts[#parts + 1] = words.duration(left) .. " left"
    end
  end
  return table.concat(parts, ", ")
end

--- Measure: the counter's bytes now, and the rate since the last time.
function Live:measure()
  local now = clock.mono()
  local counter = self.counter
  if self.progress == nil then
    return counter
  end
  local bytes, _, total = self.progress:get()
  local passed = now - (self.measured or self.began)
  -- There are fewer where something is begun anew: that says nothing of the rate.
  if passed > 0 and bytes >= counter.bytes then
    local rate = (bytes - counter.bytes) / passed * 1000
    counter.rate = counter.rate and counter.rate + (rate - counter.rate) * FRESH or rate
  end
  counter.bytes, counter.total, self.measured = bytes, total, now
  return counter
end

--- What to show now.
function Live:line()
  local said = live.describe(self:measure())
  local time = words.duration(clock.mono() - self.began)
  return "      " .. time .. (said ~= "" and ", " .. said or "")
end

local function loop(self)
  local said = self.began
  while true do
    task.sleep(REDRAW_MS)
    if self.stopped then
      return
    elseif self.terminal then
      self.write("\r\27[K" .. text.clip(self:line(), self.columns() - 1))
      self.drawn = true
    elseif clock.mono() - said >= SAY_MS then
      said = clock.mono()
      self.write(self:line() .. "\n")
    end
  end
end

--- Start a live line.
--- @param write function(text) must not raise
--- @param terminal boolean may control characters be written?
--- @param columns function() -> width of the terminal
function live.start(write, terminal, columns)
  local self = setmetatable({ write = write, terminal = terminal, columns = columns,
    began = clock.mono(), counter = { bytes = 0, total = 0 } }, Live)
  self.task = task.spawn(loop, self)
  return self
end

--- Show this counter (stream.progress, stream.tally) from now on.
function Live:watch(progress)
  if progress == self.progress then
    return
  end
  self.progress = progress
  self.counter = { bytes = 0, total = 0 }
  self.measured = clock.mono()
  self.watched = self.watched or self.measured
end

--- Take the line away, for another text in its place; the next redraw brings it back.
function Live:clear()
  if self.drawn then
    self.write("\r\27[K")
    self.drawn = false
  end
end

--- End it, and say what it counted: "" or "1.2 GiB, 98.1 MiB/s".
function Live:stop()
  self.stopped = true
  self.task:cancel()
  self:clear()
  if self.progress == nil then
    return ""
  end
  local bytes = self.progress:get()
  local took = clock.mono() - self.watched
  return live.describe { bytes = bytes, total = 0, rate = took > 0 and bytes / took * 1000 or nil }
end

return live
