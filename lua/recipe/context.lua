--- ctx: what a recipe's run(ctx, p) calls.  docs/design/durable-steps.md states
--- the state machine and its invariants; the numbers below are those of that page.

local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local json = require "json"
local os_ = require "_os"
local replay = require "recipe.replay"
local secret = require "secret"
local task = require "task"

local context = {}

--- How long a final step may take: a cancel waits for it.
local FINAL_MS = 15 * 60000

local Context = {}
Context.__index = Context

--- Raised to leave run() when a rollback reaches a step that was not done.
local UNWIND = setmetatable({}, { __name = "unwind", __tostring = function()
  return "the run is being rolled back"
end })
context.UNWIND = UNWIND

--- @param run table {id, recipe, values, opened, journal|nil, plan|nil, ui, yes, rolling_back}
function context.new(run)
  local declared = {}
  for index, step in ipairs(run.recipe.def.steps) do
    declared[step[1]] = { id = step[1], text = step[2], check = step.check, plan = step.plan,
      final = step.final, index = index }
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
    error(UNWIND, 0)
  end
  local plan = self._run.plan
  if plan and plan.ended then
    error(effect.plan_end, 0)
  end
end

--- Run fn with changes allowed, as `inside` says.
local function inside(self, kind, fn, ...)
  local scope = { inside = kind, plan = self._run.plan }
  self._scope = scope
  local results = table.pack(pcall(effect.with, scope, fn, ...))
  -- Tasks that it left behind may change nothing any more.
  scope.inside = nil
  self._scope = { inside = nil, plan = self._run.plan }
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- The journal's copy of a value: what a later run would see.
local function recorded(value, what)
  if value == nil then
    return nil
  end
  return secret.redact_value(json.decode(failure.during(what, json.encode, value)))
end

local function plan_step(self, step, key, fn)
  local plan = self._run.plan
  plan:add { kind = "step", step = step.id, key = key, text = step.text, index = step.index }
  local value
  if step.plan then
    value = inside(self, "step", step.plan, self, self._run.opened, self._done, key)
  else
    value = inside(self, "step", fn)
  end
  value = recorded(value, ("the result of step \"%s\""):format(step.id))
  self._done[step.id] = value
  return value
end

--- Do a step that is not done: its value, and whether it was taken over.
local function perform(self, step, key, fn, past)
  local name = key and (step.id .. "/" .. key) or step.id
  local value
  if past and step.check then                                         -- I4: adopt or remove
    value = inside(self, "step", step.check, self, self._run.opened, self._done, key)
  end
  local adopted = value ~= nil
  if not adopted then
    if not past then                                                  -- I1: before fn
      self._run.journal:add { event = "step_start", step = step.id, key = key, final = step.final }
    end
    self._final = self._final or step.final
    if step.final then                                                -- I11: only forward
      value = task.shielded(FINAL_MS, inside, self, "step", fn)
    else
      value = inside(self, "step", fn)
    end
  end
  return recorded(value, ("the result of step \"%s\""):format(name)), adopted
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
  key = secret.redact_value(key)
  local step = self._declared[id]
  if step == nil then
    local names = {}
    for name in pairs(self._declared) do
      names[#names + 1] = name
    end
    failure.raise("recipe", ("step \"%s\" is not declared%s"):format(tostring(id),
      require("words").did_you_mean(tostring(id), names)))
  elseif type(fn) ~= "function" or (key ~= nil and (type(key) ~= "string" or key == "")) then
    failure.raise("recipe", ("ctx:step(\"%s\", ...) takes a function, in loops a key before it"):format(id))
  end
  local name = key and (id .. "/" .. key) or id
  if self._keys[name] then
    failure.raise("recipe", ("step \"%s\" is run twice: give each turn a key of its own"):format(name))
  end
  self._keys[name] = true
  if self._run.plan then
    return plan_step(self, step, key, fn)
  end

  local journal, ui = self._run.journal, self._run.ui
  local past = self._replay:step(id, key)                             -- I3: same order as before
  self._final = self._final or step.final and past ~= nil
  if past and past.done then
    self._done[id] = past.value
    ui:event { kind = "step_replayed", step = step, key = key }
    return past.value
  elseif past and past.failed then                                    -- I12: the line went on behind it
    error(failure.new(past.failed.code, past.failed.message, { hint = past.failed.hint,
      http = past.failed.http, step = past.failed.step }), 0)
  end
  if self._run.rolling_back then                                      -- I6: unfinished steps refuse
    self._unwinding = true
    error(UNWIND, 0)
  end
  -- A step that a signal reached before it began does not begin.
  if task.cancelled() then
    failure.raise("cancelled", "cancelled")
  end

  ui:event { kind = "step_start", step = step, key = key }
  local began = clock.mono()
  local value, adopted
  local ok, e = pcall(function()
    value, adopted = perform(self, step, key, fn, past)
    journal:add { event = "step_done", step = id, key = key, value = value, adopted = adopted or nil,
      ms = clock.mono() - began }                                     -- I2: after fn
  end)
  if not ok then
    e = failure.of(e)
    e.step = e.step or id
    -- A journal that cannot be written must not hide why the step failed.
    pcall(journal.add, journal, { event = "step_fail", step = id, key = key, error = failure.plain(e) })
    ui:event { kind = "step_fail", step = step, key = key, error = e, ms = clock.mono() - began }
    error(e, 0)
  end
  self._done[id] = value
  ui:event { kind = "step_done", step = step, key = key, value = value, adopted = adopted,
    ms = clock.mono() - began }
  return value
end

local function push(self, entry)
  entry.index = #self._stack + 1
  self._stack[entry.index] = entry
end

--- Do something at the end of the run, whatever its outcome; in reverse order.
--- fn must be idempotent: a crash in it means that it runs again.
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
--- @param fn function(args), idempotent
function Context:compensate(text, args, fn)
  check_thread(self, "compensate")
  text = secret.redact(text)
  args = recorded(args, ("the arguments of \"%s\""):format(text))
  if self._run.plan then
    self._run.plan:add { kind = "undo", text = text }
  else
    local past = self._replay:compensation(text)
    if past then
      args = past.args
    elseif self._run.rolling_back then
      self._unwinding = true
      error(UNWIND, 0)
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
    return recorded(fn(), what)
  end
  local past = self._replay:value(what)
  if past then
    return past.value
  elseif self._run.rolling_back then
    self._unwinding = true
    error(UNWIND, 0)
  end
  local value = recorded(fn(), what)
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
  if self._run.plan then
    self._run.plan:add { kind = "confirm", text = text }
    return
  end
  if self._replay:confirmation(text) then
    return
  elseif self._run.rolling_back then
    self._unwinding = true
    error(UNWIND, 0)
  end
  local answer = self._run.yes and "--yes" or self._run.ui:ask(text)
  if not answer then
    failure.raise("refused", "not confirmed: " .. text,
      { hint = "give --yes where nobody is there to ask" })
  end
  self._run.journal:add { event = "confirm", text = text, answer = answer }
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

--- Show a counter (stream.progress) on the live line of the current step.
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
