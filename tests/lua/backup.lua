--- Backups in the making: written, read back, published, discarded, and what
--- damage is found.

local backup = require "backup"
local check = require "backup.check"
local clock = require "clock"
local failure = require "failure"
local fs = require "_fs"
local lock = require "store.lock"
local manifest = require "backup.manifest"
local name = require "backup.name"
local shelf = require "backup.shelf"
local store = require "store"
local stream = require "stream"
local tar = require "_tar"
local task = require "task"

local test = {}

local MAX = 64 * 1024 * 1024

--- What a run's ctx is to a backup.
local function context(run)
  return { run = run or "20261121T020000-aaaaa", watch = function(_, progress) return progress end,
    now = function() return clock.now() end }
end

--- A directory to back up: some files, one of a name that is no UTF-8.
local function data(t)
  local dir = t.dir()
  for index = 1, 20 do
    fs.write(("%s/%02d"):format(dir, index), ("line %d\n"):format(index):rep(index * 1000))
  end
  fs.write(dir .. "/\xff", "odd")
  return dir
end

--- A backup whose lock is held.
local function begun(place, run)
  local set = backup.new(context(run), place, "toy", "main")
  set:begin(set:acquire())
  return set
end

--- The whole of a backup, published.
local function whole(t, place, run)
  local set = begun(place, run)
  local book = set:manifest { recipe = "toy.backup", target = "local:", content = { n = 1 },
    artifacts = { set:put_tar("data.tar.zst", tar.dir { root = data(t) }), set:put_text("note.txt", "a note\n") } }
  local checked = set:read_back(book)
  set:publish(book, checked)
  set:release()
  return set, book, checked
end

