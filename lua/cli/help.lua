--- moonkeep help: from the table of commands, from recipes' own declarations,
--- and from the list of error codes.

local commands = require "cli.commands"
local complain = require "cli.complain"
local failure = require "failure"
local json = require "json"
local os_ = require "_os"
local text = require "cli.text"

local help = {}

--- What each exit status means, in the order of the table; the codes come from
--- the program.
help.STATUSES = {
  { 0, "all was done" },
  { 1, "it failed; what was changed is undone" },
  { 2, "the command line or the recipe is wrong; nothing was changed" },
  { 3, "done in part (there were warnings), or a plan that does not reach its end" },
  { 4, "refused: not confirmed, locked, or the run's journal or recipe changed" },
  { 5, "a verification failed: stored or restored data is not what it should be" },
  { 130, "cancelled by a signal; what was changed is undone" },
}

local ENVIRONMENT = {
  { "MOONKEEP_STORE", "the store, where --store is not given" },
  { "MOONKEEP_STATE", "where the journals of runs are kept, where --state is not given" },
  { "XDG_STATE_HOME", "base of the default: moonkeep/ below it, else ~/.local/state/moonkeep" },
  { "TMPDIR", "where temporary files go, else /var/tmp, or /tmp where that cannot be written to" },
  { "NO_COLOR", "set: no colours" },
  { "AWS_...", "credentials, region, endpoint and files of s3:// stores, as the AWS CLI has them" },
  { "AZURE_...", "credentials of azure:// stores" },
  { "KUBECONFIG", "the clusters of pod:// targets, as kubectl has it; in a pod its service account" },
  { "https_proxy, http_proxy, all_proxy, no_proxy", "proxies: of https://, of http://, of both, and "
    .. "hosts that need none" },
}

local function width()
  return math.min(os_.columns(1), 100)
end

--- "--log-format FORMAT" and its short form.
function help.option_label(spec)
  return (spec.short and "-" .. spec.short .. ", " or "") .. "--" .. spec.name:gsub("_", "-")
    .. (spec.value and " " .. spec.value or "")
end

