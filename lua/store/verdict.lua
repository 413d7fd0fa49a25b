--- What was found out about a store, kept in it: whether its create-only writes
--- exclude, and what `moonkeep store probe` saw.  Nobody has to trust it for
--- ever: a probe replaces it.

local clock = require "clock"
local failure = require "failure"
local json = require "json"

local verdict = {}

--- Where it is kept.  No system's name begins with a dot, so nothing below is a backup.
verdict.FOLDER = ".moonkeep/"
verdict.KEY = verdict.FOLDER .. "probe.json"

local FORMAT, VERSION = "moonkeep-probe", 1
local MAX = 1024 * 1024

--- What is kept of this store, or nil; what was copied here with the backups of
--- another store says nothing of this one.
--- @return table|nil {exclusive, features, ...}
function verdict.read(store)
  local read, text = pcall(store.get, store, verdict.KEY, MAX)
  if not read and not (failure.is(text, "archived") or failure.is(text, "too_big")) then
    error(text, 0)
  end
  local ok, value = pcall(json.decode, read and text or "")
  if ok and type(value) == "table" and value.format == FORMAT and value.version == VERSION
    and value.store == store.place and type(value.exclusive) == "boolean" then
    return value
  end
end

--- Keep what was found out.
--- @param value table exclusive, and what else is known
function verdict.write(store, value)
  value.format, value.version, value.store = FORMAT, VERSION, store.place
  value.time = clock.iso(clock.now())
  store:put(verdict.KEY, json.encode(value, 2) .. "\n", { why = "remember what this store can do" })
end

return verdict
