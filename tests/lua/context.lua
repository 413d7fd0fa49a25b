--- Durable steps: recipes made here are run by recipe.run, with journals in a
--- directory of the test.  A kill -9 is a copy of the journal that was taken
--- in the middle of a run, and goes on elsewhere.

local definition = require "recipe.definition"
local effect = require "effect"
local fs = require "_fs"
local journal = require "recipe.journal"
local run = require "recipe.run"
local task = require "task"

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

test["the turns of a step may run at once, and their values come in order"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    local at_once, most = 0, 0
    local values = ctx:steps("two", { "a", "b", "c", "d" }, 2, function(key, index)
      at_once = at_once + 1
      most = math.max(most, at_once)
      t.check(effect.change("remove", "it"))
      task.sleep(key == "a" and 60 or 10)
      at_once = at_once - 1
      s.note(key)
      return { key = key, index = index }
    end)
    t.equal(most, 2)
    t.raises("recipe", "between steps", effect.change, "remove", "it")
    return values
  end }
  t.equal(outcome.result, { { key = "a", index = 1 }, { key = "b", index = 2 }, { key = "c", index = 3 },
    { key = "d", index = 4 } })
  t.equal(s.did, { "b", "c", "d", "a" })
  t.equal(s.shown("step_done"), 4)
end

test["of turns that ran at once, a resumed run repeats those that were not done"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:step("one", function() end)
    local values = ctx:steps("two", { "a", "b", "c" }, 3, function(key)
      task.sleep(key == "c" and 60 or 5)
      s.note(key)
      if key == "c" then
        s.kill()
      end
      return key .. "!"
    end)
    ctx:step("three", function() s.note("three") end)
    return values
  end }
  s.start(def)
  s.reboot()
  t.equal(s.resume(def).result, { "a!", "b!", "c!" })
  t.equal(s.did, { "c", "three" })
  t.equal(s.shown("step_replayed"), 3)
end

test["a turn that fails ends those under way, begins no other, and undoes"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    ctx:compensate("undo it", {}, function() s.note("undo") end)
    ctx:steps("two", { "a", "b", "c" }, 2, function(key)
      if key == "b" then
        error("no luck", 0)
      end
      task.sleep(60000)
      s.note(key)
    end)
  end }
  t.equal({ outcome.status, outcome.undone }, { "failed", true })
  t.contains(outcome.error.message, "no luck")
  t.equal(s.did, { "undo" })
  t.equal(s.shown("step_fail"), 2)
end

test["a rollback does not do turns that were not done"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:compensate("undo it", {}, function() s.note("undo") end)
    ctx:steps("two", { "a", "b" }, 1, function(key)
      s.note(key)
      if key == "b" then
        s.kill()
      end
    end)
  end }
  s.start(def)
  s.reboot()
  local outcome = s.rollback(def)
  t.equal({ outcome.status, outcome.undone }, { "rolled back", true })
  t.equal(s.did, { "undo" })
end

test["turns of other keys than before are refused"] = function(t)
  local s = stage(t)
  local keys = { "a", "b" }
  local def = { steps = THREE, run = function(ctx)
    ctx:steps("two", keys, 1, function(key)
      if key == "b" then
        s.kill()
      end
    end)
  end }
  s.start(def)
  s.reboot()
  keys = { "b", "c" }
  local outcome = s.resume(def)
  t.equal(outcome.exit, 4)
  t.contains(outcome.error.message, "step \"two/a\" here before")
end

test["ctx:steps takes a list, how many at once, and a step that is done in any order"] = function(t)
  local function refused(text, steps, ...)
    local s, args = stage(t), table.pack(...)
    local outcome = s.start { steps = steps, run = function(ctx) ctx:steps(table.unpack(args, 1, args.n)) end }
    t.equal(outcome.exit, 2)
    t.contains(outcome.error.message, text)
  end
  local function nothing() end
  refused("takes a list of keys", THREE, "one", "a", 1, nothing)
  refused("takes a list of keys", THREE, "one", { "a" }, 0, nothing)
  refused("is run twice", THREE, "one", { "a", "a" }, 1, nothing)
  refused("is done by ctx:step", { { "one", "First", final = true } }, "one", { "a" }, 1, nothing)
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


