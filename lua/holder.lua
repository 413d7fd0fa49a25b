--- Which process holds something: enough to know later whether it is gone.

local fs = require "_fs"
local os_ = require "_os"

local holder = {}

--- Process ids mean something within a namespace (a container) only.
local function pid_space()
  local found = fs.stat("/proc/self/ns/pid", true)
  return found and found.ino
end

--- This process: {host, boot, space, pid, started, user}.
function holder.me()
  local process, host = os_.process(), os_.host()
  return { host = host.name, boot = host.boot_id, space = pid_space(), pid = process.pid,
    started = os_.started(process.pid), user = process.user }
end

--- Would we see the process if it were there?  A name alone does not make two
--- hosts the same, and after a reboot nothing tells one from another.
local function in_sight(who)
  local host = os_.host()
  return who.host == host.name and who.boot == host.boot_id and who.space == pid_space()
    and math.type(who.pid) == "integer"
end

--- Is the process gone for sure?  Of another host nobody knows.
--- @param who table of holder.me
function holder.is_gone(who)
  return in_sight(who) and os_.started(who.pid) ~= who.started
end

--- Does the process live on this host?
function holder.is_alive(who)
  return in_sight(who) and os_.started(who.pid) == who.started
end

--- Is it this process?
function holder.is_me(who)
  return holder.is_alive(who) and who.pid == os_.process().pid
end

return holder
