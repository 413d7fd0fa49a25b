--- Manifests: objects as text, and objects made fit to be applied again.

local clean = require "kube.clean"
local failure = require "failure"
local json = require "json"
local options = require "kube.options"
local yaml = require "yaml"

local manifest = {}

local function invalid(where, text, hint)
  failure.raise("invalid", ("manifest, %s: %s"):format(where, text), { hint = hint })
end

local function is_list(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil and json.encode(value) == "[]")
end

local function is_mapping(value)
  return type(value) == "table" and not is_list(value)
end

--- A string that is not empty; what YAML took for something else is said.
local function check_text(where, what, value)
  if value == nil or value == json.null or value == "" then
    invalid(where, ("there is no %s"):format(what))
  elseif type(value) ~= "string" then
    invalid(where, ("%s is the %s %s, and has to be a string"):format(what,
      type(value) == "table" and "value" or type(value), json.encode(value)), "put it in quotes")
  end
end

local function check_object(where, object)
  check_text(where, "apiVersion", object.apiVersion)
  check_text(where, "kind", object.kind)
  where = ("%s, %s"):format(where, object.kind)
  local metadata = object.metadata
  if not is_mapping(metadata) or metadata.name == nil and metadata.generateName == nil then
    invalid(where, "there is no metadata.name")
  end
  if metadata.generateName == nil or metadata.name ~= nil then
    check_text(where, "metadata.name", metadata.name)
  else
    check_text(where, "metadata.generateName", metadata.generateName)
  end
  if metadata.namespace ~= nil then
    check_text(where, "metadata.namespace", metadata.namespace)
  end
end

--- Add the object, or those of a list; in PodList and its kin, as the API gives
--- them, items do not say what they are.
local function add(objects, where, object, kind, version)
  if not is_mapping(object) then
    invalid(where, "this is no object")
  end
  local of_list = type(object.kind) == "string" and object.kind:match("^(.*)List$")
  if of_list == nil or object.items == nil then
    if kind and object.kind == nil and object.apiVersion == nil then
      object.kind, object.apiVersion = kind, version
    end
    check_object(where, object)
    objects[#objects + 1] = object
    return
  end
  if object.items ~= json.null and not is_list(object.items) then
    invalid(where, ("items of a %s is no list"):format(object.kind))
  end
  for number, item in ipairs(object.items ~= json.null and object.items or {}) do
    add(objects, ("%s, item %d"):format(where, number), item, of_list ~= "" and of_list or nil, object.apiVersion)
  end
end

--- The objects of a text in YAML or JSON, of one document or several, in the order
--- of the text; lists are taken apart.  Every object has apiVersion, kind and
--- metadata.name or generateName, all strings; else "invalid" names the document
--- (those without content are not counted).
--- @param text string
--- @return table list of objects
function manifest.parse(text)
  local objects = {}
  for number, document in ipairs(failure.during("manifest", yaml.parse, text)) do
    if document ~= json.null then
      add(objects, ("document %d"):format(number), document)
    end
  end
  return objects
end

--- Objects as YAML that manifest.parse and kubectl read as the same objects: a
--- document each, "---" in front, so that texts can be put one behind the other.
--- @param objects table list of objects
--- @return string
function manifest.dump(objects)
  local parts = {}
  for index, object in ipairs(objects) do
    parts[index] = yaml.dump(object, true)
  end
  return table.concat(parts)
end

--- A copy of an object without what a server added, fit to be applied again, to this
--- or to another cluster.  What goes:
---
--- - of every object: status; of metadata uid, resourceVersion, generation,
---   creationTimestamp, selfLink, managedFields, deletionTimestamp,
---   deletionGracePeriodSeconds, ownerReferences (they name uids: where those do not
---   exist, the garbage collector deletes the object), what kubectl, controllers and
---   schedulers wrote into annotations, finalizers of Kubernetes itself
--- - Service: clusterIP and clusterIPs unless "None", healthCheckNodePort; node ports stay
--- - PersistentVolumeClaim: spec.volumeName, the annotations of its binding
--- - PersistentVolume: uid and resourceVersion of claimRef, so that the claim of that
---   name may have it again
--- - Pod: nodeName, the token volume and its mounts, priority and preemptionPolicy (of
---   its class), ephemeral containers
--- - Job: selector and labels with the job's uid, unless manualSelector is set
--- - ServiceAccount: secrets and imagePullSecrets that were made for it
--- - Namespace: spec.finalizers
---
--- A Secret of type kubernetes.io/service-account-token holds a token that only its own
--- cluster takes: "refused", unless renew_tokens is set.
--- @param object table
--- @param given? table keep_owners: ownerReferences stay; keep_volume: a claim keeps
---   spec.volumeName, for a volume that is restored with it; renew_tokens: a token Secret
---   is kept without its token, which the cluster then makes
--- @return table
function manifest.clean(object, given)
  return clean.object(object, options.check("manifest.clean", given,
    { keep_owners = "boolean", keep_volume = "boolean", renew_tokens = "boolean" }))
end

--- Why an object need not be applied again, because a cluster makes it by itself:
--- "made by ReplicaSet web-5d4f8", or nil.  Events, nodes, leases of nodes, mirror
--- pods, endpoints of services, tokens, root certificates, what has a controller.
--- @return string|nil
function manifest.made_by_cluster(object)
  return clean.made_by(object)
end

return manifest
