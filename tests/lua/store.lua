--- Stores as Lua sees them; what every driver promises is tested in C.

local fs = require "_fs"
local native = require "_store"
local store = require "store"
local stream = require "stream"

local test = {}

test["objects are put, read, listed and removed"] = function(t)
  local place = store.open(t.dir() .. "/new")
  t.raises("not_found", "", place.list, place, "")
  t.equal(place:stat("a/b"), nil)
  t.equal(place:get("a/b", 10), nil)
  place:put("a/b", "text")
  place:put("a/c/d", "")
  place:put("z", "a\0b")
  local found = place:stat("a/b")
  t.equal(found.size, 4)
  t.check(math.type(found.mtime) == "integer")
  t.equal(place:get("a/b", 4), "text")
  t.raises("too_big", "", place.get, place, "a/b", 3)
  t.equal(place:get("z", 10), "a\0b")
  local function keys(...)
    local list = {}
    for index, entry in ipairs(place:list(...)) do
      list[index] = entry.key
    end
    return list
  end
  t.equal(keys(""), { "a/b", "a/c/d", "z" })
  t.equal(keys("a/"), { "a/b", "a/c/d" })
  t.equal(keys("", true), { "a/", "z" })
  t.equal(place:list("", true)[1].size, nil)
  t.equal(keys("nothing/"), {})
  place:remove("z")
  place:remove("z")
  t.equal(keys(""), { "a/b", "a/c/d" })
  place:remove_all("a/")
  t.equal(keys(""), {})
end

test["an object that must be new is refused when it is there, by put and by commit"] = function(t)
  local place = store.open(t.dir())
  place:put("a", "first", { exclusive = true })
  t.raises("exists", "", place.put, place, "a", "second", { exclusive = true })
  local sink <close> = place:create("a", { exclusive = true })
  stream.copy(stream.from_string("third"), sink)
  t.raises("exists", "", stream.commit, sink)
  t.equal(place:get("a", 10), "first")
  place:put("a", "fourth")
  t.equal(place:get("a", 10), "fourth")
end

