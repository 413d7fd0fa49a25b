--- Recipes: finding them, loading them, and checking that they are well-formed
--- before anything runs.

local digest = require "digest"
local failure = require "failure"
local params = require "recipe.params"
local scripts = require "_scripts"
local words = require "words"

local definition = {}

--- The fields that a recipe may have, with their types.
local FIELDS = {
  summary = "string", description = "string", mirrors = "string", rpo = "string", rto = "string",
  tags = "table", needs = "table", params = "table", steps = "table", example = "string",
  run = "function", level = "string",
}
local REQUIRED = { "summary", "steps", "run", "example" }

local function wrong(file, text, ...)
  failure.raise("recipe", file .. ": " .. text:format(...))
end

--- The fields that a step may have, with their types.
local STEP_FIELDS = { check = "function", plan = "function", final = "boolean" }

local function check_steps(file, steps)
  local seen = {}
  for index, step in ipairs(steps) do
    if type(step) ~= "table" or type(step[1]) ~= "string" or type(step[2]) ~= "string" then
      wrong(file, "step %d must be { \"id\", \"what it does\" }", index)
    end
    if not step[1]:match("^[a-z][a-z0-9_]*$") then
      wrong(file, "step \"%s\": an id is lower-case letters, digits and underscores", step[1])
    end
    if seen[step[1]] then
      wrong(file, "step \"%s\" is declared twice", step[1])
    end
    seen[step[1]] = true
    for name, value in pairs(step) do
      local wanted = math.type(name) == "integer" and type(value) or STEP_FIELDS[name]
      if wanted == nil then
        wrong(file, "step \"%s\" has an unknown field \"%s\"%s", step[1], tostring(name),
          words.did_you_mean(tostring(name), { "check", "plan", "final" }))
      elseif type(value) ~= wanted then
        wrong(file, "step \"%s\": %s must be a %s", step[1], name, wanted)
      end
    end
  end
  if #steps == 0 then
    wrong(file, "a recipe needs at least one step")
  end
end

--- Check the shape of what a recipe file returned.
--- @param file string for messages
--- @param def any
function definition.check(file, def)
  if type(def) ~= "table" or (getmetatable(def) or {}).__name ~= "recipe" then
    wrong(file, "must end with `return recipe { ... }`, but returns a %s", type(def))
  end
  local names = {}
  for name in pairs(FIELDS) do
    names[#names + 1] = name
  end
  table.sort(names)
  for name, value in pairs(def) do
    local wanted = FIELDS[name]
    if wanted == nil then
      wrong(file, "unknown field \"%s\"%s", tostring(name),
        words.did_you_mean(tostring(name), names))
    elseif type(value) ~= wanted then
      wrong(file, "field \"%s\" must be a %s, not a %s", name, wanted, type(value))
    end
  end
  for _, name in ipairs(REQUIRED) do
    if def[name] == nil then
      wrong(file, "field \"%s\" is missing", name)
    end
  end
  check_steps(file, def.steps)
  params.check_specs(file, def.params or {})
end

--- What a recipe file sees besides the globals: nothing of its own may leak out.
local function environment()
  return setmetatable({}, {
    __index = _G,
    __newindex = function(_, name)
      failure.raise("recipe", ("\"%s\" is not declared: use `local`"):format(tostring(name)))
    end,
  })
end

--- The names of all recipe files: those in the program, with --dev those on disk.
local function files()
  local dev = scripts.dev()
  if dev == nil then
    return scripts.names()
  end
  local fs = require "_fs"
  local names, base = {}, dev .. "/recipes"
  for _, system in ipairs(fs.stat(base, true) and fs.list(base) or {}) do
    local folder = base .. "/" .. system
    if fs.stat(folder, true).type == "dir" then
      for _, file in ipairs(fs.list(folder)) do
        names[#names + 1] = ("recipes/%s/%s"):format(system, file)
      end
    end
  end
  return names
end

--- The ids of all recipes, sorted.
--- @return table list
function definition.ids()
  local ids = {}
  for _, name in ipairs(files()) do
    local system, verb = name:match("^recipes/([a-z0-9_]+)/([a-z][a-z0-9_]*)%.lua$")
    if system then
      ids[#ids + 1] = system .. "." .. verb
    end
  end
  table.sort(ids)
  return ids
end

--- Load and check the recipe with that id.  Raises "usage" with the nearest
--- name when there is none, "recipe" with file and line when it is wrong.
--- @return table {id, file, digest, def}
function definition.load(id)
  local system, verb = id:match("^([a-z0-9_]+)%.([a-z][a-z0-9_]*)$")
  local file = system and ("recipes/%s/%s.lua"):format(system, verb)
  local text = file and scripts.text(file)
  if text == nil then
    local ids = definition.ids()
    failure.raise("usage", ("there is no recipe \"%s\"%s"):format(id, words.did_you_mean(id, ids)),
      { hint = "`moonkeep list` shows all recipes" })
  end
  local chunk = scripts.load(text, "@" .. file, environment())
  local def = chunk()
  definition.check(file, def)
  return { id = id, system = system, verb = verb, file = file, digest = digest.sha256(text), def = def }
end

--- The digest of the library: all files below lua/ and the recipes' own
--- modules, so that a resumed run notices that it would run other code.
function definition.library_digest()
  local lines = {}
  for _, name in ipairs(scripts.names()) do
    if name:match("^lua/") or name:match("/_[^/]*%.lua$") then
      lines[#lines + 1] = digest.sha256(scripts.text(name) or "") .. " " .. name
    end
  end
  return digest.sha256(table.concat(lines, "\n"))
end

return definition
