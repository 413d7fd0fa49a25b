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
  for _, url in ipairs { "s3://bucket/x", "azure://a/c/p", "sftp://host/x" } do
    t.raises("unsupported", "", store.open, url)
  end
  t.raises("recipe", "string expected", native.open, {})
end

test["a store says its address and what it can"] = function(t)
  local dir = t.dir()
  local place = store.open("file:" .. dir)
  t.equal(place.url, dir)
  t.equal(place.can, { exclusive = true, whole_digest = true })
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
