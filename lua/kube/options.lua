--- What the functions of kube take as options: a name that is none is an error, so
--- that a slip of the pen does not delete more than was meant.

local failure = require "failure"
local words = require "words"

local options = {}

--- Check the names of options.
--- @param what string the function, "kube delete"
--- @param given? table
--- @param known table {name = type or "any"}
--- @return table given, or an empty one
function options.check(what, given, known)
  if given == nil then
    return {}
  elseif type(given) ~= "table" then
    failure.raise("recipe", ("%s takes a table of options, not a %s"):format(what, type(given)))
  end
  for name, value in pairs(given) do
    local wanted = known[name]
    if wanted == nil then
      local names = {}
      for each in pairs(known) do
        names[#names + 1] = each
      end
      table.sort(names)
      failure.raise("recipe", ("%s has no option \"%s\"%s"):format(what, tostring(name),
        words.did_you_mean(tostring(name), names)))
    elseif wanted ~= "any" and not (wanted == "integer" and math.type(value) == "integer")
      and type(value) ~= wanted then
      failure.raise("recipe", ("%s: %s is a %s, not a %s"):format(what, name, wanted, type(value)))
    end
  end
  return given
end

--- A selector as the server takes it: text, or a table of name = value.
function options.selector(given)
  if type(given) ~= "table" then
    return given
  end
  local parts = {}
  for name, value in pairs(given) do
    parts[#parts + 1] = ("%s=%s"):format(name, tostring(value))
  end
  table.sort(parts)
  return table.concat(parts, ",")
end

--- The namespace in which a kind's object is, nil for kinds that are in none.
--- @param given? string
function options.namespace(cluster, kind, given)
  return kind.namespaced and (given or cluster.namespace) or nil
end

return options
