--- What the cluster says happened to an object.

local discovery = require "kube.discovery"
local failure = require "failure"
local object = require "kube.object"

local events = {}

local PAGE = 500

local function text(value)
  return type(value) == "string" and value ~= "" and value or nil
end

--- When an event was seen last; events.k8s.io and the core say it in different fields.
local function last_of(item)
  local series = type(item.series) == "table" and text(item.series.lastObservedTime)
  return series or text(item.lastTimestamp) or text(item.eventTime) or text(item.metadata.creationTimestamp) or ""
end

local function count_of(item)
  local series = type(item.series) == "table" and math.tointeger(item.series.count)
  return series or math.tointeger(item.count) or 1
end

--- The events of an object, the newest last: {type, reason, message, count, last}.
--- @param about table an object, or {kind, apiVersion, metadata}
function events.list(cluster, about)
  local kind = discovery.resource(cluster, "events")
  local metadata = about.metadata
  local fields = { ["involvedObject.kind"] = about.kind, ["involvedObject.name"] = metadata.name,
    ["involvedObject.uid"] = metadata.uid }
  local request = object.list_request(cluster, kind, { fields = fields,
    -- Those of objects that are in no namespace are in this one.
    namespace = metadata.namespace or "default" }, "list")
  local list = {}
  object.pages(cluster, kind, request, PAGE, function(items)
    for _, item in ipairs(items) do
      list[#list + 1] = { type = text(item.type) or "Normal", reason = text(item.reason) or "",
        message = text(item.message) or "", count = count_of(item), last = last_of(item) }
    end
  end, function()
    list = {}
  end)
  table.sort(list, function(a, b)
    return a.last < b.last
  end)
  return list
end

--- The last warnings about objects as part of a message, or nil.  For messages
--- about another failure: what cannot be read is left out.
--- @param list table objects
function events.warnings(cluster, list, most)
  local found = {}
  for _, about in ipairs(list) do
    local ok, said = pcall(events.list, cluster, about)
    if not ok and failure.is(said, "cancelled") then
      error(said, 0)
    end
    for _, event in ipairs(ok and said or {}) do
      if event.type == "Warning" then
        found[#found + 1] = { event = event, about = about }
      end
    end
  end
  table.sort(found, function(a, b)
    return a.event.last < b.event.last
  end)
  local parts = {}
  for index = math.max(1, #found - most + 1), #found do
    local event, about = found[index].event, found[index].about
    parts[#parts + 1] = ("%s%s: %s%s"):format(#list > 1 and about.metadata.name .. " " or "", event.reason,
      event.message:gsub("%s+", " "):sub(1, 300), event.count > 1 and (" (%d times)"):format(event.count) or "")
  end
  return #parts > 0 and table.concat(parts, "; ") or nil
end

return events
