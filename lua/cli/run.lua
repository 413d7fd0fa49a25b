--- moonkeep run, resume, rollback

local clock = require "clock"
local failure = require "failure"
local json = require "json"
local recipe_run = require "recipe.run"
local text = require "cli.text"

local run = {}

--- The outcome as the JSON document of a run.
local function document(ui, outcome)
  return {
    run = outcome.run, recipe = outcome.recipe, status = outcome.status, exit = outcome.exit,
    result = outcome.result, error = outcome.error, undone = outcome.undone,
    plan = outcome.plan and json.array(outcome.plan), complete = outcome.complete,
    warnings = json.array(ui.warnings),
  }
end

--- Run fn with an interface, show how it ended, and return the exit status.
--- @param call table the parsed command line
--- @param fn function(options) -> outcome
function run.with_ui(call, fn)
  local options = call.options
  local ui = require("cli.ui").new(options)
  local began = clock.mono()
  local ok, outcome = pcall(fn, {
    state = options.state, yes = options.yes, plan = options.plan,
    with_changes = options.with_changes, ui = ui,
  })
  ui:close()
  if not ok then
    error(outcome, 0)
  end
  if options.log_format == "json" and not (options.quiet and outcome.exit == 0) then
    require("cli.log").write(outcome.exit == 0 and "info" or "error", "ended: " .. outcome.status,
      { event = "end", run = outcome.run, recipe = outcome.recipe, status = outcome.status,
        exit = outcome.exit, undone = outcome.undone, ms = clock.mono() - began })
  end
  if options.json then
    text.out(json.encode(document(ui, outcome), 2) .. "\n")
  end
  require("cli.summary").show(ui, outcome, clock.mono() - began)
  return outcome.exit
end

--- Run a recipe.
function run.run(call)
  return run.with_ui(call, function(options)
    return recipe_run.start(call.recipe.id, call.given, options)
  end)
end

--- Go on with an interrupted run.
function run.resume(call)
  return run.with_ui(call, function(options)
    return recipe_run.resume(call.args[1], options)
  end)
end

--- Undo a restore by the record beside the data that it moved aside.
local function rollback_by_record(call)
  local options = call.options
  if options.target == nil or options.dir == nil or #call.args > 0 then
    failure.raise("usage", "rollback takes a run, or --target and --dir together",
      { hint = "moonkeep rollback RUN; moonkeep rollback --target local: --dir DIR" })
  end
  local target = require("target").open(options.target)
  local ok, result = pcall(require("swap").rollback, target, options.dir)
  if target.release then
    local released, e = pcall(target.release, target)
    if ok and not released then
      ok, result = false, e
    elseif not released then
      -- Why it failed comes first, and decides the status.
      local complain = require "cli.complain"
      local status = complain.tell(result, options)
      text.err(complain.lines(e, options))
      return status
    end
  end
  if not ok then
    error(result, 0)
  end
  if options.json then
    text.out(json.encode({ status = "rolled back", exit = 0, result = result }, 2) .. "\n")
  elseif not options.quiet then
    if type(result) == "table" then
      text.out(require("cli.values").lines(result, "  "))
    end
    text.out(("Rolled back %s\n"):format(text.safe(options.dir)))
  end
  return 0
end

--- Undo an interrupted run.
function run.rollback(call)
  if #call.args == 0 or call.options.target or call.options.dir then
    return rollback_by_record(call)
  end
  return run.with_ui(call, function(options)
    return recipe_run.rollback(call.args[1], options)
  end)
end

return run
