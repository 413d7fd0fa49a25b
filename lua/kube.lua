--- Kubernetes: the objects of a cluster, read, followed, changed and waited for.
---
---   local cluster = kube.open { context = "prod" }
---   local pod = cluster:get("pod", "prometheus-0", { namespace = "monitoring" })
---
--- An object is a table as in its JSON.  A kind is written as users write it: "pod",
--- "sts", "deployments.apps", "volumesnapshots.snapshot.storage.k8s.io/v1".  Where no
--- namespace is given it is the cluster's own (of kube.open, else the context's).
---
--- Reads are repeated for a minute while the server is away or busy; what changes
--- something only where it is certain that nothing was done.  Functions that change
--- something take `why`, for the plan; in a plan the change is listed, and sent as a
--- dry run, so that what would be refused is refused there.  Errors name what was
--- asked, the object and the context; "permission" says how the right is granted.
---
--- kube.manifest reads and writes manifests.

local client = require "kube.client"
local effect = require "effect"
local options = require "kube.options"

local kube = { manifest = require "kube.manifest" }

local Cluster = {}
Cluster.__index = Cluster

--- Open a cluster: nothing is connected yet.  Raises "credentials", "not_found" (the
--- context), "invalid", "unsupported".
--- @param given? table kubeconfig (a path; default: $KUBECONFIG, ~/.kube/config, the service
---   account of the pod that this runs in), context, namespace, waiting = function(text) that is
---   called when the server has been away or busy for a second
function kube.open(given)
  local opts = options.check("kube.open", given, { kubeconfig = "string", context = "string",
    namespace = "string", waiting = "function" })
  local native = require "_kube"
  return kube.over(native.open { kubeconfig = opts.kubeconfig, context = opts.context }, native.check,
    { namespace = opts.namespace, waiting = opts.waiting })
end

--- A cluster over a client: something with the functions info, request and follow.
--- @param native table as _kube.open returns
--- @param check function(what, answer) raises what an answer other than 2xx says
--- @param given? table namespace, waiting (of kube.open), pace = {first_ms, longest_ms, limit_ms} of repeated requests
function kube.over(native, check, given)
  return setmetatable(client.new(native, check, given), Cluster)
end

--- @return table {server, context, user, namespace}
function Cluster:info()
  return { server = self.about.server, context = self.about.context, user = self.about.user,
    namespace = self.namespace }
end

--- @return table as of GET /version: {gitVersion, major, minor, ...}
function Cluster:version()
  return client.call(self, { method = "GET", path = "/version", what = "ask for the version" })
end

