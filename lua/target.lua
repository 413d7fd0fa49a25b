--- Targets: where a procedure acts.  One interface for this machine and, later,
--- pods and hosts: exec, read, write, tar out, tar in, free space, http.

local failure = require "failure"

local target = {}

local KINDS = {
  ["local"] = "target.machine",
}
local LATER = { pod = "Kubernetes pods", ssh = "hosts over SSH" }

local function split(text)
  local scheme, rest = text:match("^(%a[%w+.-]*):(.*)$")
  if scheme == nil then
    failure.raise("usage", ("\"%s\" is no target"):format(text),
      { hint = "this machine is written local:" })
  elseif LATER[scheme] then
    failure.raise("unsupported", ("this version has no targets for %s"):format(LATER[scheme]))
  elseif KINDS[scheme] == nil then
    failure.raise("usage", ("\"%s\" is no kind of target: local: is"):format(scheme .. ":"))
  end
  return scheme, rest
end

--- Is the text a target?  Raises "usage" or "unsupported".
function target.check(text)
  local scheme, rest = split(text)
  if rest ~= "" then
    failure.raise("usage", ("\"%s\": %s: takes nothing behind the colon"):format(text, scheme))
  end
end

--- Open a target.
--- @param text string "local:"
function target.open(text)
  target.check(text)
  return require(KINDS[split(text)]).open(text)
end

return target
