--- Targets: where a procedure acts.  One interface for this machine, for pods and,
--- later, for hosts: exec, read, write, tar out, tar in, free space, http.

local failure = require "failure"

local target = {}

local KINDS = {
  ["local"] = "target.machine",
  pod = "target.pod",
}
local LATER = { ssh = "hosts over SSH" }

--- The module of the text's kind.
local function kind_of(text)
  local scheme = text:match("^(%a[%w+.-]*):")
  if scheme == nil then
    failure.raise("usage", ("\"%s\" is no target"):format(text),
      { hint = "this machine is written local:, a pod pod://NAMESPACE/NAME" })
  elseif LATER[scheme] then
    failure.raise("unsupported", ("this version has no targets for %s"):format(LATER[scheme]))
  elseif KINDS[scheme] == nil then
    failure.raise("usage", ("\"%s\" is no kind of target: local: and pod: are"):format(scheme .. ":"))
  end
  return require(KINDS[scheme])
end

--- Is the text a target?  Nothing is contacted.  Raises "usage" or "unsupported".
function target.check(text)
  kind_of(text).check(text)
end

--- Open a target.
--- @param text string "local:", "pod://NAMESPACE/NAME" (see target.pod.address)
function target.open(text)
  local kind = kind_of(text)
  kind.check(text)
  return kind.open(text)
end

return target
