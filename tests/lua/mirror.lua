--- Mirrors: what is copied, in which order, what is known to be the same, what
--- is removed.

local check = require "backup.check"
local clock = require "clock"
local failure = require "failure"
local join = require "mirror.join"
local ledger = require "mirror.ledger"
local manifest = require "backup.manifest"
local mirror = require "mirror"
local proc = require "_proc"
local scan = require "mirror.scan"
local shelf = require "backup.shelf"
local store = require "store"
local task = require "task"
local transfer = require "mirror.transfer"

local test = {}

local TIME = "20261121T020000Z"
local BACKUP = "demo/main/" .. TIME .. "/"

local function pair_of_stores(t)
  local dir = t.dir()
  return store.open(dir .. "/from"), store.open(dir .. "/to"), dir
end

local function keys(place, prefix)
  local list = {}
  for _, entry in ipairs(place:list(prefix or "")) do
    if not entry.key:match("^%.moonkeep/") then
      list[#list + 1] = entry.key
    end
  end
  return list
end

--- A store that does some things otherwise.
local function altered(place, methods)
  return setmetatable(methods, { __index = place })
end

--- A store that notes each write and removal.
local function watched(place, log)
  return altered(place, {
    remove_keys = function(_, list)
      for _, key in ipairs(list) do
        log[#log + 1] = "remove " .. key
      end
      place:remove_keys(list)
    end,
  })
end

--- A source that notes the order in which its objects have been copied.
local function copied_from(place, log)
  return altered(place, {
    copy = function(_, target, entries, ...)
      local made = place:copy(target, entries, ...)
      for index, entry in ipairs(entries) do
        log[#log + 1] = not failure.is(made[index]) and entry.key or nil
      end
      return made
    end,
  })
end

--- Make a file's time another.
local function touch(place, key, time)
  proc.run { argv = { "touch", "-d", time, place.url .. "/" .. key } }
end

local function put_backup(place, prefix, artifacts)
  local book = { system = "demo", instance = "main", time = TIME, run = "r-1", artifacts = {} }
  for name, text in pairs(artifacts) do
    place:put(prefix .. name, text)
    local source, digest = require("stream").digest(place:read(prefix .. name))
    do
      local closing <close> = source
      require("stream").drain(closing)
    end
    local artifact = digest:result()
    artifact.name, artifact.codec = name, "none"
    table.insert(book.artifacts, artifact)
  end
  place:put(prefix .. manifest.FILE, manifest.encode(book))
end

local function new(from, to, options)
  options = options or {}
  options.from, options.to = from, to
  return mirror.new(options)
end

--- What a comparison finds: "copy a, remove b", in order.
local function found(m)
  local list = {}
  local sum = m:compare(function(verb, key)
    list[#list + 1] = verb .. " " .. key
  end)
  return table.concat(list, ", "), sum
end

-- Joining.

test["two listings are joined by key, and a target that does not exist has nothing"] = function(t)
  local from, to = pair_of_stores(t)
  local function joined()
    local list = {}
    join.each(from, to, "", function(key, source, target)
      list[#list + 1] = key .. (source and "<" or "") .. (target and ">" or "")
    end)
    return table.concat(list, " ")
  end
  t.raises("not_found", "", joined)
  from:put("a", "1")
  from:put("b/c", "1")
  from:put("z", "1")
  t.equal(joined(), "a< b/c< z<")
  to:put("a", "1")
  to:put("b", "1")
  to:put("zz", "1")
  t.equal(joined(), "a<> b> b/c< z< zz>")
end

test["a listing that breaks off or is out of order is an error, not an end"] = function(t)
  local from, to = pair_of_stores(t)
  for index = 1, 5 do
    from:put("a" .. index, "1")
    to:put("a" .. index, "1")
  end
  local function broken(place, how)
    return altered(place, { each = function(_, ...)
      local following, _, _, walk = place:each(...)
      local number = 0
      return function()
        number = number + 1
        return how(number, following)
      end, nil, nil, walk
    end })
  end
  local function breaks(number, following)
    if number == 3 then
      failure.raise("io", "connection reset")
    end
    return following()
  end
  local function repeats(number, following)
    return number == 3 and { key = "a1", size = 1, mtime = 1 } or following()
  end
  local function vanishes(number, following)
    if number == 3 then
      failure.raise("not_found", "no such bucket")
    end
    return following()
  end
  local function nothing() end
  t.raises("io", "connection reset", join.each, broken(from, breaks), to, "", nothing)
  t.raises("io", "connection reset", join.each, from, broken(to, breaks), "", nothing)
  t.raises("protocol", "\"a1\" comes after \"a2\"", join.each, from, broken(to, repeats), "", nothing)
  t.raises("not_found", "no such bucket", join.each, from, broken(to, vanishes), "", nothing)
  to:remove_all("a1/")
  local m = new(broken(from, breaks), to)
  t.raises("io", "connection reset", m.remove, m, 10)
  t.equal(#keys(to), 5)
end

-- The same or not.

test["what was copied is known to be the same until one end changes"] = function(t)
  local from, to = pair_of_stores(t)
  from:put("a", "one")
  from:put("b", "two")
  from:put("empty", "")
  local m = new(from, to)
  t.equal(found(m), "copy a, copy b, copy empty")
  t.equal(m:copy().copied, 3)
  t.equal(found(new(from, to)), "")
  to:put("a", "ONE")
  t.equal(found(new(from, to)), "copy a")
  t.equal(new(from, to):copy().copied, 1)
  t.equal(to:get("a", 10), "one")
  -- Replaced by something older of the same size: no rule of "newer" would see it.
  from:put("b", "TWO")
  touch(from, "b", "2001-02-03")
  t.equal(found(new(from, to)), "copy b")
  t.equal(new(from, to):copy().copied, 1)
  t.equal(to:get("b", 10), "TWO")
  t.equal(found(new(from, to)), "")
end

test["size and time alone do not make two objects the same"] = function(t)
  local from, to = pair_of_stores(t)
  from:put("a", "one")
  to:put("a", "two")
  touch(from, "a", "2001-02-03")
  touch(to, "a", "2001-02-03")
  t.equal(found(new(from, to)), "copy a")
  new(from, to):copy()
  t.equal(to:get("a", 10), "one")
end

test["with digests contents are compared, and what is equal is not copied"] = function(t)
  local from, to = pair_of_stores(t)
  local log = {}
  from = copied_from(from, log)
  for _, key in ipairs { "a", "b", "c" } do
    from:put(key, "same " .. key)
    to:put(key, "same " .. key)
  end
  to:put("b", "SAME b")
  to:put("c", "longer than c")
  local m = new(from, to, { deep = true })
  t.equal(found(m), "check a, check b, copy c")
  local done = m:copy()
  table.sort(log)
  t.equal({ log, done.copied, done.equal }, { { "b", "c" }, 2, 1 })
  t.equal({ to:get("b", 10), to:get("c", 20) }, { "same b", "same c" })
  -- It is known now without reading.
  t.equal(found(new(from, to)), "")
  -- But damage that no listing shows is found by reading alone.
  local before = to:stat("a").mtime
  to:put("a", "SAME a")
  touch(to, "a", ("@%d.%03d"):format(before // 1000, before % 1000))
  t.equal(found(new(from, to)), "")
  new(from, to, { deep = true }):copy()
  t.equal(to:get("a", 10), "same a")
end

test["names of content are compared where both ends have the same kind of them"] = function(t)
  local from, to = pair_of_stores(t)
  local md5, other, parts = ("a1"):rep(16), ("b2"):rep(16), ("c3"):rep(16) .. "-5"
  local tags = { from = {}, to = {} }
  local function tagged(place, name, scheme)
    return altered(place, {
      place = scheme .. "://" .. name,
      each = function(_, ...)
        local following, _, _, walk = place:each(...)
        return function()
          local entry = following()
          if entry and tags[name][entry.key] then
            entry.etag = tags[name][entry.key]
          end
          return entry
        end, nil, nil, walk
      end,
    })
  end
  for _, key in ipairs { "equal", "multi", "other", "sizes", "unknown" } do
    from:put(key, "text")
    to:put(key, key == "sizes" and "texts" or "text")
  end
  tags.from = { equal = md5, multi = parts, other = md5, sizes = md5, unknown = parts }
  tags.to = { equal = md5, multi = parts, other = other, sizes = md5, unknown = md5 }
  t.equal(found(new(tagged(from, "from", "s3"), tagged(to, "to", "s3"))), "copy other, copy sizes, copy unknown")
  -- A name that only says that something was written does not count.
  t.equal(found(new(tagged(from, "from", "azure"), tagged(to, "to", "azure"))),
    "copy equal, copy multi, copy other, copy sizes, copy unknown")
end

test["a backup with the same manifest at both ends is the same where the sizes are"] = function(t)
  local from, to = pair_of_stores(t)
  for _, place in ipairs { from, to } do
    put_backup(place, BACKUP, { ["a.tar"] = "aaa", ["b.tar"] = "bbb" })
    place:put(BACKUP .. "SHA256SUMS", "sums")
  end
  local list, sum = found(new(from, to))
  t.equal({ list, sum.learned }, { "copy " .. BACKUP .. "SHA256SUMS", 3 })
  t.equal(new(from, to):copy().copied, 1)
  local _, again = found(new(from, to))
  t.equal(again.learned, 0)
  -- An artifact of another size is copied again.
  to:put(BACKUP .. "a.tar", "a")
  t.equal(found(new(from, to)), "copy " .. BACKUP .. "a.tar")
end

test["backups whose manifests differ are copied, and are none meanwhile"] = function(t)
  local from, to = pair_of_stores(t)
  put_backup(from, BACKUP, { ["a.tar"] = "aaa", ["b.tar"] = "bbb" })
  put_backup(to, BACKUP, { ["a.tar"] = "xxx", ["b.tar"] = "yyyy" })
  local seen = {}
  local watching = altered(from, {
    copy = function(_, target, entries, ...)
      for _, entry in ipairs(entries) do
        local there = to:stat(BACKUP .. manifest.FILE) ~= nil
        seen[#seen + 1] = entry.key:sub(#BACKUP + 1) .. " " .. tostring(there)
      end
      return from:copy(target, entries, ...)
    end,
  })
  new(watching, to):copy()
  table.sort(seen)
  t.equal(seen, { "a.tar false", "b.tar false", "manifest.json false" })
  t.equal(found(new(from, to)), "")
end

-- Order, and what is left out.

test["a manifest is copied when all else of its backup was, and not when it was not"] = function(t)
  local from, to = pair_of_stores(t)
  local log = {}
  put_backup(from, BACKUP, { ["a.tar"] = "aaa", ["z.tar"] = "zzz" })
  from:put(BACKUP .. "verifications/x.json", "{}")
  put_backup(from, "demo/main/20261122T020000Z/", { ["a.tar"] = "aaa" })
  from:put("01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001", "chunk")
  from:put("01ARZ3NDEKTSV4RRFFQ69G5FAV/index", "index")
  from:put("01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json", "{}")
  from:put("01ARZ3NDEKTSV4RRFFQ69G5FAV/z", "more")
  -- What blocks an object: a folder of its name.
  to:put("demo/main/20261122T020000Z/a.tar/in the way", "x")
  local done = new(copied_from(from, log), to):copy()
  t.equal({ done.failed, done.withheld, done.failures[1].error.code }, { 1, 1, "invalid" })
  local at = {}
  for index, key in ipairs(log) do
    at[key] = index
  end
  for _, key in ipairs(log) do
    local folder = key:sub(1, #BACKUP) == BACKUP and BACKUP or key:match("^01[^/]*/")
    local marker = folder and (folder == BACKUP and folder .. manifest.FILE or folder .. "meta.json")
    t.check(marker == nil or key == marker or at[key] < at[marker], key)
  end
  t.check(to:stat(BACKUP .. manifest.FILE) and to:stat("01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json"))
  t.equal(to:stat("demo/main/20261122T020000Z/manifest.json"), nil)
end

test["locks, what moonkeep keeps for itself, and what is excluded stay where they are"] = function(t)
  local from, to = pair_of_stores(t)
  for _, key in ipairs { "locks/demo/main/00000001", "a/locks/x/00000007", ".moonkeep/probe.json",
    "a/.moonkeep/x", "tmp/x", "locks.txt", "locks/readme", "tmp.txt" } do
    from:put(key, "text")
  end
  to:put("locks/other/00000001", "text")
  to:put("tmp/y", "text")
  t.equal(found(new(from, to, { exclude = { "tmp" } })), "copy locks.txt, copy locks/readme, copy tmp.txt")
  t.equal(found(new(from, to, { prefix = "tmp" })), "copy tmp/x, remove tmp/y")
end

test["stores that lie in one another are refused"] = function(t)
  local dir = t.dir()
  for _, pair in ipairs { { "", "" }, { "", "/a" }, { "/a/b", "/a" } } do
    t.raises("usage", "one is part of the other", new, store.open(dir .. pair[1]), store.open(dir .. pair[2]))
  end
  new(store.open(dir .. "/a"), store.open(dir .. "/ab"))
end

-- While it is copied.

test["what is removed or changed meanwhile is left out or copied as it is then"] = function(t)
  local from, to = pair_of_stores(t)
  from:put("changing", "one")
  from:put("gone", "one")
  from:put("last", "one")
  local tries = 0
  local moving = altered(from, {
    copy = function(_, target, entries, ...)
      if entries[1].key == "gone" then
        from:remove("gone")
      elseif entries[1].key == "changing" and tries < 1 then
        tries = tries + 1
        from:put("changing", "another")
      end
      return from:copy(target, entries, ...)
    end,
  })
  local done = new(moving, to):copy()
  t.equal({ done.copied, done.gone, done.failed }, { 2, 1, 0 })
  t.equal(to:get("changing", 10), "another")
  t.equal(found(new(from, to)), "")
  local restless = altered(from, {
    copy = function(_, ...)
      from:put("last", "text " .. clock.mono() .. ("x"):rep(tries))
      tries = tries + 1
      return from:copy(...)
    end,
  })
  to:remove("last")
  done = new(restless, to):copy()
  t.equal({ done.copied, done.failed }, { 0, 1 })
  t.contains(done.failures[1].error.message, "keeps changing")
  t.equal(to:stat("last"), nil)
end

test["a backup of which something vanished meanwhile gets no manifest"] = function(t)
  local from, to = pair_of_stores(t)
  put_backup(from, BACKUP, { ["a.tar"] = "aaa", ["b.tar"] = "bbb" })
  local moving = altered(from, {
    copy = function(_, ...)
      from:remove(BACKUP .. "b.tar")
      return from:copy(...)
    end,
  })
  local done = new(moving, to, { room = 1 }):copy()
  t.equal({ done.gone, done.withheld, done.failed }, { 1, 1, 0 })
  t.equal(keys(to), { BACKUP .. "a.tar" })
end

test["what all objects would suffer from ends the mirror, also many failures in a row"] = function(t)
  local from, to = pair_of_stores(t)
  for index = 1, 200 do
    from:put(("k%03d"):format(index), "text")
  end
  local calls = 0
  local function failing(code)
    calls = 0
    return new(altered(from, {
      copy = function(_, _, entries)
        calls = calls + 1
        local list = {}
        for index in ipairs(entries) do
          list[index] = failure.new(code, "no way")
        end
        return list
      end,
    }), to, { room = 4 })
  end
  local m = failing("full")
  t.raises("full", "no way", m.copy, m)
  t.check(calls <= 4)
  m = failing("permission")
  t.equal(m:copy().failed, 200)
  local ms = transfer.patience.ms
  transfer.patience.ms = 0
  local _ <close> = setmetatable({}, { __close = function()
    transfer.patience.ms = ms
  end })
  m = failing("permission")
  t.raises("permission", "64 objects in a row cannot be copied; the last one: no way", m.copy, m)
  t.check(calls >= 64 and calls < 80)
end

test["many failures between successes are counted, and the first are told"] = function(t)
  local from, to = pair_of_stores(t)
  for index = 1, 150 do
    from:put(("k%03d"):format(index), "text")
  end
  local picky = altered(from, {
    copy = function(_, target, entries, ...)
      local made = from:copy(target, entries, ...)
      for index, entry in ipairs(entries) do
        if tonumber(entry.key:sub(2)) % 3 ~= 0 then
          made[index] = failure.new("permission", "cannot read " .. entry.key)
        end
      end
      return made
    end,
  })
  local done = new(picky, to):copy()
  t.equal({ done.copied, done.failed, #done.failures }, { 50, 100, 20 })
end

test["what lies in an archive is left out, with the manifest of its backup"] = function(t)
  local from, to = pair_of_stores(t)
  put_backup(from, BACKUP, { ["a.tar"] = "aaa", ["b.tar"] = "bbb" })
  from:put("c", "ccc")
  local cold = altered(from, {
    each = function(_, ...)
      local following, _, _, walk = from:each(...)
      return function()
        local entry = following()
        if entry then
          entry.archived = entry.key:match("b.tar$") ~= nil
        end
        return entry
      end, nil, nil, walk
    end,
  })
  local done = new(cold, to):copy()
  t.equal({ done.copied, done.archived, done.failed }, { 2, 1, 0 })
  t.equal(keys(to), { "c", BACKUP .. "a.tar" })
end

-- The ledger.

test["a ledger has many objects, the newest note counts, and what is too much is made one"] = function(t)
  local _, to = pair_of_stores(t)
  local book = ledger.new(to, "/source")
  local function entry(key, mtime)
    return { key = key, size = 1, mtime = mtime }
  end
  local odd = "odd \t%41\n\255"
  book:note(entry(odd, 5), entry(odd, 6))
  for round = 1, 10 do
    for index = round, 20 do
      local key = ("k%02d"):format(index)
      book:note(entry(key, round), entry(key, round + 100))
      if round == 1 and index < 20 then
        to:put(key, "x")
      end
    end
    book:flush()
  end
  local function noted(one)
    one:rewind()
    local list = {}
    for index = 1, 20 do
      local note = one:find(("k%02d"):format(index))
      list[index] = note and note.source:sub(2) .. note.target:sub(2) or "-"
    end
    return table.concat(list, " ")
  end
  local want = "1101 2102 3103 4104 5105 6106 7107 8108 9109" .. (" 10110"):rep(11)
  t.equal(noted(book), want)
  t.equal(noted(ledger.new(to, "/source")), want)
  t.equal(noted(ledger.new(to, "/another")), ("-"):rep(20, " "))
  t.equal(book:find(odd).source, "m5")
  t.equal(#to:list(book.prefix), 10)
  book:compact()
  t.equal(#to:list(book.prefix), 1)
  -- Without what the target has no more: k20, and the odd one.
  t.equal(noted(book), want:gsub(" 10110$", " -"))
  t.equal(book:find(odd), nil)
  book:note(entry("k01", 77), entry("k01", 78))
  book:flush()
  t.equal(noted(book):sub(1, 5), "7778 ")
end

test["a ledger that is damaged costs copies and nothing else"] = function(t)
  local from, to = pair_of_stores(t)
  for _, key in ipairs { "a", "b", "c" } do
    from:put(key, "text")
  end
  new(from, to):copy()
  local object = to:list(".moonkeep/mirror/")[1].key
  local text = to:get(object, 10000)
  for _, bad in ipairs { "", "x", text:gsub("mirror 1", "mirror 2"), (text:gsub("\nb\t", "\n0\t")),
    (text:gsub("b\t4", "b\t44444444444444444444")), ("x"):rep(100000), (text:gsub("\n", "\0")) } do
    to:put(object, bad)
    local list = found(new(from, to))
    t.contains(list, "copy b, copy c")
    t.equal(new(from, to):copy().failed, 0)
    t.equal(found(new(from, to)), "")
    to:remove_all(".moonkeep/")
    to:put(object, text)
  end
end

test["more notes than are kept in memory are written on the way"] = function(t)
  local _, to = pair_of_stores(t)
  local book = ledger.new(to, "/source")
  for index = 1, 45000 do
    local entry = { key = ("k%06d"):format(index), size = 1, mtime = index }
    book:note(entry, entry)
  end
  t.equal(#to:list(book.prefix), 2)
  book:flush()
  for index = 1, 45000, 1000 do
    t.equal(book:find(("k%06d"):format(index)).source, "m" .. index)
  end
end

-- Removing.

test["nothing is removed when too much would be, or the source has nothing"] = function(t)
  local from, to = pair_of_stores(t)
  from:put("a", "1")
  local m = new(from, to)
  local function guard(objects, targets, remove, percent)
    return pcall(m.guard, m, { objects = objects, targets = targets, remove = remove }, percent)
  end
  t.check(guard(0, 0, 0, 0))
  t.check(guard(90, 100, 10, 10))
  local e = t.raises("refused", "11 of 100 objects", m.guard, m, { objects = 89, targets = 100, remove = 11 }, 10)
  t.contains(e.hint, "--max-remove 11")
  t.raises("refused", "has nothing", m.guard, m, { objects = 0, targets = 100, remove = 100 }, 100)
  t.raises("refused", "1 of 3", m.guard, m, { objects = 2, targets = 3, remove = 1 }, 33)
  t.check(guard(2, 3, 1, 34))
end

test["what the source has no more is removed, manifests first, and not more than agreed to"] = function(t)
  local from, to = pair_of_stores(t)
  from:put("keep", "1")
  for _, key in ipairs { "keep", "zz/old", BACKUP .. "a.tar", BACKUP .. "manifest.json",
    BACKUP .. "verifications/v.json", "locks/demo/main/00000001" } do
    to:put(key, "1")
  end
  local log = {}
  local m = new(from, watched(to, log))
  local list, sum = found(m)
  t.equal(sum.remove, 4)
  t.contains(list, "remove " .. BACKUP .. "manifest.json, remove " .. BACKUP .. "a.tar")
  t.raises("refused", "more than 3 would be removed", m.remove, m, 3)
  t.equal(log, {})
  t.equal(m:remove(4), 4)
  t.equal(log[1], "remove " .. BACKUP .. "manifest.json")
  t.equal(keys(to), { "keep", "locks/demo/main/00000001" })
end

test["of a backup that the source has, nothing is removed"] = function(t)
  local from, to = pair_of_stores(t)
  put_backup(from, BACKUP, { ["a.tar"] = "aaa" })
  new(from, to):copy()
  to:put(BACKUP .. "verifications/own.json", "{}")
  to:put(BACKUP .. "b.tar", "bbb")
  local list, sum = found(new(from, to))
  t.equal({ list, sum.remove, sum.kept }, { "", 0, 1 })
  t.equal(new(from, to):remove(0), 0)
  t.equal(#keys(to), 4)
end

test["what is left of a backup in the source does not spoil the target's"] = function(t)
  local from, to = pair_of_stores(t)
  put_backup(from, BACKUP, { ["a.tar"] = "aaa", ["b.tar"] = "bbb" })
  new(from, to):copy()
  from:remove(BACKUP .. manifest.FILE)
  from:put(BACKUP .. "b.tar", "BBB")
  local done = new(from, to):copy()
  t.equal({ done.copied, done.kept, done.remove, done.keeping[1].key }, { 0, 1, 1, BACKUP .. "b.tar" })
  t.equal(to:get(BACKUP .. "b.tar", 10), "bbb")
end

-- What a copy means.

test["a copied verification does not count where it was not made"] = function(t)
  local from, to = pair_of_stores(t)
  put_backup(from, BACKUP, { ["a.tar"] = "aaa" })
  check.record(from, BACKUP, { level = "digest", result = "good", run = "r-2" })
  new(from, to):copy()
  t.equal(#keys(to, BACKUP .. "verifications/"), 1)
  t.equal(shelf.list(from)[1].verified.level, "digest")
  t.equal(shelf.list(to)[1].verified, nil)
  t.raises("not_found", "none of them verified here", shelf.find, to, "demo/main/latest-verified")
  check.record(to, BACKUP, { level = "digest", result = "good", run = "r-3" })
  t.equal(shelf.list(to)[1].verified.run, "r-3")
  t.equal(found(new(from, to)), "")
end

test["a scan of many objects keeps few of them"] = function(t)
  local count = 60000
  local function many(name)
    return { place = "/" .. name, url = "/" .. name, list = function() return {} end, each = function()
      local index = 0
      return function()
        index = index + 1
        return index <= count and { key = ("k%08d"):format(index), size = 0, mtime = 1 } or nil
      end
    end }
  end
  local m = new(many("from"), many("to"))
  collectgarbage()
  local before, most = collectgarbage("count"), 0
  local counts = scan.run(setmetatable({ exclude = setmetatable({}, { __len = function()
    most = math.max(most, collectgarbage("count"))
    return 0
  end }) }, { __index = m }), function() end)
  collectgarbage()
  t.equal(counts.objects, count)
  t.check(collectgarbage("count") - before < 1024, "it keeps what it has seen")
  task.sleep(0)
end

return test
