--- What the verifications of a backup say together.

local shelf = require "backup.shelf"

local test = {}

--- Records from words such as "content good", the newest first.
local function judge(...)
  local records = {}
  for index, text in ipairs { ... } do
    local level, result = text:match("^(%a+) (%a+)$")
    records[index] = { level = level, result = result, index = index }
  end
  local good, bad = shelf.judge(records)
  return good and good.index, bad and bad.index
end

test["without a verification nothing is known"] = function(t)
  local good, bad = judge()
  t.equal(good, nil)
  t.equal(bad, nil)
end

test["the deepest good one counts, also when a shallow one came later"] = function(t)
  t.equal(judge("present good", "digest good", "content good"), 3)
  t.equal(judge("content good", "content good"), 1)
end

test["a bad one is not overruled by one that looked less deeply"] = function(t)
  local good, bad = judge("digest good", "present good", "content bad", "content good")
  t.equal(good, nil)
  t.equal(bad, 3)
end

test["a bad one is overruled by a later one that looked as deeply"] = function(t)
  local good, bad = judge("digest good", "digest bad")
  t.equal(good, 1)
  t.equal(bad, nil)
  t.equal(judge("content good", "digest bad"), 1)
end

test["what was good before a bad one is no longer"] = function(t)
  t.equal(judge("digest good", "digest bad", "content good"), 1)
end

test["a deeper bad one before one that was overruled still counts"] = function(t)
  local good, bad = judge("digest good", "digest bad", "content bad")
  t.equal(good, nil)
  t.equal(bad, 3)
end

test["the tars of a backup are one, or its parts"] = function(t)
  local function names(...)
    local book = { artifacts = {} }
    for index, name in ipairs { ... } do
      book.artifacts[index] = { name = name, encryption = name:match("%.gpg$") and {} or nil }
    end
    local found = {}
    for index, artifact in ipairs(require("backup.shelf").tars(book, "tsdb")) do
      found[index] = artifact.name
    end
    return found
  end
  t.equal(names("tsdb.tar.zst", "tsdb.catalog.jsonl", "config.tar.gz"), { "tsdb.tar.zst" })
  t.equal(names("tsdb-1.tar.zst", "tsdb-1.catalog.jsonl", "tsdb-2.tar.zst"), { "tsdb-1.tar.zst", "tsdb-2.tar.zst" })
  t.equal(names("tsdb-1.tar.zst.gpg", "tsdbx.tar", "tsdb.tar"), { "tsdb-1.tar.zst.gpg", "tsdb.tar" })
end

return test
