--- What a journal says was done already, in the order in which a resumed run
--- asks for it again.

local failure = require "failure"

local replay = {}

local Replay = {}
Replay.__index = Replay

--- Events that show that the recipe's line went on behind a step that failed.
local WENT_ON = { step_start = true, value = true, compensate = true, confirm = true, warn = true }

--- Sort a journal's events by what asks for them.
function replay.new(events)
  local self = setmetatable({ steps = {}, values = {}, compensations = {}, confirmations = {},
    undone = {}, warnings = {}, next_step = 1, next_value = 1, next_compensation = 1 }, Replay)
  local open, failed = {}, nil
  for _, event in ipairs(events) do
    local name = event.step and (event.step .. "/" .. (event.key or ""))
    local step = name and open[name]
    if failed and WENT_ON[event.event] then
      failed.failed, failed = failed.error, nil
    end
    if event.event == "step_start" then
      open[name] = { step = event.step, key = event.key, time = event.time }
      self.steps[#self.steps + 1] = open[name]
    elseif event.event == "step_done" and step then
      step.done, step.value = true, event.value
    elseif event.event == "step_fail" and step then
      step.error, failed = event.error, step
    elseif event.event == "resume" then
      failed = nil
    elseif event.event == "value" then
      self.values[#self.values + 1] = event
    elseif event.event == "compensate" then
      self.compensations[#self.compensations + 1] = event
    elseif event.event == "confirm" then
      self.confirmations[event.text] = true
    elseif event.event == "undo_done" then
      self.undone[event.index] = true
    elseif event.event == "warn" and type(event.error) == "table" then
      local text = tostring(event.error.message)
      self.warnings[text] = (self.warnings[text] or 0) + 1
    end
  end
  return self
end

local function differs(what, was, is)
  failure.raise("changed", ("the run did %s \"%s\" here before, and now wants \"%s\""):format(what,
    was, is), { hint = "the recipe does not behave as when the run began; `moonkeep rollback RUN` undoes it" })
end

--- The next step of the past: {done, value, failed}, or nil when this one is new.
--- failed is the error of a step behind which the recipe went on all the same.
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

--- The past of the turns of one step that ran at once, in any order: key -> as of
--- Replay:step.
function Replay:batch(id, keys)
  local known, past = {}, {}
  for _, key in ipairs(keys) do
    known[key] = true
  end
  while self.steps[self.next_step] and self.steps[self.next_step].step == id do
    local turn = self.steps[self.next_step]
    if not turn.key or not known[turn.key] then
      differs("step", id .. (turn.key and "/" .. turn.key or ""), id .. " without that turn")
    end
    past[turn.key] = turn
    self.next_step = self.next_step + 1
  end
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

--- How many registered compensations were not asked for again?
function Replay:compensations_left()
  return #self.compensations - self.next_compensation + 1
end

--- Was this warned of before, and not yet again?
function Replay:warning(text)
  local count = self.warnings[text] or 0
  self.warnings[text] = count - 1
  return count > 0
end

--- Was the undo or cleanup with that place on the stack done before?
function Replay:was_undone(index)
  return self.undone[index]
end

return replay