--- Which cluster this is, however it is called and reached.
--- @return table {context, server, uid, by}: what the uid is of, "namespace kube-system", or
---   where the user may not get that: "service kubernetes", "authority" (a digest of the
---   cluster's certificates); "address", without uid, where none of these may be read
function Cluster:identity()
  return require("kube.identity").of(self)
end

--- Raise "refused" unless this is the cluster of an identity that was taken before.
--- @param before table of Cluster:identity
function Cluster:demand_identity(before)
  require("kube.identity").demand(self, before)
end

--- A kind as the server has it.  Raises "not_found".
--- @return table {group, version, plural, singular, kind, namespaced, verbs (a set),
---   subresources (a set)} with the function path(namespace, name, subresource)
function Cluster:resource(kind)
  return require("kube.discovery").resource(self, kind)
end

--- Does the server have that kind?  Raises when that cannot be told.
function Cluster:has(kind)
  return require("kube.discovery").has(self, kind)
end

--- An object, or nil.
--- @param given? table namespace, subresource
function Cluster:get(kind, name, given)
  return require("kube.object").get(self, kind, name, given)
end

--- Go through the objects of a kind, page by page, each once.
--- @param given? table namespace, all = true: of all namespaces, selector and fields (text, or
---   {name = value}), limit = objects of a page
--- @param fn function(object) returns true to stop
function Cluster:each(kind, given, fn)
  require("kube.object").each(self, kind, given, fn)
end

--- The objects of a kind, for as many as fit into memory.
--- @param given? table as of Cluster:each
--- @return table list
--- @return string the resourceVersion that they are of
function Cluster:list(kind, given)
  return require("kube.object").list(self, kind, given)
end

--- Follow the objects of a kind: those that are there, as "ADDED", then what happens to
--- them.  What the server ends, breaks off or forgets is taken up again, and nothing is told
--- twice or left out.
--- @param given? table namespace, all, selector, fields, name = of one object,
---   synced = function() called when all that was there is told, idle = function() called
---   about every second; either may return true to stop
--- @param fn function(type, object) of "ADDED", "MODIFIED", "DELETED"; returns true to stop
function Cluster:watch(kind, given, fn)
  require("kube.watch").each(self, kind, given, fn)
end

--- Create an object.  Raises "exists".
--- @param object table; it says its apiVersion and kind
--- @param given? table namespace, why, manager (default "moonkeep")
--- @return table the object as the server made it
function Cluster:create(object, given)
  return require("kube.write").create(self, object, given)
end

--- Make an object have these fields (server-side apply).  Where others own some of them
--- it raises "changed", with `conflicts` = list of {field, manager}.
--- @param given? table namespace, force = true: take such fields over, subresource, why,
---   manager (default "moonkeep")
--- @return table the object as it is now
function Cluster:apply(object, given)
  return require("kube.write").apply(self, object, given)
end

--- Change fields of an object.
--- @param patch table
--- @param given? table type = "merge" (default; json.null removes a field), "json" (a list of
---   operations) or "strategic", namespace, subresource, why, manager
--- @return table the object as it is now
function Cluster:patch(kind, name, patch, given)
  return require("kube.write").patch(self, kind, name, patch, given)
end

--- Replace an object by another one of its name.  Raises "changed" when the object has
--- another metadata.resourceVersion by now than the given one says, if it says one.
--- @param given? table namespace, subresource, why, manager
--- @return table the object as it is now
function Cluster:replace(object, given)
  return require("kube.write").replace(self, object, given)
end

--- Delete an object; what is gone already is fine.
--- @param given? table namespace, propagation = "background" (default), "foreground" or
---   "orphan", grace = seconds, uid = delete only that one ("changed" when another one has
---   the name by now), why
--- @return boolean was there one?
function Cluster:delete(kind, name, given)
  return require("kube.write").delete(self, kind, name, given)
end

--- Set the number of a workload's replicas.
--- @param replicas integer
--- @param given? table namespace, why, annotations = {name = text, or json.null to remove it}:
---   set on the object in the same patch
--- @return integer how many were wanted before
function Cluster:scale(kind, name, replicas, given)
  return require("kube.rollout").scale(self, kind, name, replicas, given)
end

--- Replace the pods of a deployment, statefulset or daemonset by new ones, as its update
--- strategy says.
--- @param given? table namespace, why
function Cluster:restart(kind, name, given)
  require("kube.rollout").restart(self, kind, name, given)
end

--- Wait until a deployment, statefulset or daemonset has rolled out, as `kubectl rollout
--- status` judges; of one that is updated on delete only, until its pods are there.  Raises
--- "timeout", with the pods' reasons: early when a pod is in trouble that does not pass.
--- @param given? table namespace, stall_ms (default 15 minutes) without a change, limit_ms in
---   all, patience_ms = how long a pod may be in trouble (default 30 s)
--- @return table|nil the object; nil in a plan
function Cluster:rollout_status(kind, name, given)
  return require("kube.rollout").status(self, kind, name, given)
end

--- Wait for an object; also for one that does not exist yet.  Raises "timeout" with what was
--- seen last and the last warnings.
--- @param given table one of: condition = "Ready" or "Ready=False"; path = "{.status.phase}" with
---   value = what is to be there (without: anything); gone = true: another object of the same
---   name counts as gone (uid = that of the one that is meant); test = function(object) ->
---   boolean, why not.  And namespace, stall_ms (default 5 minutes) without a change of the
---   object, limit_ms in all
--- @return table|nil the object; nil when it is gone, and in a plan
function Cluster:wait(kind, name, given)
  return require("kube.wait").object(self, kind, name, given)
end

--- What a container wrote.
--- @param given? table namespace, container, previous = true: the one before its restart,
---   tail = lines, since_s, max = bytes (default 1 MiB)
--- @return string
function Cluster:logs(pod, given)
  return require("kube.logs").read(self, pod, given)
end

--- What the cluster says happened to an object, the newest last.
--- @param object table
--- @return table list of {type = "Normal" or "Warning", reason, message, count, last}
function Cluster:events(object)
  return require("kube.events").list(self, object)
end

--- May the user do that?
--- @param verb string "get", "list", "watch", "create", "update", "patch", "delete"
--- @param given? table namespace, all = true: in all, subresource ("exec"), name
--- @return boolean
--- @return string|nil why not, where the server says it
function Cluster:can(verb, kind, given)
  return require("kube.access").can(self, verb, kind, given)
end

--- Raise one "permission" that names all of these rights that the user has not.
--- @param list table of {verb, kind, namespace =, all =, subresource =, name =}
function Cluster:preflight(list)
  require("kube.access").preflight(self, list)
end

--- An HTTP client (module http) for a port of a service, as asked inside the cluster:
--- through the API server's proxy, else to a ready pod behind it.
---
---   local status = cluster:http("prometheus", 9090, { namespace = "monitoring" }):get_json("/api/v1/status/flags")
---
--- @param service string its name
--- @param port integer the service's
--- @param given? table namespace, headers, token (secret), stall_ms, answer_max
function Cluster:http(service, port, given)
  local opts = options.check("kube http", given, { namespace = "string", headers = "table", token = "any",
    stall_ms = "integer", answer_max = "integer" })
  return require("kube.service_http").client(self, service, port, opts)
end

--- Send any request; an answer of any status is returned.
--- @param request table method, path (with its query), body (text, or a table: as JSON), headers,
---   why = for the plan, which ends where something else than GET is sent
--- @return table {status, headers (names in lower case), body}
function Cluster:raw(request)
  local opts = options.check("kube raw", request, { method = "string", path = "string", body = "any",
    headers = "table", why = "string" })
  local method = opts.method or "GET"
  if method ~= "GET" and method ~= "HEAD" then
    effect.change_for_result(method, ("%s (context \"%s\")"):format(opts.path, self.about.context), opts.why)
  end
  return client.send(self, { method = method, path = opts.path, body = opts.body, headers = opts.headers,
    accept = "*/*", what = ("%s %s"):format(method, opts.path) })
end

return kube
