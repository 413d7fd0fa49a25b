--- Locks in a store: one holder at a time, taken over only from the dead, and
--- no work without the lock.

local clock = require "clock"
local failure = require "failure"
local fs = require "_fs"
local json = require "json"
local lock = require "store.lock"
local native = require "_task"
local proc = require "_proc"
local scripts = require "_scripts"
local store = require "store"
local task = require "task"

local test = {}

--- With times that tests can wait for.
local function fast(fn, times)
  return function(t)
    local before = lock.times
    lock.times = times or { renew = 20, stale = 120 }
    local ok, e = pcall(fn, t)
    lock.times = before
    if not ok then
      error(e, 0)
    end
  end
end

local function keys(place)
  local list = {}
  for index, entry in ipairs(place:list("locks/")) do
    list[index] = entry.key
  end
  return list
end

--- A record as another holder would have written it.
local function put_record(place, number, fields)
  local value = { run = "other", host = "elsewhere", pid = 1, started = "1", renewed = clock.now() }
  for name, field in pairs(fields) do
    value[name] = field
  end
  place:put(("locks/a/b/%08d"):format(number), json.encode(value))
end

--- A store whose methods can be replaced.
local function over(place, methods)
  return setmetatable(methods, { __index = place })
end

test["a lock is held by one run, until it is released"] = function(t)
  local place = store.open(t.dir())
  local mine, yours = lock.new(place, "a/b", "mine"), lock.new(place, "a/b", "yours")
  t.equal(mine:is_held(), false)
  t.equal(mine:acquire(), 1)
  local e = t.raises("locked", "a/b is in use by run mine on ", yours.acquire, yours)
  t.contains(e.hint, "120 s after its last renewal")
  t.check(yours:is_held())
  yours:release()
  mine:check()
  mine:release()
  t.equal(keys(place), { "locks/a/b/00000002" })
  t.equal(yours:acquire(), 3)
  t.raises("locked", "was taken over by run yours", mine.check, mine)
  -- What it does not hold it does not release.
  mine:release()
  yours:check()
  yours:release()
  t.equal(keys(place), { "locks/a/b/00000004" })
end

test["locks of other names are other locks"] = function(t)
  local place = store.open(t.dir())
  lock.new(place, "a/b", "mine"):acquire()
  lock.new(place, "a/bb", "yours"):acquire()
  lock.new(place, "a", "third"):acquire()
end

test["a run that is resumed takes its own lock again"] = function(t)
  local place = store.open(t.dir())
  lock.new(place, "a/b", "mine"):acquire()
  local again = lock.new(place, "a/b", "mine")
  t.equal(again:acquire(), 2)
  again:check()
  again:release()
end

test["of a process that is gone the lock is free at once"] = function(t)
  local place = store.open(t.dir())
  local mine = lock.new(place, "a/b", "mine")
  local me = require("holder").me()
  local function with(change)
    me.renewed, me.run, me.released = clock.now(), "other", nil
    local copy = {}
    for name, value in pairs(me) do
      copy[name] = value
    end
    change(copy)
    return copy
  end
  put_record(place, 1, with(function(who) who.pid, who.started = 1 << 30, "1" end))
  mine:acquire()
  put_record(place, 5, with(function(who) who.started = "1" end))
  mine:acquire()
  -- It lives, or nobody knows: another host of the same name, another container, before a reboot.
  for _, change in ipairs {
    function() end,
    function(who) who.host = "elsewhere" who.pid = 1 << 30 end,
    function(who) who.boot = "another" who.pid = 1 << 30 end,
    function(who) who.space = 1 who.pid = 1 << 30 end,
    function(who) who.pid = "none" end,
  } do
    put_record(place, 9, with(change))
    t.raises("locked", "in use by run other", mine.acquire, mine)
  end
end

