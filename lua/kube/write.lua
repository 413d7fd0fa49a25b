--- Objects written: created, applied, patched, replaced, deleted.

local change = require "kube.change"
local client = require "kube.client"
local discovery = require "kube.discovery"
local failure = require "failure"
local json = require "json"
local object = require "kube.object"
local options = require "kube.options"

local write = {}

--- Who owns the fields that are written from here.
local MANAGER = "moonkeep"

--- A copy of an object that says its namespace, without what no request may carry.
local function prepared(cluster, kind, given, opts)
  local metadata = {}
  for name, value in pairs(type(given.metadata) == "table" and given.metadata or {}) do
    metadata[name] = value
  end
  metadata.managedFields = nil
  if kind.namespaced then
    if opts.namespace and metadata.namespace and opts.namespace ~= metadata.namespace then
      failure.raise("invalid", ("%s says the namespace \"%s\" itself, not \"%s\""):format(
        kind:named(nil, tostring(metadata.name)), metadata.namespace, opts.namespace))
    end
    metadata.namespace = options.namespace(cluster, kind, opts.namespace or metadata.namespace)
  end
  local copy = {}
  for name, value in pairs(given) do
    copy[name] = value
  end
  copy.metadata = metadata
  return copy, metadata.namespace, metadata.name
end

local function manager_of(opts)
  return opts.manager or MANAGER
end

local WRITING = { namespace = "string", manager = "string", why = "string" }

--- Create an object; "exists" when there is one of that name.
function write.create(cluster, given, more)
  local opts = options.check("kube create", more, WRITING)
  local kind = discovery.of(cluster, given)
  local copy, namespace, name = prepared(cluster, kind, given, opts)
  local said = name or (tostring(copy.metadata.generateName) .. "...")
  local request = object.request(cluster, "create", kind, namespace, said)
  request.method, request.path, request.body = "POST", kind:path(namespace), copy
  request.query, request.refused = { fieldManager = manager_of(opts) }, nil
  return change.perform(cluster, request, { verb = "create", said = kind:named(namespace, said), why = opts.why,
    kind = kind, namespace = namespace, name = name, rights = { "create" }, makes = name and "created",
    stand_in = copy })
end

--- Whose fields an apply would change: {field, manager} of each.
local function conflicts_of(answer)
  local ok, status = pcall(json.decode, answer.body)
  local list = {}
  local details = ok and type(status) == "table" and status.details
  for _, cause in ipairs(type(details) == "table" and type(details.causes) == "table" and details.causes or {}) do
    if cause.reason == "FieldManagerConflict" then
      list[#list + 1] = { field = tostring(cause.field),
        manager = tostring(cause.message):match("\"(.-)\"") or tostring(cause.message) }
    end
  end
  return list
end

