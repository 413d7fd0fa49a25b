--- One undoing at a time: two that put the same old content back at once would take
--- each other's for new, and remove it.
---
--- The turn is a file beside the record, numbered: whoever makes the next number first
--- has it.  One whose process is gone, or of which nobody knows and nothing was heard
--- for longer than an undoing takes, is passed over by making the number after it; no
--- file of others is ever removed, so that no two can take the same turn.

local clock = require "clock"
local failure = require "failure"
local holder = require "holder"
local json = require "json"
local task = require "task"
local words = require "words"

local turn = {}

local NAME, PATTERN = "%s/undoing-%d.json", "^undoing%-(%d+)%.json$"
local FILE_MAX = 64 * 1024

--- Longer than any part of an undoing between two signs of life, such as a wait for a
--- server that replays its log.
local SILENT_MS = 30 * 60000

--- How long it may take to give a turn back, also after a cancel.
local RELEASE_MS = 5000

--- How often the next number is tried when another takes it.
local TRIES = 3

local Turn = {}
Turn.__index = Turn

--- The highest number that is taken, 0: none; nil when the place is gone.
local function newest(target, place)
  local ok, names = pcall(target.list, target, place)
  if not ok and failure.is(names, "not_found") then
    return nil
  elseif not ok then
    error(names, 0)
  end
  local last = 0
  for _, name in ipairs(names) do
    last = math.max(last, math.tointeger(tonumber(name:match(PATTERN))) or 0)
  end
  return last
end

--- How long ago a file was written, by the target's own clock, which made its time, too.
local function silent_ms(target, place, path)
  local now = place .. "/now"
  target:write(now, "")
  local written, here = target:stat(path), target:stat(now)
  return written and here and here.mtime - written.mtime or 0
end

--- Raise "refused" while whoever has the turn may be at work.
local function check_over(target, place, path)
  local text = target:read(path, FILE_MAX)
  local ok, taken = pcall(json.decode, text or "")
  local who = ok and type(taken) == "table" and type(taken.holder) == "table" and taken.holder or {}
  if text == nil or holder.is_gone(who) or holder.is_me(who) then
    return
  end
  if not holder.is_alive(who) and silent_ms(target, place, path) >= SILENT_MS then
    return
  end
  local hint = "wait for its end"
  if not holder.is_alive(who) then
    hint = ("%s; should it be gone: %s, or wait %s"):format(hint, target:command { "rm", "--", path },
      words.duration(SILENT_MS))
  end
  failure.raise("refused", ("the old data is just being put back by another (pid %s on %s, since %s)"):format(
    tostring(who.pid), tostring(who.host), tostring(who.pid and taken.since)), { hint = hint })
end

--- What the file says.
local function text_of(self)
  self.since = self.since or clock.iso(clock.now())
  return json.encode({ holder = holder.me(), since = self.since }, 2) .. "\n"
end

--- Take the turn.  Raises "refused" while another has it.
--- @param target table
--- @param place string the directory of the record
--- @return table|nil the turn; nil when the place is gone: there is nothing to undo any more
function turn.take(target, place)
  for try = 1, TRIES do
    local last = newest(target, place)
    if last == nil then
      return nil
    elseif last > 0 then
      check_over(target, place, NAME:format(place, last))
    end
    local self = setmetatable({ target = target, place = place, number = last + 1,
      path = NAME:format(place, last + 1) }, Turn)
    local ok, e = pcall(target.write, target, self.path, text_of(self), { exclusive = true })
    if ok then
      return self
    elseif failure.is(e, "full") then
      -- Undoing makes room, and must not need any.
      return setmetatable({}, Turn)
    elseif failure.is(e, "not_found") then
      return nil
    elseif not failure.is(e, "exists") or try == TRIES then
      error(e, 0)
    end
  end
end

--- Give a sign of life.  Raises "refused" when another has passed over this turn.
function Turn:renew()
  if self.path == nil then
    return
  elseif newest(self.target, self.place) ~= self.number then
    failure.raise("refused", "the old data is being put back by another, who took this one for gone",
      { hint = "wait for its end" })
  end
  local ok, e = pcall(self.target.write, self.target, self.path, text_of(self))
  if not ok and not failure.is(e, "full") then
    error(e, 0)
  end
end

--- Give the turn back, where the place is still there.
function Turn:release()
  if self.path then
    -- What cannot be told now shows by the process that is gone.
    pcall(task.shielded, RELEASE_MS, self.target.remove_tree, self.target, self.path, "it is another's turn")
  end
end

return turn
