--- Who may change something now, and what a plan does instead.
---
--- Every function below lua/ that changes a target, a store or a service asks
--- effect.change first.  Inside a run's step, cleanup or undo it answers true;
--- between steps it raises; in a plan it lists the change and answers false.
--- Outside any run (the commands of moonkeep itself, tests) it answers true.

local failure = require "failure"
local native = require "_task"
local traceback = require("_scripts").traceback

local effect = {}

--- The context of each task: {inside = "step"|"undo"|nil, plan = plan|nil}.
local contexts = setmetatable({}, { __mode = "k" })

--- Whose context counts: the task's, also in a coroutine that it made.
local function line()
  return native.running() or coroutine.running()
end

--- Raised to end a plan where something is only known when run.
effect.plan_end = setmetatable({}, { __name = "plan end", __tostring = function()
  return "the plan ends here"
end })

--- The context of the running task, or nil.
function effect.current()
  return contexts[line()]
end

--- Call fn(...) with that context in the running task.
function effect.with(context, fn, ...)
  local thread = line()
  local before = contexts[thread]
  contexts[thread] = context
  -- Here an error of a recipe is nearest to where it came from, which -v shows.
  local results = table.pack(xpcall(fn, traceback, ...))
  contexts[thread] = before
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Is this a plan?  For waits, which then return at once.
function effect.planning()
  local context = contexts[line()]
  return context ~= nil and context.plan ~= nil
end

--- Is something being undone or cleaned up?
function effect.undoing()
  local context = contexts[line()]
  return context == nil or context.inside == "undo"
end

--- Ask before changing something.
--- @param verb string "remove", "stop", ...
--- @param object string what is changed
--- @param why? string
--- @return boolean do it?
function effect.change(verb, object, why)
  local context = contexts[line()]
  if context == nil then
    return true
  end
  if context.plan ~= nil then
    context.plan:change(verb, object, why)
    return false
  end
  if context.inside == nil then
    failure.raise("recipe", ("cannot %s %s between steps"):format(verb, object),
      { hint = "put what changes something into ctx:step, ctx:cleanup or ctx:compensate" })
  end
  return true
end

--- Ask before a change whose result later code needs: in a plan it is listed,
--- and the plan's straight line ends there.
function effect.change_for_result(verb, object, why)
  if not effect.change(verb, object, why) then
    effect.current().plan.ended = true
    error(effect.plan_end, 0)
  end
end

return effect