test["a lock that was not renewed for long is taken over, and its holder stops"] = fast(function(t)
  local place = store.open(t.dir())
  local dead, mine = lock.new(place, "a/b", "dead"), lock.new(place, "a/b", "mine")
  put_record(place, 1, { run = "dead", renewed = clock.now() - 60 })
  t.raises("locked", "in use by run dead", mine.acquire, mine)
  put_record(place, 1, { run = "dead", renewed = clock.now() - 60001 })
  t.equal(mine:acquire(), 2)
  t.raises("locked", "was taken over by run mine: this run must stop", dead.check, dead)
  t.raises("locked", "was taken over", dead.renew, dead)
  t.raises("locked", "was taken over", dead.held, dead, error)
end, { renew = 20, stale = 60000 })

test["while work is done under a lock it is renewed"] = fast(function(t)
  local place = store.open(t.dir())
  local mine, yours = lock.new(place, "a/b", "mine"), lock.new(place, "a/b", "yours")
  mine:acquire()
  t.equal({ mine:held(function(...)
    task.sleep(300)
    t.raises("locked", "in use by run mine", yours.acquire, yours)
    return ...
  end, 1, nil, 3) }, { 1, nil, 3 })
  t.raises("io", "no luck", mine.held, mine, failure.raise, "io", "no luck")
  task.sleep(150)
  yours:acquire()
end)

test["work under a lock that is lost is cancelled, and says why"] = fast(function(t)
  local place = store.open(t.dir())
  local mine = lock.new(place, "a/b", "mine")
  mine:acquire()
  local ended
  t.raises("locked", "was taken over by run other", mine.held, mine, function()
    put_record(place, 2, {})
    local guard <close> = setmetatable({}, { __close = function(_, e) ended = failure.of(e).code end })
    task.sleep(60000)
    return guard
  end)
  t.equal(ended, "cancelled")
  -- Also when the work did not notice.
  mine = lock.new(place, "c/d", "mine")
  mine:acquire()
  t.raises("locked", "was taken over by run other", mine.held, mine, function()
    place:put("locks/c/d/00000007", json.encode { run = "other", host = "h", renewed = clock.now() })
    return "done"
  end)
end)

test["a renewal that fails is tried again, and in time the work is cancelled"] = fast(function(t)
  local place = store.open(t.dir())
  local fails, renewals = false, 0
  local bad = over(place, { put = function(_, ...)
    renewals = renewals + 1
    if fails then
      failure.raise("network", "the store does not answer")
    end
    return place:put(...)
  end })
  local mine = lock.new(bad, "a/b", "mine")
  mine:acquire()
  t.equal(mine:held(function()
    fails = true
    task.sleep(50)
    fails = false
    task.sleep(50)
    return "done"
  end), "done")
  t.check(renewals > 3)
  local began = clock.mono()
  local e = t.raises("network", "cannot renew the lock on a/b: the store does not answer", mine.held, mine,
    function()
      fails = true
      task.sleep(60000)
    end)
  t.equal(e.code, "network")
  t.check(clock.mono() - began < 120 + 50)
end)

test["a cancel ends the work and the renewing, and is what is raised"] = fast(function(t)
  local place = store.open(t.dir())
  local mine = lock.new(place, "a/b", "mine")
  mine:acquire()
  local handle = native.spawn(function() mine:held(task.sleep, 60000) end)
  task.sleep(30)
  handle:cancel()
  local ok, e = handle:wait()
  t.equal({ ok, e.code }, { false, "cancelled" })
  mine:release()
end)

test["a record that cannot be read holds as long as any other"] = fast(function(t)
  local place = store.open(t.dir())
  local mine = lock.new(place, "a/b", "mine")
  for _, text in ipairs { "", "{", "7", "[]", "{\"run\":7,\"renewed\":\"x\",\"pid\":{}}" } do
    place:put("locks/a/b/00000004", text)
    t.raises("locked", "a/b is in use by run ?", mine.acquire, mine)
    task.sleep(150)
    t.equal(mine:acquire(), 5)
    place:remove("locks/a/b/00000005")
  end
end)

