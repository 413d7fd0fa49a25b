--- Does what is written at a path outlive its container?  A container that restarts begins
--- anew from its image: of what was written, only what lies on a volume is still there.

local lasting = {}

--- Volumes that are the cluster's words to the container: nobody restores into them.
local WORDS = { "configMap", "secret", "projected" }

--- The absolute path without links, also of what is not there yet.
local function resolve(target, path)
  path = path:gsub("(.)/+$", "%1")
  if path:sub(1, 1) ~= "/" then
    path = target:real(".") .. "/" .. path
  end
  local rest, found = "", target:real(path)
  while found == nil do
    local parent, name = path:match("^(.*)/([^/]*)$")
    path, rest = parent == "" and "/" or parent, "/" .. name .. rest
    found = target:real(path)
  end
  return (found == "/" and "" or found) .. rest
end

local function below(path, prefix)
  return path == prefix or path:sub(1, #prefix + 1) == prefix .. "/"
end

--- Does the path lie on a volume?
local function is_mounted(target, plan, path)
  local real = resolve(target, path)
  for _, list in ipairs { plan.mounts, plan.lost } do
    for _, mount in ipairs(list) do
      if below(real, resolve(target, mount.mountPath or mount.path)) then
        return true
      end
    end
  end
  return false
end

--- Where data may be restored to instead: the volumes that another pod would find again.
local function places(plan)
  local for_words, found = {}, {}
  for _, volume in ipairs(plan.volumes) do
    for _, kind in ipairs(WORDS) do
      for_words[volume.name] = for_words[volume.name] or volume[kind] ~= nil
    end
  end
  for _, mount in ipairs(plan.mounts) do
    if not mount.readOnly and not for_words[mount.name] then
      found[#found + 1] = mount.mountPath
    end
  end
  table.sort(found)
  return found
end

--- What the operator should know before something is written to a directory.
--- @param target table the pod, in whose container is acted
--- @param plan table its blueprint
--- @param path string
--- @return string|nil why it does not last; nil: it does
--- @return string|nil what to do
function lasting.doubt(target, plan, path)
  if is_mounted(target, plan, path) then
    return nil
  end
  local volumes = places(plan)
  return ("\"%s\" is on no volume, but in the file system of container %s of pod %s/%s itself: "
    .. "what is restored there is lost when the container restarts"):format(path, plan.container, plan.namespace,
    plan.pod), #volumes == 0 and "give the pod a volume for it first; it has none that keeps data"
    or ("is the name right? Its volume%s at %s"):format(#volumes == 1 and " is" or "s are",
      table.concat(volumes, ", "))
end

return lasting
