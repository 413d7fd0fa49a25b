--- Names of backups: SYSTEM/INSTANCE/TIME, where TIME is the folder's name
--- (20261121T020000Z), `latest` or `latest-verified`.

local failure = require "failure"

local name = {}

local PART = "^[%w][%w._-]*$"

--- Is the text a system's or an instance's name?
function name.is_part(text)
  return #text <= 128 and text:match(PART) ~= nil and not text:find("..", 1, true)
end

--- Split a name; parts behind the system may be missing.  Raises "usage".
--- @param text string
--- @return table {system, instance, time}
function name.parse(text)
  local parts = {}
  for part in (text .. "/"):gmatch("([^/]*)/") do
    parts[#parts + 1] = part
  end
  if parts[#parts] == "" then
    parts[#parts] = nil
  end
  for index, part in ipairs(parts) do
    if not name.is_part(part) or index > 3 then
      failure.raise("usage", ("\"%s\" is no backup's name"):format(text),
        { hint = text:find("://", 1, true) and "the store is given by --store, the backup in it by a "
          .. "word of its own: --store STORE SYSTEM/INSTANCE/TIME"
          or "a name is SYSTEM/INSTANCE/TIME, and TIME may be latest or latest-verified" })
    end
  end
  if #parts == 0 then
    failure.raise("usage", "a backup's name must not be empty")
  end
  return { system = parts[1], instance = parts[2], time = parts[3] }
end

return name
