--- A run as the command line that would start it.

local definition = require "recipe.definition"
local params = require "recipe.params"
local words = require "words"

local command = {}

--- The command line that would start such a run again.
--- @param summary table {recipe, params}
function command.of(summary)
  local parts = { "moonkeep run " .. summary.recipe }
  local ok, recipe = pcall(definition.load, summary.recipe)
  local specs = ok and recipe.def.params or {}
  local names = {}
  for name, value in pairs(summary.params or {}) do
    if specs[name] and not params.is_default(specs[name], value) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, option = summary.params[name], params.option(name)
    if value == true then
      parts[#parts + 1] = "--" .. option
    elseif value == false then
      parts[#parts + 1] = "--no-" .. option
    else
      for _, one in ipairs(params.texts(specs[name], value)) do
        parts[#parts + 1] = "--" .. option .. " " .. words.quote(one)
      end
    end
  end
  return table.concat(parts, " ")
end

return command
