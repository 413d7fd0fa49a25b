--- The execution of a run: the recipe's line followed to its end or failure, then
--- what it left undone or cleaned up, then the last event.

local context = require "recipe.context"
local effect = require "effect"
local failure = require "failure"
local json = require "json"
local os_ = require "_os"
local replay = require "recipe.replay"
local secret = require "secret"
local session = require "recipe.session"
local task = require "task"

local execution = {}

--- How long undoing may take: after a cancel (Kubernetes kills the pod after
--- 30 s), and after a failure.
local UNDO_AFTER_CANCEL_MS = 20000
local UNDO_MS = 15 * 60000

--- How long targets may take to remove what they made, in the same cases.
local RELEASE_AFTER_CANCEL_MS = 5000
local RELEASE_MS = 60000

local EXIT_PARTIAL = 3

local function exit_status(code)
  for _, row in ipairs(os_.errors()) do
    if row.code == code then
      return row.status
    end
  end
  return 1
end

--- Journal an event of the end.  Undoing must not depend on it: a journal that
--- cannot be written any more (a full disk) is told at the end.
local function note(self, event)
  local ok, e = pcall(self.journal.add, self.journal, event)
  if not ok and self.journal_failure == nil then
    self.journal_failure = failure.of(e)
    self.ui:event { kind = "warn", error = failure.prefix(e, "the journal is incomplete from here") }
  end
end

--- Undo and clean up, in reverse order; what was done before a crash is skipped.
--- @return boolean|nil undone: nil nothing was to be undone, false something could not be
local function unwind(self, ctx, good)
  local past = replay.new(self.journal.events)
  local undone
  for index = #ctx._stack, 1, -1 do
    local entry = ctx._stack[index]
    local wanted = entry.kind == "cleanup" or not (good or ctx._final)  -- I11: only forward
    if wanted and entry.kind == "undo" and undone == nil then
      undone = true
    end
    if wanted and not past:was_undone(index) then
      note(self, { event = "undo_start", index = index, kind = entry.kind, text = entry.text })
      local scope = { inside = "undo" }
      local ok, e = pcall(effect.with, scope, entry.fn, entry.args)
      scope.inside = nil
      if ok then
        note(self, { event = "undo_done", index = index })
        self.ui:event { kind = entry.kind .. "_done", text = entry.text, idle = type(e) == "string" and e or nil }
      else
        e = failure.of(e)
        if e.code == "cancelled" then
          e = failure.new("timeout", "it took longer than undoing may take")
        end
        note(self, { event = "undo_fail", index = index, error = failure.plain(e) })
        self.ui:event { kind = entry.kind .. "_fail", text = entry.text, error = e }
        undone = false
      end
    end
  end
  return undone
end

--- In a rollback whose line broke off: may there be more to undo behind that place?
--- Not when the line breaks off where it did before.
local function left_behind(self, ctx, e)
  if ctx._replay:compensations_left() > 0 then
    return true
  end
  local message = secret.redact(e.message)
  for _, event in ipairs(self.journal.events) do
    if event.event == "unwind" and event.error and event.error.message == message then
      return false
    end
  end
  return true
end

--- Run the recipe's line to its end or its failure, unwind, and write the end.
--- @param self table the run: id, recipe, values, opened, journal, ui, rolling_back ...
--- @return table outcome {run, recipe, status, exit, result, error, undone, warnings}
function execution.execute(self)
  local ctx = context.new(self)
  session.attach(self)
  -- Between steps nothing may be changed.
  local ok, result = pcall(effect.with, { inside = nil }, self.recipe.def.run, ctx, self.opened)
  if ok and result ~= nil then
    ok, result = pcall(function()
      return json.decode(failure.during("the result of the recipe", json.encode, result))
    end)
  end

  local outcome = { run = self.id, recipe = self.recipe.id }
  local lost = false
  if self.rolling_back then
    outcome.status = "rolled back"
    outcome.exit = 0
    if not ok and result ~= context.UNWIND then
      -- The line itself cannot be followed again; what was registered before is undone.
      outcome.error = failure.plain(result)
      lost = left_behind(self, ctx, outcome.error)
    end
  elseif ok then
    outcome.status = (self.warnings or 0) > 0 and "partial" or "ok"
    outcome.exit = outcome.status == "ok" and 0 or EXIT_PARTIAL
    outcome.result = result
  else
    local e = failure.of(result)
    outcome.status = e.code == "cancelled" and "cancelled" or "failed"
    outcome.exit = exit_status(e.code)
    outcome.error = failure.plain(e)
    outcome.traceback = e.traceback
  end

  local good = outcome.status == "ok" or outcome.status == "partial"
  if not self.rolling_back then
    note(self, { event = "unwind", status = outcome.status, exit = outcome.exit,
      result = outcome.result, error = outcome.error })
  end
  if not good then
    self.ui:event { kind = "failed", outcome = outcome, undoing = #ctx._stack > 0 }
  end
  local cancelled = outcome.status == "cancelled" or task.cancelled()
  local limit = cancelled and UNDO_AFTER_CANCEL_MS or UNDO_MS
  ctx._ending, self.ending = true, true
  outcome.undone = task.shielded(limit, unwind, self, ctx, good)
  local left = task.shielded(cancelled and RELEASE_AFTER_CANCEL_MS or RELEASE_MS, session.release, self)
  if left then
    self.warnings = (self.warnings or 0) + 1
    note(self, { event = "warn", error = failure.plain(left) })
    self.ui:event { kind = "warn", error = left }
  end
  -- What is left is removed by `moonkeep rollback`, or resume, as what was not undone is.
  outcome.left = left ~= nil and not lost and outcome.undone ~= false or nil
  if lost or left then
    outcome.undone = false
  end
  if outcome.status == "ok" and (self.warnings or 0) > 0 then
    outcome.status, outcome.exit = "partial", EXIT_PARTIAL
  end
  if outcome.undone == false then
    if good then
      outcome.status, outcome.exit = "partial", EXIT_PARTIAL
    elseif outcome.status == "rolled back" then
      outcome.exit = 1
    end
  end
  note(self, { event = "end", status = outcome.status, exit = outcome.exit,
    undone = outcome.undone, result = outcome.result, error = outcome.error })
  self.journal:close()
  if self.journal_failure then
    outcome.journal_error = failure.plain(self.journal_failure)
    outcome.exit = outcome.exit ~= 0 and outcome.exit or EXIT_PARTIAL
  end
  outcome.warnings = self.warnings or 0
  return outcome
end

return execution
