local definition = require "recipe.definition"

local test = {}

local FILE = "recipes/toy/one.lua"

local function shape(changes)
  local def = {
    summary = "Do it", example = "moonkeep run toy.one",
    steps = { { "one", "First" }, { "two", "Second" } },
    run = function() end,
  }
  for name, value in pairs(changes or {}) do
    def[name] = value
  end
  return recipe(def)
end

local function without(name)
  local def = shape()
  def[name] = nil
  return def
end

test["a well-formed recipe passes"] = function(t)
  definition.check(FILE, shape())
  definition.check(FILE, shape { description = "d", mirrors = "m.sh", rpo = "1h", rto = "1h",
    tags = { "a" }, params = { it = { "string", help = "it" } },
    steps = { { "one", "First", check = function() end, plan = function() end } } })
  t.check(true)
end

test["what is no recipe is refused, naming the file"] = function(t)
  for _, value in ipairs { {}, "text", 1, false, { summary = "but not made by recipe{}" } } do
    t.raises("recipe", FILE .. ": must end with", definition.check, FILE, value)
  end
  t.raises("recipe", FILE .. ": must end with", definition.check, FILE, nil)
end

test["each wrong field is named with its file"] = function(t)
  local function wrong(part, def)
    t.raises("recipe", FILE .. ": " .. part, definition.check, FILE, def)
  end
  for _, name in ipairs { "summary", "steps", "run", "example" } do
    wrong(("field \"%s\" is missing"):format(name), without(name))
  end
  wrong("unknown field \"sumary\" (did you mean \"summary\"?)", shape { sumary = "x" })
  wrong("field \"summary\" must be a string, not a number", shape { summary = 1 })
  wrong("field \"run\" must be a function, not a string", shape { run = "x" })
  wrong("field \"steps\" must be a table", shape { steps = "x" })
  wrong("field \"params\" must be a table", shape { params = true })
  wrong("a recipe needs at least one step", shape { steps = {} })
  wrong("step 1 must be", shape { steps = { "one" } })
  wrong("step 2 must be", shape { steps = { { "one", "First" }, { "two" } } })
  wrong("step \"One\": an id is lower-case", shape { steps = { { "One", "First" } } })
  wrong("step \"one\" is declared twice", shape { steps = { { "one", "a" }, { "one", "b" } } })
  wrong("step \"one\" has an unknown field \"chek\" (did you mean \"check\"?)",
    shape { steps = { { "one", "a", chek = error } } })
  wrong("step \"one\": check must be a function", shape { steps = { { "one", "a", check = 1 } } })
  wrong("parameter \"it\": unknown type", shape { params = { it = { "thing", help = "x" } } })
end

test["recipe takes a table"] = function(t)
  t.raises("recipe", "recipe takes a table", recipe, "text")
end

test["an unknown recipe is told with the nearest name"] = function(t)
  local e = t.raises("usage", "there is no recipe \"prometheus.backpu\" (did you mean \"prometheus.backup\"?)",
    definition.load, "prometheus.backpu")
  t.contains(e.hint, "moonkeep list")
  t.raises("usage", "there is no recipe", definition.load, "../etc.passwd")
  t.raises("usage", "there is no recipe", definition.load, "prometheus._lib")
  t.raises("usage", "there is no recipe", definition.load, "")
end

test["every recipe loads and is found again by its id"] = function(t)
  local ids = definition.ids()
  t.check(#ids > 0)
  for _, id in ipairs(ids) do
    local recipe_ = definition.load(id)
    t.equal(recipe_.id, id)
    t.equal(#recipe_.digest, 64)
    t.contains(recipe_.def.example, "moonkeep run " .. id)
  end
end

test["the digest of the library is stable"] = function(t)
  t.equal(definition.library_digest(), definition.library_digest())
end

return test
