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

--- What is known of an object that the source has: "same", "learned" (the same by a
--- manifest), "archived", or "copy" and the item to be copied.
local function decide(mirror, place, key, source, target)
  local why, check = "missing", nil
  if target then
    local verdict
    verdict, why = same.judge(mirror.rules, source, target)
    if mirror.deep and verdict ~= "differs" then
      why, check = "compare the contents", true
    elseif verdict == "same" then
      return "same"
    elseif verdict == "unknown" and place
      and place:stated(mirror.from, mirror.to)[key] == source.size then
      return "learned"
    end
  end
  if source.archived then
    return "archived"
  end
  return "copy", { source = source, target = target, why = why, check = check }
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
    local what, item
    if pair.source then
      what, item = decide(mirror, place, pair.key, pair.source, pair.target)
    elseif pair ~= place.marked then
      decide_extra(group, pair.key)
    end
    if what == "archived" then
      table.insert(group.archived, pair.key)
    elseif what == "learned" then
      table.insert(group.learned, pair)
    elseif what == "copy" and pair == place.marked then
      group.marker = item
    elseif what == "copy" and pair.target and half then
      keep(group, pair.key, "the source's backup is not complete, the target's is")
    elseif what == "copy" then
      table.insert(group.copies, item)
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
  local place  -- the folder that is gone through
  local plain  -- where keys are in no folder

  local function leave()
    if place then
      local group = decide_folder(mirror, place)
      place = nil
      if not is_empty(group) then
        visit(group)
      end
    end
  end

  local function alone(key, source, target)
    local what, item = "removal", nil
    if source then
      what, item = decide(mirror, nil, key, source, target)
    end
    if what ~= "same" then
      local group = new_group(nil)
      group.copies[1] = item
      group.archived[1] = what == "archived" and key or nil
      group.removals[1] = what == "removal" and key or nil
      visit(group)
    end
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
    -- Most keys lie where the one before did.
    local above = place == nil and key:match("^.*/") or ""
    if place == nil and above ~= plain then
      place = folder.of(key)
      plain = place == nil and above or nil
    end
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
