--- What must be right before anything is changed: the cluster, and what we may do in it.

local guard = {}

--- Every use of a pod.
local BASE = { { "get", "pod" }, { "get", "pod", "exec" } }

--- From this minor version on, exec over WebSocket is a "create", too.
local EXEC_CREATE_MINOR = 35

--- Raise "refused" when the run began on another cluster; else remember this one.
function guard.check_cluster(place)
  if place._checked then
    return
  end
  local was = place.memory.pinned
  if was then
    place:cluster():demand_identity(was)
  else
    place:remember("pinned", place:cluster():identity())
  end
  place._checked = true
end

--- Raise one "permission" that names all of the needs that are not granted; each is
--- asked once.
--- @param needs table list of {verb, kind, subresource|nil}
function guard.need(place, needs)
  place._granted = place._granted or {}
  local ask = {}
  for _, need in ipairs(needs) do
    local key = table.concat(need, " ")
    if not place._granted[key] then
      ask[#ask + 1] = { need[1], need[2], subresource = need[3], namespace = place.where.namespace }
    end
  end
  if #ask > 0 then
    place:cluster():preflight(ask)
  end
  for _, need in ipairs(needs) do
    place._granted[table.concat(need, " ")] = true
  end
end

--- Before the first use: the cluster is that of the run, and we may look and act.
function guard.check(place)
  if place._guarded then
    return
  end
  guard.check_cluster(place)
  local needs = { table.unpack(BASE) }
  if place.where.kind ~= "pod" then
    needs[#needs + 1] = { "list", "pod" }
    if place.where.kind ~= "selector" then
      needs[#needs + 1] = { "get", place.where.kind }
    end
  end
  local minor = tonumber((tostring(place:cluster():version().minor or ""):match("^%d+")))
  if minor and minor >= EXEC_CREATE_MINOR then
    needs[#needs + 1] = { "create", "pod", "exec" }
  end
  guard.need(place, needs)
  place._guarded = true
end

return guard
