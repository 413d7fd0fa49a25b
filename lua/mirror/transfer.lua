--- Copying what a scan found, many at once: small objects side by side, large ones few.

local clock = require "clock"
local failure = require "failure"
local scan = require "mirror.scan"
local stream = require "stream"
local task = require "task"

local transfer = {}

--- An object of this many bytes is large: it takes as much room as this many small ones.
local LARGE = 8 * 1024 * 1024
local LARGE_WEIGHT = 8

--- How often an object that changes while it is copied is looked at again.
local TRIES = 3

--- So many failures, and so long no success, are not the objects' fault; only tests change it.
transfer.patience = { failures = 64, ms = 10000 }

--- How many failures are kept to be told.
local TOLD = 20

--- Failures that the other objects would have, too.
local FATAL = { cancelled = true, full = true, locked = true, credentials = true, recipe = true,
  internal = true, nomem = true }

local Transfer = {}
Transfer.__index = Transfer

--- A file's time changes with its content, but not more often than its file
--- system's clock ticks: what is so young could still change unseen.
local function settle(source)
  if source.etag == nil then
    local tick = source.mtime % 1000 == 0 and 2000 or 50
    local age = clock.now() - source.mtime
    if age >= 0 and age < tick then
      task.sleep(tick - age)
    end
  end
end

--- May the entry's time be relied on?  Not if it is from the future.
local function is_settled(source)
  return source.etag ~= nil or source.mtime <= clock.now()
end

local function fail(self, key, e)
  e = failure.of(e)
  if FATAL[e.code] then
    error(e, 0)
  end
  self.failed, self.strikes = self.failed + 1, self.strikes + 1
  if #self.failures < TOLD then
    table.insert(self.failures, { key = key, error = e })
  end
  local patience = transfer.patience
  if self.strikes >= patience.failures and clock.mono() - self.succeeded >= patience.ms then
    error(failure.prefix(e, ("%d objects in a row cannot be copied; the last one"):format(self.strikes)), 0)
  end
end

local function root_of(self, store, key)
  local source, digest = stream.digest(store:read(key))
  local _ <close> = source
  stream.drain(source, self.mirror.progress)
  return digest:result().root
end

--- Do both ends hold the same bytes?
local function equal(self, item)
  local key = item.source.key
  return root_of(self, self.mirror.from, key) == root_of(self, self.mirror.to, key)
end

local function is_gone(self, e, key)
  return failure.is(e, "not_found") and self.mirror.from:stat(key) == nil
end

--- Copy an object; again when it was changed meanwhile.
--- @return boolean done
local function copy(self, item)
  local mirror, source = self.mirror, item.source
  for _ = 1, TRIES do
    settle(source)
    local ok, made = pcall(mirror.from.copy, mirror.from, source, mirror.to,
      { progress = mirror.progress, why = item.why })
    if ok then
      self.copied, self.bytes = self.copied + 1, self.bytes + source.size
      self.strikes, self.succeeded = 0, clock.mono()
      self.by_server = self.by_server + (made.by_server and 1 or 0)
      if not (mirror.rules.comparable and made.etag == source.etag) and is_settled(source) then
        mirror.rules.book:note(source, made)
      end
      return true
    elseif is_gone(self, made, source.key) then
      self.gone = self.gone + 1
      return false
    elseif failure.is(made, "archived") then
      self.archived = self.archived + 1
      return false
    end
    local now = made.retryable and mirror.from:stat(source.key)
    if not now or now.size == source.size and now.mtime == source.mtime and now.etag == source.etag then
      fail(self, source.key, made)
      return false
    end
    now.key = source.key
    source = now
  end
  fail(self, source.key, failure.new("io", ("cannot copy \"%s\": it keeps changing"):format(source.key)))
  return false
end

--- Copy an object, or compare it first.
local function handle(self, item)
  if item.check then
    local ok, result = pcall(equal, self, item)
    if ok and result then
      self.equal = self.equal + 1
      if is_settled(item.source) then
        self.mirror.rules.book:note(item.source, item.target)
      end
      return true
    elseif not ok and not is_gone(self, result, item.source.key) then
      fail(self, item.source.key, result)
      return false
    end
  end
  return copy(self, item)
end

--- Handle one of a group; the last of them copies the marker, if all is there.
local function handle_one(self, group, item)
  local ok = handle(self, item)
  group.left = group.left - 1
  group.broken = group.broken or not ok
  if group.left == 0 and group.marker then
    if group.broken then
      self.withheld = self.withheld + 1
    else
      handle(self, group.marker)
    end
  end
end

local function weight(item)
  return item.source.size >= LARGE and LARGE_WEIGHT or 1
end

--- Where a complete folder of the target is changed into another, it is not complete meanwhile.
local function open_folder(self, group)
  local place, mirror = group.folder, self.mirror
  if not (place and place:complete("source") and place:complete("target")) then
    return
  end
  for _, item in ipairs(group.copies) do
    if item.target and not place:agrees(mirror.from, mirror.to) then
      mirror.to:remove(place.marker, "what it describes is being replaced")
      return
    end
  end
end

--- Copy all that is missing or differs.
--- @param mirror table as scan.run has it, with room and progress
--- @return table {objects, source_bytes, targets: what there was; copied, bytes, by_server; equal: by
---   content; gone: removed meanwhile; archived; failed, failures: the first of them; withheld:
---   markers of folders that are not complete; kept, keeping: the first of them; remove: how
---   many only the target has}
function transfer.run(mirror)
  local self = setmetatable({ mirror = mirror, copied = 0, bytes = 0, by_server = 0, equal = 0, gone = 0,
    archived = 0, failed = 0, failures = {}, strikes = 0, succeeded = clock.mono(),
    withheld = 0, kept = 0, keeping = {}, remove = 0 }, Transfer)
  local book = mirror.rules.book
  local flow <close> = task.flow(mirror.room)
  local counts = scan.run(mirror, function(group)
    self.remove = self.remove + #group.removals
    self.archived = self.archived + #group.archived
    self.kept = self.kept + #group.kept
    for index = 1, math.min(#group.kept, TOLD - #self.keeping) do
      table.insert(self.keeping, group.kept[index])
    end
    for _, pair in ipairs(group.learned) do
      if is_settled(pair.source) then
        book:note(pair.source, pair.target)
      end
    end
    open_folder(self, group)
    group.left, group.broken = #group.copies, #group.archived > 0
    if group.left == 0 and group.marker then
      group.copies[1], group.marker, group.left = group.marker, nil, 1
    end
    for _, item in ipairs(group.copies) do
      flow:start(weight(item), handle_one, self, group, item)
    end
  end)
  flow:finish()
  book:flush()
  book:compact()
  counts.source_bytes = counts.bytes
  for _, field in ipairs { "copied", "bytes", "by_server", "equal", "gone", "archived", "failed", "failures",
    "withheld", "kept", "keeping", "remove" } do
    counts[field] = self[field]
  end
  return counts
end

return transfer
