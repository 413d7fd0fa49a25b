--- moonkeep runs

local clock = require "clock"
local json = require "json"
local state = require "recipe.state"
local text = require "cli.text"
local words = require "words"

local runs = {}

--- How long a run took, or nil.
--- @param summary table of recipe.state
function runs.duration(summary)
  if summary.started == nil or summary.ended == nil then
    return nil
  end
  return clock.parse(summary.ended) - clock.parse(summary.started)
end

--- The status as it is shown: a run that left something behind says so.
function runs.status(summary)
  return summary.undone == false and summary.status ~= "partial"
    and summary.status .. ", not undone" or summary.status
end

--- "2026-11-21T02:00:00Z" of a time with milliseconds.
function runs.when(iso)
  return iso and iso:sub(1, 19) .. "Z" or "-"
end

--- List the runs, the newest last.
function runs.runs(call)
  local dir = state.dir(call.options.state)
  local found = json.array {}
  for index, id in ipairs(require("recipe.journal").ids(dir)) do
    local summary = state.summary(dir, id)
    found[index] = { run = id, recipe = summary.recipe, params = summary.params, status = summary.status,
      started = summary.started, ended = summary.ended, duration_ms = runs.duration(summary),
      undone = summary.undone, warnings = summary.warnings, error = summary.error }
  end
  if call.options.json then
    text.out(json.encode(found, 2) .. "\n")
    return 0
  elseif #found == 0 then
    if not call.options.quiet then
      text.out(("There are no runs in \"%s\"\n"):format(text.safe(dir)))
    end
    return 0
  end
  local rows = { { "RUN", "RECIPE", "STATUS", "STARTED", "TOOK" } }
  for _, one in ipairs(found) do
    rows[#rows + 1] = { text.safe(one.run), text.safe(one.recipe or "?"), runs.status(one),
      text.safe(runs.when(one.started)), one.duration_ms and words.duration(one.duration_ms) or "-" }
  end
  text.out(text.columns(rows))
  return 0
end

return runs
