--- What to say where a pod is not found: what there is instead, and which cluster was asked.

local failure = require "failure"
local words = require "words"

local absent = {}

--- How many names a hint has.
local NAMES = 5

--- The label of helper pods, which nobody means.
local HELPER = "moonkeep.dev/run"

--- The names of a kind's objects in a namespace, sorted; nil where they may not be listed.
local function names_of(cluster, kind, namespace)
  local ok, found = pcall(cluster.list, cluster, kind, { namespace = namespace })
  if not ok then
    return nil
  end
  local names = {}
  for _, object in ipairs(found) do
    if (object.metadata.labels or {})[HELPER] == nil then
      names[#names + 1] = object.metadata.name
    end
  end
  table.sort(names)
  return names
end

--- What a namespace has: "the pods a, b and 3 more", the nearest to what was typed first.
local function told(kind, where, names)
  if #names == 0 then
    return "no " .. kind
  end
  local near = where.name and words.nearest(where.name, names)
  local first = { near }
  for _, name in ipairs(names) do
    if name ~= near and #first < NAMES then
      first[#first + 1] = name
    end
  end
  return ("the %s%s %s%s"):format(kind, #names == 1 and "" or "s", table.concat(first, ", "),
    #names > #first and (" and %d more"):format(#names - #first) or "")
end

--- Raise "not_found" for an address that leads to nothing.
--- @param cluster table of the module kube
--- @param where table of address.parse
--- @param kind string what is looked for: "pod", "statefulset", ...
--- @param what string what there is not
function absent.raise(cluster, where, kind, what)
  local info = cluster:info()
  local names = names_of(cluster, kind, where.namespace)
  failure.raise("not_found", what, { hint = ("%sthe cluster is that of context \"%s\" (%s): is it the right one?")
    :format(names and ("namespace \"%s\" has %s; "):format(where.namespace, told(kind, where, names)) or "",
      info.context, info.server) })
end

return absent
