--- What a journal says was done already, in the order in which a resumed run
--- asks for it again.

local failure = require "failure"

local replay = {}

local Replay = {}
Replay.__index = Replay

--- Sort a journal's events by what asks for them.
function replay.new(events)
  local self = setmetatable({ steps = {}, values = {}, compensations = {}, confirmations = {},
    undone = {}, next_step = 1, next_value = 1, next_compensation = 1 }, Replay)
  local open = {}
  for _, event in ipairs(events) do
    local name = event.step and (event.step .. "/" .. (event.key or ""))
    if event.event == "step_start" then
      open[name] = { step = event.step, key = event.key, time = event.time }
      self.steps[#self.steps + 1] = open[name]
    elseif event.event == "step_done" then
      open[name].done, open[name].value = true, event.value
    elseif event.event == "value" then
      self.values[#self.values + 1] = event
    elseif event.event == "compensate" then
      self.compensations[#self.compensations + 1] = event
    elseif event.event == "confirm" then
      self.confirmations[event.text] = true
    elseif event.event == "undo_done" then
      self.undone[event.index] = true
    end
  end
  return self
end

local function differs(what, was, is)
  failure.raise("changed", ("the run did %s \"%s\" here before, and now wants \"%s\""):format(what,
    was, is), { hint = "the recipe does not behave as when the run began; `moonkeep rollback RUN` undoes it" })
end

--- The next step of the past: {done, value}, or nil when this one is new.
function Replay:step(id, key)
  local past = self.steps[self.next_step]
  if past == nil then
    return nil
  end
  if past.step ~= id or past.key ~= key then
    differs("step", past.step .. (past.key and "/" .. past.key or ""), id .. (key and "/" .. key or ""))
  end
  self.next_step = self.next_step + 1
  return past
end

--- The next recorded value, or nil.
function Replay:value(what)
  local past = self.values[self.next_value]
  if past == nil then
    return nil
  end
  if past.what ~= what then
    differs("record", past.what, what)
  end
  self.next_value = self.next_value + 1
  return past
end

--- The next registered compensation, or nil.
function Replay:compensation(text)
  local past = self.compensations[self.next_compensation]
  if past == nil then
    return nil
  end
  if past.text ~= text then
    differs("register", past.text, text)
  end
  self.next_compensation = self.next_compensation + 1
  return past
end

--- Was this question answered before?
function Replay:confirmation(text)
  return self.confirmations[text]
end

--- Was the undo or cleanup with that place on the stack done before?
function Replay:was_undone(index)
  return self.undone[index]
end

return replay
