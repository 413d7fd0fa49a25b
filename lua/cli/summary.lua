--- What is said when a run has ended: what was made, what failed, what was
--- undone and what was not, and which command comes next.

local complain = require "cli.complain"
local json = require "json"
local text = require "cli.text"
local values = require "cli.values"
local words = require "words"

local summary = {}

local function plural(count, one, many)
  return ("%d %s"):format(count, count == 1 and one or many)
end

local function planned(ui, outcome)
  local changes = 0
  for _, entry in ipairs(outcome.plan) do
    changes = changes + (entry.kind == "change" and 1 or 0)
  end
  ui:line(("Nothing was changed. A run would make %s%s."):format(
    plural(changes, "change", "changes"),
    outcome.complete and "" or ", and more that is known only when run"))
end

--- Errors of what was typed: the same command would end in the same way.
local FINAL = { usage = true, refused = true }

--- The command to type next, or nil.
local function next_command(ui, outcome)
  if outcome.undone == false then
    return ("moonkeep %s %s"):format(outcome.status == "partial" and "resume" or "rollback", outcome.run)
  elseif (outcome.status == "failed" or outcome.status == "cancelled")
    and not FINAL[outcome.error and outcome.error.code]
    and outcome.exit ~= complain.status("unverified") then
    -- What was found to be bad stays so when it is looked at again.
    return require("recipe.command").of { recipe = ui.recipe.id, params = ui.values }
  end
end

local HEADS = {
  ok = { "green", "Done" },
  partial = { "yellow", "Done in part" },
  failed = { "red", "Failed" },
  cancelled = { "red", "Cancelled" },
  ["rolled back"] = { "green", "Rolled back" },
}

--- Say it.
--- @param ui table cli.ui
--- @param outcome table of recipe.run
--- @param ms integer how long it took
function summary.show(ui, outcome, ms)
  if outcome.status == "planned" then
    return planned(ui, outcome)
  end
  if outcome.result ~= nil and outcome.result ~= json.null then
    ui:write(values.lines(outcome.result, "  "))
  end
  local head = HEADS[outcome.status] or { "bold", outcome.status }
  local parts = { ui:colour(head[1], head[2]) .. " in " .. words.duration(ms) }
  if #ui.warnings > 0 then
    parts[#parts + 1] = plural(#ui.warnings, "warning", "warnings")
  end
  if outcome.undone == true then
    parts[#parts + 1] = "what was changed is undone"
  elseif outcome.undone == false then
    parts[#parts + 1] = (outcome.status == "partial" or outcome.left) and "not everything could be cleaned up"
      or "NOT everything could be undone"
  elseif outcome.status == "failed" or outcome.status == "cancelled" then
    parts[#parts + 1] = "nothing was to be undone"
  end
  ui:line(("%s. Run %s"):format(table.concat(parts, ", "), text.safe(outcome.run)))
  local command = next_command(ui, outcome)
  if command then
    ui:line("Next: " .. text.safe(command))
  end
end

return summary
