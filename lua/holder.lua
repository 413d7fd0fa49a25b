--- Which process holds something: enough to know later whether it is gone.

local os_ = require "_os"

local holder = {}

--- This process: {host, boot, pid, started, user}.
function holder.me()
  local process, host = os_.process(), os_.host()
  return { host = host.name, boot = host.boot_id, pid = process.pid,
    started = os_.started(process.pid), user = process.user }
end

--- Is the process gone for sure?  Of another host nobody knows.
--- @param who table of holder.me
function holder.is_gone(who)
  local host = os_.host()
  if who.host ~= host.name then
    return false
  elseif who.boot ~= host.boot_id then
    return true
  end
  return who.pid ~= nil and os_.started(who.pid) ~= who.started
end

--- Does the process live on this host?
function holder.is_alive(who)
  return who.host == os_.host().name and who.pid ~= nil and not holder.is_gone(who)
end

return holder
