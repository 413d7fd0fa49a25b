--- What a helper pod must be like to stand in for a container: its volumes, its
--- user, its node.  Taken from a pod, or from the template of a workload that has
--- none just now; plain values, which a run's journal can keep.

local failure = require "failure"
local json = require "json"

local blueprint = {}

--- Volumes that are a pod's own: another pod's would be another, empty one.
local OWN = { emptyDir = "an emptyDir", ephemeral = "an ephemeral volume", csi = "an ephemeral CSI volume",
  downwardAPI = "what the pod is told about itself", image = "an image", gitRepo = "a gitRepo" }

--- Of the pod's security context, and of the container's.
local POD_SECURITY = { "runAsUser", "runAsGroup", "runAsNonRoot", "fsGroup", "fsGroupChangePolicy",
  "supplementalGroups", "seLinuxOptions", "seccompProfile" }
local CONTAINER_SECURITY = { "runAsUser", "runAsGroup", "runAsNonRoot", "seLinuxOptions", "seccompProfile" }

--- Of the pod's spec.
local KEPT = { "tolerations", "imagePullSecrets", "serviceAccountName", "nodeSelector", "runtimeClassName",
  "priorityClassName" }

--- Where the credentials of a service account are mounted.
local TOKENS = "^/var/run/secrets/"

local function pick(from, names, into)
  for _, name in ipairs(names) do
    if from and from[name] ~= nil and from[name] ~= json.null then
      into[name] = from[name]
    end
  end
  return into
end

--- Does a projected volume hold a token of the service account?
local function has_token(volume)
  for _, source in ipairs(volume.projected and volume.projected.sources or {}) do
    if source.serviceAccountToken then
      return true
    end
  end
  return false
end

--- What a volume is that a helper cannot have, or nil.
local function own_kind(volume)
  for field, text in pairs(OWN) do
    if volume[field] then
      return text
    end
  end
  return has_token(volume) and "a token of the service account" or nil
end

--- Sort the container's mounts: those that a helper can have, and those that it cannot.
local function volumes_of(container, volumes)
  local by_name, used = {}, {}
  for _, volume in ipairs(volumes) do
    by_name[volume.name] = volume
  end
  local kept = { volumes = json.array {}, mounts = json.array {}, lost = json.array {} }
  for _, mount in ipairs(container.volumeMounts or {}) do
    local volume = by_name[mount.name]
    local path = mount.mountPath:gsub("(.)/+$", "%1")
    local own = volume == nil and "a volume that it does not have" or own_kind(volume)
      or mount.subPathExpr and "below a path made of its environment"
    if path:match(TOKENS) then
      own = own or "a token of the service account"
    end
    if own then
      kept.lost[#kept.lost + 1] = { path = path, kind = own }
    else
      kept.mounts[#kept.mounts + 1] = { name = mount.name, mountPath = path, subPath = mount.subPath,
        readOnly = mount.readOnly }
      if not used[mount.name] then
        used[mount.name] = true
        kept.volumes[#kept.volumes + 1] = volume
        kept.on_node = kept.on_node or volume.hostPath ~= nil or nil
      end
    end
  end
  return kept
end

--- @param spec table a pod's, also that of a template
--- @param container table of choose.container
local function make(spec, container, volumes)
  local plan = volumes_of(container, volumes)
  plan.container, plan.image, plan.pull_policy = container.name, container.image, container.imagePullPolicy
  plan.spec = pick(spec, KEPT, {})
  local affinity = spec.affinity and spec.affinity ~= json.null and spec.affinity.nodeAffinity
  if affinity then
    plan.spec.affinity = { nodeAffinity = affinity }
  end
  plan.security = pick(container.securityContext, CONTAINER_SECURITY,
    pick(spec.securityContext, POD_SECURITY, {}))
  return plan
end

--- The user that the node says the container runs as, where the image decides.
local function told_user(pod, container, security)
  for _, status in ipairs(pod.status and pod.status.containerStatuses or {}) do
    local user = status.name == container.name and status.user and status.user.linux
    if user and security.runAsUser == nil then
      security.runAsUser, security.runAsGroup = user.uid, security.runAsGroup or user.gid
    end
  end
end

--- Of a pod that is there.
--- @param owner table|nil {apiVersion, kind, name, uid}: its workload
function blueprint.of_pod(pod, container, owner)
  local plan = make(pod.spec, container, pod.spec.volumes or {})
  plan.pod, plan.namespace, plan.uid = pod.metadata.name, pod.metadata.namespace, pod.metadata.uid
  plan.node, plan.owner = pod.spec.nodeName, owner
  told_user(pod, container, plan.security)
  return plan
end

--- Of a workload without pods: its template, and the claims of a StatefulSet's pod.
--- @param workload table the object
--- @param container table of its template
--- @param ordinal integer which pod of a StatefulSet
function blueprint.of_workload(workload, container, ordinal)
  local spec = workload.spec.template.spec
  local volumes = {}
  for index, volume in ipairs(spec.volumes or {}) do
    volumes[index] = volume
  end
  local pod = workload.metadata.name
  if workload.kind == "StatefulSet" then
    pod = ("%s-%d"):format(pod, ordinal)
    for _, claim in ipairs(workload.spec.volumeClaimTemplates or {}) do
      local name = claim.metadata.name
      for index = #volumes, 1, -1 do
        if volumes[index].name == name then
          table.remove(volumes, index)
        end
      end
      volumes[#volumes + 1] = { name = name, persistentVolumeClaim = { claimName = name .. "-" .. pod } }
    end
  end
  local plan = make(spec, container, volumes)
  plan.pod, plan.namespace = pod, workload.metadata.namespace
  plan.owner = { apiVersion = workload.apiVersion, kind = workload.kind, name = workload.metadata.name,
    uid = workload.metadata.uid }
  return plan
end

--- Is the path the prefix, or below it?
local function below(path, prefix)
  return prefix == "/" or path == prefix or path:sub(1, #prefix + 1) == prefix .. "/"
end

--- Raise "unsupported" for a path that a helper pod does not see as the container does.
--- A directory above a volume is fine.
--- @param path string absolute
--- @param stuck? boolean the container itself does not run, whatever is in it
function blueprint.check_path(plan, path, stuck)
  local best, kind = "", nil
  for _, mount in ipairs(plan.mounts) do
    if below(path, mount.mountPath) and #mount.mountPath > #best then
      best, kind = mount.mountPath, nil
    elseif below(mount.mountPath, path) and best == "" then
      best = "/"
    end
  end
  for _, lost in ipairs(plan.lost) do
    if below(path, lost.path) and #lost.path > #best then
      best, kind = lost.path, lost.kind
    end
  end
  if best == "" then
    kind = "the container's own file system"
  end
  if kind then
    failure.raise("unsupported", ("\"%s\" lies in %s of pod %s/%s, which a helper pod does not see")
      :format(path, kind, plan.namespace, plan.pod),
      { hint = "a helper pod acts on the volumes only: " .. (stuck and "to reach the rest the container has to run"
        or "give the container an image with a shell and tar to reach the rest") })
  end
end

return blueprint
