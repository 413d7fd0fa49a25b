--- Which containers have a shell, and what it needs: asked once an image, and remembered for
--- the run.

local clock = require "clock"
local failure = require "failure"
local far = require "_far"
local remote = require "target.remote"
local task = require "task"

local shells = {}

--- How often a connection that breaks off at once is tried.
local PROBES = 3

--- How long a container that runs may be unknown to its node.  A 500 in place of the connection has
--- been asked about for eight seconds before it comes here, at each try (src/kube/kube_connect.c);
--- a 404, and what is said once there is a connection, comes at once.
local UNKNOWN_MS = 10000

--- What directories are read and written with (docs/guide/110-kubernetes.md); the first that is
--- not there is said.
local PROGRAMS = [[
for name in tar dd cat chmod chown df find ln mkdir mv readlink rm sleep stat sync; do
  command -v "$name" >/dev/null || { printf %s "$name"; exit 0; }
done
]]

--- A server that ends the connection at once, since there is no such program, may do so before
--- it was read that this is why.
local function broke_off(e)
  return failure.is(e, "network") or failure.is(e, "truncated")
end

--- A node may not know a container yet that runs, by its status, or again; or the pod has
--- gone meanwhile.  Nothing was started.
function shells.is_unknown(e)
  return failure.is(e, "not_found") and (e.retryable or e.http == 404)
end

--- Start a shell there.
--- @return boolean ok, userdata|table the shell, or why there is none
local function start(host)
  local ends, tries = clock.mono() + UNKNOWN_MS, 0
  while true do
    local ok, shell = pcall(far.shell, host, remote.STALL_MS)
    tries = tries + 1
    local again = not ok and (broke_off(shell) and tries < PROBES or shells.is_unknown(shell) and clock.mono() < ends)
    if not again then
      return ok, shell
    end
    task.sleep(shells.is_unknown(shell) and 300 or 50)
  end
end

--- What is remembered of an image: has it a shell?  nil: nobody has asked.
--- @param place table of target.pod.place
function shells.known(place, image)
  return (place.memory.shells or {})[image]
end

--- Remember something of an image.
local function note(place, what, image, value)
  local all = {}
  for name, known in pairs(place.memory[what] or {}) do
    all[name] = known
  end
  all[image] = value
  place:remember(what, all)
end

--- Has the container a shell?  Raises what keeps that from being known.
--- @param place table of target.pod.place
--- @param host userdata of Place:host
--- @param image string of choose.image
--- @return boolean has, userdata|nil the shell that was started to know it, which waits
function shells.find(place, host, image)
  local known = shells.known(place, image)
  if known ~= nil then
    return known
  end
  local ok, shell = start(host)
  if not ok and (shells.is_unknown(shell) or not failure.is(shell, "not_found")) then
    error(shell, 0)
  end
  note(place, "shells", image, ok)
  return ok, ok and shell or nil
end

--- Which program does a container with a shell lack?  For those beside which a helper pod may act.
--- @param shell userdata|nil one that waits there
--- @return string "" where it has all
--- @return userdata|nil the shell, which waits
function shells.lacking(place, host, image, shell)
  local known = (place.memory.lacking or {})[image]
  if known ~= nil then
    return known, shell
  end
  if shell == nil then
    local ok
    ok, shell = start(host)
    if not ok then
      error(shell, 0)
    end
  end
  local answer = shell:run(PROGRAMS, {}, { output_max = 1024 })
  note(place, "lacking", image, answer.stdout)
  return answer.stdout, shell
end

return shells
