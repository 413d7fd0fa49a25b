--- A plan: the changes that a run would make, listed instead of made.

local words = require "words"

local plan = {}

local Plan = {}
Plan.__index = Plan

--- @param show function(entry) called for each entry as it comes
function plan.new(show)
  return setmetatable({ entries = {}, show = show, complete = true }, Plan)
end

--- Add an entry: kind "step", "change", "undo", "cleanup", "confirm", "unknown".
function Plan:add(entry)
  self.entries[#self.entries + 1] = entry
  self.show(entry)
end

function Plan:change(verb, object, why)
  self:add { kind = "change", verb = verb, object = words.valid(object), why = why }
end

--- The plan's line ended: the rest is only known when run.
function Plan:unknown(steps)
  self.complete = false
  for _, step in ipairs(steps) do
    self:add { kind = "unknown", step = step[1], text = step[2] }
  end
end

return plan