test["a record that is removed while it is looked for is looked for again"] = function(t)
  local place = store.open(t.dir())
  lock.new(place, "a/b", "first"):acquire()
  local asked = 0
  local mine = lock.new(over(place, { get = function(_, ...)
    asked = asked + 1
    if asked == 1 then
      lock.new(place, "a/b", "first"):release()
    end
    return place:get(...)
  end }), "a/b", "mine")
  t.equal(mine:acquire(), 3)
end

test["who loses the race for the next number tries again, and then sees the winner"] = function(t)
  local place = store.open(t.dir())
  local raced = 0
  local mine = lock.new(over(place, { put = function(_, key, ...)
    if raced == 0 then
      raced = raced + 1
      lock.new(place, "a/b", "winner"):acquire()
    end
    return place:put(key, ...)
  end }), "a/b", "mine")
  t.raises("locked", "in use by run winner", mine.acquire, mine)
end

test["a lock that is taken over while it is released stays the other's"] = function(t)
  local place = store.open(t.dir())
  local mine = lock.new(over(place, { put = function(_, key, text, options)
    if text:find("released", 1, true) then
      put_record(place, 2, { run = "other" })
    end
    return place:put(key, text, options)
  end }), "a/b", "mine")
  mine:acquire()
  mine:release()
  t.raises("locked", "taken over by run other", mine.check, mine)
end

test["a clock that is far ahead is told"] = function(t)
  local place = store.open(t.dir())
  put_record(place, 1, { renewed = clock.now() + 86400000 })
  local mine = lock.new(place, "a/b", "mine")
  local e = t.raises("locked", "from now)", mine.acquire, mine)
  t.contains(e.hint, "clock")
end

test["a release leaves nothing of writes that were interrupted"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  local mine = lock.new(place, "a/b", "mine")
  mine:acquire()
  local sink = place:create("locks/a/b/00000009")
  t.check(#fs.list(dir .. "/locks/a/b") > 1)
  mine:release()
  sink:close()
  t.equal(#fs.list(dir .. "/locks/a/b"), 1)
end

test["a number that became free meanwhile is no lock"] = function(t)
  local place = store.open(t.dir())
  local first, other = lock.new(place, "a/b", "first"), lock.new(place, "a/b", "other")
  local third = lock.new(place, "a/b", "third")
  first:acquire()
  first:release()
  -- Others take it, give it back and take it again between our look and our write.
  local looked = false
  local slow = setmetatable({ get = function(_, key, max)
    local seen = place:get(key, max)
    if not looked then
      looked = true
      other:acquire()
      other:release()
      third:acquire()
    end
    return seen
  end }, { __index = function(_, name)
    local value = place[name]
    return type(value) ~= "function" and value or function(_, ...)
      return value(place, ...)
    end
  end })
  local mine = lock.new(slow, "a/b", "mine")
  t.raises("locked", "in use by run third", mine.acquire, mine)
  third:check()
  third:release()
  t.check(mine:acquire() > 0)
end

test["processes that race for one lock hold it one at a time"] = function(t)
  local dir = t.dir()
  fs.write(dir .. "/child.lua", ([[
    local failure, fs, lock, task = require "failure", require "_fs", require "store.lock", require "task"
    local place, run = require("store").open("%s/store"), require("_os").random_id(8)
    return { ["race"] = function(t)
      local held = 0
      while held < 4 do
        local mine = lock.new(place, "a/b", run)
        local ok, e = pcall(mine.acquire, mine)
        if ok then
          fs.write("%s/critical", run, 384, true)
          mine:held(task.sleep, 5)
          fs.remove("%s/critical")
          mine:release()
          held = held + 1
        elseif not failure.is(e, "locked") then
          error(e, 0)
        end
        task.sleep(3)
      end
    end }]]):format(dir, dir, dir))
  local argv = { fs.real("/proc/self/exe"), "--dev", scripts.dev() or ".", "_test", dir .. "/child.lua" }
  task.each({ 1, 2, 3, 4 }, 4, function()
    local done = proc.run { argv = argv, stall_ms = 60000 }
    t.equal(done.stdout .. done.stderr, "ok race\n")
  end)
  t.equal(#store.open(dir .. "/store"):list("locks/"), 1)
end

return test
