--- What every Lua file finds without a require: `recipe`, and errors that
--- print as their message.

local scripts = require "_scripts"

local meta = scripts.error_meta()
meta.__name = "failure"
meta.__tostring = function(e)
  return e.message
end

--- recipe{...}: declares a recipe; what a recipe file returns.  The table is
--- checked when the recipe is loaded (see recipe.definition), so that an error
--- names the file.
rawset(_G, "recipe", function(definition)
  if type(definition) ~= "table" then
    error("recipe takes a table", 2)
  end
  return setmetatable(definition, { __name = "recipe" })
end)
