--- Putting new content in the place of a directory's, so that it can be undone.
---
--- All work is done inside the directory itself, and so on its own file system,
--- below DIR/.moonkeep-swap/: the new content is staged in new/, the old moves
--- to old/, and undo.json, written before anything else, says how to go back:
--- that file alone is enough for `moonkeep rollback --target T --dir DIR`.
---
--- Every operation may be repeated after a crash:
---   prepare    makes the place; nothing of the old is touched
---   exchange   old names out to old/, then new names in from new/
---   undo       what is not old goes to discarded/, old names come back, the rest is removed
---   finish     old/ is kept as DIR/.moonkeep-old-RUN (or removed), the place is removed

local digest = require "digest"
local effect = require "effect"
local failure = require "failure"
local holder = require "holder"
local json = require "json"
local service = require "service"
local turn = require "swap.turn"
local words = require "words"

local swap = {}

local PLACE = ".moonkeep-swap"
local OLD_PREFIX = ".moonkeep-old-"
local RECORD = "undo.json"
local RECORD_MAX = 64 * 1024 * 1024

--- Whose record it is does not matter: rollback by the record alone.
local ANY_RUN = ""

--- Names that a file system keeps for itself.
local KEPT = { ["lost+found"] = true }

local Swap = {}
Swap.__index = Swap

local function paths(dir)
  local place = dir .. "/" .. PLACE
  return { place = place, new = place .. "/new", old = place .. "/old",
    discarded = place .. "/discarded", record = place .. "/" .. RECORD }
end

--- A swap of a directory's content.
--- @param target table
--- @param dir string absolute path; need not exist yet
--- @param run string the run's id
function swap.new(target, dir, run)
  dir = dir:gsub("(.)/+$", "%1")
  return setmetatable({ target = target, dir = dir, run = run, at = paths(dir) }, Swap)
end

