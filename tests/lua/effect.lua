--- Who may change something now: steps and undos, nobody between them, and no
--- plan at all.

local effect = require "effect"
local failure = require "failure"
local fs = require "_fs"
local machine = require "target"
local plan = require "recipe.plan"
local store = require "store"
local task = require "task"

local test = {}

local INSIDE, BETWEEN = { inside = "step" }, {}

--- A plan that lists, and what is done in it.
local function planning(fn, ...)
  local list = plan.new(function() end)
  local ok, e = pcall(effect.with, { plan = list }, fn, ...)
  if not ok and e ~= effect.plan_end then
    error(e, 0)
  end
  local said = {}
  for index, entry in ipairs(list.entries) do
    said[index] = entry.verb .. " " .. entry.object
  end
  return said, ok
end

test["outside of a run everything may be changed"] = function(t)
  t.equal(effect.current(), nil)
  t.equal(effect.planning(), false)
  t.equal(effect.change("remove", "it"), true)
  effect.change_for_result("remove", "it")
end

test["inside a step it may, between steps it may not"] = function(t)
  t.equal(effect.with(INSIDE, effect.change, "remove", "it"), true)
  local e = t.raises("recipe", "cannot remove it between steps", effect.with, BETWEEN, effect.change, "remove", "it")
  t.contains(e.hint, "ctx:step")
end

test["the context is that of the innermost call, and is given back after errors, too"] = function(t)
  effect.with(BETWEEN, function()
    t.check(effect.current() == BETWEEN)
    effect.with(INSIDE, function() t.check(effect.current() == INSIDE) end)
    pcall(effect.with, INSIDE, error, "x")
    t.check(effect.current() == BETWEEN)
  end)
  t.equal(effect.current(), nil)
  t.equal({ effect.with(INSIDE, function(...) return ... end, 1, nil, 3) }, { 1, nil, 3 })
end

test["tasks and coroutines act in the context that they were made in"] = function(t)
  local function ask() return (pcall(effect.change, "remove", "it")) end
  effect.with(BETWEEN, function()
    t.equal(coroutine.wrap(ask)(), false)
    t.equal(coroutine.wrap(function() return coroutine.wrap(ask)() end)(), false)
    t.equal(select(2, task.spawn(ask):wait()), false)
    t.equal(task.each({ 1 }, 1, ask), { false })
    t.equal(task.shielded(1000, ask), false)
    -- What was made between steps stays between them.
    local made = coroutine.wrap(function()
      while true do
        coroutine.yield(ask())
      end
    end)
    t.equal(made(), false)
    effect.with(INSIDE, function()
      t.equal(made(), true)
      t.equal(task.each({ 1 }, 1, ask), { true })
    end)
    t.equal(made(), false)
  end)
end

test["two tasks have each a context of their own"] = function(t)
  local one = task.spawn(effect.with, INSIDE, function()
    task.sleep(20)
    return effect.change("remove", "it")
  end)
  local two = task.spawn(effect.with, BETWEEN, function()
    task.sleep(10)
    return (pcall(effect.change, "remove", "it"))
  end)
  t.equal({ one:wait() }, { true, true })
  t.equal({ two:wait() }, { true, false })
end

test["a target changes nothing in a plan, and lists what it would"] = function(t)
  local dir = t.dir()
  fs.write(dir .. "/a", "text")
  local target = machine.open("local:")
  local calls = {
    ["write " .. dir .. "/b"] = function() target:write(dir .. "/b", "x") end,
    ["make the directory " .. dir .. "/d"] = function() target:make_dirs(dir .. "/d") end,
    ["move " .. dir .. "/a to " .. dir .. "/b"] = function() target:rename(dir .. "/a", dir .. "/b") end,
    ["remove " .. dir .. "/a"] = function() target:remove_tree(dir .. "/a") end,
    ["change the owner of " .. dir .. "/a"] = function() target:chown(dir .. "/a", { uid = 1, gid = 1 }) end,
    ["change the mode of " .. dir .. "/a"] = function() target:chmod(dir .. "/a", 0) end,
    ["run rm " .. dir .. "/a"] = function() target:exec { argv = { "rm", dir .. "/a" } } end,
    ["extract into " .. dir] = function()
      target:tar_in(dir, require("stream").from_string(""), {})
    end,
  }
  for said, call in pairs(calls) do
    t.equal(planning(call), { said })
    t.raises("recipe", "between steps", effect.with, BETWEEN, call)
  end
  t.equal(fs.list(dir), { "a" })
  t.equal(fs.read(dir .. "/a", 10), "text")
end

test["reading is allowed everywhere"] = function(t)
  local dir = t.dir()
  fs.write(dir .. "/a", "text")
  local target = machine.open("local:")
  local function read()
    t.equal(target:list(dir), { "a" })
    t.equal(target:read(dir .. "/a", 10), "text")
    t.equal(target:exec({ argv = { "cat", dir .. "/a" }, reads = true }).stdout, "text")
    t.check(target:free(dir) > 0 and target:stat(dir) and target:real(dir) and target:identity())
  end
  t.equal(planning(read), {})
  effect.with(BETWEEN, read)
end

test["a store changes nothing in a plan, and lists what it would"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  place:put("a/b", "text")
  local calls = {
    ["write " .. dir .. "/a/c"] = function() place:put("a/c", "x") place:put("a/c", "x", { exclusive = true }) end,
    ["remove " .. dir .. "/a/b"] = function() place:remove("a/b") end,
    ["remove " .. dir .. "/a/"] = function() place:remove_all("a/") end,
    ["write " .. dir .. "/a/d"] = function() place:create("a/d") end,
    ["remove what interrupted writes left below " .. dir .. "/a/"] = function() place:sweep("a/") end,
  }
  for said, call in pairs(calls) do
    local list = planning(call)
    t.equal(list[1], said)
    t.raises("recipe", "between steps", effect.with, BETWEEN, call)
  end
  t.equal(#place:list(""), 1)
  t.equal(place:get("a/b", 10), "text")
end

test["names that are no UTF-8 are listed so that a plan can be printed"] = function(t)
  t.equal(planning(effect.change, "remove", "/a\xff"), { "remove /a\\xff" })
end

test["where a result is needed a plan ends, and knows that it did"] = function(t)
  local list = plan.new(function() end)
  local ok, e = pcall(effect.with, { plan = list }, effect.change_for_result, "POST", "it")
  t.check(not ok and e == effect.plan_end and list.ended)
  t.equal(tostring(effect.plan_end), "the plan ends here")
end

test["errors keep what they are"] = function(t)
  local value = failure.new("io", "no luck", { hint = "none", http = 7, retryable = true })
  local ok, e = pcall(effect.with, INSIDE, error, value)
  t.check(not ok and e == value)
  e = failure.prefix(value, "cannot read")
  t.equal({ e.code, e.message, e.hint, e.http, e.retryable }, { "io", "cannot read: no luck", "none", 7, true })
  t.equal(failure.is(e, "io"), true)
  t.equal(failure.is("io"), false)
  t.equal(failure.is(nil), false)
  t.equal(failure.of("text").code, "recipe")
  t.equal(failure.plain(failure.new("io", "a\xff")).message, "a\\xff")
  t.equal(type(failure.new("io", {}).message), "string")
end

return test
