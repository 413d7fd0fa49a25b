--- What has to be done to make the target as the source: both listings are gone
--- through, and each object, or folder that counts as a whole, is decided on.

local folder = require "mirror.folder"
local join = require "mirror.join"
local same = require "mirror.same"

local scan = {}

--- Keys that belong to the store that they are in: locks, and what moonkeep knows of it.
local function is_own(key)
  return (key:find(".moonkeep/", 1, true) or key:find("locks/", 1, true))
    and (("/" .. key):match("/%.moonkeep/") or ("/" .. key):match("/locks/.*/%d%d%d%d%d%d%d%d$")) ~= nil
end

local function is_excluded(mirror, key)
  for _, prefix in ipairs(mirror.exclude) do
    if key:sub(1, #prefix) == prefix then
      return true
    end
  end
  return is_own(key)
end

local function new_group(place)
  return { folder = place, copies = {}, learned = {}, archived = {}, removals = {}, kept = {} }
end

--- What to do with an object that the source has: an item to copy, or nil.
local function decide(mirror, group, pair)
  local source, target = pair.source, pair.target
  local item = { source = source, target = target, why = "missing" }
  if target then
    local verdict, why = same.judge(mirror.rules, source, target)
    item.why, item.check = why, mirror.deep and verdict ~= "differs" or nil
    if item.check then
      item.why = "compare the contents"
    elseif verdict == "same" then
      return nil
    elseif verdict == "unknown" and group.folder
      and group.folder:stated(mirror.from, mirror.to)[pair.key] == source.size then
      table.insert(group.learned, pair)
      return nil
    end
  end
  if source.archived then
    table.insert(group.archived, pair.key)
    return nil
  end
  return item
end

local function keep(group, key, why)
  table.insert(group.kept, { key = key, why = why })
end

--- What only the target has of a folder.
local function decide_extra(group, key)
  local place = group.folder
  if not place.backup or not place:complete("source") then
    table.insert(group.removals, key)
  elseif not place:is_verification(key) then
    keep(group, key, "the source has that backup, but not this")
  end
end

--- All of a folder, as its marker says whether it is complete.
local function decide_folder(mirror, place)
  local group = new_group(place)
  local half = place.backup and place:complete("target") and not place:complete("source")
  if place.marked and not place:complete("source") then
    decide_extra(group, place.marker)
  end
  for _, pair in ipairs(place.pairs) do
    local item = pair.source and decide(mirror, group, pair)
    if pair == place.marked then
      group.marker = item or nil
    elseif item and item.target and half then
      keep(group, pair.key, "the source's backup is not complete, the target's is")
    elseif item then
      table.insert(group.copies, item)
    elseif not pair.source then
      decide_extra(group, pair.key)
    end
  end
  if #group.archived > 0 then
    group.marker = nil
  end
  return group
end

local function is_empty(group)
  return #group.copies + #group.learned + #group.archived + #group.removals + #group.kept == 0
    and group.marker == nil
end

--- Go through both stores.
--- @param mirror table {from, to, prefix, exclude, rules, deep}
--- @param visit function(group): folder, copies (items), marker (item, to be copied when the
---   copies were), learned (pairs), archived (keys), removals (keys, in this order), kept
--- @return table {objects, bytes, targets}: what the source has, how many the target has
function scan.run(mirror, visit)
  local counts = { objects = 0, bytes = 0, targets = 0 }
  local place

  local function finish(group)
    if not is_empty(group) then
      visit(group)
    end
  end

  local function leave()
    if place then
      finish(decide_folder(mirror, place))
      place = nil
    end
  end

  local function alone(key, source, target)
    local group = new_group(nil)
    if source then
      local pair = { key = key, source = source, target = target }
      group.copies[1] = decide(mirror, group, pair)
    else
      group.removals[1] = key
    end
    finish(group)
  end

  mirror.rules.book:rewind()
  join.each(mirror.from, mirror.to, mirror.prefix, function(key, source, target)
    if is_excluded(mirror, key) then
      return
    end
    if source then
      counts.objects, counts.bytes = counts.objects + 1, counts.bytes + source.size
    end
    if target then
      counts.targets = counts.targets + 1
    end
    if place and not place:has(key) then
      leave()
    end
    place = place or folder.of(key)
    if place then
      place:add(key, source, target)
    else
      alone(key, source, target)
    end
  end)
  leave()
  return counts
end

return scan
