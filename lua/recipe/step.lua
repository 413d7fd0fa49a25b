--- Steps of a run: ctx:step one after another, ctx:steps several of a list at
--- once.  docs/design/durable-steps.md states the state machine and its
--- invariants; the numbers below are those of that page.

local batch = require "recipe.batch"
local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local json = require "json"
local secret = require "secret"
local task = require "task"
local words = require "words"

local step = {}

--- How long a final step may take: a cancel waits for it.
local FINAL_MS = 15 * 60000

--- Raised to leave run() when a rollback reaches a step that was not done.
step.UNWIND = setmetatable({}, { __name = "unwind", __tostring = function()
  return "the run is being rolled back"
end })

--- The journal's copy of a value: what a later run would see.
function step.recorded(value, what)
  if value == nil then
    return nil
  end
  return secret.redact_value(json.decode(failure.during(what, json.encode, value)))
end

local function full_name(id, key)
  return key and (id .. "/" .. key) or id
end

local function result_of(value, id, key)
  return step.recorded(value, ("the result of step \"%s\""):format(full_name(id, key)))
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

--- The declared step, and its key as it may be written down; each turn has a name of its own.
local function claim(self, id, key, fn)
  key = secret.redact_value(key)
  local declared = self._declared[id]
  if declared == nil then
    local names = {}
    for name in pairs(self._declared) do
      names[#names + 1] = name
    end
    failure.raise("recipe", ("step \"%s\" is not declared%s"):format(tostring(id),
      words.did_you_mean(tostring(id), names)))
  elseif type(fn) ~= "function" or (key ~= nil and (type(key) ~= "string" or key == "")) then
    failure.raise("recipe", ("ctx:step(\"%s\", ...) takes a function, in loops a key before it"):format(id))
  end
  local name = full_name(id, key)
  if self._keys[name] then
    failure.raise("recipe", ("step \"%s\" is run twice: give each turn a key of its own"):format(name))
  end
  self._keys[name] = true
  return declared, key
end

local function planned(self, declared, key, fn)
  local plan = self._run.plan
  plan:add { kind = "step", step = declared.id, key = key, text = declared.text, index = declared.index }
  local value
  if declared.plan then
    value = inside(self, "step", declared.plan, self, self._run.opened, self._done, key)
  else
    value = inside(self, "step", fn)
  end
  value = result_of(value, declared.id, key)
  self._done[declared.id] = value
  return value
end

--- What the past says of a step: true and its value when it is done; an error
--- behind which the line went on is raised again.                    -- I12
local function settled(self, declared, key, past)
  self._final = self._final or declared.final and past ~= nil
  if past and past.done then
    self._run.ui:event { kind = "step_replayed", step = declared, key = key }
    return true, past.value
  elseif past and past.failed then
    error(failure.new(past.failed.code, past.failed.message, { hint = past.failed.hint,
      http = past.failed.http, step = past.failed.step }), 0)
  end
  return false
end

--- Before anything new is done: not in a rollback, and not after a signal.
local function check_may_begin(self)
  if self._run.rolling_back then                                      -- I6: unfinished steps refuse
    self._unwinding = true
    error(step.UNWIND, 0)
  elseif task.cancelled() then
    failure.raise("cancelled", "cancelled")
  end
end

local function begin(self, declared, key, past)
  if not past then                                                    -- I1: before fn
    self._run.journal:add { event = "step_start", step = declared.id, key = key, final = declared.final }
  end
  self._final = self._final or declared.final
end

local function adopt(self, declared, key, past)
  if past and declared.check then                                     -- I4: adopt or remove
    return inside(self, "step", declared.check, self, self._run.opened, self._done, key)
  end
end

--- Do a step that is not done: its value, and whether it was taken over.
local function perform(self, declared, key, fn, past)
  local value = adopt(self, declared, key, past)
  local adopted = value ~= nil
  if not adopted then
    begin(self, declared, key, past)
    if declared.final then                                            -- I11: only forward
      value = task.shielded(FINAL_MS, inside, self, "step", fn)
    else
      value = inside(self, "step", fn)
    end
  end
  return result_of(value, declared.id, key), adopted
end

local function end_well(self, declared, key, value, adopted, began)
  local ms = clock.mono() - began
  self._run.journal:add { event = "step_done", step = declared.id, key = key, value = value,
    adopted = adopted or nil, ms = ms }                               -- I2: after fn
  return ms
end

local function end_badly(self, declared, key, e, began)
  e = failure.of(e)
  e.step = e.step or declared.id
  -- A journal that cannot be written must not hide why the step failed.
  pcall(self._run.journal.add, self._run.journal, { event = "step_fail", step = declared.id, key = key,
    error = failure.plain(e) })
  self._run.ui:event { kind = "step_fail", step = declared, key = key, error = e, ms = clock.mono() - began }
  return e
end

--- ctx:step.
function step.one(self, id, key, fn)
  local declared
  declared, key = claim(self, id, key, fn)
  if self._run.plan then
    return planned(self, declared, key, fn)
  end
  local past = self._replay:step(id, key)                             -- I3: same order as before
  local done, value = settled(self, declared, key, past)
  if not done then
    check_may_begin(self)
    self._run.ui:event { kind = "step_start", step = declared, key = key }
    local began, adopted, ms = clock.mono(), nil, nil
    local ok, e = pcall(function()
      value, adopted = perform(self, declared, key, fn, past)
      ms = end_well(self, declared, key, value, adopted, began)
    end)
    if not ok then
      error(end_badly(self, declared, key, e, began), 0)
    end
    self._run.ui:event { kind = "step_done", step = declared, key = key, value = value, adopted = adopted,
      ms = ms }
  end
  self._done[id] = value
  return value
end

--- Do what of the turns is missing, at most n at once.                -- I15: any order within
local function perform_all(self, declared, turns, n, fn)
  batch.run(turns, n, {
    begin = function(turn)
      self._run.ui:event { kind = "step_start", step = declared, key = turn.key }
      turn.began = clock.mono()
      begin(self, declared, turn.key, turn.past)
    end,
    run = function(turn)
      return fn(turn.key, turn.index)
    end,
    done = function(turn, value)
      turn.value = result_of(value, declared.id, turn.key)
      local ms = end_well(self, declared, turn.key, turn.value, false, turn.began)
      self._run.ui:event { kind = "step_done", step = declared, key = turn.key, value = turn.value, ms = ms }
    end,
    failed = function(turn, e)
      return end_badly(self, declared, turn.key, e, turn.began)
    end,
  })
end

--- ctx:steps.
function step.each(self, id, keys, n, fn)
  local declared = self._declared[id]
  if declared and (declared.final or declared.check) then
    failure.raise("recipe", ("ctx:steps(\"%s\", ...): a step with `final` or `check` is done by ctx:step"):format(id))
  elseif type(keys) ~= "table" or math.type(n) ~= "integer" or n < 1 then
    failure.raise("recipe", ("ctx:steps(\"%s\", ...) takes a list of keys, how many at once, and a function")
      :format(tostring(id)))
  end
  local turns, values = {}, {}
  for index, key in ipairs(keys) do
    local _, name = claim(self, id, key, fn)
    turns[index] = { key = name, index = index }
  end
  if self._run.plan then
    for index, turn in ipairs(turns) do
      values[index] = planned(self, declared, turn.key, function()
        return fn(turn.key, index)
      end)
    end
    return values
  end

  local past, missing = self._replay:batch(id, keys), {}
  for _, turn in ipairs(turns) do
    local done
    turn.past = past[turn.key]
    done, turn.value = settled(self, declared, turn.key, turn.past)
    if not done then
      missing[#missing + 1] = turn
    end
  end
  if #missing > 0 then
    check_may_begin(self)
    inside(self, "step", perform_all, self, declared, missing, n, fn)
  end
  for index, turn in ipairs(turns) do
    values[index] = turn.value
  end
  self._done[id] = values
  return values
end

return step
