--- Removing from the target what the source has no more.

local failure = require "failure"
local scan = require "mirror.scan"

local removal = {}

--- Raise "refused" when so much would be removed that the source is rather broken.
--- @param found table {objects, targets, remove} of a comparison
--- @param max_percent integer
function removal.guard(mirror, found, max_percent)
  if found.remove == 0 then
    return
  elseif found.objects == 0 then
    failure.raise("refused", ("\"%s\" has nothing%s, and \"%s\" has %d objects: they are not removed"):format(
      mirror.from.place, mirror.prefix == "" and "" or (" below " .. mirror.prefix), mirror.to.place, found.targets),
      { hint = "look at the source; a store that is not mounted, or a wrong prefix, looks like this" })
  elseif found.remove * 100 > max_percent * found.targets then
    failure.raise("refused", ("%d of %d objects of \"%s\" would be removed, more than %d %%"):format(found.remove,
      found.targets, mirror.to.place, max_percent),
      { hint = ("look at the source; if that is right: --max-remove %d"):format(
        (found.remove * 100 + found.targets - 1) // found.targets) })
  end
end

--- Remove it: what makes folders complete first.  Both stores are listed once more,
--- to their ends, before the first is removed.
--- @param limit integer what was agreed to; more raises "refused"
--- @return integer how many
function removal.run(mirror, limit)
  local markers, others = {}, {}
  scan.run(mirror, function(group)
    for _, key in ipairs(group.removals) do
      local list = group.folder and key == group.folder.marker and markers or others
      list[#list + 1] = key
    end
    if #markers + #others > limit then
      failure.raise("refused", ("the source lost objects since it was compared: more than %d would be removed")
        :format(limit), { hint = "run it again when nothing else removes from the source" })
    end
  end)
  mirror.to:remove_keys(markers, "the source has it no more")
  mirror.to:remove_keys(others, "the source has it no more")
  return #markers + #others
end

return removal