--- The names in the directory that are content: not ours, not the file system's.
local function content(self)
  local names = {}
  for _, entry in ipairs(self.target:list(self.dir)) do
    if not KEPT[entry] and entry:sub(1, #PLACE) ~= PLACE and entry:sub(1, #OLD_PREFIX) ~= OLD_PREFIX then
      names[#names + 1] = entry
    end
  end
  return names
end

local function kept_at(self, run)
  return ("%s/%s%s"):format(self.dir, OLD_PREFIX, run)
end

--- Names as they are written in the record: those that are no UTF-8 as {name_b64}.
local function pack(names)
  local packed = json.array {}
  for index, name in ipairs(names) do
    packed[index] = utf8.len(name) and name or { name_b64 = digest.base64(name) }
  end
  return packed
end

local function unpack_names(packed)
  local names = {}
  for index, name in ipairs(packed) do
    names[index] = type(name) == "table" and digest.unbase64(name.name_b64) or name
  end
  return names
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do
    set[name] = true
  end
  return set
end

local function read_record(self)
  local text = self.target:read(self.at.record, RECORD_MAX)
  if text == nil then
    return nil
  end
  return failure.during(("cannot read \"%s\""):format(self.at.record), json.decode, text)
end

--- Note in the record how far it came, before what would tell is removed:
--- "undone", the old content is back; "complete", the new content stays.
local function reach(self, record, phase)
  if record.phase ~= phase then
    record.phase = phase
    self.target:write(self.at.record, json.encode(record, 2) .. "\n")
  end
end

--- Remove what is not needed any more in the phase that was reached.
local function settle(self, record)
  local target = self.target
  if record.phase == "complete" and record.keep
    and target:stat(self.at.old) and #target:list(self.at.old) > 0 then
    target:rename(self.at.old, kept_at(self, record.run), "keep the old data")
  end
  target:remove_tree(self.at.place, record.phase == "undone" and "the old data is back"
    or "the restore is complete")
end

--- The directory itself, or the nearest parent that exists.
local function existing(target, path)
  while target:stat(path, true) == nil do
    path = path:match("^(.+)/[^/]*$") or "/"
  end
  return path
end

--- Refuse what would fail half-way: no room, or content that cannot be moved.
local function check_room(self, there, needed_bytes)
  local target = self.target
  local free = target:free(existing(target, self.dir))
  if free < needed_bytes then
    failure.raise("full", ("\"%s\" has %s free, and the new data takes %s: %s too little"):format(self.dir,
      words.bytes(free), words.bytes(needed_bytes), words.bytes(needed_bytes - free)),
      { hint = "the old data is kept until the new is proven, so both must fit" })
  end
  for _, entry in ipairs(there and content(self) or {}) do
    local found = target:stat(self.dir .. "/" .. entry)
    if found and found.dev ~= there.dev then
      failure.raise("refused", ("\"%s/%s\" lies on another device than \"%s\" and cannot be moved aside")
        :format(self.dir, entry, self.dir), { hint = "unmount it first" })
    end
  end
end

--- Make the directory, and what is missing above it, for its owner.
local function make_dir(self, owner)
  local target = self.target
  target:make_dirs(self.dir:match("^(.+)/[^/]*$") or "/", 493, "it is to hold the data")
  target:make_dirs(self.dir, owner and owner.mode or 448, "it is to hold the data")
  if owner then
    target:chmod(self.dir, owner.mode)
    if not owner.ours then
      target:chown(self.dir, owner)
    end
  end
end

--- Raise that another run has its place here.
local function anothers(self, record)
  if record.holder and holder.is_alive(record.holder) then
    failure.raise("refused", ("run %s is at work in \"%s\" (pid %d)"):format(record.run, self.dir,
      record.holder.pid), { hint = "wait for its end; Ctrl-C or SIGTERM ends it, and undoes what it did" })
  end
  failure.raise("refused", ("\"%s\" holds what run %s left half-way"):format(self.dir, record.run),
    { hint = ("end that first: moonkeep resume %s, or rollback %s; where its journal is lost: "
      .. "moonkeep rollback --target %s --dir %s"):format(record.run, record.run, self.target.url, self.dir) })
end

--- Make the place for new content.  Raises "refused" when another run's is
--- there, "full" when the new content will not fit, and what would keep the directory
--- from being reached while the service is stopped.
--- @param undo table what else undo needs: service (plain), was_running; absent = true
---   when the directory did not exist when the run began
--- @param needed_bytes integer size of the new content
--- @param owner? table {uid, gid, mode, ours} of the directory if it must be made
function Swap:prepare(undo, needed_bytes, owner)
  local target = self.target
  local there = target:stat(self.dir, true)
  if there and there.type ~= "dir" then
    failure.raise("refused", ("\"%s\" is no directory"):format(self.dir))
  end
  local record = there and read_record(self)
  if record and record.phase then
    -- What is left of an end that was interrupted.
    settle(self, record)
    record = nil
  end
  if record and record.run ~= self.run then
    anothers(self, record)
  elseif record then
    target:make_dirs(self.at.old)
    return
  end
  check_room(self, there, needed_bytes)
  if undo.service and undo.was_running then
    service.from_plain(undo.service):rehearse(target, self.dir)
  end
  local created = there == nil or undo.absent or false
  if created then
    make_dir(self, owner)
  end
  target:make_dirs(self.at.place, 448, "stage the new data and keep the old there")
  local ok, e = pcall(target.write, target, self.at.record, json.encode({
    format = "moonkeep-undo", version = 1, run = self.run, dir = self.dir,
    created = created, undo = { service = undo.service, was_running = undo.was_running },
    holder = holder.me(),
  }, 2) .. "\n", { why = "how to undo this, should the journal be lost", exclusive = true })
  if not ok then
    -- Two began at once: the other was first.
    record = failure.is(e, "exists") and read_record(self)
    if record and record.run ~= self.run then
      anothers(self, record)
    end
    error(e, 0)
  end
  target:make_dirs(self.at.old)
end

--- An empty place for the new content, also when an earlier try left some.
--- @param names? table what is to be put there at its top, where others put something
---   beside it; without, all of it
function Swap:restage(names)
  local why = "an earlier try may have left something"
  if names == nil then
    self.target:remove_tree(self.at.new, why)
  end
  for _, name in ipairs(names or {}) do
    self.target:remove_tree(("%s/%s"):format(self.at.new, name), why)
  end
  self.target:make_dirs(self.at.new)
end

--- Where to put the new content.
function Swap:staging()
  return self.at.new
end

local function rename_if(self, from, to, why)
  if self.target:stat(from) and not self.target:stat(to) then
    self.target:rename(from, to, why)
  end
end

local function in_the_way(self, entry, of)
  failure.raise("exists", ("\"%s/%s\" is in the way of the %s data"):format(self.dir, entry, of),
    { hint = "something made it while the data was exchanged: does the server run?" })
end

--- Raise "exists" unless the directory holds all of the new content and nothing else.
local function check_moved(self, new)
  local is_new = set_of(new)
  for _, entry in ipairs(content(self)) do
    if not is_new[entry] then
      in_the_way(self, entry, "new")
    end
  end
  for _, entry in ipairs(new) do
    if self.target:stat(self.at.new .. "/" .. entry) then
      in_the_way(self, entry, "new")
    end
  end
end

--- Exchange the content.  The server must be stopped.
--- @return table {old = count, new = count}
function Swap:exchange()
  local record = read_record(self)
  if record == nil or record.run ~= self.run then
    failure.raise("refused", ("\"%s\" is gone: this restore was undone meanwhile"):format(self.at.record),
      { hint = "begin a new one" })
  end
  if record.new == nil then
    -- From here the record says what is old: nothing has moved before it is written.
    record.old = pack(content(self))
    record.new = pack(self.target:list(self.at.new))
    self.target:write(self.at.record, json.encode(record, 2) .. "\n")
  end
  local old, new = unpack_names(record.old), unpack_names(record.new)
  for _, entry in ipairs(old) do
    rename_if(self, self.dir .. "/" .. entry, self.at.old .. "/" .. entry, "keep the old data")
  end
  for _, entry in ipairs(new) do
    rename_if(self, self.at.new .. "/" .. entry, self.dir .. "/" .. entry, "put the new data in place")
  end
  check_moved(self, new)
  return { old = #old, new = #new }
end

--- Raise "refused" unless the new content is in place: since this run was
--- interrupted, somebody may have undone it by its record.
function Swap:check_exchanged()
  if effect.planning() then
    return
  end
  local record = read_record(self)
  if record == nil or record.run ~= self.run or record.new == nil then
    failure.raise("refused", ("the old data of \"%s\" has been put back since"):format(self.dir),
      { hint = "nothing is restored: run the restore anew" })
  end
end

--- Take what is not old out of the directory.
local function discard_new(self, old)
  local target = self.target
  local is_old = set_of(old)
  target:make_dirs(self.at.discarded)
  for _, entry in ipairs(content(self)) do
    local moved_away = target:stat(self.at.old .. "/" .. entry) ~= nil
    if not is_old[entry] or moved_away then
      local to, again = self.at.discarded .. "/" .. entry, 0
      while target:stat(to) do
        again = again + 1
        to = ("%s/%s.%d"):format(self.at.discarded, entry, again)
      end
      target:rename(self.dir .. "/" .. entry, to, "take the new data away")
    end
  end
end

--- Put the old content back.  Raises "exists" when something of it could not
--- be: then it stays where it is.
local function put_back(self, record)
  local old = unpack_names(record.old)
  discard_new(self, old)
  for _, entry in ipairs(old) do
    rename_if(self, self.at.old .. "/" .. entry, self.dir .. "/" .. entry, "put the old data back")
  end
  for _, entry in ipairs(old) do
    if self.target:stat(self.at.old .. "/" .. entry) then
      in_the_way(self, entry, "old")
    end
  end
end

--- Call fn(turn) while nobody else puts the old content back; not when that is over by then.
local function in_turn(self, fn)
  if self.turn then
    return fn(self.turn)
  end
  local mine = turn.take(self.target, self.at.place)
  if mine == nil then
    return nil
  end
  self.turn = mine
  local results = table.pack(pcall(fn, mine))
  self.turn = nil
  mine:release()
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Go back, as far as the record says that it went.
local function go_back(self, mine, and_then)
  local target = self.target
  local record = read_record(self)
  if record == nil then
    return
  elseif record.phase == "complete" then
    settle(self, record)
    failure.raise("refused", ("the restore in \"%s\" was complete already, and stays"):format(self.dir),
      { hint = record.keep and ("the old data is in \"%s\""):format(kept_at(self, record.run))
        or "to go back, restore another backup" })
  elseif record.new ~= nil and record.phase == nil then
    put_back(self, record)
    -- Makes room where the disk is full.
    target:remove_tree(self.at.discarded)
    target:remove_tree(self.at.new)
    reach(self, record, "undone")
  end
  if and_then then
    mine:renew()
    and_then()
  end
  target:remove_tree(self.at.place, "the old data is back")
  if record.created and #target:list(self.dir) == 0 then
    target:remove_tree(self.dir, "it did not exist before")
  end
end

--- Put the old content back; the new, and what a server made of it, is removed.
--- Without a record there is nothing to undo, and what another run left or is
--- just doing is not touched.  Raises "refused" once the end has begun, and while another
--- is putting the old content back.
--- @param absent? boolean the directory did not exist when the run began
--- @param and_then? function what else belongs to going back, while the record is still there
--- @return string|nil why nothing was touched
function Swap:undo(absent, and_then)
  local target = self.target
  local record = target:stat(self.dir, true) and read_record(self)
  if not record then
    if target:stat(self.at.place) then
      target:remove_tree(self.at.place, "nothing had been moved yet")
    end
    if absent and target:stat(self.dir, true) and #target:list(self.dir) == 0 then
      target:remove_tree(self.dir, "it did not exist before")
    end
    return
  elseif self.run ~= ANY_RUN and record.run ~= self.run then
    return ("what is there is of run %s"):format(tostring(record.run))
  end
  in_turn(self, function(mine)
    go_back(self, mine, and_then)
  end)
end

--- End: keep the old content aside, or remove it.  From its beginning there is
--- no way back.  The record goes last.
--- @param keep boolean
--- @return string|nil where it is kept
function Swap:finish(keep)
  local record = read_record(self)
  if record and record.run == self.run then
    record.keep = keep
    -- Where that cannot be noted, as on a full disk, it may still be done.
    local noted, e = pcall(reach, self, record, "complete")
    if not noted and failure.is(e, "cancelled") then
      error(e, 0)
    end
    settle(self, record)
  elseif not record then
    self.target:remove_tree(self.at.place)
  end
  local kept = kept_at(self, self.run)
  return self.target:stat(kept) and kept or nil
end

--- A workload of pods that a run left scaled to 0, the run, and whose data it was replacing.
local function left_scaled(target)
  if target.workload == nil then
    return nil
  end
  return require("service.workload").left(target)
end

local function nothing_left(self)
  if self.target:stat(self.dir, true) == nil then
    failure.raise("not_found", ("the target has no directory \"%s\""):format(self.dir),
      { hint = "--dir is the directory whose data was replaced: the server's own data directory" })
  end
  failure.raise("not_found", ("there is no \"%s\": nothing was left half-way in \"%s\"")
    :format(self.at.record, self.dir))
end

--- Undo what the record says; nil when somebody else just has.
local function roll_back(self, mine)
  local record = read_record(self)
  if record == nil then
    return nil
  end
  local undo = record.undo or {}
  local stopped = undo.service and service.from_plain(undo.service)
  if stopped and record.new ~= nil and record.phase == nil then
    stopped:halt_surely(self.target, "put the old data back")
    mine:renew()
  end
  self:undo(nil, stopped and undo.was_running and function()
    stopped:launch(self.target, "it ran before")
  end or nil)
  return { run = record.run, restarted = stopped ~= nil and undo.was_running or false }
end

--- Undo by the record in the directory alone: stop the service, put the old
--- data back, start the service if it ran.
--- @param target table
--- @param dir string
--- @return table {run, restarted}
function swap.rollback(target, dir)
  target:check_absolute(dir, "--dir")
  local self = swap.new(target, dir, ANY_RUN)
  local record = target:stat(self.dir, true) and read_record(self)
  if not record then
    local left, run, whose = left_scaled(target)
    if whose and whose ~= self.dir then
      -- Scaled back now, it would run on data that is half-way exchanged.
      failure.raise("refused", ("run %s replaced the data in \"%s\", not in \"%s\""):format(run, whose, self.dir),
        { hint = ("moonkeep rollback --target %s --dir %s"):format(words.quote(target.url), words.quote(whose)) })
    end
    self:undo()
    if left then
      left:launch(target, "it ran before")
      return { run = run, restarted = true }
    end
    nothing_left(self)
  end
  if record.holder and holder.is_alive(record.holder) then
    failure.raise("refused", ("run %s is at work in \"%s\" (pid %d)"):format(record.run, self.dir,
      record.holder.pid), { hint = "end it with Ctrl-C or SIGTERM: it undoes what it did" })
  end
  local done = in_turn(self, function(mine)
    return roll_back(self, mine)
  end)
  return done or nothing_left(self)
end

return swap
