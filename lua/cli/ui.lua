--- What a person sees of a run: numbered steps, a live line, warnings, what was
--- undone.  The closing summary is cli.summary.
---
--- Standard output that is gone (a closed pipe) does not end a run: then
--- nothing more is shown.

local complain = require "cli.complain"
local failure = require "failure"
local live = require "cli.live"
local os_ = require "_os"
local text = require "cli.text"
local words = require "words"

local ui = {}

local Ui = {}
Ui.__index = Ui

local COLOURS = { red = "\27[31m", green = "\27[32m", yellow = "\27[33m", bold = "\27[1m" }

--- @param options table {json, verbose, quiet, log_format}
function ui.new(options)
  local fd = 1
  local mute = options.quiet or options.log_format == "json"
  if options.json then
    fd, mute = 2, mute or not options.verbose
  end
  return setmetatable({
    options = options, fd = fd, mute = mute, warnings = {},
    terminal = text.is_terminal(fd), colours = text.has_colour(fd), under_way = 0,
  }, Ui)
end

--- Write human output, which may go nowhere.
function Ui:write(s)
  if not self.mute and not pcall(os_.write, self.fd, s) then
    self.mute = true
  end
end

function Ui:colour(name, s)
  return self.colours and COLOURS[name] .. s .. "\27[0m" or s
end

function Ui:line(s)
  if self.live then
    self.live:clear()
  end
  self:write(s .. "\n")
end

local function start_live(self)
  if self.mute then
    return
  end
  self.live = live.start(function(s) self:write(s) end, self.terminal,
    function() return os_.columns(self.fd) end)
end

local function stop_live(self)
  local said = ""
  if self.live then
    said = self.live:stop()
    self.live = nil
  end
  return said
end

local function title(self, step, key)
  return ("[%d/%d] %s%s"):format(step.index, self.steps, text.safe(step.text),
    key and " (" .. text.safe(key) .. ")" or "")
end

--- One function a kind of event.
local show = {}

function show.begin(self, event)
  self.steps = #event.recipe.def.steps
  self.run, self.recipe, self.values = event.run, event.recipe, event.values
  local what = event.plan and "plan" or event.rolling_back and "rolling back run " .. event.run
    or event.resumed and "resuming run " .. event.run or "run " .. event.run
  self:line(self:colour("bold", event.recipe.id) .. ", " .. text.safe(what))
  if self.options.verbose and next(event.values) then
    local typed = require("recipe.params").typed(event.recipe.def.params or {}, event.values)
    self:write(require("cli.values").lines(typed, "      "))
  end
end

function show.step_start(self, event)
  self:line(title(self, event.step, event.key))
  self.under_way = self.under_way + 1
  if self.under_way == 1 then
    self.several = false
    start_live(self)
  else
    self.several = true
  end
end

function show.step_replayed(self, event)
  self:line(title(self, event.step, event.key))
  self:line("      done before")
end

--- Of several turns at once, the end says which one; the live line is that of all.
local function end_of_step(self, event, colour, word, preposition)
  self.under_way = self.under_way - 1
  local said = self.under_way == 0 and stop_live(self) or ""
  self:line(("      %s%s %s %s%s"):format(self.several and event.key and text.safe(event.key) .. " " or "",
    self:colour(colour, word), preposition, words.duration(event.ms), said ~= "" and ", " .. said or ""))
end

function show.step_done(self, event)
  end_of_step(self, event, "green", event.adopted and "taken over" or "done", "in")
end

function show.step_fail(self, event)
  if self.under_way == 1 then
    stop_live(self)
  end
  end_of_step(self, event, "red", event.error.code == "cancelled" and "cancelled" or "failed", "after")
end

function show.say(self, event)
  self:line("      " .. text.safe(event.text))
end

--- Said with -v only.
function show.detail(self, event)
  if self.options.verbose then
    self:line("      " .. text.safe(event.text))
  end
end

function show.watch(self, event)
  if self.live then
    self.live:watch(event.progress)
  end
end

--- Something for standard error, with the live line out of its way.
local function tell(self, s)
  if self.live then
    self.live:clear()
  end
  text.err(s)
end

