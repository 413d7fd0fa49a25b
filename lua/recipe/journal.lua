--- The journal of a run: one event a line, each with the hash of the line
--- before, durable before what it announces is done.
---
--- A line that was cut by a crash (no newline at the end) never happened and
--- is dropped.  A line that does not hash to what the next one says, or a
--- journal that is shorter than its head remembers, was edited or truncated:
--- "journal".  docs/design/durable-steps.md has the events.
---
--- A place is a directory (text: journal_file) or a store (table: journal_store).

local digest = require "digest"
local failure = require "failure"
local json = require "json"
local clock = require "clock"
local secret = require "secret"

local journal = {}

--- Bound on one event's line, in bytes: the digests of an artifact of many parts have to fit.
local LINE_MAX = 8 * 1024 * 1024

--- Bound on a whole journal, in bytes, and what of it is kept for events of the end.
local MAX = 256 * 1024 * 1024
local RESERVE = 16 * 1024 * 1024
local OF_THE_END = { step_fail = true, unwind = true, undo_start = true, undo_done = true,
  undo_fail = true, ["end"] = true, rollback = true, resume = true }

--- The fields of events that hold what recipes and servers say.  In the others
--- a word that is somebody's password, too, must stay what it is.
local SAID = { "value", "result", "error", "args", "text" }

local HASH_OF_NOTHING = ("0"):rep(64)

local Journal = {}
Journal.__index = Journal

local function medium(place)
  return require(type(place) == "table" and "recipe.journal_store" or "recipe.journal_file")
end

local function none(place, run)
  failure.raise("not_found", ("there is no run \"%s\": no \"%s\""):format(run,
    medium(place).describe(place, run)), { hint = "`moonkeep runs` lists the runs" })
end

local function broken(path, text, ...)
  failure.raise("journal", ("the journal \"%s\" %s"):format(path, text:format(...)), {
    hint = "it was edited, truncated or damaged; the run cannot be resumed from it. "
      .. "`moonkeep rollback --target T --dir DIR` undoes a restore without a journal",
  })
end

--- Check a journal's text against itself and against what its head remembers.
--- @param text string
--- @param head string|nil the text of the head: number and hash of the last line
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

--- The ids of all runs in a place, oldest first.
function journal.ids(place)
  local ids = medium(place).ids(place)
  table.sort(ids)
  return ids
end

--- Start the journal of a new run.
--- @param place string|table the directory of the runs, or a store
--- @param run string its id
function journal.create(place, run)
  return setmetatable({ medium = medium(place).create(place, run), events = {}, size = 0,
    hash = HASH_OF_NOTHING }, Journal)
end

--- Open the journal of a run to go on with it.  Raises "locked" while the run
--- is alive, "not_found" when there is none, "journal" when it is damaged,
--- "refused" when the run was interrupted before it began.
function journal.open(place, run)
  local book, text, head = medium(place).open(place, run)
  if book == nil then
    none(place, run)
  end
  local self = setmetatable({ medium = book }, Journal)
  local ok, events, size, hash = pcall(journal.parse, text, head, medium(place).describe(place, run))
  if not ok or #events == 0 then
    self:close()
    if not ok then
      error(events, 0)
    end
    failure.raise("refused", ("the run %s was interrupted before it began, and has changed nothing"):format(run),
      { hint = "start a new one with `moonkeep run`" })
  end
  book:settle(size)
  self.events, self.hash, self.size = events, hash, size
  return self
end

--- Read a journal without going on with it.
--- @return table events, boolean alive
function journal.read(place, run)
  local text, head, alive = medium(place).peek(place, run)
  if text == nil then
    none(place, run)
  end
  local events = journal.parse(text, head, medium(place).describe(place, run))
  return events, alive
end

--- Append an event; it is durable when this returns.  When it could not be
--- written it never happened, and the journal can still be read.
--- @param event table with a field `event`
function Journal:add(event)
  event.seq = #self.events + 1
  event.prev = self.hash
  event.time = clock.iso(clock.now())
  for _, field in ipairs(SAID) do
    event[field] = secret.redact_value(event[field])
  end
  local line = json.encode(event)
  if #line > LINE_MAX then
    failure.raise("too_big", ("an event of the run is %d bytes long, more than the journal takes")
      :format(#line))
  elseif self.size + #line > MAX - (OF_THE_END[event.event] and 0 or RESERVE) then
    failure.raise("too_big", ("the journal of the run has %d bytes, and takes no more"):format(self.size))
  end
  local hash = digest.sha256(line)
  self.medium:append(event.seq, line)
  -- From here it is written, also when the head cannot be: that may lag behind.
  self.size = self.size + #line + 1
  self.hash, event.hash = hash, hash
  self.events[#self.events + 1] = event
  self.medium:remember(event.seq, hash)
end

--- Remove a journal that holds no event: the run never began.
function Journal:discard()
  if #self.events == 0 then
    pcall(self.medium.discard, self.medium)
  end
  self:close()
end

function Journal:close()
  self.medium:close()
end

return journal
