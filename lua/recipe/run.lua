--- Runs: start, resume, roll back.  docs/design/durable-steps.md states the
--- state machine; this file performs its transitions.

local clock = require "clock"
local command = require "recipe.command"
local context = require "recipe.context"
local definition = require "recipe.definition"
local digest = require "digest"
local effect = require "effect"
local execution = require "recipe.execution"
local failure = require "failure"
local journal = require "recipe.journal"
local json = require "json"
local os_ = require "_os"
local params = require "recipe.params"
local plan = require "recipe.plan"
local session = require "recipe.session"
local state = require "recipe.state"

local run = {}

local EXIT_PARTIAL = 3

--- How many ids may be taken already before something else is wrong.
local ID_TRIES = 5

--- What must be the same for a resumed run to be the same run.
local function digests(recipe, values)
  return {
    recipe = recipe.digest,
    library = definition.library_digest(),
    params = digest.sha256(json.encode(values)),
  }
end

local DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

--- Ids sort by time: the second, its thousandths in base 36, and what makes it unique.
local function new_id()
  local now = clock.now()
  local high, low = now % 1000 // 36 + 1, now % 1000 % 36 + 1
  return clock.compact(now):sub(1, 15) .. "-" .. DIGITS:sub(high, high) .. DIGITS:sub(low, low)
    .. os_.random_id(3)
end

--- A journal under an id that no run has yet.
local function new_journal(place)
  local id, ok, book
  for _ = 1, ID_TRIES do
    id = new_id()
    ok, book = pcall(journal.create, place, id)
    if ok then
      return id, book
    elseif not failure.is(book, "exists") then
      break
    end
  end
  book = failure.prefix(book, "cannot begin a journal")
  if type(place) == "string" and failure.is(book, "permission") then
    book.hint = "--state or MOONKEEP_STATE name a directory that can be written to, or a store: "
      .. "what a pod has on its own disk goes with it"
  end
  error(book, 0)
end

