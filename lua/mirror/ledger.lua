--- What a mirror knows to be the same: .moonkeep/mirror/SOURCE/00000001 in the target.
---
--- Where the two ends have no common name for a content, what was copied is noted:
--- key, size, and what each end called it then (its ETag, or its time).  As long as
--- both still say so, it is the same.  Objects are written once, in order of their
--- keys; of a key that is in several, the newest counts.  One that is lost or
--- damaged costs another copy and nothing else.

local clock = require "clock"
local digest = require "digest"
local failure = require "failure"
local stream = require "stream"

local ledger = {}

local FIRST_LINE = "moonkeep mirror 1\n"

--- How much is noted, or how long, before it is written.
local NOTES_MAX = 20000
local NOTES_MS = 30000

--- More objects than this are made one.
local OBJECTS_MAX = 8

--- Bytes that are read and written at once, and bound on a line.
local CHUNK = 1024 * 1024
local LINE_MAX = 16 * 1024

local Ledger = {}
Ledger.__index = Ledger

--- The ledger of a mirror; nothing is read yet.
--- @param store table the target
--- @param place string the source's
function ledger.new(store, place)
  return setmetatable({
    store = store, prefix = (".moonkeep/mirror/%s/"):format(digest.sha256(place):sub(1, 16)),
    notes = {}, count = 0,
  }, Ledger)
end

local function escape(text)
  return (text:gsub("[%c%%]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- What an end calls an object: "e" and its ETag, or "m" and its time.
--- @param entry table of a listing, or of store:copy
function ledger.identity(entry)
  return entry.etag and "e" .. escape(entry.etag) or "m" .. entry.mtime
end

local function line_of(note)
  return ("%s\t%d\t%s\t%s\n"):format(escape(note.key), note.size, note.source, note.target)
end

--- The note that a line is, or nil.
local function parse(line)
  local key, size, source, target = line:match("^([^\t]+)\t(%d+)\t([em][^\t]*)\t([em][^\t]*)$")
  size = size and math.tointeger(tonumber(size))
  return size and { key = unescape(key), size = size, source = source, target = target }
end

--- The objects of the ledger, the newest first: list of {number, key, size}.
local function objects(self)
  local ok, entries = pcall(self.store.list, self.store, self.prefix)
  if not ok then
    if failure.is(entries, "not_found") then
      return {}
    end
    error(entries, 0)
  end
  local found = {}
  for _, entry in ipairs(entries) do
    local digits = entry.key:sub(#self.prefix + 1):match("^%d%d%d%d%d%d%d%d$")
    if digits then
      table.insert(found, 1, { number = math.tointeger(tonumber(digits)), key = entry.key, size = entry.size })
    end
  end
  return found
end

--- Reading one object from its beginning to its end, a chunk at a time.

local Reader = {}
Reader.__index = Reader

local function refill(self)
  local length = math.min(CHUNK, self.size - self.offset)
  if length <= 0 then
    return false
  end
  local ok, bytes = pcall(function()
    return stream.read_all(self.store:read(self.object, self.offset, length), CHUNK)
  end)
  if not ok and (failure.is(bytes, "cancelled") or bytes.retryable) then
    error(bytes, 0)
  elseif not ok then
    return false
  end
  self.offset = self.offset + length
  self.text, self.at = self.text:sub(self.at) .. bytes, 1
  return true
end

local function next_line(self)
  while true do
    local stop = self.text:find("\n", self.at, true)
    if stop then
      local line = self.text:sub(self.at, stop - 1)
      self.at = stop + 1
      return line
    elseif #self.text - self.at > LINE_MAX or not refill(self) then
      return nil
    end
  end
end

--- Go to the next note: self.note, nil behind the last.  What cannot be understood ends it.
function Reader:advance()
  local before = self.note
  local line = next_line(self)
  self.note = line and parse(line)
  if self.note and before and self.note.key <= before.key then
    self.note = nil
  end
end

local function reader(self, object)
  local made = setmetatable({ store = self.store, object = object.key, size = object.size, offset = 0,
    text = "", at = 1 }, Reader)
  local line = next_line(made)
  if line and line .. "\n" == FIRST_LINE then
    made:advance()
  end
  return made
end

local function readers(self)
  local list = {}
  for index, object in ipairs(objects(self)) do
    list[index] = reader(self, object)
  end
  return list
end

--- Begin to look keys up; they must be asked for in byte order.
function Ledger:rewind()
  self.readers = nil
end

--- What is noted of a key: {size, source, target}, or nil.
function Ledger:find(key)
  self.readers = self.readers or readers(self)
  local found
  for _, one in ipairs(self.readers) do
    while one.note and one.note.key < key do
      one:advance()
    end
    if found == nil and one.note and one.note.key == key then
      found = one.note
    end
  end
  return found
end

--- Note that an object is the same at both ends.
--- @param source table its entry in the source's listing
--- @param target table its entry in the target's, or what store:copy said
function Ledger:note(source, target)
  local key = source.key
  if self.notes[key] == nil then
    self.count = self.count + 1
  end
  self.began = self.began or clock.mono()
  self.notes[key] = { key = key, size = source.size, source = ledger.identity(source),
    target = ledger.identity(target) }
  if self.count >= NOTES_MAX or clock.mono() - self.began >= NOTES_MS then
    self:flush()
  end
end

--- A key for a new object.
local function next_key(self)
  local newest = self.number == nil and objects(self)[1]
  -- Others may have taken numbers while that was listed.
  self.number = math.max(self.number or 0, newest and newest.number or 0) + 1
  return ("%s%08d"):format(self.prefix, self.number)
end

--- Write what was noted.
function Ledger:flush()
  if self.count == 0 then
    return
  end
  local list, lines = {}, { FIRST_LINE }
  for _, note in pairs(self.notes) do
    list[#list + 1] = note
  end
  -- Others go on noting while this is written.
  self.notes, self.count, self.began = {}, 0, nil
  table.sort(list, function(x, y)
    return x.key < y.key
  end)
  for index, note in ipairs(list) do
    lines[index + 1] = line_of(note)
  end
  self.store:put(next_key(self), table.concat(lines))
end

--- The note with the lowest key of all readers, the newest of it; they are moved on.
local function lowest(list)
  local note
  for _, one in ipairs(list) do
    if one.note and (note == nil or one.note.key < note.key) then
      note = one.note
    end
  end
  for _, one in ipairs(list) do
    if note and one.note and one.note.key == note.key then
      one:advance()
    end
  end
  return note
end

--- Make one object of many, without the notes of what the target has no more.
function Ledger:compact()
  local old = objects(self)
  if #old <= OBJECTS_MAX then
    return
  end
  local list = readers(self)
  local following, _, _, walk = self.store:each("")
  local _ <close> = walk
  local entry = following()
  local sink <close> = self.store:create(next_key(self))
  local lines, bytes = { FIRST_LINE }, 0
  local function write()
    stream.copy(stream.from_string(table.concat(lines)), sink)
    lines, bytes = {}, 0
  end
  for note in lowest, list do
    while entry and entry.key < note.key do
      entry = following()
    end
    if entry and entry.key == note.key then
      lines[#lines + 1] = line_of(note)
      bytes = bytes + #lines[#lines]
    end
    if bytes >= CHUNK then
      write()
    end
  end
  write()
  stream.commit(sink)
  -- The oldest first: what is left of an interrupted removal is newer than what is gone.
  for index = #old, 1, -1 do
    self.store:remove(old[index].key)
  end
end

return ledger