test["a stream shows nothing before its commit, and reads parts"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  do
    local sink <close> = place:create("a/b")
    stream.copy(stream.from_string("0123456789"), sink)
    t.equal(place:stat("a/b"), nil)
    t.equal(place:list(""), {})
  end
  t.equal(place:stat("a/b"), nil)
  local sink <close> = place:create("a/b")
  stream.copy(stream.from_string("0123456789"), sink)
  stream.commit(sink)
  t.equal(stream.read_all(place:read("a/b", 2, 3), 10), "234")
  t.equal(stream.read_all(place:read("a/b"), 10), "0123456789")
  t.raises("truncated", "", function() stream.drain(place:read("a/b", 5, 6)) end)
  t.raises("not_found", "", place.read, place, "a/c")
end

test["a listing in batches has every key once, however many, and ends early when it is left"] = function(t)
  local place = store.open(t.dir() .. "/new")
  t.raises("not_found", "", function()
    for _ in place:each("") do end
  end)
  for index = 1, 2500 do
    fs.make_dirs(place.place .. "/a")
    fs.write(("%s/a/%05d"):format(place.place, index), "x")
  end
  place:put("b", "")
  local keys, last = 0, ""
  for entry in place:each("") do
    t.check(entry.key > last)
    keys, last = keys + 1, entry.key
  end
  t.equal({ keys, last }, { 2501, "b" })
  local folded = {}
  for entry in place:each("", true) do
    folded[#folded + 1] = entry.key
  end
  t.equal(folded, { "a/", "b" })
  local seen = 0
  for _ in place:each("a/") do
    seen = seen + 1
    if seen == 1200 then
      break
    end
  end
  t.equal(seen, 1200)
  t.raises("invalid", "", function()
    for _ in place:each("a") do end
  end)
  local walk = place._handle:walk("a/", false)
  walk:close()
  walk:close()
  t.raises("recipe", "closed", walk.next, walk)
end

test["a listing that another task waits for is closed behind its back"] = function(t)
  local place = store.open(t.dir())
  place:put("a", "x")
  local walk = place._handle:walk("", false)
  local handle = require("_task").spawn(function() return walk:next() end)
  local other = require("_task").spawn(function() return pcall(walk.next, walk) end)
  local _, ok, e = other:wait()
  t.check(ok == true or e.code == "recipe")
  walk:close()
  t.check(handle:wait())
  t.raises("recipe", "closed", walk.next, walk)
end

test["a digest is filled by the sink, complete with the commit, and taken once"] = function(t)
  local place = store.open(t.dir())
  local digest = stream.new_digest(true)
  local sink <close> = place:create("a", { digest = digest })
  stream.copy(stream.from_string("abc"), sink)
  t.raises("recipe", "", digest.result, digest)
  stream.commit(sink)
  local abc = require("digest").sha256("abc")
  t.equal(digest:result().sha256, abc)
  t.equal(digest:result().parts, { abc })
  t.raises("recipe", "another stream", place.create, place, "b", { digest = digest })
  t.raises("recipe", "another stream", require("_stream").digest, stream.from_string("x"), digest)
  local second = stream.new_digest()
  place:put("c", "abc", { digest = second })
  t.equal({ second:result().bytes, second:result().sha256 }, { 3, nil })
  -- What is dropped instead of committed has no digest.
  local third = stream.new_digest()
  do
    local dropped <close> = place:create("d", { digest = third })
    stream.copy(stream.from_string("abc"), dropped)
  end
  t.raises("recipe", "", third.result, third)
end

test["a call in a store's own protocol needs a store that speaks one"] = function(t)
  local place = store.open(t.dir())
  t.raises("unsupported", "speaks no such protocol", place.call, place,
    { method = "GET", query = { list = "1", n = 3 }, headers = { a = "b", c = require("_secret").new("hidden") } })
  for _, request in ipairs {
    {}, { method = "GET", query = { [1] = "a" } }, { method = "GET", query = { a = {} } },
    { method = "GET", query = { a = require("_secret").new("hidden") } }, { method = "G\0ET" },
    { method = "GET", headers = "a" }, { method = "GET", body = {} }, { method = "GET", max = -1 },
  } do
    t.raises("recipe", "", place.call, place, request)
  end
end

test["objects are copied to another store, counted, and described as they are there"] = function(t)
  local from, to = store.open(t.dir() .. "/from"), store.open(t.dir() .. "/to")
  from:put("a/b", "text")
  from:put("a/c", "other")
  local entries, progress = from:list(""), stream.progress(9)
  local made = from:copy(to, entries, { progress = progress })
  for index, entry in ipairs(entries) do
    t.equal(made[index], { size = entry.size, mtime = to:stat(entry.key).mtime, archived = false, by_server = false })
  end
  t.equal({ to:get("a/b", 10), to:get("a/c", 10), progress:get() }, { "text", "other", 9, 9, 9 })
  t.equal(from:copy(to, {}), {})
  -- One that fails does not keep the others.
  entries[1].mtime = entries[1].mtime - 1
  to:remove("a/c")
  made = from:copy(to, entries)
  t.equal({ made[1].code, made[1].retryable, to:get("a/c", 10) }, { "io", true, "other" })
  from:remove("a/b")
  t.equal(from:copy(to, entries)[1].code, "not_found")
  t.equal(to:get("a/b", 10), "text")
  entries[1].etag = ("x"):rep(129)
  t.raises("too_big", "ETag", from.copy, from, to, entries)
  for index = 1, 65 do
    entries[index] = entries[2]
  end
  t.raises("recipe", "too many", from.copy, from, to, entries)
end

test["keys that are no keys are refused by everything"] = function(t)
  local place = store.open(t.dir())
  for _, key in ipairs { "", "/a", "a//b", "../a", "a/../b", ".", "a/.", "a\0b", ("x"):rep(2000), "a/" } do
    for _, fn in ipairs {
      function() place:put(key, "x") end, function() place:get(key, 10) end, function() place:stat(key) end,
      function() place:read(key) end, function() place:create(key) end, function() place:remove(key) end,
    } do
      t.raises("invalid", "", fn)
    end
  end
  t.equal(place:list(""), {})
end

test["all is only removed below a prefix"] = function(t)
  local place = store.open(t.dir())
  place:put("a", "x")
  for _, prefix in ipairs { "", "a" } do
    t.raises("recipe", "must end in \"/\"", place.remove_all, place, prefix)
  end
  t.equal(place:get("a", 10), "x")
end

test["what interrupted writes left is swept, and only that"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  place:put("a/b", "x")
  local sink = place:create("a/c")
  t.check(#fs.list(dir .. "/a") == 2)
  t.equal(place:sweep("a/"), 1)
  t.equal(fs.list(dir .. "/a"), { "b" })
  t.equal(place:sweep("a/"), 0)
  sink:close()
end

test["what names no store of this version is refused"] = function(t)
  t.raises("usage", "", store.check, "word")
  t.raises("usage", "", store.check, "")
  t.raises("usage", "", store.open, "s3://user:password@bucket/x")
  t.raises("unsupported", "", store.open, "sftp://host/x")
  t.raises("recipe", "string expected", native.open, {})
end

test["a store says its address and what it can"] = function(t)
  local dir = t.dir()
  local place = store.open("file:" .. dir)
  t.equal(place.url, dir)
  t.equal(place.place, dir)
  t.equal(place.can, { exclusive = true, probe = false, whole_digest = true })
  t.equal(place:excludes(), true)
end

test["the place of an object store leaves out what only says how it is reached"] = function(t)
  local place = store.open "s3://bucket/a%20b/?class=STANDARD_IA&region=eu-west-1"
  t.equal(place.place, "s3://bucket/a%20b")
  t.contains(place.url, "class=STANDARD_IA")
  t.equal(place.can.probe, true)
  t.equal(store.open(place.url).url, place.url)
  local other = store.open "s3://bucket/a%20b?endpoint=http://127.0.0.1:9"
  t.equal(other.place, "s3://bucket/a%20b?endpoint=http://127.0.0.1:9")
  -- In a plan a key stands where it belongs.
  local dry = require("recipe.plan").new(function() end)
  require("effect").with({ inside = "step", plan = dry }, function()
    other:put("c/d", "text")
  end)
  t.equal(dry.entries[1].object, "s3://bucket/a%20b/c/d?endpoint=http://127.0.0.1:9")
end

test["a cancel reaches a store's work"] = function(t)
  local place = store.open(t.dir())
  local handle = require("_task").spawn(function() place:put("a", "x") end)
  handle:cancel()
  local ok, e = handle:wait()
  t.equal({ ok, e.code }, { false, "cancelled" })
  t.equal(place:stat("a"), nil)
end

return test
