local fs = require "_fs"
local journal = require "recipe.journal"
local json = require "json"
local state = require "recipe.state"

local test = {}

local MAX = 1024 * 1024

local function fill(t)
  local dir = t.dir() .. "/runs"
  local book = journal.create(dir, "r1")
  book:add { event = "run", run = "r1", recipe = "toy.one", params = {} }
  book:add { event = "step_start", step = "one" }
  book:add { event = "step_done", step = "one", value = { a = 1 } }
  book:close()
  return dir, dir .. "/r1.jsonl"
end

local function change(path, fn)
  fs.write(path, fn(fs.read(path, MAX)))
end

test["events come back in order, chained"] = function(t)
  local dir, path = fill(t)
  local events, alive = journal.read(dir, "r1")
  t.equal(#events, 3)
  t.equal(alive, false)
  t.equal(events[3].value, { a = 1 })
  t.equal(events[1].prev, ("0"):rep(64))
  t.equal(events[2].prev, events[1].hash)
  t.equal(fs.read(dir .. "/r1.head", MAX), ("3 %s\n"):format(events[3].hash))
  t.equal(fs.stat(path, true).mode, 384)
  t.equal(fs.stat(dir, true).mode, 448)
end

test["an opened journal goes on where it ended"] = function(t)
  local dir = fill(t)
  local book = journal.open(dir, "r1")
  book:add { event = "end", status = "ok" }
  book:close()
  local events = journal.read(dir, "r1")
  t.equal(events[4].seq, 4)
  t.equal(events[4].event, "end")
end

test["a run has one journal, and one writer"] = function(t)
  local dir = fill(t)
  t.raises("exists", "", journal.create, dir, "r1")
  local book = journal.open(dir, "r1")
  t.raises("locked", "still under way", journal.open, dir, "r1")
  local _, alive = journal.read(dir, "r1")
  t.equal(alive, true)
  book:close()
  journal.open(dir, "r1"):close()
end

test["a missing journal is not found"] = function(t)
  local dir = fill(t)
  t.raises("not_found", "there is no run \"r2\"", journal.open, dir, "r2")
  t.raises("not_found", "there is no run \"r2\"", journal.read, dir, "r2")
end

test["a torn last line never happened"] = function(t)
  local dir, path = fill(t)
  change(path, function(text) return text .. '{"event":"end","se' end)
  t.equal(#journal.read(dir, "r1"), 3)
  local book = journal.open(dir, "r1")
  book:add { event = "end", status = "ok" }
  book:close()
  local events = journal.read(dir, "r1")
  t.equal(#events, 4)
  t.equal(events[4].event, "end")
end

test["a line behind the head is kept: the crash was between the two writes"] = function(t)
  local dir, path = fill(t)
  local head = fs.read(dir .. "/r1.head", MAX)
  local book = journal.open(dir, "r1")
  book:add { event = "step_start", step = "two" }
  book:close()
  fs.write(dir .. "/r1.head", head)
  t.equal(#journal.read(dir, "r1"), 4)
  t.check(fs.stat(path, true).size > 0)
  -- A power cut may leave nothing of the head, which is not synced.
  fs.write(dir .. "/r1.head", "")
  t.equal(#journal.read(dir, "r1"), 4)
  journal.open(dir, "r1"):close()
end

local function damaged(t, what, part, fn)
  local dir, path = fill(t)
  change(path, fn)
  for _, open in ipairs { journal.read, journal.open } do
    local ok, e = pcall(open, dir, "r1")
    t.check(not ok, what .. " was not noticed")
    t.equal(e.code, "journal", what)
    t.contains(e.message, part)
    t.check(e.hint ~= nil)
  end
end

test["an edited line is noticed"] = function(t)
  damaged(t, "the first line", "at line 2", function(text) return (text:gsub("toy%.one", "toy.two")) end)
  damaged(t, "the second line", "at line 3", function(text)
    return (text:gsub('"step_start","prev"', '"step_stop","prev"'))
  end)
  damaged(t, "the last line", "changed at or before line 3", function(text)
    return (text:gsub('"a":1', '"a":2'))
  end)
end

test["a removed, added, swapped or doubled line is noticed"] = function(t)
  local function lines(text)
    return text:match("^(.-\n)(.-\n)(.-\n)$")
  end
  damaged(t, "without the first", "at line 1", function(text)
    local _, b, c = lines(text)
    return b .. c
  end)
  damaged(t, "without the second", "at line 2", function(text)
    local a, _, c = lines(text)
    return a .. c
  end)
  damaged(t, "swapped", "at line 2", function(text)
    local a, b, c = lines(text)
    return a .. c .. b
  end)
  damaged(t, "doubled", "at line 3", function(text)
    local a, b, c = lines(text)
    return a .. b .. b .. c
  end)
  damaged(t, "an empty line", "at line 2", function(text)
    local a, b, c = lines(text)
    return a .. "\n" .. b .. c
  end)
end

test["a truncated journal is noticed"] = function(t)
  damaged(t, "without the last line", "ends at line 2, but had 3", function(text)
    return text:match("^(.-\n.-\n).-\n$")
  end)
  damaged(t, "cut in the last line", "ends at line 2, but had 3", function(text)
    return text:sub(1, -10)
  end)
  damaged(t, "empty", "ends at line 0, but had 3", function() return "" end)
end

test["a line that is no JSON object is noticed"] = function(t)
  damaged(t, "garbage", "not readable at line 2", function(text)
    return text:match("^.-\n") .. "garbage\n"
  end)
  damaged(t, "a number", "not readable at line 1", function() return "1\n" end)
end

test["a secret does not get into the journal"] = function(t)
  local dir, path = fill(t)
  local _ <const> = require("_secret").new("hunter2-hunter2")
  local book = journal.open(dir, "r1")
  book:add { event = "warn", error = { message = "the server said hunter2-hunter2" } }
  book:close()
  t.equal(fs.read(path, MAX):find("hunter2", 1, true), nil)
  t.equal(#journal.read(dir, "r1"), 4)
end

test["an event has a bound"] = function(t)
  local dir = fill(t)
  local book = journal.open(dir, "r1")
  t.raises("too_big", "an event of the run", book.add, book, { event = "x", text = ("x"):rep(9 * MAX) })
  book:close()
  t.equal(#journal.read(dir, "r1"), 3)
end

-- The copy step of a backup gives the digests of its parts (DIGEST_PARTS_MAX).
test["the digests of a large artifact fit into an event"] = function(t)
  local dir = fill(t)
  local book = journal.open(dir, "r1")
  local parts = {}
  for index = 1, 100000 do
    parts[index] = ("%064x"):format(index)
  end
  book:add { event = "step_done", result = { parts = parts } }
  book:close()
  t.equal(journal.read(dir, "r1")[4].result.parts[100000], parts[100000])
end

test["runs are found by id, by the start of one, and as latest"] = function(t)
  local dir = t.dir() .. "/runs"
  t.equal(journal.ids(dir), {})
  t.raises("not_found", "there is no run \"latest\"", state.find, dir, "latest")
  for _, id in ipairs { "20261121T020000-aaaa", "20261121T020000-bbbb", "20261122T020000-aaaa" } do
    journal.create(dir, id):close()
  end
  t.equal(state.find(dir, "latest"), "20261122T020000-aaaa")
  t.equal(state.find(dir, "20261122"), "20261122T020000-aaaa")
  t.equal(state.find(dir, "20261121T020000-bbbb"), "20261121T020000-bbbb")
  t.raises("usage", "may be", state.find, dir, "20261121")
  t.raises("not_found", "did you mean \"20261121T020000-aaaa\"", state.find, dir, "20261121T020001-aaaa")
end

test["a damaged run is listed as such"] = function(t)
  local dir, path = fill(t)
  t.equal(state.summary(dir, "r1").status, "interrupted")
  change(path, function(text) return (text:gsub("toy", "yot")) end)
  local summary = state.summary(dir, "r1")
  t.equal(summary.status, "damaged")
  t.equal(summary.error.code, "journal")
end

test["the last end counts, unless the run went on after it"] = function(t)
  local function status(events, alive)
    table.insert(events, 1, { event = "run", run = "r", recipe = "a.b", params = {}, time = "t" })
    local summary = state.summarize(events, alive)
    return json.encode { summary.status, summary.warnings, summary.undone or "nil" }
  end
  t.equal(status({}, true), '["running",0,"nil"]')
  t.equal(status({}, false), '["interrupted",0,"nil"]')
  t.equal(status({ { event = "warn" }, { event = "end", status = "partial" } }, false),
    '["partial",1,"nil"]')
  t.equal(status({ { event = "end", status = "failed", undone = false }, { event = "rollback" } }, false),
    '["interrupted",0,"nil"]')
end

test["a journal is bounded, with room kept for events of the end"] = function(t)
  local dir = fill(t)
  local book = journal.open(dir, "r1")
  book.size = 241 * 1024 * 1024
  local e = t.raises("too_big", "and takes no more", book.add, book, { event = "value", what = "x", value = 1 })
  t.equal(e.code, "too_big")
  book:add { event = "undo_start", index = 1 }
  book:add { event = "end", status = "failed" }
  book:close()
  t.equal(#journal.read(dir, "r1"), 5)
end

return test