function show.warn(self, event)
  self.warnings[#self.warnings + 1] = failure.plain(event.error)
  tell(self, ("moonkeep: warning: %s\n"):format(complain.message(event.error)))
  if event.error.hint then
    tell(self, "  hint: " .. text.safe(event.error.hint) .. "\n")
  end
end

show.caution = show.warn

function show.failed(self, event)
  stop_live(self)
  local e = event.outcome.error -- in its plain form
  if e then
    e = { code = e.code, message = e.message, hint = e.hint, step = e.step,
      traceback = event.outcome.traceback }
    tell(self, complain.lines(e, self.options))
  end
  if event.undoing then
    self:line(event.outcome.status == "cancelled" and os_.is_terminal(0)
      and "Undoing what was done (Ctrl-C again ends at once and leaves it as it is)"
      or "Undoing what was done")
  end
end

--- Whoever reads that another run's lock was released would fear for that run.
local function tell_undone(self, event, word)
  if event.idle then
    self:line(("      not needed: %s (%s)"):format(text.safe(event.text), text.safe(event.idle)))
  else
    self:line(("      %s: %s"):format(word, text.safe(event.text)))
  end
end

function show.cleanup_done(self, event)
  tell_undone(self, event, "cleaned up")
end

function show.undo_done(self, event)
  tell_undone(self, event, "undone")
end

local function not_undone(self, event)
  tell(self, ("moonkeep: could not %s: %s\n"):format(text.safe(event.text),
    complain.message(event.error)))
  if event.error.hint then
    tell(self, "  hint: " .. text.safe(event.error.hint) .. "\n")
  end
end
show.cleanup_fail = not_undone
show.undo_fail = not_undone

local PLAN = {
  change = function(entry)
    return ("would %s %s%s"):format(text.safe(entry.verb), text.safe(entry.object),
      entry.why and ": " .. text.safe(entry.why) or "")
  end,
  undo = function(entry) return "when it fails: " .. text.safe(entry.text) end,
  cleanup = function(entry) return "at the end: " .. text.safe(entry.text) end,
  confirm = function(entry) return "would ask: " .. text.safe(entry.text) end,
}

function show.plan(self, event)
  local entry = event.entry
  if entry.kind == "step" then
    self:line(title(self, entry, entry.key))
  elseif entry.kind == "unknown" then
    self:line(("[?/%d] %s: known only when run"):format(self.steps, text.safe(entry.text)))
  else
    self:line("      " .. PLAN[entry.kind](entry))
  end
end

--- The level of an event in the log; those that are not here are "info".
local LEVELS = { warn = "warn", caution = "warn", failed = "error", cleanup_fail = "error", undo_fail = "error",
  step_fail = "error", detail = "debug" }

--- The event as a line of the log.
local function log_event(self, event)
  local log = require "cli.log"
  if event.kind == "watch" or (self.options.quiet and LEVELS[event.kind] == nil)
    or (event.kind == "detail" and not self.options.verbose) then
    return
  end
  local e = event.error or (event.outcome and event.outcome.error)
  local step = event.step
  local message = e and complain.message(e) or event.text or (step and step.text) or event.kind
  log.write(LEVELS[event.kind] or "info", message, {
    event = event.kind, run = event.run or self.run, recipe = event.recipe and event.recipe.id,
    step = step and step.id, key = event.key, ms = event.ms, entry = event.entry,
    code = e and e.code, hint = e and e.hint,
  })
end

--- Take note of an event of the run (see recipe.context and recipe.run).
function Ui:event(event)
  if self.options.log_format == "json" then
    if event.kind == "begin" then
      self.run, self.recipe, self.values = event.run, event.recipe, event.values
    elseif event.kind == "warn" or event.kind == "caution" then
      self.warnings[#self.warnings + 1] = failure.plain(event.error)
    end
    log_event(self, event)
    return
  end
  local handler = show[event.kind]
  -- What cannot be shown must not end a run half-way.
  local ok, e = pcall(handler or function() end, self, event)
  if not ok and not self.mute then
    self.mute = true
    pcall(text.err, "moonkeep: cannot show more of the run: " .. complain.message(failure.of(e)) .. "\n")
  end
end

--- Ask a question on the terminal.
--- @return string|nil what was answered, when that was yes; nil without a terminal
function Ui:ask(question)
  if not os_.is_terminal(0) or not os_.is_terminal(2) then
    return nil
  end
  text.err(("%s [y/N] "):format(text.safe(question)))
  local ok, answer = pcall(os_.read_line)
  if not ok then
    text.err("\n")
    error(answer, 0)
  end
  answer = answer:lower():match("^%s*(%a*)%s*$")
  return (answer == "y" or answer == "yes") and answer or nil
end

--- Leave the terminal as it was, whatever happened.
function Ui:close()
  stop_live(self)
end

return ui
