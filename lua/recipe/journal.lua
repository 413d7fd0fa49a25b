--- The journal of a run: one event a line, each with the hash of the line
--- before, appended and synced before what it announces is done.
---
--- A line that was cut by a crash (no newline at the end) never happened and
--- is dropped.  A line that does not hash to what the next one says, or a
--- journal that is shorter than RUN.head remembers, was edited or truncated:
--- "journal".  docs/design/durable-steps.md has the events.

local digest = require "digest"
local failure = require "failure"
local fs = require "_fs"
local json = require "json"
local clock = require "clock"
local task = require "task"

local journal = {}

--- Bounds on one event's line and on a whole journal, in bytes.
local LINE_MAX = 4 * 1024 * 1024
local JOURNAL_MAX = 256 * 1024 * 1024

--- How often, and after which pause, a locked journal is tried again.
local LOCK_TRIES, LOCK_PAUSE_MS = 20, 10

--- What the names of files begin with that are being written.
local TEMP = ".moonkeep-tmp-"

local HASH_OF_NOTHING = ("0"):rep(64)

local Journal = {}
Journal.__index = Journal

local function paths(dir, run)
  return ("%s/%s.jsonl"):format(dir, run), ("%s/%s.head"):format(dir, run)
end

local function broken(path, text, ...)
  failure.raise("journal", ("the journal \"%s\" %s"):format(path, text:format(...)), {
    hint = "it was edited, truncated or damaged; the run cannot be resumed from it. "
      .. "`moonkeep rollback --target T --dir DIR` undoes a restore without a journal",
  })
end

--- Check a journal's text against itself and against what RUN.head remembers.
--- @param text string
--- @param head string|nil the text of RUN.head
--- @param path string for messages
--- @return table events, integer bytes of whole lines, string hash of the last line
function journal.parse(text, head, path)
  local events, hash, at = {}, HASH_OF_NOTHING, 1
  while true do
    local stop = text:find("\n", at, true)
    if stop == nil then
      break
    end
    local line = text:sub(at, stop - 1)
    local ok, event = pcall(json.decode, line)
    if not ok or type(event) ~= "table" then
      broken(path, "is not readable at line %d", #events + 1)
    elseif event.prev ~= hash or event.seq ~= #events + 1 then
      broken(path, "does not fit together at line %d", #events + 1)
    end
    hash = digest.sha256(line)
    events[#events + 1] = event
    event.hash = hash
    at = stop + 1
  end

  local seq, head_hash = (head or ""):match("^(%d+) (%x+)\n$")
  seq = math.tointeger(tonumber(seq or "0")) or math.maxinteger
  if seq > #events then
    broken(path, "ends at line %d, but had %d", #events, seq)
  elseif seq > 0 and events[seq].hash ~= head_hash then
    broken(path, "was changed at or before line %d", seq)
  end
  return events, at - 1, hash
end

local function read(path, head_path)
  local text = fs.read(path, JOURNAL_MAX)
  if text == nil then
    return nil
  end
  return journal.parse(text, fs.read(head_path, 256), path)
end

--- Lock a journal; `moonkeep runs` holds it for a moment when it looks who lives.
--- @return boolean
local function lock(file)
  for _ = 1, LOCK_TRIES do
    if file:lock() then
      return true
    end
    task.sleep(LOCK_PAUSE_MS)
  end
  return false
end

--- Remove what a crash left while it wrote RUN.head.
local function sweep(dir, run)
  for _, name in ipairs(fs.list(dir)) do
    if name:sub(1, #TEMP) == TEMP and name:find(run .. ".head-", #TEMP, true) then
      fs.remove(dir .. "/" .. name)
    end
  end
end

--- Start the journal of a new run.
--- @param dir string the directory of the runs
--- @param run string its id
function journal.create(dir, run)
  local path, head = paths(dir, run)
  fs.make_dirs(dir, 448)
  local file = fs.append(path, true)
  lock(file)
  return setmetatable({ path = path, head = head, file = file, events = {}, hash = HASH_OF_NOTHING },
    Journal)
end

--- Open the journal of a run to go on with it.  Raises "locked" while the run
--- is alive, "not_found" when there is none, "journal" when it is damaged,
--- "refused" when the run was interrupted before it began.
function journal.open(dir, run)
  local path, head = paths(dir, run)
  local file = fs.append(path, false)
  if file == nil then
    failure.raise("not_found", ("there is no run \"%s\" in \"%s\""):format(run, dir),
      { hint = "`moonkeep runs` lists the runs" })
  end
  if not lock(file) then
    failure.raise("locked", ("the run %s is still under way"):format(run))
  end
  local events, size, hash = read(path, head)
  if #events == 0 then
    failure.raise("refused", ("the run %s was interrupted before it began, and has changed nothing"):format(run),
      { hint = "start a new one with `moonkeep run`" })
  end
  file:truncate(size)
  sweep(dir, run)
  return setmetatable({ path = path, head = head, file = file, events = events, hash = hash }, Journal)
end

--- Read a journal without going on with it.
--- @return table events, boolean alive
function journal.read(dir, run)
  local path, head = paths(dir, run)
  local file = fs.append(path, false)
  if file == nil then
    failure.raise("not_found", ("there is no run \"%s\" in \"%s\""):format(run, dir),
      { hint = "`moonkeep runs` lists the runs" })
  end
  local alive = not file:lock()
  file:close()
  return read(path, head), alive
end

--- Append an event; it is on disk when this returns.
--- @param event table with a field `event`
function Journal:add(event)
  event.seq = #self.events + 1
  event.prev = self.hash
  event.time = clock.iso(clock.now())
  local line = require("_secret").redact(json.encode(event))
  if #line > LINE_MAX then
    failure.raise("too_big", ("an event of the run is %d bytes long, more than the journal takes")
      :format(#line))
  end
  self.file:add(line .. "\n")
  self.hash = digest.sha256(line)
  event.hash = self.hash
  self.events[#self.events + 1] = event
  fs.write(self.head, ("%d %s\n"):format(event.seq, self.hash), 384)
end

function Journal:close()
  self.file:close()
end

return journal
