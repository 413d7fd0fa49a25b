--- Journals in a directory: STATE/runs/RUN.jsonl, appended and synced, locked by
--- flock while the run lives; RUN.head beside it remembers the last line.

local failure = require "failure"
local fs = require "_fs"
local task = require "task"

local journal_file = {}

--- Bound on a whole journal, in bytes.
local JOURNAL_MAX = 256 * 1024 * 1024

--- How often, and after which pause, a locked journal is tried again.
local LOCK_TRIES, LOCK_PAUSE_MS = 20, 10

--- What the names of files begin with that are being written.
local TEMP = ".moonkeep-tmp-"

local Medium = {}
Medium.__index = Medium

local function paths(dir, run)
  return ("%s/%s.jsonl"):format(dir, run), ("%s/%s.head"):format(dir, run)
end

--- Lock a journal; `moonkeep runs` holds it for a moment when it looks who lives.
local function lock(file)
  for _ = 1, LOCK_TRIES do
    if file:lock() then
      return true
    end
    task.sleep(LOCK_PAUSE_MS)
  end
  return false
end

local function new(dir, run, file)
  local path, head = paths(dir, run)
  return setmetatable({ dir = dir, run = run, path = path, head = head, file = file,
    size = 0 }, Medium)
end

--- A new journal; it is locked.
function journal_file.create(dir, run)
  fs.make_dirs(dir, 448)
  local file = fs.append(paths(dir, run), true)
  if not lock(file) then
    failure.raise("locked", ("the run %s is under way elsewhere"):format(run))
  end
  return new(dir, run, file)
end

--- A journal to go on with: the medium, its text, its head; nil when there is
--- none.  Raises "locked" while the run is alive.
function journal_file.open(dir, run)
  local path, head = paths(dir, run)
  local file = fs.append(path, false)
  if file == nil then
    return nil
  elseif not lock(file) then
    failure.raise("locked", ("the run %s is still under way"):format(run))
  end
  return new(dir, run, file), fs.read(path, JOURNAL_MAX), fs.read(head, 256)
end

--- A journal's text and head, and whether its run is alive; nil when there is none.
function journal_file.peek(dir, run)
  local path, head = paths(dir, run)
  local file = fs.append(path, false)
  if file == nil then
    return nil
  end
  local alive = not file:lock()
  file:close()
  return fs.read(path, JOURNAL_MAX), fs.read(head, 256), alive
end

--- The ids of all runs.
function journal_file.ids(dir)
  local ids = {}
  if fs.stat(dir, true) then
    for _, name in ipairs(fs.list(dir)) do
      ids[#ids + 1] = name:match("^(%w[%w-]*)%.jsonl$")
    end
  end
  return ids
end

--- Where a journal is, for messages.
function journal_file.describe(dir, run)
  return (paths(dir, run))
end

--- Before going on: drop what a crash cut behind the last whole line, and what
--- it left while it wrote the head.
function Medium:settle(size)
  self.file:truncate(size)
  self.size = size
  for _, name in ipairs(fs.list(self.dir)) do
    if name:sub(1, #TEMP) == TEMP and name:find(self.run .. ".head-", #TEMP, true) then
      fs.remove(self.dir .. "/" .. name)
    end
  end
end

--- Append a line; it is on disk when this returns.  What a full disk cut off
--- is taken back, so that later events (of undoing, which may make room) can be read.
function Medium:append(_, line)
  if self.torn then
    error(self.torn, 0)
  end
  local ok, e = pcall(self.file.add, self.file, line .. "\n")
  if not ok then
    if not pcall(self.file.truncate, self.file, self.size) then
      self.torn = e
    end
    error(e, 0)
  end
  self.size = self.size + #line + 1
end

--- Remember the last line apart from the journal.  That is not waited for: after a power cut an older
--- line, or none, is remembered, and the journal itself is whole.
function Medium:remember(seq, hash)
  fs.write_unsynced(self.head, ("%d %s\n"):format(seq, hash), 384)
end

--- Remove the journal.
function Medium:discard()
  fs.remove(self.path)
end

function Medium:close()
  self.file:close()
end

return journal_file
