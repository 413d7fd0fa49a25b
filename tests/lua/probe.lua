--- What a probe says of stores that do not do what they say.

local exclusion = require "store.exclusion"
local failure = require "failure"
local probe = require "store.probe"
local store = require "store"
local verdict = require "store.verdict"

local test = {}

--- A directory that behaves otherwise; it is not known to exclude.
local function odd(t, methods)
  local it = store.open(t.dir())
  methods.can = { exclusive = false, probe = true }
  return setmetatable(methods, { __index = it }), it
end

local function run(it)
  local answers = {}
  local found = probe.run(it, function(feature)
    answers[feature.name] = feature.answer
    if feature.answer ~= "yes" then
      answers.follows = feature.follows
    end
  end)
  return found, answers
end

test["a good store is usable, and nothing is left but the verdict"] = function(t)
  local it, place = odd(t, {})
  local found, answers = run(it)
  t.equal({ found.verdict, found.exclusive, answers.create_only_race }, { "usable", true, "yes" })
  t.equal(#place:list(""), 1)
  t.equal(verdict.read(it).exclusive, true)
  t.equal(verdict.read(it).features.odd_keys, "yes")
end

test["conditions that are overlooked are found by their effect"] = function(t)
  local it
  it = odd(t, { put = function(_, key, text, options)
    store.open(it.place):put(key, text, { why = options and options.why })
  end })
  t.equal(exclusion.try(it, "scratch"), "ignored")
  local found, answers = run(it)
  t.equal({ found.verdict, found.exclusive, answers.create_only, answers.create_only_race },
    { "limited", false, "ignored" })
  t.contains(answers.follows, "not kept apart")
  t.equal(verdict.read(it).exclusive, false)
end

test["conditions that are not atomic do not exclude"] = function(t)
  local it, place
  it, place = odd(t, { put = function(_, key, text, options)
    local there = options and options.exclusive and place:stat(key)
    require("task").sleep(20)
    if there then
      failure.raise("exists", "it exists")
    end
    place:put(key, text)
  end })
  local found, answers = run(it)
  t.equal({ found.verdict, found.exclusive, answers.create_only, answers.create_only_race },
    { "limited", false, "yes", "no" })
  t.contains(answers.follows, "8 of 8 succeeded")
end

test["what is refused is told as such"] = function(t)
  local it, place
  it, place = odd(t, { remove = function() failure.raise("permission", "access denied") end })
  it.remove_all = it.remove
  local found, answers = run(it)
  t.equal({ found.verdict, answers.remove, answers.create_only }, { "limited", "denied", "denied" })
  t.equal(found.exclusive, false)
  it, place = odd(t, { put = function(_, key, text, options)
    if options and options.exclusive then
      failure.raise("http", "not implemented", { http = 501 })
    end
    place:put(key, text)
  end })
  found, answers = run(it)
  t.equal({ found.verdict, answers.create_only }, { "limited", "no" })
end

test["a store that gives back something else, or nothing, is not usable"] = function(t)
  local it, place
  for _, get in ipairs { function() return "x" end, function() return nil end,
    function(_, key, max) return place:get(key, max) .. "x" end } do
    it, place = odd(t, { get = get })
    t.equal(run(it).verdict, "unusable")
  end
  it, place = odd(t, { each = function() return function() end end })
  local found, answers = run(it)
  t.equal({ found.verdict, answers.list, answers.write }, { "unusable", "no", "yes" })
  it, place = odd(t, { stat = function(_, key)
    local entry = place:stat(key)
    if entry then
      entry.mtime = entry.mtime + 3600000
    end
    return entry
  end })
  found, answers = run(it)
  t.equal({ found.verdict, answers.stat }, { "unusable", "no" })
  t.contains(found.features[3].why, "clock")
end

test["a store that cannot be reached is an error, and nothing is said of it"] = function(t)
  for _, code in ipairs { "network", "credentials", "not_found", "permission" } do
    local it = odd(t, { put = function() failure.raise(code, "it failed") end })
    t.raises(code, "it failed", probe.run, it)
  end
  -- Also when it goes away in the middle.
  local it
  it = odd(t, { create = function() failure.raise("network", "the line broke") end })
  t.raises("network", "the line broke", probe.run, it)
  t.equal(it:list(""), {})
end

return test
