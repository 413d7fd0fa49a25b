--- moonkeep verify: the verification recipe of a backup's system.

local definition = require "recipe.definition"
local shelf = require "backup.shelf"
local store = require "store"

local verify = {}

--- The recipe that verifies a system's backups.
local function recipe_for(system)
  local id = system .. ".verify"
  for _, one in ipairs(definition.ids()) do
    if one == id then
      return id
    end
  end
  return "common.verify"
end

--- Verify a backup.
function verify.verify(call)
  local options = call.options
  local entry = shelf.find(store.open(options.store), call.args[1])
  local given = { store = { options.store }, backup = { entry.name } }
  if options.level then
    given.level = { options.level }
  end
  if options.encrypt_key then
    given.encrypt_key = { options.encrypt_key }
  end
  return require("cli.run").with_ui(call, function(run_options)
    return require("recipe.run").start(recipe_for(entry.system), given, run_options)
  end)
end

return verify
