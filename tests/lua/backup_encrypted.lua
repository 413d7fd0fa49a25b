--- Encrypted backups: nothing of them is readable, and keys, damage and what was
--- not looked at are told apart.

local backup = require "backup"
local check = require "backup.check"
local clock = require "clock"
local fs = require "_fs"
local json = require "json"
local key = require "backup.key"
local manifest = require "backup.manifest"
local new_secret = require("_secret").new
local shelf = require "backup.shelf"
local store = require "store"
local stream = require "stream"
local tar = require "_tar"

local test = {}

local MAX = 64 * 1024 * 1024

local sesame, other = new_secret("sesame"), new_secret("open sesame")
local ID, OTHER = key.id(sesame), key.id(other)

--- What a run's ctx is to a backup; what is said is kept.
local function context(said)
  return { run = "20261121T020000-aaaaa", watch = function(_, progress) return progress end,
    now = function() return clock.now() end,
    say = function(_, text, ...) said[#said + 1] = text:format(...) end }
end

--- A published backup of a directory and a note.
local function whole(t, place, secret)
  local dir = t.dir()
  fs.write(dir .. "/readable-name", ("readable content\n"):rep(10000))
  local set = backup.new(context({}), place, "toy", "main", secret)
  set:begin(set:acquire())
  local book = set:manifest { recipe = "toy.backup", target = "local:", content = { n = 1 },
    artifacts = { set:put_tar("data.tar.zst", tar.dir { root = dir }), set:put_text("note.txt", "readable note\n") } }
  set:publish(book, set:read_back(book))
  set:release()
  return shelf.find(place, set.name), book
end

local function flip(place, name, at)
  local bytes = place:get(name, MAX)
  place:remove(name)
  place:put(name, bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1) .. bytes:sub(at + 1))
end

test["nothing of an encrypted artifact is readable, and its content comes back"] = function(t)
  local place = store.open(t.dir())
  local entry, book = whole(t, place, sesame)
  t.equal({ #book.artifacts, entry.key }, { 3, ID })
  for _, artifact in ipairs(book.artifacts) do
    t.check(artifact.name:match("%.gpg$"), artifact.name)
    t.equal(artifact.encryption, { format = "openpgp", key = ID })
    t.check(not place:get(entry.prefix .. artifact.name, MAX):find("readable", 1, true), artifact.name)
  end
  local tarball = shelf.artifact(book, "data.tar.zst")
  t.equal({ tarball.name, tarball.catalog, tarball.codec }, { "data.tar.zst.gpg", "data.catalog.jsonl.gpg", "zstd" })
  t.contains(place:get(entry.prefix .. "SHA256SUMS", MAX), "  data.tar.zst.gpg\n")
  local note = check.read(place, entry.prefix, shelf.artifact(book, "note.txt"), { key = sesame }, function(source)
    return stream.read_all(source, 100)
  end)
  t.equal(note, "readable note\n")
end

test["the right key looks inside, none only at what is stored, and says so"] = function(t)
  local place, said = store.open(t.dir()), {}
  local entry = whole(t, place, sesame)
  local seen = check.verify(context(said), place, entry, "digest", nil, sesame)
  t.equal({ seen.unread, seen.content_bytes > 160000, #said }, { nil, true, 0 })
  seen = check.verify(context(said), place, entry, "digest")
  t.equal({ seen.unread, seen.content_bytes, #said }, { 3, 0, 1 })
  t.contains(said[1], "not looked at")
  t.equal(check.backup(place, entry.prefix, shelf.manifest(place, entry), "present").artifacts, 3)
end

test["a missing and a wrong key are named before anything is read"] = function(t)
  local place = store.open(t.dir())
  local entry, book = whole(t, place, sesame)
  local blind = setmetatable({ read = function() error("it was read") end }, { __index = place })
  t.raises("key", ("missing: the backup %s is encrypted with key %s"):format(entry.name, ID), check.backup, blind,
    entry.prefix, book, "content", {})
  for _, level in ipairs { "digest", "content" } do
    t.raises("key", ("was made with key %s, this one is %s"):format(ID, OTHER), check.backup, blind, entry.prefix,
      book, level, { key = other })
  end
  t.raises("key", "missing", check.source, blind, entry.prefix, book.artifacts[1])
  t.raises("key", "wrong", check.source, blind, entry.prefix, book.artifacts[1], { key = other })
  -- Not to be able to look makes no backup bad.
  t.raises("key", "wrong", check.verify, context({}), blind, entry, "digest", nil, other)
  t.equal(shelf.find(place, entry.name).bad, nil)
end

test["damage is damage wherever it is, not another key"] = function(t)
  local place = store.open(t.dir())
  local entry, book = whole(t, place, sesame)
  for _, at in ipairs { 1, 3, 8, 14, 16, 17, 25, 40, 100 } do
    flip(place, entry.prefix .. "data.tar.zst.gpg", at)
    for _, options in ipairs { { key = sesame }, {} } do
      t.raises("corrupt", "data.tar.zst.gpg", check.backup, place, entry.prefix, book, "digest", options)
    end
    flip(place, entry.prefix .. "data.tar.zst.gpg", at)
  end
  flip(place, entry.prefix .. "data.tar.zst.gpg", 16)
  t.raises("corrupt", "not good", check.verify, context({}), place, entry, "digest", nil, sesame)
  t.check(shelf.find(place, entry.name).bad)
end

test["a key that is not needed does no harm"] = function(t)
  local place = store.open(t.dir())
  local entry, book = whole(t, place)
  t.equal({ entry.key, book.artifacts[1].encryption }, {})
  t.equal(check.backup(place, entry.prefix, book, "digest", { key = sesame }).unread, nil)
end

test["a manifest with another encryption is refused, one without sense is damaged"] = function(t)
  local place = store.open(t.dir())
  local _, book = whole(t, place, sesame)
  local function decode(change)
    local copy = json.decode(json.encode(book))
    change(copy.artifacts[1])
    return manifest.decode(manifest.encode(copy), "m")
  end
  decode(function() end)
  t.raises("unsupported", "in the format \"age\"", decode, function(a) a.encryption.format = "age" end)
  t.raises("corrupt", "how it is encrypted", decode, function(a) a.encryption = "openpgp" end)
  t.raises("corrupt", "how it is encrypted", decode, function(a) a.encryption.format = nil end)
  t.raises("corrupt", "how it is encrypted", decode, function(a) a.encryption.key = "x" end)
  t.raises("corrupt", "how it is encrypted", decode, function(a) a.encryption.key = nil end)
  t.raises("corrupt", "how it is encrypted", decode, function(a) a.name = "data.tar.zst" end)
end

return test
