--- Does a store honour create-only writes?  Found out by their effect: servers
--- refuse the condition, honour it, or overlook it.

local effect = require "effect"
local failure = require "failure"
local os_ = require "_os"
local verdict = require "store.verdict"

local exclusion = {}

--- Write one key twice, on the condition that it is new.
--- @param key string a scratch key, which is removed
--- @return string "yes", "no" (the condition is refused) or "ignored" (both succeed)
function exclusion.try(store, key)
  local function write()
    return pcall(store.put, store, key, "create-only\n", { exclusive = true, why = "find out whether it excludes" })
  end
  local ok, e = write()
  if not ok and not (failure.is(e, "unsupported") or e.http == 501) then
    error(e, 0)
  end
  local answer = "no"
  if ok then
    ok, e = write()
    if ok then
      answer = "ignored"
    elseif failure.is(e, "exists") then
      answer = "yes"
    elseif not (failure.is(e, "unsupported") or e.http == 501) then
      error(e, 0)
    end
  end
  store:remove(key)
  return answer
end

--- Does the store exclude?  From what its driver knows, from what is kept in it,
--- or tried now and kept.
--- @return boolean|nil nil: not known, in a plan
function exclusion.find(store)
  if store.can.exclusive or not store.can.probe then
    return store.can.exclusive
  end
  local kept = verdict.read(store)
  if kept then
    return kept.exclusive
  elseif effect.planning() then
    return nil
  end
  local answer = exclusion.try(store, verdict.FOLDER .. "exclusion-" .. os_.random_id(12))
  verdict.write(store, { exclusive = answer == "yes", features = { create_only = answer } })
  return answer == "yes"
end

return exclusion
