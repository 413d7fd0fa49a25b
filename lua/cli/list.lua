--- moonkeep list

local definition = require "recipe.definition"
local failure = require "failure"
local json = require "json"
local text = require "cli.text"

local list = {}

local function has_tag(def, tag)
  for _, one in ipairs(def.tags or {}) do
    if one == tag then
      return true
    end
  end
  return tag == nil
end

--- All recipes with that tag, each {id, def}; one that cannot be loaded has an
--- error instead, so that it hides none of the others.
--- @param tag? string
function list.recipes(tag)
  local found = {}
  for _, id in ipairs(definition.ids()) do
    local ok, recipe = pcall(definition.load, id)
    if not ok then
      found[#found + 1] = { id = id, error = failure.of(recipe) }
    elseif has_tag(recipe.def, tag) then
      found[#found + 1] = recipe
    end
  end
  return found
end

--- List the recipes by system.
function list.list(call)
  local found = list.recipes(call.options.tag)
  if call.options.json then
    local rows = json.array {}
    for index, recipe in ipairs(found) do
      rows[index] = { id = recipe.id, summary = recipe.def and recipe.def.summary,
        tags = json.array(recipe.def and recipe.def.tags or {}),
        error = recipe.error and failure.plain(recipe.error) }
    end
    text.out(json.encode(rows, 2) .. "\n")
    return 0
  end
  local rows, system = {}, nil
  for _, recipe in ipairs(found) do
    local of = recipe.id:match("^[^.]+")
    if system and of ~= system then
      rows[#rows + 1] = { "" }
    end
    system = of
    rows[#rows + 1] = { recipe.id, recipe.def and text.safe(recipe.def.summary)
      or "cannot be loaded: " .. text.safe(recipe.error.message) }
  end
  text.out(text.columns(rows))
  return 0
end

return list
