--- The grammar of the command line.
---
--- --x=v and --x v; a repeated option is a list (recipes' parameters); switches
--- are --x and --no-x; "--" ends the options.  A recipe's parameters are only
--- known when the recipe is, so the recipe comes before them.

local commands = require "cli.commands"
local failure = require "failure"

local options = {}

local function bad(hint, message, ...)
  failure.raise("usage", message:format(...), { hint = hint })
end

local function near(typed, names)
  return require("words").did_you_mean(typed, names)
end

local function option_of(name)
  return (name:gsub("_", "-"))
end

local function find(specs, name)
  for _, spec in ipairs(specs or {}) do
    if spec.name == name or spec.short == name then
      return spec
    end
  end
end

--- All options that may be typed at this place.
local function known(call)
  local names = {}
  for _, specs in ipairs { commands.globals, call.command and call.command.options or {} } do
    for _, spec in ipairs(specs) do
      names[#names + 1] = "--" .. option_of(spec.name)
    end
  end
  for name in pairs(call.recipe and call.recipe.def.params or {}) do
    names[#names + 1] = "--" .. option_of(name)
  end
  table.sort(names)
  return names
end

local function unknown(call, typed)
  local command = call.command
  if command == nil then
    for _, other in ipairs(commands.list) do
      if not other.hidden and find(other.options, (typed:gsub("^%-+", ""):gsub("-", "_"))) then
        bad(("moonkeep %s %s"):format(other.name, other.args), "%s comes behind the command", typed)
      end
    end
    bad("`moonkeep help` shows the commands and options", "there is no option %s%s", typed,
      near(typed, known(call)))
  elseif command.takes_recipe and call.recipe == nil then
    bad("moonkeep run RECIPE [--PARAM VALUE]...; `moonkeep list` shows the recipes",
      "the recipe comes before %s", typed)
  elseif call.recipe then
    bad(("`moonkeep help %s` shows its parameters"):format(call.recipe.id),
      "%s has no parameter %s%s", call.recipe.id, typed, near(typed, known(call)))
  end
  bad(("`moonkeep help %s` shows its options"):format(command.name), "%s has no option %s%s",
    command.name, typed, near(typed, known(call)))
end

--- The value behind "=" or in the next word.
local function value_of(words, at, typed, value)
  if value ~= nil then
    return value, at
  end
  local following = words[at + 1]
  if following == nil or following:sub(1, 2) == "--" then
    bad(following and ("write %s=%s if that is the value"):format(typed, following) or nil,
      "%s needs a value", typed)
  end
  return following, at + 1
end

local function check_choice(spec, typed, value)
  for _, choice in ipairs(spec.choices or { value }) do
    if choice == value then
      return value
    end
  end
  bad(nil, "%s is %s, not \"%s\"%s", typed, table.concat(spec.choices, ", "), value,
    near(value, spec.choices))
end

--- One of moonkeep's own options.
local function take_own(call, spec, words, at, typed, value)
  if call.options[spec.name] ~= nil and spec.value then
    bad(nil, "%s is given twice", typed)
  elseif not spec.value then
    if value ~= nil then
      bad(nil, "%s takes no value", typed)
    end
    call.options[spec.name] = true
    return at
  end
  value, at = value_of(words, at, typed, value)
  if value == "" then
    bad(nil, "%s needs a value", typed)
  end
  call.options[spec.name] = check_choice(spec, typed, value)
  return at
end

--- A parameter of the recipe: noted as text, read by recipe.params.
local function take_parameter(call, words, at, typed, name, value)
  local specs = call.recipe.def.params or {}
  local spec, switch = specs[name], "true"
  if spec == nil and name:sub(1, 3) == "no_" then
    name, switch = name:sub(4), "false"
    spec = specs[name]
    if spec == nil or spec[1] ~= "boolean" then
      unknown(call, typed)
    elseif value ~= nil then
      bad(nil, "%s takes no value", typed)
    end
  elseif spec == nil then
    unknown(call, typed)
  end
  if spec[1] == "boolean" then
    value = value or switch
  else
    value, at = value_of(words, at, typed, value)
  end
  call.given[name] = call.given[name] or {}
  table.insert(call.given[name], value)
  return at
end

local function take_option(call, words, at)
  local word = words[at]
  local typed, value = word:match("^(%-%-[^=]+)=(.*)$")
  typed = typed or word
  local name = typed:gsub("^%-%-?", ""):gsub("-", "_")
  if typed:sub(1, 2) ~= "--" and #typed > 2 then
    bad(nil, "there is no option %s%s", typed, near("-" .. typed, known(call)))
  end
  -- One letter behind two dashes is no short option, nor a name behind one.
  local short = typed:sub(1, 2) ~= "--"
  local spec = find(commands.globals, name) or (call.command and find(call.command.options, name))
  if spec and (spec.short == name) == short then
    return take_own(call, spec, words, at, typed, value)
  elseif call.recipe and not short then
    return take_parameter(call, words, at, typed, name, value)
  end
  unknown(call, typed)
end

--- The first word of a command, or the first two.
local function take_command(call, word)
  local name = call.group and call.group .. " " .. word or word
  call.command = commands.find(name)
  if call.command == nil and call.group == nil and commands.is_group(word) then
    call.group = word
  elseif call.command == nil then
    bad("`moonkeep help` shows the commands", "there is no command \"%s\"%s", name,
      near(name, commands.names()))
  end
end

local function take_word(call, word)
  if call.command == nil then
    take_command(call, word)
    return
  end
  call.args[#call.args + 1] = word
  if call.command.takes_recipe and call.recipe == nil then
    call.recipe = require("recipe.definition").load(word)
  end
end

local function check_count(call)
  local command, count = call.command, #call.args
  local usage = ("moonkeep %s %s"):format(command.name, command.args)
  if count < command.least then
    bad(usage, "%s needs %s", command.name, command.args:match("^%S+"))
  elseif count > command.most then
    bad(usage, "%s does not take \"%s\"", command.name, call.args[command.most + 1])
  end
end

--- Read the command line.  Raises "usage".
--- @param argv table list of words
--- @return table call {command, group = first word of a command of two, args,
---   options, filled = name -> true of options that were not given but come from the
---   environment or are the default, recipe = loaded recipe, given = name -> texts}
function options.parse(argv)
  local call = { args = {}, options = {}, given = {}, filled = {} }
  local at, ended = 1, false
  while at <= #argv do
    local word = argv[at]
    if not ended and word == "--" then
      ended = true
    elseif not ended and word:sub(1, 1) == "-" and #word > 1 then
      at = take_option(call, argv, at)
    else
      take_word(call, word)
    end
    at = at + 1
  end
  if call.group and call.command == nil and not call.options.help then
    bad(("`moonkeep help %s` shows them"):format(call.group), "%s needs a second word", call.group)
  elseif call.command and not call.options.help then
    check_count(call)
    options.fill(call)
  end
  return call
end

--- Options that were not given come from the environment, else from their default.
function options.fill(call)
  for _, spec in ipairs(call.command.options) do
    if call.options[spec.name] == nil and spec.env then
      local value = require("_os").getenv(spec.env)
      call.options[spec.name] = value ~= nil and value ~= "" and value or spec.default
      call.filled[spec.name] = true
    end
  end
end

return options
