--- Where runs are kept, and what their journals say of them.

local failure = require "failure"
local journal = require "recipe.journal"
local os_ = require "_os"
local words = require "words"

local state = {}

--- The place of the runs: a directory, or the store that --state names by a URL.
--- @param option? string the value of --state
--- @return string|table
function state.dir(option)
  option = option or os_.getenv("MOONKEEP_STATE")
  if option and option:match("^%a[%w+.-]*:") then
    return require("store").open(option)
  end
  local base = option
  if base == nil or base == "" then
    local xdg = os_.getenv("XDG_STATE_HOME")
    local home = os_.getenv("HOME") or os_.process().home
    if xdg and xdg:sub(1, 1) == "/" then
      base = xdg .. "/moonkeep"
    elseif home then
      base = home:gsub("/+$", "") .. "/.local/state/moonkeep"
    else
      failure.raise("usage", "there is no home directory to keep the journals of runs in",
        { hint = "name a directory or a store with --state" })
    end
  end
  return base .. "/runs"
end

--- The id meant by what was typed: itself, `latest`, or the start of one id.
function state.find(dir, typed)
  local ids = journal.ids(dir)
  if typed == "latest" and #ids > 0 then
    return ids[#ids]
  end
  local found = {}
  for _, id in ipairs(ids) do
    if id == typed then
      return id
    elseif id:sub(1, #typed) == typed then
      found[#found + 1] = id
    end
  end
  if #found == 1 then
    return found[1]
  elseif #found > 1 then
    failure.raise("usage", ("\"%s\" may be %s"):format(typed, table.concat(found, " or ")))
  end
  failure.raise("not_found", ("there is no run \"%s\" in \"%s\"%s"):format(typed,
    type(dir) == "table" and dir.url or dir,
    words.did_you_mean(typed, ids)), { hint = "`moonkeep runs` lists the runs" })
end

--- What a run's events say of it.
---
--- status: "ok", "partial", "failed", "cancelled" (ended), "running",
--- "interrupted" (neither ended nor alive).  undone: nil when there was nothing
--- to undo, true, or false when something could not be undone.
function state.summarize(events, alive)
  local first = events[1]
  local last_end
  for _, event in ipairs(events) do
    if event.event == "end" then
      last_end = event
    elseif event.event == "rollback" or event.event == "resume" then
      last_end = nil
    end
  end
  local summary = {
    run = first.run, recipe = first.recipe, params = first.params, started = first.time,
    ended = last_end and last_end.time or nil,
    status = last_end and last_end.status or (alive and "running" or "interrupted"),
    undone = last_end and last_end.undone,
    error = last_end and last_end.error or nil,
    result = last_end and last_end.result or nil,
    warnings = 0,
  }
  for _, event in ipairs(events) do
    if event.event == "warn" then
      summary.warnings = summary.warnings + 1
    end
  end
  return summary
end

--- Read and summarize one run; a damaged journal gives status "damaged".
function state.summary(dir, id)
  local ok, events, alive = pcall(journal.read, dir, id)
  if not ok then
    return { run = id, status = "damaged", error = failure.plain(events) }
  elseif #events == 0 then
    return { run = id, status = alive and "running" or "interrupted", recipe = "?" }
  end
  return state.summarize(events, alive)
end

return state