local function option_rows(specs)
  local rows = {}
  for _, spec in ipairs(specs) do
    local said = spec.help
    if spec.choices then
      said = said .. " (" .. table.concat(spec.choices, ", ") .. ")"
    end
    if spec.default then
      said = said .. "; default " .. spec.default
    end
    if spec.env then
      said = said .. "; environment " .. spec.env
    end
    rows[#rows + 1] = { help.option_label(spec), said }
  end
  return rows
end

local function heading(name, body)
  return body ~= "" and "\n" .. name .. "\n" .. body or ""
end

--- The rows of the commands, or of those of a group.
local function command_rows(group)
  local rows = {}
  for _, command in ipairs(commands.list) do
    if not command.hidden and (group == nil or command.name:match("^%S+") == group) then
      rows[#rows + 1] = { (command.name .. " " .. command.args):gsub(" $", ""), command.summary }
    end
  end
  return rows
end

--- The page of commands that begin with the same word.
function help.group(name)
  return ("moonkeep %s ...\n"):format(name)
    .. heading("Commands", text.columns(command_rows(name), "  "))
    .. ("\n`moonkeep help %s COMMAND` says more.\n"):format(name)
end

--- The general page.
function help.overview()
  local rows = command_rows()
  return "moonkeep backs up, verifies and restores systems by recipes.\n"
    .. heading("Commands", text.columns(rows, "  "))
    .. heading("Options of every command", text.columns(option_rows(commands.globals), "  "))
    .. "\n`moonkeep help COMMAND` and `moonkeep help RECIPE` say more, "
    .. "`moonkeep help stores` and\n`moonkeep help targets` how a STORE and a TARGET are written, "
    .. "`moonkeep help exit-status` what a status means.\n"
end

--- The page of a command.
function help.command(command)
  return ("moonkeep %s %s\n\n"):format(command.name, command.args):gsub(" \n", "\n")
    .. text.wrap(command.text, "", width())
    .. heading("Options", text.columns(option_rows(command.options), "  "))
    .. "\n`moonkeep help` shows the options of every command.\n"
end

--- The parameters of a recipe as plain values, sorted: the required ones first.
function help.parameters(def)
  local params = require "recipe.params"
  local list = json.array {}
  for name, spec in pairs(def.params or {}) do
    list[#list + 1] = { name = name, option = "--" .. params.option(name), type = spec[1],
      required = spec.required or false, default = spec.default, env = spec.env,
      help = spec.help, list = params.is_list(spec),
      choices = spec.choices and json.array(spec.choices), range = spec.range }
  end
  table.sort(list, function(a, b)
    if a.required ~= b.required then
      return a.required
    end
    return a.name < b.name
  end)
  return list
end

--- What is to be said of a parameter besides its name, on lines.
--- @param parameter table of help.parameters
--- @return table list of texts
function help.parameter_facts(parameter)
  local facts = {}
  if parameter.default ~= nil and parameter.default ~= "" then
    facts[#facts + 1] = "default " .. tostring(parameter.default)
  end
  if parameter.choices then
    facts[#facts + 1] = "one of " .. table.concat(parameter.choices, ", ")
  end
  if parameter.range then
    facts[#facts + 1] = ("%s to %s"):format(parameter.range[1], parameter.range[2])
  end
  if parameter.list then
    facts[#facts + 1] = "may be repeated"
  end
  if parameter.env then
    facts[#facts + 1] = "environment " .. parameter.env
  end
  return facts
end

--- What a recipe declares, as plain values.
function help.recipe_document(recipe)
  local def = recipe.def
  local steps = json.array {}
  for index, step in ipairs(def.steps) do
    steps[index] = { id = step[1], text = step[2] }
  end
  return { id = recipe.id, file = recipe.file, summary = def.summary, description = def.description,
    mirrors = def.mirrors, rpo = def.rpo, rto = def.rto, level = def.level,
    tags = json.array(def.tags or {}), needs = def.needs, steps = steps,
    parameters = help.parameters(def), example = def.example }
end

--- The page of a recipe.
function help.recipe(recipe)
  local document = help.recipe_document(recipe)
  local parts = { ("%s - %s\n"):format(recipe.id, text.safe(document.summary)) }
  if document.description then
    for paragraph in (document.description .. "\n\n"):gmatch("(.-)\n%s*\n") do
      if paragraph:find("%S") then
        parts[#parts + 1] = "\n" .. text.wrap(text.safe((paragraph:gsub("%s+", " "))), "", width())
      end
    end
  end
  local facts = {}
  for _, fact in ipairs { { "Mirrors", document.mirrors }, { "RPO", document.rpo },
    { "RTO", document.rto }, { "Tags", #document.tags > 0 and table.concat(document.tags, ", ") or nil } } do
    if fact[2] then
      facts[#facts + 1] = { fact[1], text.safe(fact[2]) }
    end
  end
  parts[#parts + 1] = #facts > 0 and "\n" .. text.columns(facts) or ""

  local rows = {}
  for index, step in ipairs(document.steps) do
    rows[index] = { ("%d"):format(index), step.id, text.safe(step.text) }
  end
  parts[#parts + 1] = heading("Steps", text.columns(rows, "  "))

  local lines = {}
  for _, parameter in ipairs(document.parameters) do
    local label = parameter.type == "boolean" and ("%s, --no-%s"):format(parameter.option,
      parameter.option:sub(3)) or parameter.option .. " " .. parameter.type:upper()
    lines[#lines + 1] = "  " .. label .. (parameter.required and " (required)" or "") .. "\n"
      .. text.wrap(text.safe(parameter.help), "      ", width())
    local said = help.parameter_facts(parameter)
    if #said > 0 then
      lines[#lines + 1] = text.wrap(text.safe(table.concat(said, "; ")), "      ", width())
    end
  end
  parts[#parts + 1] = heading("Parameters", table.concat(lines))
  parts[#parts + 1] = heading("Example", "  " .. text.safe(document.example) .. "\n")
  return table.concat(parts)
end

--- The exit statuses, each with its error codes: list of {status, meaning, codes}.
function help.statuses()
  local list = {}
  for index, row in ipairs(help.STATUSES) do
    local codes = json.array {}
    for _, e in ipairs(os_.errors()) do
      if e.status == row[1] and e.code ~= "none" then
        codes[#codes + 1] = { code = e.code, doc = e.doc }
      end
    end
    list[index] = { status = row[1], meaning = row[2], codes = codes }
  end
  return list
end

--- The page of the exit statuses.
function help.exit_status()
  local parts = { "The exit status says how a command ended, the code why.\n" }
  for _, row in ipairs(help.statuses()) do
    parts[#parts + 1] = ("\n%3d  %s\n"):format(row.status, row.meaning)
    local rows = {}
    for index, e in ipairs(row.codes) do
      rows[index] = { e.code, e.doc }
    end
    parts[#parts + 1] = text.columns(rows, "       ")
  end
  return table.concat(parts)
end

--- The environment variables, list of {name, meaning}.
function help.environment()
  return ENVIRONMENT
end

local function command_document(command)
  return { name = command.name, args = command.args, summary = command.summary,
    text = command.text, options = json.array(command.options) }
end

local function group_document(name)
  local list = json.array {}
  for _, command in ipairs(commands.list) do
    if command.name:match("^%S+") == name then
      list[#list + 1] = command_document(command)
    end
  end
  return list
end

--- Everything, for programs and for scripts/gen-docs.
local function everything()
  local document = { version = os_.version, commands = json.array {}, recipes = json.array {},
    options = commands.globals, exit_statuses = json.array(help.statuses()) }
  for _, command in ipairs(commands.list) do
    if not command.hidden then
      table.insert(document.commands, command_document(command))
    end
  end
  for _, recipe in ipairs(require("cli.list").recipes()) do
    table.insert(document.recipes, recipe.def and help.recipe_document(recipe)
      or { id = recipe.id, error = failure.plain(recipe.error) })
  end
  return document
end

--- Text and JSON of a subject: nil (all), "stores", "targets", "exit-status", a command, or a recipe's id.
local function subject(name)
  if name == nil then
    return help.overview, everything
  elseif name == "stores" then
    local stores = require "cli.help_stores"
    return stores.page, stores.document
  elseif name == "targets" then
    local targets = require "cli.help_targets"
    return targets.page, targets.document
  elseif name == "exit-status" then
    return help.exit_status, function() return json.array(help.statuses()) end
  end
  local command = commands.find(name)
  if commands.is_group(name) then
    return function() return help.group(name) end,
      function() return group_document(name) end
  elseif command and not command.hidden then
    return function() return help.command(command) end,
      function() return command_document(command) end
  end
  local definition = require "recipe.definition"
  if not name:find(".", 1, true) or name:find(" ", 1, true) then
    local names = commands.names()
    names[#names + 1] = "exit-status"
    names[#names + 1] = "stores"
    names[#names + 1] = "targets"
    table.move(definition.ids(), 1, #definition.ids(), #names + 1, names)
    failure.raise("usage", ("there is no command or recipe \"%s\"%s"):format(name,
      require("words").did_you_mean(name, names)), { hint = "`moonkeep help` shows the commands, "
      .. "`moonkeep list` the recipes" })
  end
  local recipe = definition.load(name)
  return function() return help.recipe(recipe) end,
    function() return help.recipe_document(recipe) end
end

local function show(name, options)
  local as_text, as_json = subject(name)
  text.out(options.json and json.encode(as_json(), 2) .. "\n" or as_text())
  return 0
end

--- moonkeep help
function help.help(call)
  return show(call.args[1] and table.concat(call.args, " "), call.options)
end

--- For --help, and for a command line without a command.
function help.of_call(call)
  if call.command == nil and not call.options.help then
    if call.options.json then
      failure.raise("usage", "there is no command")
    end
    text.err(help.overview())
    return complain.status("usage")
  elseif call.command == nil and call.group then
    return show(call.group, call.options)
  elseif call.command == nil or call.command.hidden or call.command.name == "help" then
    return show(call.args[1] and table.concat(call.args, " "), call.options)
  end
  return show(call.recipe and call.recipe.id or call.command.name, call.options)
end

return help
