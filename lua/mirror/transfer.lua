--- Copying what a scan found, many at once: small objects side by side and some in
--- one job, large ones few.

local clock = require "clock"
local failure = require "failure"
local lock = require "store.lock"
local scan = require "mirror.scan"
local stream = require "stream"
local task = require "task"

local transfer = {}

--- A large object is sent in parts, several at once: it takes the room of so many small
--- ones as it has parts of this size, and at most of so many.
local PART = 8 * 1024 * 1024
local WEIGHT_MAX = 8

--- Small objects in one job, at most so many bytes together, and how many jobs each
--- place for one should get in the end, so that all of them end at about the same time.
local BATCH = 8
local BATCH_BYTES = 1024 * 1024
local SHARES = 4

--- How often an object that changes while it is copied is looked at again.
local TRIES = 3

--- So many failures, and so long no success, are not the objects' fault; only tests change it.
transfer.patience = { failures = 64, ms = 10000 }

--- How many failures are kept to be told.
local TOLD = 20

--- Failures that the other objects would have, too.
local FATAL = { cancelled = true, full = true, locked = true, credentials = true, recipe = true,
  internal = true, nomem = true }

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

--- Objects copied in one job: what each became, or the error.
local function copy_now(self, entries)
  local mirror = self.mirror
  for _, entry in ipairs(entries) do
    settle(entry)
  end
  return mirror.from:copy(mirror.to, entries, { progress = mirror.progress })
end

--- Take note of what a try to copy an object became; again when it was changed meanwhile.
--- @return boolean done
local function conclude(self, source, made)
  local mirror = self.mirror
  for try = 1, TRIES do
    if not failure.is(made) then
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
    if try < TRIES then
      now.key = source.key
      source = now
      made = copy_now(self, { source })[1]
    end
  end
  fail(self, source.key, failure.new("io", ("cannot copy \"%s\": it keeps changing"):format(source.key)))
  return false
end

--- Does the target call an object as the source does, although its listing does not?
--- Swift lists what it copied from parts by another ETag than it has.
local function has_equal_name(self, item)
  local source, mirror = item.source, self.mirror
  if not (item.target and item.target.size == source.size and mirror.rules.comparable
    and source.etag and source.etag:find("-", 1, true)) then
    return false
  end
  local target = mirror.to:stat(source.key)
  return target ~= nil and target.size == source.size and target.etag == source.etag
end

--- Look closer where that may spare copying: at contents, when that is asked for.
local function is_equal(self, item)
  if item.check then
    return equal(self, item)
  end
  return has_equal_name(self, item)
end

--- Copy an item, unless it turns out to be the same.
local function handle(self, item)
  if item.target then
    local ok, result = pcall(is_equal, self, item)
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
  return conclude(self, item.source, copy_now(self, { item.source })[1])
end

--- One of a group is done; the last of them copies the marker, if all is there.
local function done(self, group, ok)
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

local function handle_one(self, group, item)
  done(self, group, handle(self, item))
end

local function handle_batch(self, batch)
  local entries = {}
  for index, one in ipairs(batch) do
    entries[index] = one.item.source
  end
  for index, made in ipairs(copy_now(self, entries)) do
    done(self, batch[index].group, conclude(self, entries[index], made))
  end
end

--- Start what is waiting to be copied in one job.
local function start_batch(self)
  local batch = self.batch
  self.batch, self.batch_bytes = {}, 0
  if #batch > 0 then
    self.flow:start(1, handle_batch, self, batch)
  end
end

local function start(self, group, item)
  local size = item.source.size
  if item.check or size >= BATCH_BYTES then
    -- What the server copies takes no room here.
    local parts = self.by_server > 0 and 1 or (size + PART - 1) // PART
    self.flow:start(math.min(WEIGHT_MAX, parts), handle_one, self, group, item)
    return
  end
  table.insert(self.batch, { group = group, item = item })
  self.batch_bytes = self.batch_bytes + size
  if #self.batch >= self.batch_max or self.batch_bytes >= BATCH_BYTES then
    start_batch(self)
  end
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

--- Does any other run work in the target?
local function others_at_work(to)
  local asked = {}
  for _, entry in ipairs(to:list("locks/")) do
    local name = entry.key:match("^locks/(.+)/%d+$")
    if name and name ~= "mirror" and not asked[name] then
      asked[name] = true
      if lock.new(to, name, ""):is_held() then
        return true
      end
    end
  end
  return false
end

--- Remove what an interrupted mirror left: where this one copies to, and, when that
--- can be nobody else's, everywhere.
local function sweep(self)
  local mirror = self.mirror
  if not others_at_work(mirror.to) then
    mirror.to:sweep(mirror.prefix)
    self.swept = nil
  end
  mirror.interrupted = false
end

local function sweep_folder(self, group)
  local first = group.copies[1] or group.marker
  local above = group.folder and group.folder.prefix or first and first.source.key:match("^.*/")
  if first and above and not self.swept[above] then
    self.swept[above] = true
    self.mirror.to:sweep(above)
  end
end

--- Begin to copy what a scan found.
local function take(self, group)
  local book = self.mirror.rules.book
  if self.swept then
    sweep_folder(self, group)
  end
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
    start(self, group, item)
  end
end

--- Copy all that is missing or differs.
--- @param mirror table as scan.run has it, with room, progress and interrupted (an earlier one
---   was, and what it left is to be removed)
--- @param found? table {groups, objects, bytes, targets} of a scan just made; else one is made
--- @param expected? integer how many objects will be copied, about
--- @return table {objects, source_bytes, targets: what there was; copied, bytes, by_server; equal: by
---   content; gone: removed meanwhile; archived; failed, failures: the first of them; withheld:
---   markers of folders that are not complete; kept, keeping: the first of them; remove: how
---   many only the target has}
function transfer.run(mirror, found, expected)
  local flow <close> = task.flow(mirror.room)
  local self = { mirror = mirror, flow = flow, copied = 0, bytes = 0, by_server = 0, equal = 0,
    gone = 0, archived = 0, failed = 0, failures = {}, strikes = 0, succeeded = clock.mono(),
    withheld = 0, kept = 0, keeping = {}, remove = 0, swept = mirror.interrupted and {} or nil,
    batch = {}, batch_bytes = 0,
    batch_max = math.max(1, math.min(BATCH, (expected or 0) // (SHARES * mirror.room))) }
  if mirror.interrupted then
    sweep(self)
  end
  for _, group in ipairs(found and found.groups or {}) do
    take(self, group)
  end
  local counts = found or scan.run(mirror, function(group)
    take(self, group)
  end)
  start_batch(self)
  flow:finish()
  mirror.rules.book:flush()
  mirror.rules.book:compact()
  local result = { objects = counts.objects, source_bytes = counts.bytes, targets = counts.targets }
  for _, field in ipairs { "copied", "bytes", "by_server", "equal", "gone", "archived", "failed", "failures",
    "withheld", "kept", "keeping", "remove" } do
    result[field] = self[field]
  end
  return result
end

return transfer
