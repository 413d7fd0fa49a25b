--- ctx: what a recipe's run(ctx, p) calls.  docs/design/durable-steps.md states
--- the state machine and its invariants; the numbers below, and in recipe/step.lua,
--- are those of that page.

local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local os_ = require "_os"
local replay = require "recipe.replay"
local secret = require "secret"
local session = require "recipe.session"
local step = require "recipe.step"

local context = {}

local Context = {}
Context.__index = Context

context.UNWIND = step.UNWIND

--- @param run table {id, recipe, values, opened, journal|nil, plan|nil, ui, yes, rolling_back}
function context.new(run)
  local declared = {}
  for index, spec in ipairs(run.recipe.def.steps) do
    declared[spec[1]] = { id = spec[1], text = spec[2], check = spec.check, plan = spec.plan,
      final = spec.final, index = index }
  end
  return setmetatable({
    run = run.id,
    _run = run,
    _declared = declared,
    _keys = {},
    _done = {},
    _stack = {},
    _scope = { inside = nil, plan = run.plan },
    _replay = replay.new(run.journal and run.journal.events or {}),
    _thread = coroutine.running(),
  }, Context)
end

local function check_thread(self, what)
  if coroutine.running() ~= self._thread then
    failure.raise("recipe", ("ctx:%s belongs to the recipe's own line, not to a task of it"):format(what))
  elseif self._scope.inside ~= nil then
    failure.raise("recipe", ("ctx:%s cannot be called inside a step"):format(what))
  elseif self._ending then
    failure.raise("recipe", ("ctx:%s cannot be called in a cleanup or an undo"):format(what))
  end
  if self._unwinding then
    error(step.UNWIND, 0)
  end
  local plan = self._run.plan
  if plan and plan.ended then
    error(effect.plan_end, 0)
  end
end

--- A durable step: at least once.  Its start is journalled before fn, its
--- result after; a step that is done is not run again by `moonkeep resume`.
--- @param id string one of the declared steps
--- @param key? string in loops: what makes this turn unique
--- @param fn function its value must be expressible as JSON
--- @return any the journal's copy of fn's value
function Context:step(id, key, fn)
  if fn == nil then
    key, fn = nil, key
  end
  check_thread(self, "step")
  return step.one(self, id, key, fn)
end

--- The same step for each key of a list, at most n at once; each turn is durable
--- alone, so a resumed run repeats only those that were not done.
--- @param id string one of the declared steps, without `final` and `check`
--- @param keys table list of unique strings
--- @param n integer
--- @param fn function(key, index); may wait, but not call ctx:step
--- @return table the journal's copies of the values, in the order of the list
function Context:steps(id, keys, n, fn)
  check_thread(self, "steps")
  return step.each(self, id, keys, n, fn)
end

local function push(self, entry)
  entry.index = #self._stack + 1
  self._stack[entry.index] = entry
end

--- Do something at the end of the run, whatever its outcome; in reverse order.
--- fn must be idempotent: a crash in it means that it runs again.  It may return a text: why
--- nothing was to be done, which the operator reads then.
--- @param text string what it does, in the imperative
function Context:cleanup(text, fn)
  check_thread(self, "cleanup")
  push(self, { kind = "cleanup", text = text, fn = fn })
  if self._run.plan then
    self._run.plan:add { kind = "cleanup", text = text }
  end
end

--- Register what undoes the action that follows; it runs when the run fails or
--- is rolled back.  It is journalled before the action.
--- @param text string what it does, in the imperative
--- @param args any plain values; fn gets the journal's copy
--- @param fn function(args), idempotent; may return why nothing was to be done, as a cleanup's
function Context:compensate(text, args, fn)
  check_thread(self, "compensate")
  text = secret.redact(text)
  args = step.recorded(args, ("the arguments of \"%s\""):format(text))
  if self._run.plan then
    self._run.plan:add { kind = "undo", text = text }
  else
    local past = self._replay:compensation(text)
    if past then
      args = past.args
    elseif self._run.rolling_back then
      self._unwinding = true
      error(step.UNWIND, 0)
    else
      self._run.journal:add { event = "compensate", text = text, args = args }  -- I5: before the action
    end
  end
  push(self, { kind = "undo", text = text, args = args, fn = fn })
end

--- A value that is the same when the run is resumed: fn() is asked once.
--- @param what string
function Context:recorded(what, fn)
  check_thread(self, what)
  what = secret.redact(what)
  if self._run.plan then
    return step.recorded(fn(), what)
  end
  local past = self._replay:value(what)
  if past then
    return past.value
  elseif self._run.rolling_back then
    self._unwinding = true
    error(step.UNWIND, 0)
  end
  local value = step.recorded(fn(), what)
  self._run.journal:add { event = "value", what = what, value = value }
  return value
end

--- The time of the run's clock, milliseconds since 1970 UTC, recorded.
function Context:now()
  return self:recorded("now", clock.now)
end

--- Lower-case letters and digits, recorded.
function Context:random(length)
  return self:recorded("random", function() return os_.random_id(length) end)
end

--- Ask before something destructive: on a terminal, or granted by --yes; the
--- answer is recorded.  Raises "refused".
--- @param text string a question
function Context:confirm(text)
  check_thread(self, "confirm")
  text = secret.redact(text)
  local where = session.surroundings(self._run)
  local asked = where and ("%s It is in %s."):format(text, where) or text
  if self._run.plan then
    self._run.plan:add { kind = "confirm", text = asked }
    return
  end
  if self._replay:confirmation(text) then
    return
  elseif self._run.rolling_back then
    self._unwinding = true
    error(step.UNWIND, 0)
  end
  local answer = self._run.yes and "--yes" or self._run.ui:ask(asked)
  if not answer then
    failure.raise("refused", "not confirmed: " .. asked,
      { hint = "give --yes where nobody is there to ask" })
  end
  self._run.journal:add { event = "confirm", text = text, where = where, answer = answer }
end

--- Go on after a failure: the run ends "partial".
--- @param e any error value, or a text
function Context:warn(e)
  if type(e) == "string" then
    e = failure.new("io", e)
  end
  e = failure.of(e)
  if e.code == "cancelled" then
    error(e, 0)
  end
  local plain = secret.redact_value(failure.plain(e))
  if self._replay:warning(plain.message) then
    return  -- Between steps, in a run that was resumed: it is counted and journalled already.
  elseif not self._run.plan then
    local ok, why = pcall(self._run.journal.add, self._run.journal, { event = "warn", error = plain })
    if not ok and not self._ending then                               -- I9: undoing goes on
      error(why, 0)
    end
  end
  self._run.warnings = (self._run.warnings or 0) + 1
  self._run.ui:event { kind = "warn", error = e }
end

--- Did the run go on after a failure, so that it ends "partial"?
function Context:warned()
  return (self._run.warnings or 0) > 0
end

--- Warn of something that is no failure: the run's outcome stays what it is.
function Context:caution(text, ...)
  self._run.ui:event { kind = "caution", error = failure.new("unsupported", text:format(...)) }
end

--- Tell the operator something; not a result.
function Context:say(text, ...)
  self._run.ui:event { kind = "say", text = text:format(...) }
end

--- Show a counter (stream.progress, stream.tally) on the live line of the current step.
function Context:watch(progress)
  self._run.ui:event { kind = "watch", progress = progress }
  return progress
end

--- In a step's `plan`: a change that its run will make.
function Context:will(verb, object, why)
  self._run.plan:change(verb, object, why)
end

--- Is this only a plan?
function Context:planning()
  return self._run.plan ~= nil
end

return context