test["a step that failed, and behind which the recipe went on, fails again in a resumed run"] = function(t)
  local s = stage(t)
  local fails = true
  local def = { steps = THREE, run = function(ctx)
    local ok, e = pcall(ctx.step, ctx, "one", function()
      s.note("one")
      if fails then
        require("failure").raise("io", "no luck", { hint = "none", http = 503 })
      end
    end)
    if not ok then
      ctx:compensate("undo the other way", {}, function() s.note("undo the other way") end)
      ctx:step("two", function() s.note("two " .. e.code .. " " .. e.http) end)
    end
    ctx:step("three", function()
      s.kill()
      s.note("three")
      if s.broken then
        error("broken", 0)
      end
    end)
  end }
  s.start(def)
  t.equal(s.did, { "one", "two io 503", "three" })
  s.reboot()
  fails = false
  local killed = s.state
  t.equal(s.resume(def).status, "ok")
  t.equal(s.did, { "three" })
  -- A rollback goes the same way, and so finds what is to be undone.
  s.state, s.did = killed, {}
  s = stage(t)
  fails = true
  s.start(def)
  s.reboot()
  fails = false
  t.equal(s.rollback(def).undone, true)
  t.equal(s.did, { "undo the other way" })
end

test["a step whose failure nobody was seen to survive runs again in a resumed run"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    pcall(ctx.step, ctx, "one", function()
      s.note("one")
      error("no luck", 0)
    end)
    if s.killed == nil then
      s.kill()
    end
  end }
  s.start(def)
  s.reboot()
  t.equal(s.resume(def).status, "ok")
  t.equal(s.did, { "one" })
end

test["a step that is tried again needs a key for each try"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    for try = 1, 3 do
      local ok = pcall(ctx.step, ctx, "one", "try " .. try, function()
        s.note("try " .. try)
        if try < 2 then
          error("no luck", 0)
        end
      end)
      if ok then
        break
      end
    end
    t.raises("recipe", "step \"two\" is run twice", function()
      pcall(ctx.step, ctx, "two", error)
      ctx:step("two", function() s.note("never") end)
    end)
    t.raises("recipe", "takes a function", ctx.step, ctx, "three", "", function() end)
  end }
  t.equal(outcome.status, "ok")
  t.equal(s.did, { "try 1", "try 2" })
end

test["a value that holds itself, or what is protected, is refused by name"] = function(t)
  local s = stage(t)
  local circle = {}
  circle.again = { circle }
  for part, value in pairs { ["nested too deeply, or in itself"] = circle, ["is a function"] = { g = _G } } do
    local outcome = s.start { steps = THREE, run = function(ctx)
      ctx:step("one", function() return value end)
    end }
    t.contains(outcome.error.message, "the result of step \"one\": ")
    t.contains(outcome.error.message, part)
  end
end

test["a value that cannot be recorded is a failure of its step"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    ctx:step("one", function() return error end)
  end }
  t.equal({ outcome.error.step, s.shown("step_fail") }, { "one", 1 })
  outcome = s.start { steps = THREE, run = function(ctx)
    ctx:step("one", function() return ("x"):rep(9 * 1024 * 1024) end)
  end }
  t.equal({ outcome.error.step, outcome.error.code }, { "one", "too_big" })
end

test["warnings of a killed run are shown again and counted once"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:warn("odd between steps")
    ctx:step("one", function() ctx:warn("odd in a step that is done") end)
    ctx:step("two", function()
      ctx:warn("odd in a step that is not")
      s.kill()
    end)
    ctx:warn("odd at the end")
  end }
  t.equal(s.start(def).warnings, 4)
  s.reboot()
  local outcome = s.resume(def)
  t.equal({ outcome.status, outcome.warnings, s.shown("warn") }, { "partial", 4, 4 })
end

test["a warning of a cleanup makes the run partial"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    ctx:cleanup("clean", function() ctx:warn("left something") end)
  end }
  t.equal({ outcome.status, outcome.exit, outcome.warnings }, { "partial", 3, 1 })
end