test["a backup is there once its manifest is, and reads back"] = function(t)
  local place = store.open(t.dir())
  local set = begun(place)
  local artifacts = set:put_tar("data.tar.gz", tar.dir { root = data(t) })
  t.equal(shelf.list(place, {}), {})
  local book = set:manifest { recipe = "toy.backup", target = "local:", content = {}, artifacts = { artifacts } }
  local checked = set:read_back(book)
  t.equal(checked.artifacts, 2)
  t.equal(shelf.list(place, {}), {})
  set:publish(book, checked)
  set:release()
  local list = shelf.list(place, {})
  t.equal({ #list, list[1].name, list[1].verified.level, list[1].bad }, { 1, set.name, "digest" })
  t.equal(shelf.manifest(place, list[1]).run, "20261121T020000-aaaaa")
  t.equal(shelf.find(place, "toy/main/latest-verified").name, set.name)
  t.equal(artifacts[1].entries >= 21, true)
  t.contains(place:get(set.prefix .. "data.catalog.jsonl", MAX), "name_b64")
  t.contains(place:get(set.prefix .. "SHA256SUMS", MAX), "  data.tar.gz\n")
end

test["publishing again after a crash is fine, of another run it is refused"] = function(t)
  local place = store.open(t.dir())
  local set, book, checked = whole(t, place)
  set.lock:acquire()
  set:publish(book, checked)
  t.equal(#shelf.list(place, {}), 1)
  local other = backup.new(context("20261121T030000-bbbbb"), place, "toy", "main")
  set:release()
  other:begin { time = set.time }
  other.lock:acquire()
  t.raises("exists", "", other.publish, other, book, checked)
end

test["what is discarded is gone, but a published backup is not discarded"] = function(t)
  local place = store.open(t.dir())
  local set = begun(place)
  set:put_text("note.txt", "a note\n")
  set:discard()
  t.equal(place:list("toy/"), {})
  set:discard()
  set:release()
  set = whole(t, place)
  set:discard()
  t.equal(#shelf.list(place, {}), 1)
end

test["two backups never share a time, and one from the future is refused"] = function(t)
  local place = store.open(t.dir())
  local first = whole(t, place, "20261121T020000-aaaaa")
  local second = whole(t, place, "20261121T020000-bbbbb")
  t.check(first.time < second.time)
  local now = clock.now
  clock.now = function() return now() - 86400000 end
  local set = backup.new(context(), place, "toy", "main")
  local e = t.raises("refused", "the newest backup of toy/main is of " .. second.time, set.acquire, set)
  set:release()
  clock.now = now
  t.contains(e.hint, "set the clock right")
end

test["two runs do not back up one instance at once"] = function(t)
  local place = store.open(t.dir())
  local set = begun(place, "20261121T020000-aaaaa")
  local other = backup.new(context("20261121T020000-bbbbb"), place, "toy", "main")
  t.raises("locked", "toy/main is in use by run 20261121T020000-aaaaa", other.acquire, other)
  other:release()
  set.lock:check()
  local elsewhere = backup.new(context("20261121T020000-bbbbb"), place, "toy", "other")
  elsewhere:acquire()
end

test["names that are no instance's are refused"] = function(t)
  local place = store.open(t.dir())
  for _, text in ipairs { "", "a/b", "..", ".a", "a b", "a\n", "-a", ("x"):rep(129), "ä" } do
    t.raises("usage", "is no instance's name", backup.new, context(), place, "toy", text)
    t.equal(name.is_part(text), false)
  end
end

test["a lock that is lost ends the copy; nothing is left of it"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  local times = lock.times
  lock.times = { renew = 20, stale = 120 }
  local source = t.dir() .. "/big"
  fs.write(source, ("0123456789abcdef"):rep(4 * 1024 * 1024))
  local function lose(set)
    place:put(("locks/toy/main/%08d"):format(set.lock.number + 5), "{\"run\":\"other\",\"host\":\"h\",\"renewed\":"
      .. clock.now() .. "}")
  end
  -- Before it begins, so that only what reads ahead has begun; and in its middle.
  for _, when in ipairs { "before", "in the middle" } do
    local set = begun(place, "run-" .. when:sub(1, 1))
    local loser
    if when == "before" then
      lose(set)
    else
      loser = task.spawn(function() task.sleep(15) lose(set) end)
    end
    local ok, e = pcall(set.put_tar, set, "data.tar.zst", tar.dir { root = source:match("(.*)/") }, { level = 19 })
    if loser then
      loser:wait()
    end
    t.equal({ ok, failure.of(e).code }, { false, "locked" }, when)
    set:discard()
    collectgarbage()
    collectgarbage()
    t.equal(place:list("toy/"), {})
    place:remove_all("locks/")
  end
  lock.times = times
end

test["an error in mid-copy leaves nothing to be seen"] = function(t)
  local place = store.open(t.dir())
  local set = begun(place)
  -- Its end is missing.
  local bytes = stream.read_all(tar.dir { root = data(t) }, MAX)
  t.raises("truncated", "", set.put_tar, set, "data.tar.zst", stream.from_string(bytes:sub(1, -1025)))
  t.raises("not_found", "", set.put_tar, set, "data.tar.zst", tar.dir { root = t.dir(), names = { "missing" } })
  collectgarbage()
  collectgarbage()
  t.equal(place:list("toy/"), {})
end

test["damage to any part of an artifact is found, with its name"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  local set, book = whole(t, place)
  local path = ("%s/%sdata.tar.zst"):format(dir, set.prefix)
  local good = fs.read(path, MAX)
  local function bad(part, text, level)
    fs.write(path, text)
    local e = t.raises("corrupt", part, check.backup, place, set.prefix, book, level or "digest")
    t.contains(e.message, "data.tar.zst")
  end
  for at = 1, #good, #good // 7 do
    bad("", good:sub(1, at - 1) .. string.char(good:byte(at) ~ 1) .. good:sub(at + 1))
  end
  bad("bytes instead of", good:sub(1, -2), "present")
  bad("bytes instead of", good .. "x", "present")
  fs.remove(path)
  t.raises("corrupt", "is missing", check.backup, place, set.prefix, book, "present")
  fs.write(path, good)
  t.equal(check.backup(place, set.prefix, book, "content").artifacts, 3)
end

test["damage to the manifest is found wherever it is"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  local set = whole(t, place)
  local text = place:get(set.prefix .. manifest.FILE, MAX)
  for at = 1, #text - 1, 3 do
    for _, bit in ipairs { 1, 4 } do
      local wrong = text:sub(1, at - 1) .. string.char(text:byte(at) ~ bit) .. text:sub(at + 1)
      local ok, value = pcall(manifest.decode, wrong, "here")
      -- White space means nothing.
      t.check(not ok and (value.code == "corrupt" or value.code == "unsupported")
        or ok and text:sub(at, at):match("%s"), ("byte %d: %s"):format(at, tostring(ok and "taken" or value.code)))
    end
  end
  for length = 0, #text - 3, 11 do
    t.raises("corrupt", "here", manifest.decode, text:sub(1, length), "here")
  end
  place:put(set.prefix .. manifest.FILE, text:sub(1, 100))
  local entry = shelf.list(place, {})[1]
  t.contains(entry.bad, "is damaged")
  t.raises("corrupt", "is damaged", shelf.manifest, place, entry)
end

test["a manifest of another shape is damaged, not a crash"] = function(t)
  local json = require "json"
  for _, value in ipairs { json.array {}, { artifacts = 7 }, { artifacts = { 7 } }, { artifacts = { a = {} } },
    { artifacts = { {} } }, { artifacts = { { name = "../x", bytes = 1, part_size = 1, parts = {} } } },
    { artifacts = { { name = "x", bytes = -1, part_size = 1, parts = {} } } },
    { artifacts = { { name = "x", bytes = 1, part_size = 0, parts = {} } } },
    { artifacts = { { name = "x", bytes = math.maxinteger, part_size = 1, parts = {} } } },
    { artifacts = { { name = "x", bytes = 1, part_size = 1, parts = { "zz" } } } },
    { artifacts = { { name = "x", bytes = 1, part_size = 1, parts = "zz" } } },
    { artifacts = { { name = "x", bytes = 1.5, part_size = 1, parts = {} } } },
    { artifacts = json.null } } do
    local ok, text = pcall(manifest.encode, value)
    if ok then
      local e = t.raises("corrupt", "here", manifest.decode, text, "here")
      t.equal(e.code, "corrupt")
    end
  end
  for _, text in ipairs { "", "7", "null", "\"x\"", "[]", "{}" } do
    t.raises("corrupt", "here", manifest.decode, text, "here")
  end
end

test["a verification is recorded, good or bad, but not when nobody could look"] = function(t)
  local dir = t.dir()
  local place = store.open(dir)
  local set = whole(t, place)
  local entry = shelf.find(place, set.name)
  check.verify(context("20261121T030001-aaaaa"), place, entry, "digest")
  entry = shelf.find(place, set.name)
  t.equal(#shelf.verifications(place, entry), 2)
  local path = ("%s/%sdata.tar.zst"):format(dir, set.prefix)
  local good = fs.read(path, MAX)
  fs.write(path, "x" .. good:sub(2))
  local e = t.raises("corrupt", "the backup " .. set.name .. " is not good", check.verify,
    context("20261121T030002-aaaaa"), place,
    entry, "digest")
  t.contains(e.hint, "restore from another one")
  entry = shelf.find(place, set.name)
  t.check(entry.bad)
  t.equal(#shelf.verifications(place, entry), 3)
  local blind = setmetatable({ read = function() failure.raise("permission", "may not") end }, { __index = place })
  t.raises("permission", "may not", check.verify, context("20261121T030003-aaaaa"), blind, entry, "digest")
  t.equal(#shelf.verifications(place, shelf.find(place, set.name)), 3)
end

test["what lies in an archive is neither good nor bad, and no record says so"] = function(t)
  local place = store.open(t.dir())
  local set = whole(t, place)
  local key = set.prefix .. "data.tar.zst"
  local function archive(methods)
    return setmetatable(methods, { __index = place })
  end
  -- Told by the listing and by stat, or only when it is read.
  local listed = archive {
    stat = function(_, asked)
      local found = place:stat(asked)
      found.archived = asked == key
      return found
    end,
    each = function(_, prefix)
      local step, a, b, closing = place:each(prefix)
      return function()
        local entry = step()
        if entry and entry.key == key then
          entry.archived = true
        end
        return entry
      end, a, b, closing
    end,
  }
  local silent = archive { read = function() failure.raise("archived", "it has to be brought back") end }
  for _, it in ipairs { listed, silent } do
    local entry = shelf.find(it, set.name)
    t.equal(entry.archived, it == listed or nil)
    t.check(entry.verified)
    local e = t.raises("archived", ("the backup %s is archived, not checked"):format(set.name), check.verify,
      context("20261121T030001-aaaaa"), it, entry, "digest")
    t.equal(require("cli.complain").status(e.code), 1)
    entry = shelf.find(it, set.name)
    t.equal({ #shelf.verifications(it, entry), entry.bad }, { 1 })
    -- Sizes can be compared.
    check.verify(context("20261121T030002-aaaaa"), it, entry, "present")
    place:remove(shelf.find(it, set.name).records[2])
  end
end

test["a backup whose manifest lies in an archive is listed, and not bad"] = function(t)
  local place = store.open(t.dir())
  local set = whole(t, place)
  local it = setmetatable({ get = function() failure.raise("archived", "it has to be brought back") end },
    { __index = place })
  local entry = shelf.find(it, set.name)
  t.equal({ entry.archived, entry.bad, entry.verified }, { true })
  t.check(entry.bytes > 0)
  t.raises("archived", "archived, not checked", check.verify, context("20261121T030001-aaaaa"), it, entry, "digest")
end

test["without create-only writes the folder carries the run, and the operator is told"] = function(t)
  local place = store.open(t.dir())
  local said = {}
  local it = setmetatable({
    excludes = function() return false end,
    put = function(_, key, text, options)
      if options and options.exclusive then
        failure.raise("unsupported", "the server knows no conditions", { http = 501 })
      end
      return place:put(key, text, options)
    end,
  }, { __index = place })
  local ctx = context()
  ctx.caution = function(_, text, ...) said[#said + 1] = text:format(...) end
  local set = backup.new(ctx, it, "toy", "main")
  set:begin(set:acquire())
  t.check(set.name:match("Z%-aaaaa$"))
  t.contains(said[1], "knows no create-only writes")
  local book = set:manifest { recipe = "toy.backup", target = "local:", content = {},
    artifacts = { set:put_text("note.txt", "a note\n") } }
  set:publish(book, set:read_back(book))
  set:release()
  t.equal({ #said, shelf.find(it, "toy/main").name }, { 1, set.name })
  -- Two at once: who finds another's record in place of its own holds nothing.
  local raced = setmetatable({ put = function(_, key, text)
    place:put(key, (text:gsub('"mine"', '"other"')))
  end }, { __index = it })
  local mine = lock.new(raced, "a/b", "mine")
  t.raises("locked", "in use by run other", mine.acquire, mine)
end

return test
