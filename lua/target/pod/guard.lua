--- What must be right before anything is changed: the cluster, and what we may do in it.

local failure = require "failure"
local task = require "task"

local guard = {}

--- Every use of a pod.
local BASE = {
  { "get", "pod" },
  { "get", "pod", "exec" },
}

--- From this minor version on, exec over WebSocket is a "create", too.
local EXEC_CREATE_MINOR = 35

--- Which cluster this is: {context, server, uid}, without uid where we may not
--- ask for it; asked once.
function guard.pinned(place)
  if place._identity == nil then
    local ok, identity = pcall(place:cluster().identity, place:cluster())
    if not ok and not failure.is(identity, "permission") then
      error(identity, 0)
    end
    local info = place:cluster():info()
    place._identity = ok and identity or { context = info.context, server = info.server }
  end
  return place._identity
end

local function is_another(was, now)
  if was.uid and now.uid then
    return was.uid ~= now.uid
  end
  return was.server ~= now.server
end

--- Raise "refused" when the run began on another cluster; else remember this one.
function guard.check_cluster(place)
  local now, was = guard.pinned(place), place.memory.pinned
  if was == nil then
    place:remember("pinned", { context = now.context, server = now.server, uid = now.uid })
  elseif is_another(was, now) then
    failure.raise("refused", ("the run began on another cluster: %s (context \"%s\"), and this is %s (context \"%s\")")
      :format(was.server, was.context, now.server, now.context),
      { hint = "set KUBECONFIG, or the current context, as it was" })
  end
end

local function described(need)
  return ("%s %s"):format(need[1], need[2]:gsub("^pod$", "pods") .. (need[3] and "/" .. need[3] or ""))
end

local function allowed(place, need)
  return (place:cluster():can(need[1], need[2], { namespace = place.where.namespace, subresource = need[3] }))
end

--- Raise "permission" that names all of the needs that are not granted; each is asked once.
--- @param needs table list of {verb, kind, subresource|nil}
function guard.need(place, needs)
  place._granted = place._granted or {}
  local ask = {}
  for _, need in ipairs(needs) do
    if not place._granted[described(need)] then
      ask[#ask + 1] = need
    end
  end
  local lacking = {}
  local granted = task.each(ask, 4, function(need)
    return allowed(place, need)
  end)
  for index, need in ipairs(ask) do
    if granted[index] then
      place._granted[described(need)] = true
    else
      lacking[#lacking + 1] = described(need)
    end
  end
  if #lacking > 0 then
    local info = place:cluster():info()
    failure.raise("permission", ("in namespace %s of context \"%s\" we may not %s"):format(place.where.namespace,
      info.context, table.concat(lacking, ", nor ")),
      { hint = "`moonkeep help targets` shows the Role that is needed" })
  end
end

--- Before the first use: the cluster is that of the run, and we may look and act.
function guard.check(place)
  guard.check_cluster(place)
  local needs = { table.unpack(BASE) }
  if place.where.kind ~= "pod" then
    needs[#needs + 1] = { "list", "pod" }
    if place.where.kind ~= "selector" then
      needs[#needs + 1] = { "get", place.where.kind }
    end
  end
  guard.need(place, needs)
  if not place._exec_create then
    place._exec_create = true
    local minor = tonumber((tostring(place:cluster():version().minor or ""):match("^%d+")))
    if minor and minor >= EXEC_CREATE_MINOR then
      guard.need(place, { { "create", "pod", "exec" } })
    end
  end
end

return guard
