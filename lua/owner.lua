--- Owners of files: "prometheus", "prometheus:prometheus", "65534", "65534:65534".

local failure = require "failure"
local os_ = require "_os"

local owner = {}

local function group_of(text)
  local gid = math.tointeger(tonumber(text)) or os_.group(text)
  if gid == nil then
    failure.raise("usage", ("this machine has no group \"%s\""):format(text))
  end
  return gid
end

--- Read an owner.  Raises "usage" for a name that this machine does not know.
--- @return table {uid, gid}
function owner.parse(text)
  local user, group = text:match("^([^:]+):?([^:]*)$")
  if user == nil then
    failure.raise("usage", ("\"%s\" is no owner such as prometheus or 65534:65534"):format(text))
  end
  local uid, gid = math.tointeger(tonumber(user)), nil
  if uid == nil then
    uid, gid = os_.user(user)
    if uid == nil then
      failure.raise("usage", ("this machine has no user \"%s\""):format(user))
    end
  end
  if group ~= "" then
    gid = group_of(group)
  end
  return { uid = uid, gid = gid or uid }
end

return owner
