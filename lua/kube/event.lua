--- A line of a watch: what it says, and whether it may be believed.

local failure = require "failure"
local json = require "json"

local event = {}

local KNOWN = { ADDED = true, MODIFIED = true, DELETED = true, BOOKMARK = true, ERROR = true }

local function broken(why)
  failure.raise("protocol", "the server tells " .. why)
end

--- Read a line.  Raises "protocol".
--- @return string "ADDED", "MODIFIED", "DELETED", "BOOKMARK": the second value is an object with
---   metadata.resourceVersion; "ERROR": it is a Status
--- @return table
function event.parse(text)
  local ok, told = pcall(json.decode, text)
  if not ok or type(told) ~= "table" or type(told.object) ~= "table" then
    broken("what is no event")
  elseif type(told.type) ~= "string" or not KNOWN[told.type] then
    broken(("an event of an unknown type (%s)"):format(tostring(told.type):sub(1, 40)))
  end
  local metadata = told.object.metadata
  if told.type ~= "ERROR" and not (type(metadata) == "table" and type(metadata.resourceVersion) == "string") then
    broken("of something that is no object")
  end
  return told.type, told.object
end

return event
