--- Exchanging a directory's content, interrupted at each change that it makes.
---
--- The target of these tests dies at its n-th change: before it, after it, or,
--- where a change is many, in the middle of it.  From then on it does nothing
--- any more, until the test goes on with what lies on disk.

local failure = require "failure"
local fs = require "_fs"
local holder = require "holder"
local json = require "json"
local machine = require "target"
local swap = require "swap"
local task = require "task"

local test = {}

local DEATH = setmetatable({}, { __tostring = function() return "killed" end })

local CHANGES = { write = true, make_dirs = true, rename = true, remove_tree = true, chown = true,
  chmod = true }

--- A target that dies at its n-th change (0: never).
--- @param how string "before", "after" or "within"
local function mortal(n, how)
  local real, self = machine.open("local:"), { changes = 0, dead = false }
  local function within(name, path, ...)
    if name == "remove_tree" and fs.stat(path) and fs.stat(path).type == "dir" then
      local names = fs.list(path)
      table.sort(names)
      if names[1] then
        fs.remove_tree(path .. "/" .. names[n % #names + 1])
      end
    elseif name == "make_dirs" then
      real:make_dirs(path:match("^(.+)/"), ...)
    end
  end
  return setmetatable(self, { __index = function(_, name)
    if type(real[name]) ~= "function" then
      return real[name]
    end
    return function(_, ...)
      if self.dead then
        error(DEATH, 0)
      elseif not CHANGES[name] then
        return real[name](real, ...)
      end
      self.changes = self.changes + 1
      if self.changes == n then
        self.dead = true
        if how == "after" then
          real[name](real, ...)
        elseif how == "within" then
          within(name, ...)
        end
        error(DEATH, 0)
      end
      return real[name](real, ...)
    end
  end })
end

--- What a directory holds: name -> content, with our own names left out.
local function look(dir)
  if fs.stat(dir) == nil then
    return nil
  end
  local found = {}
  for _, name in ipairs(fs.list(dir)) do
    local path = dir .. "/" .. name
    if not name:match("^%.moonkeep") then
      found[name] = fs.stat(path).type == "dir" and look(path) or fs.read(path, 1000)
    end
  end
  return found
end

local function fill(dir, content)
  fs.make_dirs(dir, 448)
  for name, value in pairs(content) do
    if type(value) == "table" then
      fill(dir .. "/" .. name, value)
    else
      fs.write(dir .. "/" .. name, value)
    end
  end
end

local RUN = "20261121T020000-aaaaa"

--- The old and the new content of each case; no old: the directory is not there.
local CASES = {
  ["some names in both"] = {
    old = { wal = { a = "old" }, only = "old", BLOCK = { meta = "old" }, ["wal.1"] = "old" },
    new = { wal = { b = "new" }, BLOCK = { meta = "new" }, more = "new" } },
  ["names that are no UTF-8"] = {
    old = { ["\xff\xfe"] = "old", ["a\nb"] = "old", ["\xc3"] = { ["\x80"] = "old" } },
    new = { ["\xff\xfe"] = "new", ["\xed\xa0\x80"] = "new" } },
  ["nothing there"] = { old = {}, new = { a = "new", b = { c = "new" } } },
  ["no directory"] = { new = { a = "new" } },
  ["nothing new"] = { old = { a = "old", b = "old" }, new = {} },
}

--- What a server makes of new data once it is in place.
local function serve(dir)
  fs.write(dir .. "/queries.active", "by the server")
end

--- The steps of a restore; each may be repeated.
local function steps(dir, case, keep)
  local absent = case.old == nil
  return {
    function(place)
      place:prepare({ was_running = false, absent = absent }, 0, { uid = 0, gid = 0, mode = 448, ours = true })
    end,
    function(place)
      place:restage()
      fill(place:staging(), case.new)
    end,
    function(place)
      place:exchange()
      serve(dir)
    end,
    function(place)
      place:finish(keep)
    end,
  }
end

--- Do the steps from `first` until the target dies.
--- @return integer|nil the step in which it died
local function follow(place, list, first)
  for index = first, #list do
    local ok, e = pcall(list[index], place)
    if not ok then
      if e ~= DEATH then
        error(e, 0)
      end
      return index
    end
  end
  return nil
end

local function check_new(t, dir, case, keep, what)
  local found = look(dir)
  found["queries.active"] = nil
  t.equal(found, case.new, what)
  t.equal(fs.stat(dir .. "/.moonkeep-swap"), nil, what)
  local kept = look(dir .. "/.moonkeep-old-" .. RUN)
  t.equal(kept, keep and next(case.old or {}) and case.old or nil, what)
end

local function check_old(t, dir, case, what)
  t.equal(look(dir), case.old, what)
  if case.old then
    t.equal(fs.stat(dir .. "/.moonkeep-swap"), nil, what)
    t.equal(fs.stat(dir .. "/.moonkeep-old-" .. RUN), nil, what)
  end
end

local HOWS = { "before", "after", "within" }
local FINAL = 4

--- For each case, each change n and each way to die at it, in a fresh directory:
--- fn(dir, case, list, n, how, what) returns false when n is behind the last change.
local function at_each_change(t, keep, fn)
  local rounds = 0
  for name, case in pairs(CASES) do
    for _, how in ipairs(HOWS) do
      for n = 1, math.huge do
        local top = t.dir()
        local dir = top .. "/data"
        if case.old then
          fill(dir, case.old)
        end
        local list = steps(dir, case, keep)
        local more = fn(dir, case, list, n, how, ("%s, killed %s change %d"):format(name, how, n))
        fs.remove_tree(top)
        rounds = rounds + 1
        if not more then
          break
        end
      end
    end
  end
  t.check(rounds > 15, "too few rounds")
end

local function new_place(dir, n, how)
  return swap.new(mortal(n, how), dir, RUN)
end

for _, keep in ipairs { true, false } do
  test["killed at any change, it is finished by repeating the step; old data kept: " .. tostring(keep)] = function(t)
    at_each_change(t, keep, function(dir, case, list, n, how, what)
      local died = follow(new_place(dir, n, how), list, 1)
      if died then
        -- What served the data may have made its files again.
        t.equal(follow(new_place(dir, 0), list, died), nil, what)
      end
      check_new(t, dir, case, keep, what)
      return died ~= nil
    end)
  end
end

test["killed at any change before the end, it is undone, and the old data is back"] = function(t)
  at_each_change(t, true, function(dir, case, list, n, how, what)
    local died = follow(new_place(dir, n, how), list, 1)
    if died == nil or died == FINAL then
      return died ~= nil
    end
    new_place(dir, 0):undo(case.old == nil)
    check_old(t, dir, case, what)
    return true
  end)
end

test["killed at any change of its undo, the undo is repeated, and the old data is back"] = function(t)
  -- From each state: prepared, staged, and exchanged, with a server's files.
  for done = 1, 3 do
    at_each_change(t, true, function(dir, case, list, n, how, what)
      list[done + 1] = nil
      t.equal(follow(new_place(dir, 0), { table.unpack(list, 1, done) }, 1), nil)
      local place = new_place(dir, n, how)
      local ok, e = pcall(place.undo, place, case.old == nil)
      t.check(ok or e == DEATH, e)
      if not ok then
        new_place(dir, 0):undo(case.old == nil)
      end
      check_old(t, dir, case, ("%s of undo, %d steps done"):format(what, done))
      return not ok
    end)
  end
end

test["killed in the exchange and then in its undo, the old data is back"] = function(t)
  for first = 1, 12 do
    at_each_change(t, true, function(dir, case, list, n, how, what)
      local staged = new_place(dir, 0)
      list[1](staged)
      list[2](staged)
      local exchanging = new_place(dir, first, "after")
      pcall(list[3], exchanging)
      local undoing = new_place(dir, n, how)
      local ok, e = pcall(undoing.undo, undoing, case.old == nil)
      t.check(ok or e == DEATH, e)
      new_place(dir, 0):undo(case.old == nil)
      check_old(t, dir, case, ("%s of undo, exchange killed at %d"):format(what, first))
      return not ok
    end)
  end
end

--- Let another process, which is gone, be the one that wrote records in fn.
local function as_another(fn, ...)
  local me = holder.me
  holder.me = function()
    local who = me()
    who.pid, who.started = 1 << 30, "0"
    return who
  end
  local results = table.pack(pcall(fn, ...))
  holder.me = me
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

test["by its record alone it is undone in every state before the end, twice killed, too"] = function(t)
  for done = 1, 3 do
    at_each_change(t, true, function(dir, case, list, n, how, what)
      as_another(follow, new_place(dir, 0), { table.unpack(list, 1, done) }, 1)
      local ok, e = pcall(swap.rollback, mortal(n, how), dir)
      t.check(ok or e == DEATH, e)
      if not ok then
        local again, said = pcall(swap.rollback, mortal(0), dir)
        t.check(again or failure.is(said, "not_found"), said)
      end
      if case.old or fs.stat(dir) and next(look(dir)) then
        check_old(t, dir, case, what)
      end
      return not ok
    end)
  end
end

--- Processes of tests: {pid, started = "0"}; they live.
local PID = 1 << 31

--- Two operators who roll back at once, each operation of one between two of the other:
--- turn(round) says whose is next, 1 or 2.
--- @return table of each {ok, result or error}
local function both_roll_back(dir, turn)
  local before = { me = holder.me, is_alive = holder.is_alive, is_me = holder.is_me }
  local ends, acting, whose, round = {}, 1, 1, 0
  function holder.me()
    local who = before.me()
    who.pid, who.started = PID + acting, "0"
    return who
  end
  function holder.is_alive(who)
    return who.pid > PID
  end
  function holder.is_me(who)
    return who.pid == PID + acting
  end
  local is_gone = holder.is_gone
  function holder.is_gone(who)
    return who.pid <= PID and is_gone(who)
  end
  local real = machine.open("local:")
  local function roll_back(index)
    local slow = setmetatable({}, { __index = function(_, name)
      if type(real[name]) ~= "function" then
        return real[name]
      end
      return function(_, ...)
        round = round + 1
        whose = turn(round)
        while whose ~= index and not ends[3 - index] do
          task.sleep(0)
        end
        acting = index
        return real[name](real, ...)
      end
    end })
    ends[index] = table.pack(pcall(swap.rollback, slow, dir))
  end
  task.each({ 1, 2 }, 2, roll_back)
  for name, fn in pairs(before) do
    holder[name] = fn
  end
  holder.is_gone = is_gone
  return ends
end

--- One has put the old data back; the other says that this is being done, or was.
local function check_both(t, dir, ends, what)
  t.check(ends[1][1] or ends[2][1], failure.of(ends[1][2]).message .. " / " .. failure.of(ends[2][2]).message)
  for index = 1, 2 do
    local e = ends[index][2]
    t.check(ends[index][1] or failure.is(e, "refused") and e.message:find("just being put back by another", 1, true)
      or failure.is(e, "not_found") and e.message:find("nothing was left half-way", 1, true),
      ("%s: %s"):format(what, tostring(e and e.message)))
  end
  check_old(t, dir, CASES["some names in both"], what)
end

local function exchanged(dir)
  local case = CASES["some names in both"]
  fill(dir, case.old)
  as_another(follow, new_place(dir, 0), { table.unpack(steps(dir, case, true), 1, 3) }, 1)
end

test["of two who roll back at once one does, wherever the other comes in"] = function(t)
  for after = 0, math.huge do
    local top = t.dir()
    exchanged(top .. "/data")
    local rounds = 0
    local ends = both_roll_back(top .. "/data", function(round)
      rounds = round
      return round <= after and 1 or 2
    end)
    check_both(t, top .. "/data", ends, ("the second after %d operations"):format(after))
    fs.remove_tree(top)
    if after > rounds then
      t.check(after > 20, "too few rounds")
      break
    end
  end
end

test["of two who roll back at once one does, in whatever order they get on"] = function(t)
  for seed = 1, 150 do
    local top = t.dir()
    exchanged(top .. "/data")
    local state = seed
    local ends = both_roll_back(top .. "/data", function()
      state = (state * 1103515245 + 12345) & 0x7fffffff
      return 1 + (state >> 16 & 1)
    end)
    check_both(t, top .. "/data", ends, ("seed %d"):format(seed))
    fs.remove_tree(top)
  end
end

test["whoever puts the old data back elsewhere is waited for, and passed over when long silent"] = function(t)
  local dir = t.dir() .. "/data"
  exchanged(dir)
  local file = dir .. "/.moonkeep-swap/undoing-1.json"
  fs.write(file, json.encode { since = "2026-11-21T02:00:00Z", holder = { host = "elsewhere", pid = 7 } })
  local target = machine.open("local:")
  local e = t.raises("refused", "by another (pid 7 on elsewhere, since 2026-11-21T02:00:00Z)", swap.rollback, target,
    dir)
  t.contains(e.hint, "rm -- " .. file)
  t.equal(look(dir).more, "new")
  -- An undo of its run is no other thing.
  local place = swap.new(target, dir, RUN)
  t.raises("refused", "by another", place.undo, place)
  -- The file is as old as half an hour by the target's clock.
  local late = setmetatable({ stat = function(_, path)
    local found = target:stat(path)
    if path == file then
      found.mtime = found.mtime - 31 * 60000
    end
    return found
  end }, { __index = function(_, name)
    return function(_, ...)
      return target[name](target, ...)
    end
  end })
  swap.rollback(late, dir)
  check_old(t, dir, CASES["some names in both"])
end

test["an undo that failed gives its turn back, and a file that says nothing is waited for"] = function(t)
  local dir = t.dir() .. "/data"
  exchanged(dir)
  fs.write(dir .. "/.moonkeep-swap/undoing-3.json", "no JSON")
  t.raises("refused", "by another", swap.rollback, machine.open("local:"), dir)
  fs.remove_tree(dir .. "/.moonkeep-swap/undoing-3.json")
  local broken = setmetatable({ rename = function()
    failure.raise("network", "broken")
  end }, { __index = mortal(0) })
  t.raises("network", "broken", swap.rollback, broken, dir)
  for _, name in ipairs(fs.list(dir .. "/.moonkeep-swap")) do
    t.check(not name:find("undoing", 1, true), name)
  end
  swap.rollback(machine.open("local:"), dir)
  check_old(t, dir, CASES["some names in both"])
end

test["undo when something is in the way of the old data keeps it, and says so"] = function(t)
  local dir = t.dir()
  fill(dir, { wal = { a = "old" }, b = "old" })
  local place = new_place(dir, 0)
  place:prepare({}, 0)
  place:restage()
  fill(place:staging(), { wal = { a = "new" } })
  place:exchange()
  -- A server that runs makes "wal" between the two moves of an undo.
  local target = mortal(0)
  local racing = setmetatable({ rename = function(_, from, to, why)
    machine.open("local:"):rename(from, to, why)
    if from == dir .. "/wal" then
      fill(dir, { wal = { a = "by the server" } })
    end
  end }, { __index = target })
  local undoing = swap.new(racing, dir, RUN)
  t.raises("exists", "\"" .. dir .. "/wal\" is in the way of the old data", undoing.undo, undoing)
  t.equal(fs.read(dir .. "/.moonkeep-swap/old/wal/a", 100), "old")
  new_place(dir, 0):undo()
  t.equal(look(dir), { wal = { a = "old" }, b = "old" })
end

test["an exchange into which somebody writes is no success, and is undone"] = function(t)
  for _, made in ipairs { "wal", "old only", "new only", "quite another" } do
    local dir = t.dir()
    local old = { wal = { a = "old" }, ["old only"] = "old" }
    fill(dir, old)
    local place = new_place(dir, 0)
    place:prepare({}, 0)
    place:restage()
    fill(place:staging(), { wal = { a = "new" }, ["new only"] = "new" })
    local racing = setmetatable({ rename = function(_, from, to, why)
      machine.open("local:"):rename(from, to, why)
      if from == dir .. "/wal" then
        fill(dir, { [made] = made == "old only" and fs.stat(dir .. "/old only") and nil or { x = "server" } })
      end
    end }, { __index = mortal(0) })
    local exchanging = swap.new(racing, dir, RUN)
    local e = t.raises("exists", "is in the way of the new data", exchanging.exchange, exchanging)
    t.contains(e.message, made)
    new_place(dir, 0):undo()
    t.equal(look(dir), old, made)
  end
end

test["many that are discarded under one name do not stop an undo"] = function(t)
  local dir = t.dir()
  fill(dir, { a = "old" })
  local place = new_place(dir, 0)
  place:prepare({}, 0)
  place:restage()
  fill(place:staging(), { a = "new" })
  place:exchange()
  fill(dir .. "/.moonkeep-swap/discarded", { a = "1", ["a.1"] = "2", ["a.2"] = "3" })
  place:undo()
  t.equal(look(dir), { a = "old" })
end

test["of two that begin at once the second is told which is at work"] = function(t)
  local dir = t.dir()
  fill(dir, { a = "old" })
  local mine = new_place(dir, 0)
  local real = mortal(0)
  -- The first writes its record just before the second does.
  local late = setmetatable({ write = function(_, ...)
    mine:prepare({}, 0)
    return real:write(...)
  end }, { __index = real })
  local other = swap.new(late, dir, "20261121T030000-bbbbb")
  t.raises("refused", "run " .. RUN .. " is at work in \"" .. dir .. "\"", other.prepare, other, {}, 0)
  t.equal(other:undo(), "what is there is of run " .. RUN)
  other:undo()
  t.check(fs.stat(dir .. "/.moonkeep-swap/undo.json"))
  -- And when it has been there for long.
  t.raises("refused", "is at work", other.prepare, other, {}, 0)
  mine:restage()
  mine:exchange()
end

test["another run's record is not exchanged, undone or finished"] = function(t)
  local dir = t.dir()
  fill(dir, { a = "old" })
  local mine, other = new_place(dir, 0), swap.new(mortal(0), dir, "20261121T030000-bbbbb")
  as_another(mine.prepare, mine, {}, 0)
  mine:restage()
  fill(mine:staging(), { a = "new" })
  local e = t.raises("refused", "holds what run " .. RUN .. " left half-way", other.prepare, other, {}, 0)
  t.contains(e.hint, "rollback --target local: --dir " .. dir)
  t.raises("refused", "this restore was undone meanwhile", other.exchange, other)
  other:undo()
  other:finish(false)
  t.check(fs.stat(dir .. "/.moonkeep-swap/undo.json"))
  mine:exchange()
  t.raises("refused", "has been put back since", other.check_exchanged, other)
  t.equal(look(dir), { a = "new" })
  mine:check_exchanged()
  mine:finish(false)
  t.equal(look(dir), { a = "new" })
  t.equal(fs.list(dir), { "a" })
end

test["a run that lives is not rolled back by its record from another process"] = function(t)
  local dir = t.dir()
  local place = new_place(dir, 0)
  place:prepare({}, 0)
  t.raises("refused", "is at work in", swap.rollback, mortal(0), dir)
  place:undo()
  local e = t.raises("not_found", "nothing was left half-way", swap.rollback, mortal(0), dir)
  t.equal(e.code, "not_found")
end

test["what a rollback by the record starts again is started even when it was killed"] = function(t)
  local dir = t.dir()
  local flag = dir .. "-running"
  fill(dir, { a = "old" })
  local service = { name = "it", stop = { "rm", "-f", flag }, start = { "touch", flag },
    running = { "test", "-e", flag } }
  local n = 0
  repeat
    n = n + 1
    fs.remove(flag)
    local place = new_place(dir, 0)
    as_another(place.prepare, place, { service = service, was_running = true }, 0)
    place:restage()
    fill(place:staging(), { a = "new" })
    place:exchange()
    local target = mortal(n, "after")
    local died = not pcall(swap.rollback, target, dir)
    if died then
      pcall(swap.rollback, mortal(0), dir)
    end
    t.equal(look(dir), { a = "old" })
    t.check(fs.stat(flag), "not started, killed after change " .. n)
  until not died
  t.check(n > 5)
  fs.remove(flag)
end

test["what cannot work is refused before anything is touched"] = function(t)
  local dir = t.dir()
  fill(dir, { file = "no directory", data = { a = "old" } })
  local place = swap.new(mortal(0), dir .. "/file", RUN)
  t.raises("refused", "is no directory", place.prepare, place, {}, 0)
  place = swap.new(mortal(0), dir .. "/data", RUN)
  local e = t.raises("full", "free, and the new data takes", place.prepare, place, {}, 1 << 60)
  t.contains(e.hint, "both must fit")
  t.equal(fs.list(dir .. "/data"), { "a" })
  place = swap.new(mortal(0), dir .. "/missing/data", RUN)
  t.raises("full", "free", place.prepare, place, {}, 1 << 60)
  t.equal(fs.stat(dir .. "/missing"), nil)
  t.raises("usage", "must be an absolute path", swap.rollback, mortal(0), "data")
  -- What lies on another device cannot be moved.
  local target = setmetatable({ stat = function(_, path, links)
    local found = fs.stat(path, links)
    if found and path:match("/a$") then
      found.dev = found.dev + 1
    end
    return found
  end }, { __index = mortal(0) })
  place = swap.new(target, dir .. "/data", RUN)
  t.raises("refused", "lies on another device", place.prepare, place, {}, 0)
  t.equal(fs.list(dir .. "/data"), { "a" })
end

test["a record that is damaged is an error, and nothing is touched"] = function(t)
  local dir = t.dir()
  fill(dir, { a = "new", [".moonkeep-swap"] = { ["undo.json"] = "{\"run\":", old = { a = "old" } } })
  t.raises("invalid", "cannot read \"" .. dir .. "/.moonkeep-swap/undo.json\"", swap.rollback, mortal(0), dir)
  t.equal(fs.read(dir .. "/.moonkeep-swap/old/a", 10), "old")
  t.equal(look(dir), { a = "new" })
end

test["the record holds names as they are, and the bytes of those that are no UTF-8"] = function(t)
  local dir = t.dir()
  fill(dir, { ["\xff"] = "old", plain = "old" })
  local place = new_place(dir, 0)
  place:prepare({}, 0)
  place:restage()
  place:exchange()
  local record = json.decode(fs.read(dir .. "/.moonkeep-swap/undo.json", 10000))
  t.equal({ record.format, record.version, record.run, record.dir },
    { "moonkeep-undo", 1, RUN, dir })
  t.equal(record.old, { "plain", { name_b64 = "/w==" } })
  place:undo()
  t.equal(look(dir), { ["\xff"] = "old", plain = "old" })
end

test["a name with a slash at its end is the same directory"] = function(t)
  t.equal(swap.new(mortal(0), "/a/b//", RUN).dir, "/a/b")
  t.equal(swap.new(mortal(0), "/", RUN).dir, "/")
end

return test
