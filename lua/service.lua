--- Services: stopping and starting the server that a restore replaces the data of.
---
---   systemd:UNIT
---   stop=COMMAND start=COMMAND [running=COMMAND]     (one option each)
---   workload | sts/NAME | deploy/NAME                (pods: scaled to 0 and back)
---
--- A command is split into words, without a shell.  `running` exits 0 while
--- the server runs.  `workload` is what the target's pod belongs to.
---
--- All of them: is_running(target, probe), rehearse(target, dir), halt(target, why, probe),
--- halt_surely(...), launch(...), plain(), and `running` where they can tell.  What would keep
--- the data in dir from being reached while it is stopped is raised by rehearse, before that.

local command = require "service.command"

local service = {}

local HINT = "write systemd:UNIT, or stop=COMMAND and start=COMMAND; for pods workload, sts/NAME or deploy/NAME"

--- Is the service a workload of pods?
local function is_workload(list)
  return #list == 1 and (list[1] == "workload" or list[1]:match("^%a+/[^/]+$") ~= nil)
end

--- Read a service parameter: a list of texts.
function service.open(list)
  if is_workload(list) then
    return require("service.workload").open(list[1])
  end
  return command.open(list, HINT)
end

--- A service from its plain form, that of an undo record.
function service.from_plain(plain)
  if plain.workload then
    return require("service.workload").from_plain(plain)
  end
  return command.from_plain(plain)
end

return service