--- Follow the recipe's line with every change listed instead of made.
local function make_plan(self)
  self.plan = plan.new(function(entry)
    self.ui:event { kind = "plan", entry = entry }
  end)
  local ctx = context.new(self)
  session.attach(self)
  local ok, e = pcall(effect.with, { plan = self.plan }, self.recipe.def.run, ctx, self.opened)
  if not ok and e ~= effect.plan_end then
    error(e, 0)
  end
  if not ok or self.plan.ended then
    local rest = {}
    for _, step in ipairs(self.recipe.def.steps) do
      if ctx._done[step[1]] == nil and not ctx._keys[step[1]] then
        rest[#rest + 1] = step
      end
    end
    self.plan:unknown(rest)
  end
  return { recipe = self.recipe.id, status = "planned", exit = self.plan.complete and 0 or EXIT_PARTIAL,
    plan = self.plan.entries, complete = self.plan.complete, warnings = self.warnings or 0 }
end

--- Run a recipe.
--- @param id string
--- @param given table option name -> list of texts
--- @param options table {plan, yes, state, ui}
--- @return table outcome {run, recipe, status, exit, result, error, undone, warnings}
function run.start(id, given, options)
  local recipe = definition.load(id)
  local specs = recipe.def.params or {}
  local values, origins = params.parse(id, specs, given)
  local self = {
    recipe = recipe, values = values, opened = params.open(specs, values),
    ui = options.ui, yes = options.yes,
  }
  if options.plan then
    self.id = "plan"
  else
    self.id, self.journal = new_journal(state.dir(options.state))
  end
  self.ui:event { kind = "begin", run = self.id, recipe = recipe, values = values,
    origins = origins, plan = options.plan }
  if options.plan then
    return make_plan(self)
  end

  local host, process = os_.host(), os_.process()
  local ok, e = pcall(self.journal.add, self.journal, {
    event = "run", run = self.id, recipe = id, params = values, digests = digests(recipe, values),
    version = os_.version, host = host.name, pid = process.pid, user = process.user,
    boot = host.boot_id, yes = options.yes or nil,
  })
  if not ok then
    self.journal:discard()
    error(e, 0)
  end
  return execution.execute(self)
end

--- Check that the same code would run as when the run began.
local function check_same(recipe, first, id, options, what)
  local now = digests(recipe, first.params)
  for _, name in ipairs { "params", "recipe", "library" } do
    if now[name] ~= first.digests[name] and not options.with_changes then
      failure.raise("changed", ("cannot %s %s: the %s changed since it began"):format(what, id,
        name == "params" and "recorded parameters" or name == "recipe" and "recipe " .. recipe.id
          or "library of moonkeep"),
        { hint = ("use the version that began it (%s), or --with-changes to go on with this one")
          :format(tostring(first.version)) })
    end
  end
end

--- The recipe of a run that has begun.
local function load_again(recipe, id, what)
  local ok, loaded = pcall(definition.load, recipe)
  if not ok and failure.is(loaded, "usage") then
    failure.raise("changed", ("cannot %s %s: its recipe \"%s\" is gone"):format(what, id, recipe),
      { hint = "put it back; what a restore did to a directory can be undone without it: "
        .. "moonkeep rollback --target T --dir DIR" })
  elseif not ok then
    error(loaded, 0)
  end
  return loaded
end

--- Open a run's journal to go on.
--- @param allow function(summary, events, id) raises when this cannot be done
--- @return table self
local function reopen(typed, options, what, allow)
  local dir = state.dir(options.state)
  local id = state.find(dir, typed)
  local book = journal.open(dir, id)
  local ok, self = pcall(function()
    local first = book.events[1]
    if first.event ~= "run" or type(first.recipe) ~= "string" or type(first.params) ~= "table"
      or type(first.digests) ~= "table" then
      failure.raise("journal", ("the journal of %s does not begin with a run"):format(id))
    end
    local summary = state.summarize(book.events, false)
    allow(summary, book.events, id)
    local recipe = load_again(first.recipe, id, what)
    check_same(recipe, first, id, options, what)
    local run_again = {
      id = id, recipe = recipe, values = first.params, journal = book, ui = options.ui,
      -- Steps that are done are not run again: what they warned of still counts.
      warnings = summary.warnings,
      yes = options.yes or first.yes, with_changes = options.with_changes,
      opened = params.open(recipe.def.params or {}, first.params),
    }
    session.demand(run_again)
    return run_again
  end)
  if not ok then
    book:close()
    error(self, 0)
  end
  return self
end

--- Had undoing begun, after a failure or by a rollback?
local function was_being_undone(events)
  local undoing = false
  for _, event in ipairs(events) do
    if event.event == "rollback" then
      undoing = true
    elseif event.event == "unwind" then
      undoing = event.status ~= "ok" and event.status ~= "partial"
    end
  end
  return undoing
end

--- Had its final step begun?
local function reached_final(events)
  for _, event in ipairs(events) do
    if event.final then
      return true
    end
  end
  return false
end

--- Did it do its work, and could not clean up?
local function left_dirty(summary)
  return summary.status == "partial" and summary.undone == false
end

--- Go on with a run that was interrupted, or repeat its cleaning up that failed.
--- Raises "refused" for one that ended or was being undone.
function run.resume(typed, options)
  local self = reopen(typed, options, "resume", function(summary, events, id)
    if summary.status ~= "interrupted" and not left_dirty(summary) then
      failure.raise("refused", ("%s ended (%s): there is nothing to resume"):format(id, summary.status),
        { hint = "run it anew: " .. command.of(summary) })
    end
    if was_being_undone(events) then
      failure.raise("refused", ("%s was being undone when it was interrupted"):format(id),
        { hint = "`moonkeep rollback " .. id .. "` finishes that" })
    end
  end)
  self.journal:add { event = "resume", pid = os_.process().pid, host = os_.host().name,
    with_changes = options.with_changes or nil }
  self.ui:event { kind = "begin", run = self.id, recipe = self.recipe, values = self.values,
    resumed = true }
  for _, event in ipairs(self.journal.events) do
    if event.event == "warn" then
      self.ui:event { kind = "warn", error = event.error }
    end
  end
  return execution.execute(self)
end

--- Undo a run that was interrupted, or whose undoing failed.
function run.rollback(typed, options)
  local self = reopen(typed, options, "roll back", function(summary, events, id)
    if summary.status ~= "interrupted" and summary.undone ~= false then
      failure.raise("refused", ("%s ended (%s): there is nothing to roll back"):format(id, summary.status))
    elseif left_dirty(summary) then
      failure.raise("refused", ("%s did its work: only cleaning up failed"):format(id),
        { hint = "`moonkeep resume " .. id .. "` tries that again" })
    elseif summary.status == "interrupted" and reached_final(events) then
      failure.raise("refused", ("%s had done its work when it was interrupted: it is not undone any more"):format(id),
        { hint = "`moonkeep resume " .. id .. "` finishes it" })
    end
  end)
  self.rolling_back = true
  self.journal:add { event = "rollback", pid = os_.process().pid, host = os_.host().name,
    with_changes = options.with_changes or nil }
  self.ui:event { kind = "begin", run = self.id, recipe = self.recipe, values = self.values,
    rolling_back = true }
  return execution.execute(self)
end

return run
