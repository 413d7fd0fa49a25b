--- What the Lua side promises on any store; tests/cli/store_lua.sh runs it on each
--- kind.  STORE is the URL of an empty one, EXCLUDES says whether it knows
--- create-only writes.

local backup = require "backup"
local check = require "backup.check"
local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local fs = require "_fs"
local json = require "json"
local lock = require "store.lock"
local os_ = require "_os"
local plan = require "recipe.plan"
local secret = require "_secret"
local shelf = require "backup.shelf"
local store = require "store"
local stream = require "stream"
local tar = require "_tar"
local task = require "task"
local verdict = require "store.verdict"

local test = {}

local EXCLUDES = os_.getenv("EXCLUDES") ~= "no"
local IS_OBJECTS = os_.getenv("STORE"):match("^%w+://") ~= nil
local IS_AZURE = os_.getenv("STORE"):match("^azure:") ~= nil

--- The store, empty.
local function place()
  local it = store.open(os_.getenv("STORE"))
  local ok, first = pcall(it.list, it, "", true)
  for _, entry in ipairs(ok and first or {}) do
    if entry.size then
      it:remove(entry.key)
    else
      it:remove_all(entry.key)
    end
  end
  return store.open(os_.getenv("STORE"))
end

local function keys(it, prefix)
  local list = {}
  for entry in it:each(prefix) do
    list[#list + 1] = entry.key
  end
  return list
end

test["create-only writes are tried once, and the verdict is kept"] = function(t)
  local it = place()
  t.equal(it:excludes(), EXCLUDES)
  t.equal(it:excludes(), EXCLUDES)
  if not it.can.probe then
    t.equal(it:stat(verdict.KEY), nil)
    return
  end
  -- Nothing is left but the verdict, and it is believed.
  t.equal(keys(it, ""), { verdict.KEY })
  t.equal(verdict.read(it).exclusive, EXCLUDES)
  verdict.write(it, { exclusive = not EXCLUDES })
  t.equal(store.open(it.url):excludes(), not EXCLUDES)
  -- One that was copied here from elsewhere, or is none, is not.
  for _, text in ipairs { json.encode { format = "moonkeep-probe", version = 1, store = "elsewhere",
    exclusive = not EXCLUDES }, "{", "[]", "" } do
    it:put(verdict.KEY, text)
    t.equal(store.open(it.url):excludes(), EXCLUDES)
  end
end

test["a plan does not try by writing"] = function(t)
  local it = place()
  local dry = plan.new(function() end)
  effect.with({ inside = "step", plan = dry }, function()
    t.equal(it:excludes(), not it.can.probe and EXCLUDES or nil)
    lock.new(it, "a/b", "mine"):acquire()
  end)
  t.check(#dry.entries == 1 and dry.entries[1].object:find("locks/a/b/00000001", 1, true))
  local ok, list = pcall(it.list, it, "")
  t.equal(ok and list or {}, {})
end

test["of runs that take a lock at once one holds it"] = function(t)
  local it = place()
  it:excludes()
  for round = 1, 5 do
    local list, held = {}, 0
    for index = 1, 6 do
      list[index] = lock.new(it, "a/" .. round, "run" .. index)
    end
    task.each(list, #list, function(one)
      local ok, e = pcall(one.acquire, one)
      if ok and pcall(one.check, one) then
        held = held + 1
      elseif not ok and not failure.is(e, "locked") then
        error(e, 0)
      end
    end)
    -- Without conditions the last to write wins, whoever looks again knows.
    t.check(held == 1 or (not EXCLUDES and held <= 6), ("%d held the lock"):format(held))
  end
end

test["a lock is renewed, given back, and taken over from the dead"] = function(t)
  local it = place()
  local mine, yours = lock.new(it, "a/b", "mine"), lock.new(it, "a/b", "yours")
  t.equal(mine:acquire(), 1)
  t.raises("locked", "in use by run mine", yours.acquire, yours)
  mine:renew()
  t.equal(mine:held(function() return "done" end), "done")
  mine:release()
  t.equal(keys(it, "locks/a/b/"), { "locks/a/b/00000002" })
  t.equal(yours:acquire(), 3)
  t.raises("locked", "was taken over by run yours", mine.check, mine)
  -- A host that nobody hears of any more.
  it:put("locks/a/b/00000004", json.encode { run = "dead", host = "elsewhere", pid = 1,
    renewed = clock.now() - lock.times.stale - 1000 })
  t.raises("locked", "taken over by run dead", yours.renew, yours)
  t.equal(mine:acquire(), 5)
  mine:release()
  t.equal(keys(it, "locks/"), { "locks/a/b/00000006" })
end

test["a listing of several pages has every key once"] = function(t)
  local it = place()
  local list = {}
  for index = 1, 1103 do
    list[index] = ("many/%04d&<%d>"):format(index, index)
  end
  task.each(list, 16, function(key) it:put(key, key) end)
  it:put("many0", "")
  local count, last = 0, ""
  for entry in it:each("many/") do
    t.check(entry.key > last and entry.size == #entry.key and math.abs(entry.mtime - clock.now()) < 900000)
    t.equal(entry.archived, false)
    t.equal(entry.etag ~= nil, IS_OBJECTS)
    count, last = count + 1, entry.key
  end
  t.equal(count, 1103)
  for entry in it:each("many/") do -- luacheck: ignore 512
    t.equal(entry.key, list[1])
    break
  end
  -- What is removed in one request, and what cannot be named in one.
  local unnamed = IS_AZURE and "many/a b" or "many/\1"
  it:put(unnamed, "control")
  it:remove_keys { list[1], list[2], "many/none", unnamed }
  t.equal({ it:stat(list[1]), it:stat(unnamed) }, {})
  it:remove_all("many/")
  t.equal(keys(it, ""), { "many0" })
end

test["the digest of a large object is filled on its way, and it reads back"] = function(t)
  local it = place()
  local text = {}
  for index = 1, 300 do
    text[index] = require("digest").sha256("moonkeep" .. index):rep(1024)
  end
  text = table.concat(text)
  local sum, whole = stream.new_digest(), stream.new_digest(true)
  do
    local sink <close> = it:create("large", { digest = sum })
    stream.copy(stream.from_string(text), sink)
    t.equal(it:stat("large"), nil)
    stream.commit(sink)
  end
  local source, want = stream.digest(stream.from_string(text))
  stream.drain(source)
  t.equal(sum:result(), want:result())
  stream.drain(stream.expect(it:read("large"), sum:result()))
  it:put("small", text:sub(1, 1000), { digest = whole })
  t.equal(whole:result().sha256, require("digest").sha256(text:sub(1, 1000)))
  it:put("empty", "", { digest = stream.new_digest() })
  t.equal(it:get("empty", 10), "")
end

test["a call in the store's own protocol is signed, with secrets in its headers"] = function(t)
  local it = place()
  if not IS_OBJECTS then
    return t.raises("unsupported", "", it.call, it, { method = "GET" })
  end
  it:put("a b/c", "text")
  local answer = it:call { method = "GET", key = "a b/c", headers = { ["x-none"] = secret.new("a secret value") } }
  t.equal({ answer.status, answer.body, answer.headers["content-length"] }, { 200, "text", "4" })
  t.raises("too_big", "", it.call, it, { method = "GET", key = "a b/c", max = 3 })
  t.equal(t.raises("not_found", "", it.call, it, { method = "GET", key = "none" }).http, 404)
end

--- What a run's ctx is to a backup.
local function context(run, said)
  return { run = run, watch = function(_, progress) return progress end,
    caution = function(_, text, ...) said[#said + 1] = text:format(...) end }
end

test["a backup is made, listed, verified; its record counts in its place only"] = function(t)
  local it, dir, said = place(), t.dir(), {}
  fs.write(dir .. "/file", ("content\n"):rep(100000))
  local ctx = context("20261121T020000-abcde", said)
  local set = backup.new(ctx, it, "toy", "main")
  set:begin(set:acquire())
  local book = set:manifest { recipe = "toy.backup", target = "local:", content = {},
    artifacts = { set:put_tar("data.tar.zst", tar.dir { root = dir }), set:put_text("note.txt", "a note\n") } }
  set:publish(book, set:read_back(book))
  set:release()
  t.equal(#said, EXCLUDES and 0 or 1)
  t.equal(set.name:match("%-abcde$"), not EXCLUDES and "-abcde" or nil)
  local entry = shelf.find(it, "toy/main/latest-verified")
  t.equal({ entry.name, entry.archived, entry.verified.level }, { set.name, nil, "digest" })
  t.equal(json.decode(it:get(entry.records[1], 65536)).store, it.place)
  t.equal(it:get(set.prefix .. "SHA256SUMS", 65536) ~= nil, not IS_OBJECTS)
  check.verify(ctx, it, entry, "digest")
  -- The same place, said otherwise; and another one.
  local again = store.open(it.url .. (IS_OBJECTS and "&connections=2" or ""))
  t.check(shelf.find(again, "toy/main").verified)
  local elsewhere = setmetatable({ place = it.place .. "x" }, { __index = it })
  t.equal(shelf.find(elsewhere, "toy/main").verified, nil)
  -- A second one while the first is held.
  local first = backup.new(context("20261121T020000-first", said), it, "toy", "main")
  first:acquire()
  local second = backup.new(context("20261121T020000-second", said), it, "toy", "main")
  t.raises("locked", "toy/main is in use by run 20261121T020000-first", second.acquire, second)
end

test["what the server moved to an archive is neither good nor bad"] = function(t)
  if not IS_AZURE then
    return -- The other servers of the tests have none.
  end
  local it, dir, ctx = place(), t.dir(), context("20261121T020000-abcde", {})
  fs.write(dir .. "/file", ("content\n"):rep(1000))
  local set = backup.new(ctx, it, "toy", "main")
  set:begin(set:acquire())
  local book = set:manifest { recipe = "toy.backup", target = "local:", content = {},
    artifacts = { set:put_tar("data.tar.zst", tar.dir { root = dir }) } }
  set:publish(book, set:read_back(book))
  it:call { method = "PUT", key = set.prefix .. "data.tar.zst", query = { comp = "tier" },
    headers = { ["x-ms-access-tier"] = "Archive" } }
  t.check(it:stat(set.prefix .. "data.tar.zst").archived)
  t.raises("archived", "", it.read, it, set.prefix .. "data.tar.zst")
  local entry = shelf.find(it, "toy/main")
  t.check(entry.archived and entry.verified)
  t.raises("archived", "is archived, not checked", check.verify, ctx, it, entry, "digest")
  t.equal(#shelf.find(it, "toy/main").records, 1)
  t.equal(check.verify(ctx, it, entry, "present").artifacts, 2)
end

test["two publish one folder once"] = function(t)
  local it, said = place(), {}
  local function made(run)
    local set = backup.new(context(run, said), it, "toy", "main")
    set:begin { time = "20261121T020000Z" }
    local book = set:manifest { recipe = "toy.backup", target = "local:", content = {},
      artifacts = { set:put_text("note.txt", "a note\n") } }
    return set, book
  end
  local first, book = made("20261121T020000-first")
  first.lock:acquire()
  first:publish(book, first:read_back(book))
  first:publish(book, { level = "digest" })
  if EXCLUDES then
    local second, other = made("20261121T020000-other")
    second.lock.check = function() end
    t.raises("exists", "", second.publish, second, other, { level = "digest" })
  end
end

return test