local function explain(cluster, request, list)
  local parts = {}
  for _, one in ipairs(list) do
    parts[#parts + 1] = ("%s (owned by \"%s\")"):format(one.field, one.manager)
  end
  failure.raise("changed", ("%s: others own what it sets: %s"):format(client.what(cluster, request),
    table.concat(parts, ", ")), { http = 409, conflicts = list,
    hint = "leave these fields out, or take them over with force = true" })
end

--- Apply an object on the server's side; conflicts name the fields and who owns them.
function write.apply(cluster, given, more)
  local opts = options.check("kube apply", more, { namespace = "string", manager = "string", why = "string",
    force = "boolean", subresource = "string" })
  local kind = discovery.of(cluster, given)
  local copy, namespace, name = prepared(cluster, kind, given, opts)
  local request = object.request(cluster, "apply", kind, namespace, name, opts.subresource)
  request.method, request.type, request.body = "PATCH", "apply", copy
  request.right.verb = "patch"
  request.query = { fieldManager = manager_of(opts), force = opts.force and true or nil }
  -- The answer of a conflict has more to say than its message.
  request.refused = function(answer)
    local list = answer.status == 409 and conflicts_of(answer) or {}
    if #list > 0 then
      explain(cluster, request, list)
    end
  end
  return change.perform(cluster, request, { verb = "apply", said = kind:named(namespace, name), why = opts.why,
    kind = kind, subresource = opts.subresource, namespace = namespace, name = name,
    rights = { "patch" }, stand_in = copy })
end

local PATCHES = { merge = "merge", json = "json_patch", strategic = "strategic" }

--- Patch an object.
--- @param doing? table verb and said, where others than "patch" and the object's name are listed
function write.patch(cluster, typed, name, patch, more, doing)
  local opts = options.check("kube patch", more, { namespace = "string", manager = "string", why = "string",
    type = "string", subresource = "string" })
  local kind = discovery.resource(cluster, typed)
  local namespace = options.namespace(cluster, kind, opts.namespace)
  local patch_type = PATCHES[opts.type or "merge"]
  if patch_type == nil then
    failure.raise("recipe", ("a patch is \"merge\", \"json\" or \"strategic\", not \"%s\""):format(opts.type))
  end
  local request = object.request(cluster, doing and doing.verb or "patch", kind, namespace, name, opts.subresource)
  request.method, request.type, request.refused = "PATCH", patch_type, nil
  request.right.verb = "patch"
  request.body = patch_type == "json_patch" and json.array(patch) or patch
  request.query = { fieldManager = manager_of(opts) }
  return change.perform(cluster, request, { verb = doing and doing.verb or "patch",
    said = doing and doing.said or kind:named(namespace, name), why = opts.why, kind = kind,
    subresource = opts.subresource, namespace = namespace, name = name, rights = { "patch" },
    stand_in = { apiVersion = kind:api_version(), kind = kind.kind,
      metadata = { name = name, namespace = namespace } } })
end

--- Replace an object by another one of its name; "changed" when it has another
--- metadata.resourceVersion by now than the one that is given.
function write.replace(cluster, given, more)
  local opts = options.check("kube replace", more, { namespace = "string", manager = "string", why = "string",
    subresource = "string" })
  local kind = discovery.of(cluster, given)
  local copy, namespace, name = prepared(cluster, kind, given, opts)
  local request = object.request(cluster, "replace", kind, namespace, name, opts.subresource)
  request.method, request.body, request.refused = "PUT", copy, nil
  request.right.verb = "update"
  request.query = { fieldManager = manager_of(opts) }
  return change.perform(cluster, request, { verb = "replace", said = kind:named(namespace, name), why = opts.why,
    kind = kind, subresource = opts.subresource, namespace = namespace, name = name, rights = { "update" },
    stand_in = copy })
end

local PROPAGATION = { background = "Background", foreground = "Foreground", orphan = "Orphan" }

--- Delete an object; what is gone already is fine.
--- @return boolean was there one?
function write.delete(cluster, typed, name, more)
  local opts = options.check("kube delete", more, { namespace = "string", why = "string", propagation = "string",
    grace = "integer", uid = "string" })
  local kind = discovery.resource(cluster, typed)
  local namespace = options.namespace(cluster, kind, opts.namespace)
  local propagation = opts.propagation and PROPAGATION[opts.propagation:lower()]
  if opts.propagation and propagation == nil then
    failure.raise("recipe", ("propagation is \"background\", \"foreground\" or \"orphan\", not \"%s\""):format(
      opts.propagation))
  end
  local request = object.request(cluster, "delete", kind, namespace, name)
  request.method = "DELETE"
  request.body = { apiVersion = "v1", kind = "DeleteOptions", propagationPolicy = propagation or "Background",
    gracePeriodSeconds = opts.grace, preconditions = opts.uid and { uid = opts.uid } or nil }
  local ok, answer = pcall(change.perform, cluster, request, { verb = "delete",
    said = kind:named(namespace, name), why = opts.why, kind = kind, namespace = namespace, name = name,
    rights = { "delete" }, makes = "deleted", stand_in = {} })
  if ok then
    return answer ~= nil
  end
  if opts.uid and failure.is(answer) and answer.http == 409 then
    answer = failure.new("changed", answer.message, { http = 409,
      hint = "another object has that name by now; it was left alone" })
  end
  error(answer, 0)
end

return write
