--- Mirrors: a store made as another one is.  docs/design/mirror.md has the rules.

local failure = require "failure"
local ledger = require "mirror.ledger"
local removal = require "mirror.removal"
local same = require "mirror.same"
local scan = require "mirror.scan"
local transfer = require "mirror.transfer"

local mirror = {}

local Mirror = {}
Mirror.__index = Mirror

--- Do two stores lie in one another?
local function overlap(from, to)
  local function parts(place)
    local path, options = place:match("^([^?]*)(.*)$")
    return path:sub(-1) == "/" and path or path .. "/", options
  end
  local one, one_options = parts(from.place)
  local other, other_options = parts(to.place)
  return one_options == other_options
    and (one:sub(1, #other) == other or other:sub(1, #one) == one)
end

--- A prefix of keys, with its "/".
local function folder_name(text)
  local name = (text == "" or text:sub(-1) == "/") and text or text .. "/"
  if ("/" .. name):find("//", 1, true) or ("/" .. name):find("/%.%.?/") then
    failure.raise("usage", ("\"%s\" is no prefix of keys: it has an empty, \".\" or \"..\" part"):format(text))
  end
  return name
end

--- A mirror; nothing is read yet.
--- @param options table from, to (stores), prefix (keys below it alone), exclude (list of
---   prefixes), deep (true: compare contents), room (how many small objects at once), progress
function mirror.new(options)
  local from, to = options.from, options.to
  if overlap(from, to) then
    failure.raise("usage", ("cannot mirror \"%s\" to \"%s\": one is part of the other"):format(from.place, to.place))
  end
  local self = setmetatable({
    from = from, to = to, prefix = folder_name(options.prefix or ""), exclude = {},
    deep = options.deep or false, room = options.room or 32, progress = options.progress,
    rules = same.new(from, to, ledger.new(to, from.place)),
  }, Mirror)
  for index, prefix in ipairs(options.exclude or {}) do
    self.exclude[index] = folder_name(prefix)
  end
  return self
end

--- Differences that a comparison keeps for the copying that follows it; when there
--- are more, both stores are listed again.
local KEPT_MAX = 10000

--- Compare, and change nothing.
--- @param each? function(verb, key, why) for each difference
--- @return table {objects, bytes, targets, copy, copy_bytes, check: to be compared by content,
---   learned: the same by their manifests, remove, kept, archived}
function Mirror:compare(each)
  local sum = { copy = 0, copy_bytes = 0, check = 0, learned = 0, remove = 0, kept = 0, archived = 0 }
  local tell = each or function() end
  local groups, kept = {}, 0
  local function item(one)
    local field = one.check and "check" or "copy"
    sum[field] = sum[field] + 1
    sum.copy_bytes = sum.copy_bytes + one.source.size
    tell(field, one.source.key, one.why)
  end
  local counts = scan.run(self, function(group)
    for _, one in ipairs(group.copies) do
      item(one)
    end
    if group.marker then
      item(group.marker)
    end
    for _, key in ipairs(group.removals) do
      tell("remove", key, "the source has it no more")
    end
    for _, field in ipairs { "learned", "kept", "archived" } do
      sum[field] = sum[field] + #group[field]
    end
    sum.remove = sum.remove + #group.removals
    kept = kept + #group.copies + #group.removals + 1
    groups = kept <= KEPT_MAX and groups or nil
    if groups then
      groups[#groups + 1] = group
    end
  end)
  for field, count in pairs(counts) do
    sum[field] = count
  end
  counts.groups = groups
  self.found = groups and counts
  return sum
end

--- Copy all that is missing or differs: what the comparison just made found, or
--- what a new one finds.
--- @param expected? integer how many objects will be copied, about
--- @return table as transfer.run
function Mirror:copy(expected)
  local found = self.found
  self.found = nil
  return transfer.run(self, found, expected or found and #found.groups)
end

--- Raise "refused" when a comparison found too much to remove.
function Mirror:guard(found, max_percent)
  removal.guard(self, found, max_percent)
end

--- Remove from the target what the source has no more, at most so many objects.
--- @return integer how many
function Mirror:remove(limit)
  return removal.run(self, limit)
end

return mirror
