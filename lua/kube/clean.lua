--- What servers, schedulers and controllers add to objects, taken away again.

local failure = require "failure"
local json = require "json"

local clean = {}

local TOKEN_TYPE = "kubernetes.io/service-account-token"
local TOKEN_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"

local METADATA = { "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields",
  "deletionTimestamp", "deletionGracePeriodSeconds" }

--- Annotations that only record what was done.
local ANNOTATIONS = {
  ["kubectl.kubernetes.io/last-applied-configuration"] = true,
  ["deployment.kubernetes.io/revision"] = true,
  ["deployment.kubernetes.io/revision-history"] = true,
  ["deployment.kubernetes.io/desired-replicas"] = true,
  ["deployment.kubernetes.io/max-replicas"] = true,
  ["deprecated.daemonset.template.generation"] = true,
  ["control-plane.alpha.kubernetes.io/leader"] = true,
  ["autoscaling.alpha.kubernetes.io/conditions"] = true,
  ["autoscaling.alpha.kubernetes.io/current-metrics"] = true,
  ["batch.kubernetes.io/job-tracking"] = true,
  ["endpoints.kubernetes.io/last-change-trigger-time"] = true,
}

local CLAIM_ANNOTATIONS = {
  ["pv.kubernetes.io/bind-completed"] = true,
  ["pv.kubernetes.io/bound-by-controller"] = true,
  ["volume.beta.kubernetes.io/storage-provisioner"] = true,
  ["volume.kubernetes.io/storage-provisioner"] = true,
  ["volume.kubernetes.io/selected-node"] = true,
}

--- Finalizers that the server or its controllers put on by themselves.
local FINALIZERS = {
  ["kubernetes.io/pvc-protection"] = true,
  ["kubernetes.io/pv-protection"] = true,
  ["service.kubernetes.io/load-balancer-cleanup"] = true,
  ["batch.kubernetes.io/job-tracking"] = true,
  foregroundDeletion = true,
  orphan = true,
}

local JOB_LABELS = {
  ["controller-uid"] = true,
  ["batch.kubernetes.io/controller-uid"] = true,
  ["job-name"] = true,
  ["batch.kubernetes.io/job-name"] = true,
}

--- The table at a path of names below another, or nil.
local function at(value, ...)
  for _, name in ipairs { ... } do
    if type(value) ~= "table" then
      return nil
    end
    value = value[name]
  end
  return type(value) == "table" and value or nil
end

local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local made = {}
  for key, child in pairs(value) do
    made[key] = copy(child)
  end
  return setmetatable(made, getmetatable(value))
end

--- Remove named members of the field, and the field when nothing is left of it.
local function without(parent, field, names)
  local members = at(parent, field)
  if members == nil then
    return
  end
  for name in pairs(names) do
    members[name] = nil
  end
  if next(members) == nil then
    parent[field] = nil
  end
end

