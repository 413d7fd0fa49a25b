--- Two listings side by side: one entry of each key, in order, with little memory.

local failure = require "failure"

local join = {}

--- A listing as next() -> entry or nil, checked to be in order, and what to close.
local function listing(store, prefix, absent_is_empty)
  local following, _, _, walk = store:each(prefix)
  local last, ended
  local function take()
    local ok, entry = pcall(following)
    if ok then
      return entry
    elseif absent_is_empty and last == nil and failure.is(entry, "not_found") then
      return nil
    end
    error(entry, 0)
  end
  return function()
    if ended then
      return nil
    end
    local entry = take()
    if entry == nil then
      ended = true
    elseif last and entry.key <= last then
      failure.raise("protocol", ("the listing of \"%s\" is not in order: \"%s\" comes after \"%s\"")
        :format(store.place, entry.key, last))
    else
      last = entry.key
    end
    return entry
  end, walk
end

--- Call visit(key, source, target) for each key of both stores below prefix, in
--- byte order; what one of them does not have is nil.  It has visited all only
--- when both listings came to their end: one that breaks off raises.  A target
--- that does not exist yet has nothing; a source that does not exist raises.
--- @param visit function may wait
function join.each(from, to, prefix, visit)
  local next_source, source_walk = listing(from, prefix, false)
  local _ <close> = source_walk
  local next_target, target_walk = listing(to, prefix, true)
  local _ <close> = target_walk
  local source, target = next_source(), next_target()
  while source or target do
    if target == nil or source and source.key < target.key then
      visit(source.key, source, nil)
      source = next_source()
    elseif source == nil or target.key < source.key then
      visit(target.key, nil, target)
      target = next_target()
    else
      visit(source.key, source, target)
      source, target = next_source(), next_target()
    end
  end
end

return join