test["cleanups and undos cannot begin steps, nor register more of their kind"] = function(t)
  for _, name in ipairs { "step", "cleanup", "compensate", "confirm", "now" } do
    local s = stage(t)
    local outcome = s.start { steps = THREE, run = function(ctx)
      ctx:cleanup("clean", function()
        ctx[name](ctx, "one", name == "compensate" and {} or function() end, function() end)
      end)
    end }
    t.equal({ outcome.status, outcome.undone }, { "partial", false }, name)
    local e
    for _, event in ipairs(s.events) do
      e = event.kind == "cleanup_fail" and event.error or e
    end
    t.contains(e.message, "cannot be called in a cleanup")
  end
end

test["a task that outlives its step may change nothing any more"] = function(t)
  local s = stage(t)
  local outcome = s.start { steps = THREE, run = function(ctx)
    local left
    ctx:step("one", function()
      left = task.spawn(function()
        t.check(effect.change("remove", "it"))
        task.sleep(20)
        effect.change("remove", "the rest")
      end)
      task.sleep(1)
    end)
    local ok, e = left:wait()
    t.equal(ok, false)
    error(e, 0)
  end }
  t.contains(outcome.error.message, "cannot remove the rest between steps")
end

test["a coroutine of a recipe's own changes nothing between steps, and nothing in a plan"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    coroutine.wrap(function()
      if effect.change("remove", "it") then
        s.note("removed")
      end
    end)()
    ctx:step("one", function() end)
  end }
  t.contains(s.start(def).error.message, "cannot remove it between steps")
  local outcome = s.start(def, { plan = true })
  t.equal({ outcome.plan[1].kind, outcome.plan[1].object }, { "change", "it" })
  t.equal(s.did, {})
end

test["a recipe cannot swallow the end of a plan"] = function(t)
  local s = stage(t)
  local outcome = s.start({ steps = THREE, run = function(ctx)
    pcall(ctx.step, ctx, "one", function() effect.change_for_result("POST", "a snapshot") end)
    s.note("behind")
    ctx:step("two", function() s.note("two") end)
  end }, { plan = true })
  t.equal({ outcome.status, outcome.exit, outcome.complete }, { "planned", 3, false })
  t.equal(s.did, { "behind" })
end

test["the end of a plan goes through tasks"] = function(t)
  local s = stage(t)
  local outcome = s.start({ steps = THREE, run = function(ctx)
    ctx:step("one", function()
      require("task").each({ 1, 2 }, 1, function() effect.change_for_result("POST", "a snapshot") end)
    end)
  end }, { plan = true })
  t.equal({ outcome.status, outcome.complete }, { "planned", false })
end

test["a rollback whose line cannot be followed says that something may be left, and may be repeated"] = function(t)
  local s = stage(t)
  local gone = false
  local def = { steps = THREE, run = function(ctx)
    ctx:compensate("undo 1", {}, function() s.note("undo 1") end)
    ctx:step("one", function() end)
    if gone then
      require("failure").raise("not_found", "the store is gone")
    end
    ctx:compensate("undo 2", {}, function() s.note("undo 2") end)
    ctx:step("two", function() s.kill() end)
  end }
  s.start(def)
  s.reboot()
  gone = true
  local outcome = s.rollback(def)
  t.equal({ outcome.status, outcome.exit, outcome.undone }, { "rolled back", 1, false })
  t.contains(outcome.error.message, "the store is gone")
  t.equal(s.did, { "undo 1" })
  gone, s.did = false, {}
  outcome = s.rollback(def)
  t.equal({ outcome.exit, outcome.undone }, { 0, true })
  t.equal(s.did, { "undo 2" })
end

test["a rollback of a run that failed between steps ends there again, and is complete"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:compensate("undo 1", {}, function() s.note("undo 1") end)
    ctx:compensate("undo 2", {}, function() s.kill() end)
    ctx:step("one", function() end)
    require("failure").raise("io", "no luck")
  end }
  s.start(def)
  s.reboot()
  local outcome = s.rollback(def)
  t.equal({ outcome.exit, outcome.undone }, { 0, true })
end

