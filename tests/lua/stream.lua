--- Streams as Lua sees them: who owns what, what is used after it was given
--- away or closed, and what an error leaves behind.

local digest = require "digest"
local failure = require "failure"
local fs = require "_fs"
local native = require "_stream"
local spawn = require("_task").spawn
local store = require "store"
local stream = require "stream"
local tar = require "_tar"
local task = require "task"

local test = {}

local MIB = 1024 * 1024

--- A file of that many bytes that compress to about half.
local function big_file(t, bytes)
  local path = t.dir() .. "/big"
  local piece = {}
  for index = 1, 4096 do
    piece[index] = ("%08x"):format((index * 2654435761) % (1 << 32))
  end
  piece = table.concat(piece)
  fs.write(path, piece:rep(bytes // #piece))
  return path
end

test["bytes go through and come back"] = function(t)
  t.equal(stream.read_all(stream.from_string("a\0b"), 100), "a\0b")
  t.equal(stream.read_all(stream.from_string(""), 0), "")
  t.raises("too_big", "", stream.read_all, stream.from_string("abc"), 2)
  t.equal(stream.drain(stream.from_string("abc")), 3)
  local path = t.dir() .. "/x"
  fs.write(path, "0123456789")
  t.equal(stream.read_all(stream.from_file(path, 3, 4), 100), "3456")
  t.equal(stream.read_all(stream.from_file(path, 3), 100), "3456789")
  t.raises("truncated", "has only 10 bytes", stream.from_file, path, 3, 100)
  t.raises("not_found", path .. "x", stream.from_file, path .. "x")
end

test["what is compressed is decompressed again"] = function(t)
  local text = ("moonkeep "):rep(100000)
  for _, codec in ipairs { "zstd", "gzip", "none" } do
    local packed = stream.read_all(stream.compress(stream.from_string(text), codec), MIB)
    t.equal(stream.read_all(stream.decompress(stream.from_string(packed), codec), MIB) == text, true, codec)
    if codec ~= "none" then
      t.check(#packed < 20000, codec)
      t.raises("truncated", "", stream.drain, stream.decompress(stream.from_string(packed:sub(1, -5)), codec))
    end
  end
  for _, level in ipairs { 0, 20, -1 } do
    t.raises("recipe", "no such compression level", native.zstd, stream.from_string("x"), level)
  end
  t.raises("recipe", "no such compression level", native.gzip, stream.from_string("x"), 4)
  t.raises("recipe", "2 to 64", native.readahead, stream.from_string("x"), 1)
  t.raises("recipe", "2 to 64", native.readahead, stream.from_string("x"), 1 << 40)
end

--- Every function that takes a source, called with that source.
local function takers(t)
  return {
    drain = function(source) stream.drain(source) end,
    read_all = function(source) stream.read_all(source, MIB) end,
    copy = function(source)
      local sink <close> = native.file_sink(t.dir() .. "/x")
      stream.copy(source, sink)
    end,
    zstd = function(source) return native.zstd(source) end,
    gzip = function(source) return native.gzip(source) end,
    unzstd = function(source) return native.unzstd(source) end,
    gunzip = function(source) return native.gunzip(source) end,
    readahead = function(source) return native.readahead(source) end,
    counted = function(source) return stream.counted(source, stream.progress()) end,
    digest = function(source) return stream.digest(source) end,
    expect = function(source) return stream.expect(source, { parts = {}, part_size = 1, bytes = 0 }) end,
    tar_scan = function(source) return stream.tar_scan(source) end,
    extract = function(source) tar.extract(source, t.dir(), {}) end,
  }
end

test["a source that was given away cannot be used, whoever took it"] = function(t)
  for name, take in pairs(takers(t)) do
    local source = stream.from_string("x")
    pcall(take, source)
    t.equal(source:bytes(), 0, name)
    for again, other in pairs(takers(t)) do
      t.raises("recipe", "the source is closed, or was given away", other, source)
      t.check(again)
    end
    source:close()
    source:close()
  end
end

test["a source that was closed cannot be used, and is closed as often as one likes"] = function(t)
  for name, take in pairs(takers(t)) do
    local source = stream.from_string("x")
    source:close()
    local e = t.raises("recipe", "the source is closed", take, source)
    t.equal(e.code, "recipe", name)
  end
end

test["a function that refuses its arguments leaves the source alone"] = function(t)
  local source = stream.from_string("abc")
  for _, fn in ipairs {
    function() native.zstd(source, 99) end, function() native.readahead(source, 0) end,
    function() native.progress(source) end, function() native.digest(source, {}) end,
    function() native.expect(source, {}, 0, 0) end, function() native.expect(source, { "x" }, 1, 1) end,
    function() native.expect(source, {}, 1, -1) end, function() native.read_all(source, -1) end,
    function() native.copy(source, source) end, function() native.copy(source) end,
    function() tar.scan(source, source) end, function() tar.extract(source, "", {}) end,
    function() tar.extract(source, "/nowhere", { owner = "nobody" }) end,
    function() table.sort({ 2, 1 }, function() stream.drain(source) return true end) end,
    function() coroutine.wrap(stream.drain)(source) end,
  } do
    local ok = pcall(fn)
    t.equal(ok, false)
  end
  t.equal(stream.read_all(source, 10), "abc")
end

test["nothing is visible before the commit, and nothing is left without one"] = function(t)
  local dir = t.dir()
  do
    local sink <close> = native.file_sink(dir .. "/x")
    stream.copy(stream.from_string("abc"), sink)
    t.equal(fs.stat(dir .. "/x"), nil)
    t.equal(sink:bytes(), 3)
  end
  t.equal(fs.list(dir), {})
  local sink <close> = native.file_sink(dir .. "/x")
  stream.copy(stream.from_string("abc"), sink)
  stream.commit(sink)
  t.equal(fs.read(dir .. "/x", 10), "abc")
  t.raises("recipe", "the sink is closed", stream.commit, sink)
  t.raises("recipe", "the sink is closed", stream.copy, stream.from_string("x"), sink)
  t.equal(fs.list(dir), { "x" })
end

test["an error between, a cancel and a dropped handle leave nothing either"] = function(t)
  local dir = t.dir()
  pcall(function()
    local sink <close> = native.file_sink(dir .. "/x")
    stream.copy(stream.from_string("abc"), sink)
    failure.raise("io", "no luck")
  end)
  t.equal(fs.list(dir), {})
  native.copy(stream.from_string("abc"), native.file_sink(dir .. "/x"))
  collectgarbage()
  collectgarbage()
  t.equal(fs.list(dir), {})
end

test["a sink that a job writes into is for nobody else, and outlives its close"] = function(t)
  local path, dir = big_file(t, 64 * MIB), t.dir()
  local sink = native.file_sink(dir .. "/x")
  local copying = spawn(stream.copy, native.zstd(stream.from_file(path), 9), sink)
  task.sleep(5)
  t.check(not copying:ended(), "the copy was too fast for this test")
  t.raises("recipe", "in use by another task", stream.copy, stream.from_string("x"), sink)
  t.raises("recipe", "in use by another task", stream.commit, sink)
  t.raises("recipe", "in use by another task", stream.catalog, sink)
  sink:close()
  t.raises("recipe", "the sink is closed", stream.commit, sink)
  copying:cancel()
  copying:wait()
  t.equal(fs.list(dir), {})
  sink:close()
end

test["closing the sink of a catalog while a tar is read ahead harms nothing"] = function(t)
  local source_dir, dir = t.dir(), t.dir()
  for index = 1, 500 do
    fs.write(("%s/%03d"):format(source_dir, index), ("x"):rep(index * 10))
  end
  for round = 1, 20 do
    local sink = native.file_sink(dir .. "/catalog")
    local source = stream.compress(stream.tar_scan(tar.dir { root = source_dir }, stream.catalog(sink)), "zstd")
    if round % 2 == 0 then
      task.sleep(1)
    end
    sink:close()
    t.raises("recipe", "the sink is closed", stream.commit, sink)
    if round % 3 == 0 then
      collectgarbage()
    end
    if round % 4 == 0 then
      source:close()
    end
  end
  collectgarbage()
  collectgarbage()
  t.equal(fs.list(dir), {})
end

test["a cancel in mid-stream ends threads, jobs and temporary files"] = function(t)
  local path, dir = big_file(t, 64 * MIB), t.dir()
  local began = require("clock").mono()
  local handle = spawn(function()
    local sink <close> = native.file_sink(dir .. "/x")
    local source, sum = stream.digest(stream.compress(stream.from_file(path), "zstd", 9), true)
    stream.copy(source, sink)
    return sum
  end)
  task.sleep(10)
  handle:cancel()
  local ok, e = handle:wait()
  t.equal({ ok, e.code }, { false, "cancelled" })
  t.equal(fs.list(dir), {})
  t.check(require("clock").mono() - began < 5000)
end

test["a chain that nobody reads ends with its close, also in the middle of an error"] = function(t)
  local path = big_file(t, 16 * MIB)
  for _ = 1, 10 do
    pcall(function()
      local chain <close> = stream.compress(stream.from_file(path), "gzip")
      failure.raise("io", "no luck", { chain = tostring(chain) })
    end)
    stream.compress(stream.from_file(path), "zstd")
  end
  collectgarbage()
  collectgarbage()
  t.check(true)
end

test["a digest tells at the end, and says so before"] = function(t)
  local source, sum = stream.digest(stream.from_string("abc"), true)
  t.raises("recipe", "has not reached its end", sum.result, sum)
  stream.drain(source)
  local result = sum:result()
  t.equal(result.sha256, digest.sha256("abc"))
  t.equal(result.parts, { digest.sha256("abc") })
  t.equal({ result.bytes, result.part_size }, { 3, 8 * MIB })
  local other, never = stream.digest(stream.from_string("abc"))
  other:close()
  t.raises("recipe", "has not reached its end", never.result, never)
end

test["what differs from its digests is found, and where"] = function(t)
  local source, sum = stream.digest(stream.from_string("abc"))
  stream.drain(source)
  local artifact = sum:result()
  t.equal(stream.read_all(stream.expect(stream.from_string("abc"), artifact), 10), "abc")
  for _, wrong in ipairs { "abd", "ab", "abcd", "" } do
    local ok, e = pcall(stream.read_all, stream.expect(stream.from_string(wrong), artifact), 10)
    t.check(not ok and (e.code == "corrupt" or e.code == "truncated"), wrong)
  end
  t.raises("invalid", "part digest 1 is no SHA-256", stream.expect, stream.from_string("x"),
    { parts = { "zz" }, part_size = 1, bytes = 1 })
  t.raises("invalid", "impossible part digests", stream.expect, stream.from_string("x"),
    { parts = {}, part_size = 0, bytes = 1 })
end

test["progress counts while data passes"] = function(t)
  local progress = stream.progress(3)
  local sink <close> = native.file_sink(t.dir() .. "/x")
  stream.copy(stream.counted(stream.from_string("abc"), progress), sink, progress)
  t.equal({ progress:get() }, { 3, 3, 3 })
  t.equal({ stream.progress(-5):get() }, { 0, 0, 0 })
end

test["a tar is proven to its end, and listed on the way"] = function(t)
  local dir = t.dir()
  fs.write(dir .. "/a", "abc")
  fs.write(dir .. "/b\xff", ("x"):rep(10000))
  local bytes = stream.read_all(tar.dir { root = dir }, MIB)
  local listing = t.dir() .. "/catalog"
  local sink <close> = native.file_sink(listing)
  local catalog = stream.catalog(sink)
  stream.drain(stream.tar_scan(stream.from_string(bytes), catalog))
  stream.commit(sink)
  local entries, file_bytes = catalog:count()
  t.check(entries >= 2)
  t.equal(file_bytes, 10003)
  t.contains(fs.read(listing, MIB), "name_b64")
  t.raises("truncated", "", stream.drain, stream.tar_scan(stream.from_string(bytes:sub(1, -1025))))
  local out = t.dir()
  tar.extract(stream.from_string(bytes), out, {})
  t.equal(#fs.read(out .. "/b\xff", MIB), 10000)
end

test["a store's streams are closed with what uses them"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  place:put("a/b", "abc")
  local source = place:read("a/b")
  place = nil
  collectgarbage()
  collectgarbage()
  t.equal(stream.read_all(source, 10), "abc")
  t.equal(place, nil)
  source = store.open(dir):read("a/b", 1)
  collectgarbage()
  t.equal(stream.read_all(stream.compress(source, "none"), 10), "bc")
end

test["what is begun anew counts once, and all is expected when each part has said what it expects"] = function(t)
  local tally = stream.tally(2)
  local function read(name, count)
    local progress = tally:part(name)
    stream.drain(stream.counted(stream.from_string(("x"):rep(count)), progress), progress)
  end
  t.equal({ tally:get() }, { 0, 0, 0 })
  read("a", 1000)
  read("b", 10)
  read("a", 300)
  t.equal({ tally:get() }, { 310, 310, 0 })
  t.equal({ stream.tally(1, 77):get() }, { 0, 0, 77 })
  -- A directory says how much there is in it.
  local dir = t.dir()
  require("_fs").write(dir .. "/file", ("x"):rep(5000))
  local machine = require("target").open("local:")
  for try, name in ipairs { "a", "a", "b" } do
    local progress = tally:part(name)
    stream.drain(machine:tar_out(dir, { progress = progress }))
    t.check(try < 3 or select(3, tally:get()) == 2 * select(3, progress:get()))
  end
  t.check(select(3, tally:get()) >= 10000, tostring(select(3, tally:get())))
end

return test