--- Keep what fn is true of in the list, and the field when something is left.
local function filter(parent, field, fn)
  local list = at(parent, field)
  if list == nil then
    return
  end
  local kept = json.array()
  for _, entry in ipairs(list) do
    if fn(entry) then
      kept[#kept + 1] = entry
    end
  end
  parent[field] = #kept > 0 and kept or nil
end

--- Metadata of templates has a creationTimestamp of null, and claims in them a status.
local function templates(spec, depth)
  if type(spec) ~= "table" or depth == 0 then
    return
  end
  local metadata = at(spec, "metadata")
  if metadata and metadata.creationTimestamp == json.null then
    metadata.creationTimestamp = nil
  end
  for _, child in pairs(spec) do
    templates(child, depth - 1)
  end
end

--- How deep the metadata of a template lies: spec.jobTemplate.spec.template.
local TEMPLATE_DEPTH = 5

--- "NAME-token-x7k2p": five characters without vowels, as the API server makes names.
local function is_made_for(account, kind, name)
  local prefix = ("%s-%s-"):format(account, kind)
  return type(name) == "string" and name:sub(1, #prefix) == prefix
    and name:sub(#prefix + 1):match("^" .. ("[bcdfghjklmnpqrstvwxz2456789]"):rep(5) .. "$") ~= nil
end

local function token_volume(spec)
  local account = type(spec.serviceAccountName) == "string" and spec.serviceAccountName or "default"
  return function(volume)
    local name, secret = at({ volume }, 1) and volume.name, at(volume, "secret")
    return is_made_for("kube", "api-access", name)
      or secret ~= nil and is_made_for(account, "token", secret.secretName)
  end
end

local kinds = {}

function kinds.Service(object)
  local spec = at(object, "spec")
  if not spec then
    return
  end
  if spec.clusterIP ~= "None" then
    spec.clusterIP = nil
    spec.clusterIPs = nil
  end
  spec.healthCheckNodePort = nil
end

function kinds.PersistentVolumeClaim(object, options)
  without(object.metadata, "annotations", CLAIM_ANNOTATIONS)
  if at(object, "spec") and not options.keep_volume then
    object.spec.volumeName = nil
  end
end

local function forget_reference(reference)
  if reference then
    reference.uid = nil
    reference.resourceVersion = nil
  end
end

function kinds.PersistentVolume(object)
  without(object.metadata, "annotations", { ["pv.kubernetes.io/bound-by-controller"] = true })
  forget_reference(at(object, "spec", "claimRef"))
end

function kinds.VolumeSnapshotContent(object)
  forget_reference(at(object, "spec", "volumeSnapshotRef"))
end

function kinds.Pod(object)
  local spec = at(object, "spec")
  if not spec then
    return
  end
  local is_token, names = token_volume(spec), {}
  filter(spec, "volumes", function(volume)
    if not is_token(volume) then
      return true
    end
    names[volume.name] = true
  end)
  for _, field in ipairs { "containers", "initContainers" } do
    for _, container in ipairs(at(spec, field) or {}) do
      filter(container, "volumeMounts", function(mount)
        return not (at({ mount }, 1) and mount.mountPath == TOKEN_DIR and names[mount.name])
      end)
    end
  end
  for _, field in ipairs { "nodeName", "priority", "preemptionPolicy", "ephemeralContainers" } do
    spec[field] = nil
  end
end

function kinds.Job(object)
  local spec = at(object, "spec")
  if not spec or spec.manualSelector == true then
    return
  end
  spec.selector = nil
  without(object.metadata, "labels", JOB_LABELS)
  local metadata = at(spec, "template", "metadata")
  if metadata then
    without(metadata, "labels", JOB_LABELS)
  end
end

function kinds.ServiceAccount(object)
  local name = object.metadata.name
  local function is_own(reference)
    local secret = at({ reference }, 1) and reference.name
    return not (is_made_for(name, "token", secret) or is_made_for(name, "dockercfg", secret))
  end
  filter(object, "secrets", is_own)
  filter(object, "imagePullSecrets", is_own)
end

function kinds.StatefulSet(object)
  for _, claim in ipairs(at(object, "spec", "volumeClaimTemplates") or {}) do
    if at({ claim }, 1) then
      claim.status = nil
    end
  end
end

function kinds.Namespace(object)
  without(object.metadata, "labels", { ["kubernetes.io/metadata.name"] = true })
  without(object, "spec", { finalizers = true })
end

function kinds.Secret(object, options)
  if object.type ~= TOKEN_TYPE then
    return
  end
  if not options.renew_tokens then
    failure.raise("refused", ("the Secret \"%s\" holds a token of a service account, which only the cluster"
      .. " that made it takes"):format(tostring(object.metadata.name)),
      { hint = "leave it out, or set renew_tokens to have the cluster make a new one" })
  end
  without(object, "data", { token = true, ["ca.crt"] = true, namespace = true })
  without(object.metadata, "annotations", { ["kubernetes.io/service-account.uid"] = true })
end

local function metadata_of(metadata, options)
  for _, name in ipairs(METADATA) do
    metadata[name] = nil
  end
  if not options.keep_owners then
    metadata.ownerReferences = nil
  end
  without(metadata, "annotations", ANNOTATIONS)
  filter(metadata, "finalizers", function(name)
    return not FINALIZERS[name]
  end)
end

--- Is the kind one of Kubernetes itself?  Others may have its name.
local function is_builtin(object)
  local group = type(object.apiVersion) == "string" and object.apiVersion:match("^(.*)/") or ""
  return not group:find(".", 1, true) or group:match("%.k8s%.io$") ~= nil
end

--- manifest.clean: see there.
function clean.object(object, options)
  if at(object, "metadata") == nil then
    failure.raise("recipe", "manifest.clean takes an object with metadata")
  end
  local made = copy(object)
  made.status = nil
  metadata_of(made.metadata, options)
  templates(at(made, "spec"), TEMPLATE_DEPTH)
  local fn = kinds[made.kind]
  if fn and is_builtin(made) then
    fn(made, options)
  end
  return made
end

local MADE = {
  Event = "a record of what happened",
  Node = "made by its kubelet",
  ControllerRevision = "made by its controller",
  ComponentStatus = "made by the server",
}

--- manifest.made_by_cluster: see there.
function clean.made_by(object)
  local metadata = at(object, "metadata")
  if not metadata then
    return nil
  end
  for _, owner in ipairs(at(metadata, "ownerReferences") or {}) do
    if at({ owner }, 1) and owner.controller == true then
      return ("made by %s %s"):format(owner.kind, owner.name)
    end
  end
  if not is_builtin(object) then
    return nil
  elseif MADE[object.kind] then
    return MADE[object.kind]
  elseif object.kind == "Secret" and object.type == TOKEN_TYPE then
    return "a token of a service account"
  elseif object.kind == "ConfigMap" and metadata.name == "kube-root-ca.crt" then
    return "the cluster's own certificates"
  elseif object.kind == "Lease" and metadata.namespace == "kube-node-lease" then
    return "made by its kubelet"
  elseif object.kind == "Pod" and (at(metadata, "annotations") or {})["kubernetes.io/config.mirror"] then
    return "made by its kubelet, from a file"
  elseif object.kind == "Endpoints" and (at(metadata, "annotations")
      or {})["endpoints.kubernetes.io/last-change-trigger-time"] then
    return "made by the controller of its Service"
  end
end

return clean