test["a run whose journal cannot be written is undone, and its journal can be read"] = function(t)
  local s = stage(t)
  local full = false
  local write, append = fs.write_unsynced, fs.append
  fs.append = function(...)
    local file = append(...)
    return file and setmetatable({}, { __index = function(_, name)
      return function(_, text)
        if name == "add" and full == "line" then
          file:add(text:sub(1, 7))
          require("failure").raise("full", "no space left")
        end
        return file[name](file, text)
      end
    end })
  end
  fs.write_unsynced = function(path, ...)
    if full == "head" and path:match("%.head$") then
      require("failure").raise("full", "no space left")
    end
    return write(path, ...)
  end
  for _, what in ipairs { "line", "head" } do
    full, s.did = false, {}
    local outcome = s.start { steps = THREE, run = function(ctx)
      ctx:compensate("undo 1", {}, function() s.note("undo 1") end)
      -- This one makes room.
      ctx:compensate("undo 2", {}, function()
        s.note("undo 2")
        full = false
      end)
      ctx:step("one", function() full = what end)
    end }
    t.equal(s.did, { "undo 2", "undo 1" }, what)
    t.equal({ outcome.status, outcome.exit, outcome.error.code, outcome.undone }, { "failed", 1, "full", true })
    t.check(outcome.journal_error, what)
    local events = journal.read(s.state .. "/runs", outcome.run)
    t.equal(events[#events].event, "end")
  end
  fs.write_unsynced, fs.append = write, append
end

test["a run whose journal cannot be begun does nothing and leaves nothing"] = function(t)
  local s = stage(t)
  local append = fs.append
  fs.append = function(...)
    local file = append(...)
    return setmetatable({}, { __index = function(_, name)
      return function(_, ...)
        if name == "add" then
          require("failure").raise("full", "no space left")
        end
        return file[name](file, ...)
      end
    end })
  end
  local def = { steps = THREE, run = function(ctx) ctx:step("one", function() s.note("one") end) end }
  local ok, e = pcall(s.start, def)
  fs.append = append
  t.equal({ ok, e.code }, { false, "full" })
  t.equal(s.did, {})
  t.equal(fs.list(s.state .. "/runs"), {})
end

test["an id that a run has already is not taken again"] = function(t)
  local s = stage(t)
  local clock, os_ = require "clock", require "_os"
  local now, random_id = clock.now, os_.random_id
  local asked = 0
  clock.now = function() return 1800000000123 end
  os_.random_id = function(length)
    asked = asked + 1
    return (asked <= 3 and "a" or "b"):rep(length)
  end
  local def = { steps = THREE, run = function(ctx) ctx:step("one", function() end) end }
  local first, second = s.start(def), s.start(def)
  clock.now, os_.random_id = now, random_id
  t.check(first.run ~= second.run)
  t.equal({ first.status, second.status }, { "ok", "ok" })
end

test["a clock that is set back harms no run"] = function(t)
  local s = stage(t)
  local clock = require "clock"
  local now = clock.now
  local def = { steps = THREE, run = function(ctx)
    ctx:step("one", function()
      clock.now = function() return now() - 86400000 end
    end)
    ctx:step("two", function() s.kill() end)
  end }
  s.start(def)
  clock.now = now
  s.reboot()
  t.equal(s.resume(def).status, "ok")
end

test["a word that is somebody's password does not break the journal"] = function(t)
  local native = require "_secret"
  local held = {}
  for _, word in ipairs { "toy.one", "step_start", "true", "2026", "event", "null", "\":\"" } do
    held[#held + 1] = native.new(word)
  end
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    local one = ctx:step("one", function() return { flag = true, year = 2026, said = "toy.one is true" } end)
    ctx:step("two", function() s.kill() end)
    return one
  end }
  local first = s.start(def)
  t.equal(first.result, { flag = true, year = 2026, said = "******* is ****" })
  s.reboot()
  t.equal(s.resume(def).result, first.result)
  t.check(#held > 0)
end

test["a run whose recipe is gone is refused, with another way"] = function(t)
  local s = stage(t)
  local def = { steps = THREE, run = function(ctx)
    ctx:step("one", function() s.kill() end)
  end }
  s.start(def)
  s.reboot()
  for _, go_on in ipairs { run.resume, run.rollback } do
    local e = t.raises("changed", "its recipe \"toy.one\" is gone", go_on, "latest", s.options())
    t.contains(e.hint, "rollback --target T --dir DIR")
  end
  -- Nothing was journalled: it can still be rolled back.
  t.equal(s.rollback(def).exit, 0)
end

return test
