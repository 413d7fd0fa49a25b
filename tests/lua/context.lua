--- Durable steps: recipes made here are run by recipe.run, with journals in a
--- directory of the test.  A kill -9 is a copy of the journal that was taken
--- in the middle of a run, and goes on elsewhere.

local definition = require "recipe.definition"
local effect = require "effect"
local fs = require "_fs"
local journal = require "recipe.journal"
local run = require "recipe.run"

local test = {}

local MAX = 16 * 1024 * 1024

--- A run's surroundings: where its journal is, what it did, what was shown.
local function stage(t)
  local self = { state = t.dir(), did = {}, events = {}, digest = "first" }

  self.ui = {
    event = function(_, event)
      self.events[#self.events + 1] = event
    end,
    ask = function() return self.answer end,
  }

  --- Note that something was done.
  function self.note(what)
    self.did[#self.did + 1] = what
  end

  --- Let fn(...) find the recipe {steps = {...}, run = fn}.
  function self.with(def, fn, ...)
    def.summary, def.example = "Toy", "moonkeep run toy.one"
    definition.check("recipes/toy/one.lua", recipe(def))
    local load = definition.load
    definition.load = function()
      return { id = "toy.one", file = "recipes/toy/one.lua", digest = self.digest, def = def }
    end
    local results = table.pack(pcall(fn, ...))
    definition.load = load
    if not results[1] then
      error(results[2], 0)
    end
    return table.unpack(results, 2, results.n)
  end

  function self.options(more)
    local options = { state = self.state, ui = self.ui }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    return options
  end

  function self.start(def, more)
    return self.with(def, run.start, "toy.one", {}, self.options(more))
  end

  function self.resume(def, more)
    return self.with(def, run.resume, "latest", self.options(more))
  end

  function self.rollback(def, more)
    return self.with(def, run.rollback, "latest", self.options(more))
  end

  --- As if the process were killed now: later runs see the journal as it is here.
  function self.kill()
    local dir, copy = self.state .. "/runs", t.dir()
    fs.make_dirs(copy .. "/runs")
    for _, name in ipairs(fs.list(dir)) do
      fs.write(copy .. "/runs/" .. name, fs.read(dir .. "/" .. name, MAX))
    end
    self.killed = copy
  end

  --- What was done until now is past; the killed journal is the one that counts.
  function self.reboot()
    self.state, self.did, self.events = self.killed, {}, {}
  end

  --- Kinds of the events shown.
  function self.shown(kind)
    local count = 0
    for _, event in ipairs(self.events) do
      count = count + (event.kind == kind and 1 or 0)
    end
    return count
  end

  return self
end

local THREE = { { "one", "First" }, { "two", "Second" }, { "three", "Third" } }

test["steps are done in order, and a result is returned"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    local a = ctx:step("one", function() s.note("one") return { n = 1 } end)
    local b = ctx:step("two", function() s.note("two") return a.n + 1 end)
    return { sum = a.n + b }
  end }
  t.equal(s.did, { "one", "two" })
  t.equal(outcome.result, { sum = 3 })
  t.equal({ outcome.status, outcome.exit, outcome.undone }, { "ok", 0 })
end

test["the value of a step is the journal's copy, in the first run too"] = function(t)
  local s = stage(t)
  local mine = { list = { 1 } }
  s.start { steps = THREE, run = function(ctx)
    local value = ctx:step("one", function() return mine end)
    t.check(value ~= mine and value.list ~= mine.list)
    t.equal(value, mine)
  end }
end

test["a value that cannot be recorded is an error that names the step"] = function(t)
  local bad = {
    ["a function"] = function() return { fn = error } end,
    ["a handle"] = function() return require("stream").from_string("x") end,
    ["not a finite number"] = function() return { 0 / 0 } end,
    ["mixes a list"] = function() return { 1, a = 2 } end,
    ["a secret"] = function() return { token = require("_secret").new("open sesame") } end,
    ["a key that is no string"] = function() return { [true] = 1 } end,
  }
  for part, fn in pairs(bad) do
    local s = stage(t)
    local outcome = s.start { steps = THREE, run = function(ctx) ctx:step("one", fn) end }
    t.equal(outcome.exit, 2, part)
    t.contains(outcome.error.message, "the result of step \"one\": ")
    t.contains(outcome.error.message, part)
  end
end

test["a step that is not declared, run twice, or no function is refused"] = function(t)
  local function refused(part, fn)
    local s = stage(t)
    local outcome = s.start { steps = THREE, run = fn }
    t.equal(outcome.exit, 2)
    t.contains(outcome.error.message, part)
  end
  local function nothing() end
  refused("step \"thre\" is not declared (did you mean \"three\"?)", function(ctx) ctx:step("thre", nothing) end)
  refused("step \"one\" is run twice", function(ctx)
    ctx:step("one", nothing)
    ctx:step("one", nothing)
  end)
  refused("step \"one/a\" is run twice", function(ctx)
    ctx:step("one", "a", nothing)
    ctx:step("one", "b", nothing)
    ctx:step("one", "a", nothing)
  end)
  refused("takes a function", function(ctx) ctx:step("one", "a", "b") end)
  refused("takes a function", function(ctx) ctx:step("one", 1, nothing) end)
end

test["ctx belongs to the recipe's own line, between its steps"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    ctx:step("one", function() ctx:step("two", function() end) end)
  end }
  t.contains(outcome.error.message, "ctx:step cannot be called inside a step")
  outcome = s.start { steps = THREE, run = function(ctx)
    require("task").each({ 1 }, 1, function() ctx:step("one", function() end) end)
  end }
  t.contains(outcome.error.message, "not to a task of it")
end

test["a change between steps raises, inside one it is made"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    ctx:step("one", function() t.check(effect.change("remove", "it")) end)
    effect.change("remove", "the rest")
  end }
  t.equal(outcome.exit, 2)
  t.contains(outcome.error.message, "cannot remove the rest between steps")
  outcome = s.start { steps = THREE, run = function(ctx)
    ctx:step("one", function()
      require("task").each({ 1, 2 }, 2, function() t.check(effect.change("remove", "it")) end)
    end)
  end }
  t.equal(outcome.status, "ok")
end

test["cleanups run whatever happens, compensations when it fails, in reverse order"] = function(t)
  local function def(s, fail)
    return { steps = THREE, run = function(ctx)
      ctx:cleanup("clean 1", function() s.note("clean 1") end)
      ctx:compensate("undo 1", { path = "/x" }, function(args) s.note("undo 1 " .. args.path) end)
      ctx:cleanup("clean 2", function() s.note("clean 2") end)
      ctx:compensate("undo 2", {}, function() s.note("undo 2") end)
      ctx:step("one", function()
        if fail then
          require("failure").raise("io", "no luck", { hint = "try again" })
        end
      end)
    end }
  end
  local s = stage(t)
  t.equal(s.start(def(s, false)).undone, nil)
  t.equal(s.did, { "clean 2", "clean 1" })
  s = stage(t)
  local outcome = s.start(def(s, true))
  t.equal(s.did, { "undo 2", "clean 2", "undo 1 /x", "clean 1" })
  t.equal({ outcome.status, outcome.exit, outcome.undone }, { "failed", 1, true })
  t.equal({ outcome.error.code, outcome.error.step, outcome.error.hint }, { "io", "one", "try again" })
end

test["an undo that fails does not stop the others, and is told"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:compensate("undo 1", {}, function() s.note("undo 1") end)
    ctx:compensate("undo 2", {}, function()
      if not s.repaired then
        error("it is stuck", 0)
      end
      s.note("undo 2")
    end)
    ctx:step("one", function() error("no luck", 0) end)
  end }
  local outcome = s.start(def)
  t.equal(s.did, { "undo 1" })
  t.equal(outcome.undone, false)
  t.equal(s.shown("undo_fail"), 1)
  -- What could not be undone then can be later, and only that.
  s.repaired, s.did = true, {}
  outcome = s.rollback(def)
  t.equal(s.did, { "undo 2" })
  t.equal({ outcome.status, outcome.exit, outcome.undone }, { "rolled back", 0, true })
end

test["a resumed run replays what is done and goes on behind it"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    local now, id = ctx:now(), ctx:random(8)
    local one = ctx:step("one", function() s.note("one") return { now = now, id = id } end)
    for _, key in ipairs { "a", "b" } do
      ctx:step("two", key, function()
        s.note("two " .. key)
        if key == "b" then
          s.kill()
        end
      end)
    end
    ctx:step("three", function() s.note("three") end)
    t.equal(one, { now = now, id = id })
    return one
  end }
  local first = s.start(def)
  s.reboot()
  local second = s.resume(def)
  t.equal(s.did, { "two b", "three" })
  t.equal(second.result, first.result)
  t.equal(s.shown("step_replayed"), 2)
  t.raises("refused", "there is nothing to resume", s.resume, def)
end

test["a step that was started asks its check first: adopt, or run again"] = function(t)
  for _, leftover in ipairs { "left", false } do
    local s = stage(t)
    local found = leftover or nil
    local def = { steps = { { "one", "First", check = function() s.note("check") return found end } },
      run = function(ctx)
        return ctx:step("one", function()
          s.note("one")
          s.kill()
          return "made"
        end)
      end }
    s.start(def)
    s.reboot()
    local outcome = s.resume(def)
    t.equal(outcome.result, found or "made")
    t.equal(s.did, found and { "check" } or { "check", "one" })
  end
end

test["a recipe that goes another way than before is refused"] = function(t)
  local s = stage(t)
  local order = { "one", "two" }
  local def = { steps = THREE, run = function(ctx)
    for _, id in ipairs(order) do
      ctx:step(id, function()
        if id == "two" then
          s.kill()
        end
      end)
    end
  end }
  s.start(def)
  s.reboot()
  order = { "two", "one" }
  local outcome = s.resume(def)
  t.equal(outcome.exit, 4)
  t.contains(outcome.error.message, "the run did step \"one\" here before, and now wants \"two\"")
end

test["recipe, library and parameters must be those of the beginning, or --with-changes"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:step("one", function() s.kill() end)
  end }
  s.start(def)
  s.reboot()
  s.digest = "second"
  local e = t.raises("changed", "the recipe toy.one changed since it began", s.resume, def)
  t.contains(e.hint, "--with-changes")
  t.raises("changed", "cannot roll back", s.rollback, def)
  t.equal(s.resume(def, { with_changes = true }).status, "ok")
end

test["a rollback follows the line without doing steps, then undoes"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    local one = ctx:step("one", function() s.note("one") return "v1" end)
    ctx:compensate("undo one", { v = one }, function(args) s.note("undo " .. args.v) end)
    ctx:cleanup("clean", function() s.note("clean") end)
    ctx:step("two", function()
      s.note("two")
      s.kill()
    end)
    ctx:compensate("undo two", {}, function() s.note("undo two") end)
    ctx:step("three", function() s.note("three") end)
  end }
  s.start(def)
  s.reboot()
  local outcome = s.rollback(def)
  t.equal(s.did, { "clean", "undo v1" })
  t.equal({ outcome.status, outcome.exit, outcome.undone }, { "rolled back", 0, true })
  t.raises("refused", "there is nothing to roll back", s.rollback, def)
  t.raises("refused", "there is nothing to resume", s.resume, def)
end

test["a step cannot swallow the end of a rollback"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:step("one", function() s.kill() end)
    pcall(ctx.step, ctx, "two", function() s.note("two") end)
    pcall(ctx.step, ctx, "three", function() s.note("three") end)
  end }
  s.start(def)
  s.reboot()
  s.rollback(def)
  t.equal(s.did, {})
end

test["an undoing that was killed is finished by rollback, not by resume"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:compensate("undo 1", {}, function() s.note("undo 1") end)
    ctx:compensate("undo 2", {}, function()
      s.note("undo 2")
    end)
    ctx:compensate("undo 3", {}, function()
      s.note("undo 3")
    end)
    ctx:cleanup("the middle", function() s.kill() end)
    ctx:compensate("undo 4", {}, function() s.note("undo 4") end)
    ctx:step("one", function() error("no luck", 0) end)
  end }
  s.start(def)
  t.equal(s.did, { "undo 4", "undo 3", "undo 2", "undo 1" })
  s.reboot()
  t.raises("refused", "was being undone", s.resume, def)
  t.equal(s.rollback(def).exit, 0)
  t.equal(s.did, { "undo 3", "undo 2", "undo 1" })
end

test["a warning makes a run partial, and stays so when it is resumed"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:step("one", function() ctx:warn("one file is odd") end)
    ctx:step("two", function() s.kill() end)
  end }
  local outcome = s.start(def)
  t.equal({ outcome.status, outcome.exit }, { "partial", 3 })
  s.reboot()
  outcome = s.resume(def)
  t.equal({ outcome.status, outcome.exit }, { "partial", 3 })
end

test["a cancel is no warning"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    ctx:warn(require("failure").new("cancelled", "cancelled"))
  end }
  t.equal({ outcome.status, outcome.exit }, { "cancelled", 130 })
end

test["a confirmation is asked once, and recorded"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:confirm("Really?")
    ctx:step("one", function() s.kill() end)
  end }
  local outcome = s.start(def)
  t.equal({ outcome.exit, outcome.error.code }, { 4, "refused" })
  t.contains(outcome.error.message, "not confirmed: Really?")
  s.answer = "y"
  t.equal(s.start(def).status, "ok")
  s.reboot()
  s.answer = nil
  t.equal(s.resume(def).status, "ok")
  t.equal(s.start(def, { yes = true }).status, "ok")
end

test["a plan changes nothing, and ends where a result is needed"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:step("one", function() t.equal(effect.change("remove", "it", "it is old"), false) end)
    ctx:compensate("put it back", {}, function() s.note("undo") end)
    ctx:confirm("Really?")
    ctx:step("two", function() effect.change_for_result("POST", "a snapshot") end)
    s.note("behind")
    ctx:step("three", function() end)
  end }
  local outcome = s.start(def, { plan = true })
  t.equal({ outcome.status, outcome.exit, outcome.complete }, { "planned", 3, false })
  t.equal(s.did, {})
  local kinds = {}
  for index, entry in ipairs(outcome.plan) do
    kinds[index] = entry.kind .. " " .. (entry.step or entry.verb or entry.text)
  end
  t.equal(kinds, { "step one", "change remove", "undo put it back", "confirm Really?", "step two",
    "change POST", "unknown three" })
  t.equal(fs.stat(s.state .. "/runs", true), nil)
end

test["a plan with stand-ins reaches its end"] = function(t)
  local s = stage(t)
  local outcome = s.start({
    steps = { { "one", "First", plan = function() return { name = "stand-in" } end } },
    run = function(ctx)
      local one = ctx:step("one", function() effect.change_for_result("POST", "x") end)
      t.equal(one.name, "stand-in")
    end,
  }, { plan = true })
  t.equal({ outcome.exit, outcome.complete }, { 0, true })
end

test["what a recipe returns must be recordable, too"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function() return { fn = error } end }
  t.equal(outcome.exit, 2)
  t.contains(outcome.error.message, "the result of the recipe: value.fn is a function")
end

test["an error that names a file which is not UTF-8 is told, and all is undone"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    ctx:compensate("undo 1", {}, function() s.note("undo 1") end)
    ctx:compensate("undo 2", {}, function() error("cannot remove \"b\xfe\"", 0) end)
    ctx:step("one", function() error("cannot read \"a\xff\"", 0) end)
  end }
  t.equal(outcome.error.message, "cannot read \"a\\xff\"")
  t.equal(s.did, { "undo 1" })
  t.equal(outcome.undone, false)
end

test["the journal tells the story"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    ctx:compensate("undo", {}, function() end)
    ctx:step("one", function() return 1 end)
    ctx:step("two", "k", function() error("no luck", 0) end)
  end }
  local kinds = {}
  for index, event in ipairs(journal.read(s.state .. "/runs", outcome.run)) do
    kinds[index] = event.event
  end
  t.equal(kinds, { "run", "compensate", "step_start", "step_done", "step_start", "step_fail", "unwind",
    "undo_start", "undo_done", "end" })
end

return test
