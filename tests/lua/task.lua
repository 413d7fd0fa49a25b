--- Tasks: waiting, cancelling, shields, several things at once, and where
--- waiting is refused.  What needs a signal runs in a process of its own.

local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local fs = require "_fs"
local native = require "_task"
local proc = require "_proc"
local scripts = require "_scripts"
local task = require "task"

local test = {}

--- Wait long in each way that there is.
local waits = {
  sleep = function() task.sleep(60000) end,
  command = function() proc.run { argv = { "sleep", "60" } } end,
  task = function()
    local _, e = native.spawn(task.sleep, 60000):wait()
    error(e, 0)
  end,
  each = function() task.each({ 1, 2 }, 2, function() task.sleep(60000) end) end,
  ["what never becomes true"] = function()
    task.wait_until("it", 60000, function() return false end)
  end,
}

test["a cancel is raised where the task waits, in every kind of wait"] = function(t)
  for name, wait in pairs(waits) do
    local where
    local handle = native.spawn(function()
      local ok, e = pcall(wait)
      where = { ok, failure.of(e).code }
    end)
    task.sleep(30)
    local began = clock.mono()
    handle:cancel()
    handle:wait()
    t.equal(where, { false, "cancelled" }, name)
    t.check(clock.mono() - began < 5000, name .. " took too long")
  end
end

test["a cancelled task cannot wait again"] = function(t)
  local codes = {}
  local handle = native.spawn(function()
    for index = 1, 3 do
      local _, e = pcall(task.sleep, 60000)
      codes[index] = failure.of(e).code
    end
  end)
  task.sleep(0)
  handle:cancel()
  handle:wait()
  t.equal(codes, { "cancelled", "cancelled", "cancelled" })
end

test["a task that is cancelled before it began runs until it waits"] = function(t)
  local reached
  local handle = native.spawn(function()
    reached = true
    task.sleep(60000)
  end)
  handle:cancel()
  local ok, e = handle:wait()
  t.equal({ ok, e.code, reached }, { false, "cancelled", true })
end

