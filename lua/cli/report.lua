--- moonkeep report: the story of a run, from its journal.

local clock = require "clock"
local json = require "json"
local journal = require "recipe.journal"
local runs = require "cli.runs"
local state = require "recipe.state"
local text = require "cli.text"
local values = require "cli.values"
local words = require "words"

local report = {}

--- How much of a step's value is shown.
local VALUE_MAX = 120

--- One function a kind of event, which adds it to the story.
local note = {}

function note.run(story, event)
  story.run, story.recipe, story.parameters = event.run, event.recipe, event.params
  story.version, story.host, story.user = event.version, event.host, event.user
  story.started, story.digests = event.time, event.digests
end

function note.step_start(story, event)
  local step = { step = event.step, key = event.key, started = event.time, status = "unfinished" }
  story.steps[#story.steps + 1] = step
  story.open[event.step .. "/" .. (event.key or "")] = step
end

local function close_step(story, event, status)
  local step = story.open[event.step .. "/" .. (event.key or "")]
  if step == nil then
    return
  end
  step.status, step.value, step.error = status, event.value, event.error
  step.ms = event.ms or clock.parse(event.time) - clock.parse(step.started)
end

function note.step_done(story, event)
  close_step(story, event, event.adopted and "taken over" or "done")
end

function note.step_fail(story, event)
  close_step(story, event, "failed")
end

function note.warn(story, event)
  table.insert(story.warnings, event.error)
end

function note.confirm(story, event)
  table.insert(story.confirmations, { text = event.text, answer = event.answer, time = event.time })
end

function note.compensate(story, event)
  table.insert(story.registered, { text = event.text, time = event.time })
end

function note.resume(story, event)
  table.insert(story.continued, { what = "resumed", time = event.time, host = event.host })
end

function note.rollback(story, event)
  table.insert(story.continued, { what = "rolled back", time = event.time, host = event.host })
end

function note.undo_start(story, event)
  local undo = { kind = event.kind, text = event.text, time = event.time, status = "unfinished" }
  table.insert(story.undo, undo)
  story.open[event.index] = undo
end

function note.undo_done(story, event)
  story.open[event.index].status = "done"
end

function note.undo_fail(story, event)
  story.open[event.index].status = "failed"
  story.open[event.index].error = event.error
end

--- The story of a run as plain values.
--- @param events table of recipe.journal
--- @param alive boolean is the run under way?
function report.story(events, alive)
  local story = { steps = json.array {}, warnings = json.array {}, undo = json.array {},
    confirmations = json.array {}, registered = json.array {}, continued = json.array {}, open = {} }
  for _, event in ipairs(events) do
    if note[event.event] then
      note[event.event](story, event)
    end
  end
  story.open = nil
  local summary = state.summarize(events, alive)
  story.status, story.ended, story.undone = summary.status, summary.ended, summary.undone
  story.result, story.error = summary.result, summary.error
  story.duration_ms = runs.duration(summary)
  -- Reading it checked every line's hash against the next, and the last one against the head.
  story.journal = { events = #events, sha256 = events[#events].hash, checked = true }
  return story
end

--- "the last line of a story about an error", indented.
local function error_lines(e, indent)
  local lines = indent .. text.safe(e.message) .. "\n"
  return e.hint and lines .. indent .. "hint: " .. text.safe(e.hint) .. "\n" or lines
end

local function steps_of(story)
  local parts = { "\nSteps\n" }
  local rows = {}
  for index, step in ipairs(story.steps) do
    rows[index] = { text.safe(step.key and step.step .. "/" .. step.key or step.step), step.status,
      text.safe(runs.when(step.started)), step.ms and words.duration(step.ms) or "-",
      values.short(step.value, VALUE_MAX) }
  end
  parts[#parts + 1] = text.columns(rows, "  ")
  for _, step in ipairs(story.steps) do
    if step.error then
      parts[#parts + 1] = ("  %s failed:\n"):format(text.safe(step.step))
        .. error_lines(step.error, "    ")
    end
  end
  return #rows > 0 and table.concat(parts) or ""
end

local UNDONE = { cleanup = "clean up", undo = "undo" }

local function undo_of(story)
  local parts = {}
  for _, undo in ipairs(story.undo) do
    parts[#parts + 1] = ("  %s: %s: %s\n"):format(UNDONE[undo.kind] or "undo",
      text.safe(undo.text), undo.status)
    if undo.error then
      parts[#parts + 1] = error_lines(undo.error, "    ")
    end
  end
  return #parts > 0 and "\nCleaned up and undone\n" .. table.concat(parts) or ""
end

local function head_of(story)
  local rows = {
    { "Run", text.safe(story.run) }, { "Recipe", text.safe(story.recipe) },
    { "Status", runs.status(story) },
    { "Began", text.safe(runs.when(story.started)) }, { "Ended", text.safe(runs.when(story.ended)) },
    { "Took", story.duration_ms and words.duration(story.duration_ms) or "-" },
    { "By", text.safe(("%s on %s, moonkeep %s"):format(story.user, story.host, story.version)) },
    { "Journal", ("%d events, the chain of hashes is whole, the last is %s"):format(
      story.journal.events, story.journal.sha256:sub(1, 16)) },
  }
  return text.columns(rows)
end

--- The parameters, as the recipe of today would have them typed.
local function typed(story)
  local found, recipe = pcall(require("recipe.definition").load, story.recipe)
  return require("recipe.params").typed(found and recipe.def.params or {}, story.parameters)
end

local function render(story)
  local parts = { head_of(story) }
  local function add(s)
    parts[#parts + 1] = s
  end
  if story.parameters and next(story.parameters) then
    add("\nParameters\n" .. values.lines(typed(story), "  "))
  end
  for _, one in ipairs(story.continued) do
    add(("\n%s at %s\n"):format(one.what == "resumed" and "Resumed" or "Rolled back",
      text.safe(runs.when(one.time))))
  end
  for _, one in ipairs(story.confirmations) do
    add(("\nConfirmed (%s): %s\n"):format(text.safe(one.answer), text.safe(one.text)))
  end
  add(steps_of(story))
  for _, e in ipairs(story.warnings) do
    add("\nWarning\n" .. error_lines(e, "  "))
  end
  add(undo_of(story))
  if story.error then
    add("\nError\n" .. error_lines(story.error, "  "))
  end
  if story.result ~= nil then
    add("\nResult\n" .. values.lines(story.result, "  "))
  end
  return table.concat(parts)
end

--- Tell the story of a run.
function report.report(call)
  local dir = state.dir(call.options.state)
  local id = state.find(dir, call.args[1])
  local events, alive = journal.read(dir, id)
  if #events == 0 then
    require("failure").raise("journal", ("the journal of %s holds no event"):format(id))
  end
  local story = report.story(events, alive)
  text.out(call.options.json and json.encode(story, 2) .. "\n" or render(story))
  return 0
end

return report