test["to-be-closed variables of a cancelled task may wait behind a shield"] = function(t)
  local did = {}
  local handle = native.spawn(function()
    local guard <close> = setmetatable({}, { __close = function(_, e)
      did[#did + 1] = failure.of(e).code
      t.raises("cancelled", "cancelled", task.sleep, 5)
      task.shielded(5000, task.sleep, 20)
      did[#did + 1] = "slept"
    end })
    task.sleep(60000)
    return guard
  end)
  task.sleep(0)
  handle:cancel()
  t.equal(handle:wait(), false)
  t.equal(did, { "cancelled", "slept" })
end

test["a shield has a deadline, and what it shields is cancelled then"] = function(t)
  local began = clock.mono()
  local handle = native.spawn(function()
    pcall(task.sleep, 60000)
    t.check(task.cancelled())
    t.raises("cancelled", "cancelled", task.shielded, 50, task.sleep, 60000)
    t.raises("cancelled", "cancelled", task.shielded, 50, proc.run, { argv = { "sleep", "60" } })
    -- A shield of its own time, again.
    task.shielded(5000, task.sleep, 10)
    return "end"
  end)
  task.sleep(0)
  handle:cancel()
  local _, value = handle:wait()
  t.equal(value, "end")
  t.check(clock.mono() - began < 10000)
end

test["shields end in any way that their function ends, and may be nested eight deep"] = function(t)
  for _ = 1, 20 do
    t.raises("io", "no luck", task.shielded, 1000, failure.raise, "io", "no luck")
  end
  t.equal({ task.shielded(1000, function() return 1, nil, 3 end) }, { 1, nil, 3 })
  local deepest = 0
  local function deeper(depth)
    deepest = depth
    task.shielded(1000, deeper, depth + 1)
  end
  t.raises("recipe", "too many shields", deeper, 0)
  t.equal(deepest, 8)
  deepest = 0
  t.raises("recipe", "too many shields", deeper, 0)
  t.equal(deepest, 8)
end

test["an inner shield cannot outlast the outer one"] = function(t)
  local began = clock.mono()
  t.raises("cancelled", "cancelled", task.shielded, 50, task.shielded, 60000, task.sleep, 60000)
  t.check(clock.mono() - began < 5000)
end

test["a task that ends inside its shield takes it along"] = function(t)
  native.spawn(function() native.shield(20) end):wait()
  task.sleep(60)
  t.check(true)
end

test["a task in a shield is not reached by a cancel, nor are those it starts"] = function(t)
  local did = {}
  local handle = native.spawn(function()
    task.shielded(60000, function()
      task.each({ 1, 2 }, 2, function(n)
        task.sleep(40)
        did[n] = true
      end)
    end)
    task.sleep(60000)
  end)
  task.sleep(5)
  handle:cancel()
  local ok, e = handle:wait()
  t.equal({ ok, e.code }, { false, "cancelled" })
  t.equal(did, { true, true })
end

test["each keeps the order of the list, and at most n run at once"] = function(t)
  local running, most = 0, 0
  local results = task.each({ 5, 1, 4, 2, 3 }, 2, function(n, index)
    running = running + 1
    most = math.max(most, running)
    task.sleep(n)
    running = running - 1
    return n * 10 + index
  end)
  t.equal(results, { 51, 12, 43, 24, 35 })
  t.equal(most, 2)
  t.equal(task.each({}, 3, error), {})
end

test["each without anybody to work is refused"] = function(t)
  for _, n in ipairs { 0, -1, 1.5, "2" } do
    t.raises("recipe", "how many at once", task.each, { 1 }, n, function() end)
  end
end

test["the first error of each ends the others, waits for them, and is raised"] = function(t)
  local ended = {}
  local function work(name)
    local closing <close> = setmetatable({}, { __close = function()
      task.shielded(1000, task.sleep, 10)
      ended[#ended + 1] = name
    end })
    if name == "bad" then
      task.sleep(10)
      failure.raise("io", "no luck")
    end
    task.sleep(60000)
    return closing
  end
  local e = t.raises("io", "no luck", task.each, { "a", "bad", "b", "never begun" }, 3, work)
  t.equal(e.code, "io")
  table.sort(ended)
  t.equal(ended, { "a", "b", "bad" })
end

test["each inside each: an inner error ends all, a cancel ends all"] = function(t)
  local ended = 0
  local function inner(n)
    local closing <close> = setmetatable({}, { __close = function() ended = ended + 1 end })
    if n == 22 then
      task.sleep(10)
      failure.raise("io", "deep down")
    end
    task.sleep(60000)
    return closing
  end
  local function outer(n)
    task.each({ n + 1, n + 2 }, 2, inner)
  end
  t.raises("io", "deep down", task.each, { 10, 20 }, 2, outer)
  t.equal(ended, 4)
  ended = 0
  local handle = native.spawn(task.each, { 10, 30 }, 2, outer)
  task.sleep(10)
  handle:cancel()
  local ok, e = handle:wait()
  t.equal({ ok, e.code, ended }, { false, "cancelled", 4 })
end

test["a flow runs what has room, takes more as it comes, and keeps nothing"] = function(t)
  local flow <close> = task.flow(4)
  local used, most, sum = 0, 0, 0
  local function work(weight, value)
    used = used + weight
    most = math.max(most, used)
    task.sleep(value % 3)
    used = used - weight
    sum = sum + value
  end
  for value = 1, 100 do
    local weight = value % 7 == 0 and 3 or 1
    flow:start(weight, work, weight, value)
  end
  flow:finish()
  t.equal({ most, used, sum, next(flow.running) }, { 4, 0, 5050 })
  flow:start(9, work, 9, 1)
  flow:start(1, work, 1, 1)
  flow:finish()
  t.equal(most, 9)
  flow:finish()
end

test["a flow without room is refused"] = function(t)
  for _, room in ipairs { 0, 1.5, "x" } do
    t.raises("recipe", "how much", task.flow, room)
  end
end

test["the first error of a flow ends the others, and is raised by what comes next"] = function(t)
  local ended = {}
  local function long(name)
    local ok, e = pcall(task.sleep, 60000)
    ended[#ended + 1] = name .. (ok and "" or e.code)
    error(e, 0)
  end
  for _, how in ipairs { "start", "finish" } do
    ended = {}
    local flow <close> = task.flow(how == "start" and 3 or 4)
    flow:start(1, long, "a ")
    flow:start(1, long, "b ")
    flow:start(1, function() task.sleep(5) failure.raise("full", "no room") end)
    t.raises("full", "no room", function()
      if how == "start" then
        flow:start(1, long, "c ")
      else
        flow:finish()
      end
    end)
    table.sort(ended)
    t.equal(ended, { "a cancelled", "b cancelled" }, how)
  end
end

test["a flow that is left, or cancelled while it waits for room, ends what it started"] = function(t)
  local ended = 0
  local function long()
    local ok, e = pcall(task.sleep, 60000)
    ended = ended + 1
    error(ok or e, 0)
  end
  do
    local flow <close> = task.flow(2)
    flow:start(1, long)
    flow:start(1, long)
  end
  t.equal(ended, 2)
  local handle = native.spawn(function()
    local flow <close> = task.flow(2)
    for _ = 1, 9 do
      flow:start(1, long)
    end
  end)
  task.sleep(20)
  handle:cancel()
  local ok, e = handle:wait()
  t.equal({ ok, e.code, ended }, { false, "cancelled", 4 })
end

test["an error value goes through each and wait as it is"] = function(t)
  local value = setmetatable({}, { __tostring = function() return "mine" end })
  local ok, e = pcall(task.each, { 1 }, 1, function() error(value, 0) end)
  t.check(not ok and e == value)
  ok, e = native.spawn(error, value, 0):wait()
  t.check(not ok and e == value)
end

test["waiting is refused where Lua cannot yield, and the task lives on"] = function(t)
  local function nap() task.sleep(1) end
  t.raises("recipe", "cannot wait here", table.sort, { 2, 1 }, function() nap() return true end)
  t.raises("recipe", "cannot wait here", string.gsub, "x", "x", nap)
  t.raises("recipe", "cannot wait here", coroutine.wrap(nap))
  t.raises("recipe", "cannot wait here", function()
    return tostring(setmetatable({}, { __tostring = nap }))
  end)
  local co = coroutine.create(function() native.spawn(task.sleep, 1):wait() end)
  local ok, e = coroutine.resume(co)
  t.equal({ ok, e.code }, { false, "recipe" })
  nap()
end

test["a loop of Lua's own may wait"] = function(t)
  local sum = 0
  for value in (function() task.sleep(1) sum = sum + 1 return sum < 3 and sum or nil end) do
    t.check(value)
  end
  local meta = setmetatable({}, { __index = function(_, key) task.sleep(1) return key end })
  t.equal(meta.x, "x")
  local ok, e = pcall(xpcall, function() task.sleep(1) error("x", 0) end, function(m) return m end)
  t.equal({ ok, e }, { true, false })
end

test["coroutines of one's own work inside a task"] = function(t)
  local list = {}
  for value in coroutine.wrap(function() for n = 1, 3 do coroutine.yield(n) end end) do
    task.sleep(1)
    list[#list + 1] = value
  end
  t.equal(list, { 1, 2, 3 })
end

test["a yield outside of a coroutine of one's own is refused"] = function(t)
  t.raises("recipe", "coroutine.yield", coroutine.yield)
  t.raises("recipe", "coroutine.yield", function() coroutine.yield(1, 2) end)
end

test["a task cannot be resumed or closed from outside"] = function(t)
  local co
  local handle = native.spawn(function()
    co = coroutine.running()
    return proc.run({ argv = { "sh", "-c", "sleep 0.05; echo waited" } }).stdout
  end)
  task.sleep(0)
  t.raises("recipe", "a task", coroutine.resume, co)
  t.raises("recipe", "a task", coroutine.close, co)
  t.raises("recipe", "a task", coroutine.resume, (coroutine.running()))
  local ok, value = handle:wait()
  t.equal({ ok, value }, { true, "waited\n" })
end

test["as many arguments and results as Lua takes pass through a task"] = function(t)
  local many = {}
  for index = 1, 5000 do
    many[index] = index
  end
  local results = table.pack(native.spawn(function(...) return ... end, table.unpack(many)):wait())
  t.equal({ results.n, results[1], results[2], results[5001] }, { 5001, true, 1, 5000 })
  t.equal(select("#", task.spawn(function(...) return ... end, table.unpack(many)):wait()), 5001)
end

test["the result of a task can be asked for again, also of one that failed"] = function(t)
  local handle = native.spawn(function() task.sleep(1) return 1, nil, 3 end)
  t.equal(table.pack(handle:wait()), table.pack(true, 1, nil, 3))
  t.equal(table.pack(handle:wait()), table.pack(true, 1, nil, 3))
  t.check(handle:ended())
  handle:cancel()
  t.equal((handle:wait()), true)
  handle = native.spawn(function() error("no luck", 0) end)
  for _ = 1, 2 do
    local ok, e = handle:wait()
    t.equal({ ok, e.code, e.message }, { false, "recipe", "no luck" })
  end
end

test["a task whose value is false or true has not failed"] = function(t)
  t.equal(table.pack(native.spawn(function() return false end):wait()), table.pack(true, false))
  t.equal(table.pack(native.spawn(function() end):wait()), table.pack(true))
end

test["errors of any type end a task, and are told"] = function(t)
  for _, value in ipairs { "text", 7, true, false } do
    local ok, e = native.spawn(error, value, 0):wait()
    t.equal({ ok, e.code, e.message }, { false, "recipe", tostring(value) })
  end
  local ok, e = native.spawn(error):wait()
  t.equal({ ok, e.code }, { false, "recipe" })
  local hostile = setmetatable({}, { __index = function() error("no field", 0) end,
    __newindex = function() error("no new field", 0) end })
  ok, e = native.spawn(error, hostile):wait()
  t.check(not ok and rawequal(e, hostile))
end

test["a stack that overflows ends its task, not the program"] = function(t)
  local function deep() return 1 + deep() end
  local ok, e = native.spawn(deep):wait()
  t.check(not ok)
  t.contains(e.message, "overflow")
  local ok2, e2 = native.spawn(function()
    local function again(s) return s:gsub(".", again) end
    again("x")
  end):wait()
  t.check(not ok2)
  t.contains(e2.message, "overflow")
end

test["memory that runs out ends its task, not the program"] = function(t)
  local ok, e = native.spawn(function() return ("x"):rep(1 << 60) end):wait()
  t.check(not ok and e)
end

test["tasks that wait for each other are refused"] = function(t)
  local a, b, why
  a = native.spawn(function()
    task.sleep(5)
    return a:wait()
  end)
  t.equal((select(2, a:wait())).code, "recipe")
  a = native.spawn(function()
    task.sleep(5)
    return b:wait()
  end)
  b = native.spawn(function()
    task.sleep(10)
    why = select(2, pcall(a.wait, a))
  end)
  a:wait()
  b:wait()
  t.contains(why.message, "for each other")
end

test["only one task may wait for another"] = function(t)
  local slow = native.spawn(task.sleep, 40)
  local first = native.spawn(function() return slow:wait() end)
  task.sleep(5)
  t.raises("recipe", "two tasks wait", slow.wait, slow)
  t.equal((first:wait()), true)
end

test["a handle that was dropped lets its task run on"] = function(t)
  local did
  native.spawn(function() task.sleep(10) did = true end)
  for _ = 1, 3 do
    collectgarbage()
  end
  task.sleep(40)
  t.check(did)
end

test["many tasks come and go"] = function(t)
  local done = 0
  local list = {}
  for index = 1, 2000 do
    list[index] = index
  end
  task.each(list, 500, function(n)
    if n % 7 == 0 then
      task.sleep(1)
    end
    done = done + 1
  end)
  t.equal(done, 2000)
end

test["wait_until asks until it is so, says what was waited for, and does not wait in a plan"] = function(t)
  local asked = 0
  t.equal(task.wait_until("it", 5000, function()
    asked = asked + 1
    return asked == 3 and "now"
  end, 1), "now")
  local e = t.raises("timeout", "waited 0 s for the door: it is shut", task.wait_until, "the door", 10,
    function() return false, "it is shut" end, 1)
  t.equal(e.code, "timeout")
  t.raises("io", "no luck", task.wait_until, "it", 5000, function() failure.raise("io", "no luck") end, 1)
  asked = 0
  effect.with({ plan = {} }, task.wait_until, "it", 60000, function() asked = asked + 1 end)
  t.equal(asked, 0)
end

-- What signals do, seen from outside.

--- Run the test file with that text in a process that gets signals: a list of
--- {after seconds, name}, from when it has begun.  What hangs ends by its silence.
local function signalled(t, text, signals)
  local file, begun = t.dir() .. "/child.lua", t.dir() .. "/begun"
  fs.write(file, ("require(\"_fs\").write(%q, \"\") %s"):format(begun, text))
  local script = { ("for i in $(seq 300); do [ -e '%s' ] && break; kill -0 $$ || exit; sleep 0.1; done"):format(begun) }
  for _, signal in ipairs(signals) do
    script[#script + 1] = ("sleep %s; kill -%s $$"):format(signal[1], signal[2])
  end
  local began = clock.mono()
  local done = proc.run { argv = { "sh", "-c", "(" .. table.concat(script, "; ") .. ") 2>&- & exec \"$@\"", "sh",
    fs.real("/proc/self/exe"), "--dev", scripts.dev() or ".", "_test", file }, stall_ms = 60000 }
  return done, clock.mono() - began
end

-- The endless loops allocate, because signals wait for a call of the C library
-- under ThreadSanitizer.

test["a task that never waits is ended by a signal"] = function(t)
  for _, name in ipairs { "INT", "TERM", "HUP" } do
    local done, took = signalled(t, [[
      return { ["for ever"] = function()
        local ok, e = pcall(function() while true do local _ = {} end end)
        require("_os").write(1, "ended: " .. tostring(e.code) .. "\n")
        error(e, 0)
      end }]], { { "0.5", name } })
    t.contains(done.stdout, "ended: cancelled")
    t.check(took < 10000, name)
  end
end

test["also in a coroutine of its own, and in a library function that calls back"] = function(t)
  local done = signalled(t, [[
    return { ["for ever"] = function()
      coroutine.wrap(function() while true do local _ = {} end end)()
    end }]], { { "0.5", "INT" } })
  t.contains(done.stdout, "not ok for ever (cancelled")
  done = signalled(t, [[
    return { ["for ever"] = function()
      table.sort({ 2, 1 }, function() while true do local _ = {} end end)
    end }]], { { "0.5", "INT" } })
  t.contains(done.stdout, "not ok for ever (cancelled")
end

test["a signal while everything waits is raised there, and cleanups have time"] = function(t)
  local done, took = signalled(t, [[
    local task = require "task"
    return { ["long"] = function()
      local guard <close> = setmetatable({}, { __close = function()
        task.shielded(5000, task.sleep, 300)
        require("_os").write(1, "cleaned up\n")
      end })
      task.sleep(60000)
      return guard
    end }]], { { "0.5", "TERM" } })
  t.contains(done.stdout, "cleaned up\n")
  t.contains(done.stdout, "not ok long (cancelled")
  t.check(took < 10000)
end

test["a second SIGINT ends at once, without cleaning up"] = function(t)
  local done, took = signalled(t, [[
    local task = require "task"
    return { ["long"] = function()
      local guard <close> = setmetatable({}, { __close = function()
        task.shielded(60000, task.sleep, 60000)
        require("_os").write(1, "cleaned up\n")
      end })
      task.sleep(60000)
      return guard
    end }]], { { "0.5", "INT" }, { "0.5", "INT" } })
  t.equal(done.status, 130)
  t.check(not done.stdout:find("cleaned up", 1, true))
  t.check(took < 10000)
end

test["tasks that nobody waits for end with the program"] = function(t)
  local done, took = signalled(t, [[
    local task = require "task"
    return { ["leaves one behind"] = function()
      task.spawn(function() while true do task.sleep(1000) end end)
    end }]], {})
  t.equal({ done.status, done.stdout }, { 0, "ok leaves one behind\n" })
  t.check(took < 7000)
end

test["what must not be given up soon is tried for a time, and not by a run that is cancelled"] = function(t)
  local calls = 0
  local function breaks()
    calls = calls + 1
    failure.raise("truncated", "it broke")
  end
  -- The first pause of a second leads beyond the end.
  t.raises("truncated", "it broke", task.again_within, 500, breaks)
  t.equal(calls, 1)
  calls = 0
  t.equal(task.again_within(60000, function()
    return calls > 0 and "done" or breaks()
  end), "done")
  calls = 0
  local code
  local handle = native.spawn(function()
    local _, e = pcall(task.shielded, 60000, task.again_within, 60000, breaks)
    code = e.code
  end)
  task.sleep(0)
  handle:cancel()
  handle:wait()
  t.equal({ calls, code }, { 2, "truncated" })
end

test["what broke off is tried again, what is wrong is not"] = function(t)
  local calls, told = 0, {}
  local function flaky(code, fields)
    calls = calls + 1
    if calls < 2 then
      failure.raise(code, "it broke", fields)
    end
    return calls, "two"
  end
  local function tell(e)
    told[#told + 1] = e.message
  end
  t.equal({ task.again(3, function() return flaky("truncated") end, tell) }, { 2, "two" })
  t.equal(told, { "it broke" })
  calls = 0
  t.equal({ task.again(2, function() return flaky("http", { retryable = true }) end) }, { 2, "two" })
  calls = 0
  t.raises("corrupt", "it broke", task.again, 3, function() return flaky("corrupt") end)
  t.equal(calls, 1)
  t.raises("network", "always", task.again, 2, function() failure.raise("network", "always") end)
end

test["what a long wait waits for is said aloud, each change once, and nothing before it is long"] = function(t)
  local heard = {}
  local function hear(text)
    heard[#heard + 1] = text
  end
  local aloud = task.aloud("the pod", 20, hear)
  aloud "pending"
  t.equal(heard, {})
  task.sleep(30)
  for _, why in ipairs { "pending", "pending", "being deleted", "pending" } do
    aloud(why)
    aloud(nil)
  end
  t.equal(heard, { "waiting for the pod: pending", "waiting for the pod: being deleted",
    "waiting for the pod: pending" })
end

return test
