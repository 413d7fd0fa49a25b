--- Objects read and written.

local failure = require "failure"
local json = require "json"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()

local test = {}

local PODS = "/api/v1/namespaces/default/pods"
local GONE = { status = 410, body = script.status(410, "Expired", "the continue token is too old") }

local function page(items, continue, version)
  return { kind = "PodList", apiVersion = "v1", items = json.array(items),
    metadata = { resourceVersion = version or "100", continue = continue } }
end

local function names(list)
  local found = {}
  for index, item in ipairs(list) do
    found[index] = item.metadata.name
  end
  return found
end

test["an object that is not there is nil; a path that is not there is an error"] = function(t)
  local cluster, played = script.open {
    { "GET " .. PODS .. "/x", status = 404, body = script.status(404, "NotFound", "no x", { name = "x" }) },
    { "GET " .. PODS .. "/x", status = 404, body = script.status(404, "NotFound", "no such resource", {}) },
    { "GET " .. PODS .. "/x", status = 404, body = "404 page not found" },
  }
  t.equal(cluster:get("pod", "x"), nil)
  t.raises("not_found", "no such resource", cluster.get, cluster, "pod", "x")
  t.raises("not_found", "cannot get pod \"x\"", cluster.get, cluster, "pod", "x")
  played()
end

test["a listing goes through its pages"] = function(t)
  local cluster, played = script.open {
    { "GET " .. PODS, query = { limit = "2", continue = false, labelSelector = "a=b,c=d", fieldSelector = "x!=y" },
      body = page({ script.pod "a", script.pod "b" }, "more") },
    { "GET " .. PODS, query = { limit = "2", continue = "more", labelSelector = "a=b,c=d" },
      body = page({ script.pod "c" }, "") },
  }
  local list, version = cluster:list("pods", { limit = 2, selector = { c = "d", a = "b" }, fields = "x!=y" })
  t.equal(names(list), { "a", "b", "c" })
  t.equal({ version, list[1].kind, list[1].apiVersion }, { "100", "Pod", "v1" })
  played()
end

test["a list may be of all namespaces, or of none"] = function(t)
  local cluster, played = script.open { { "GET /api/v1/pods", body = page {} },
    { "GET /api/v1/nodes", body = page { { metadata = { name = "n" } } } },
    { "GET /api/v1/namespaces/other/pods", body = { metadata = {}, items = json.null } } }
  t.equal(cluster:list("pods", { all = true }), {})
  local nodes = cluster:list("nodes")
  t.equal({ nodes[1].kind, nodes[1].apiVersion }, { "Node", "v1" })
  t.equal(cluster:list("pods", { namespace = "other" }), {})
  played()
end

test["a listing that the server forgot begins anew, and tells nothing twice"] = function(t)
  local function steps()
    return { { "GET " .. PODS, body = page({ script.pod "a", script.pod "b" }, "one") },
      { "GET " .. PODS, query = { continue = "one" }, status = 410, body = GONE.body },
      { "GET " .. PODS, query = { continue = false }, body = page({ script.pod "a", script.pod "c" }, "two", "200") },
      { "GET " .. PODS, query = { continue = "two" }, body = page({ script.pod "d" }, "", "200") } }
  end
  local cluster, played = script.open(steps())
  local list, version = cluster:list "pods"
  t.equal(names(list), { "a", "c", "d" })
  t.equal(version, "200")
  played()
  cluster, played = script.open(steps())
  local told = {}
  cluster:each("pods", nil, function(pod)
    told[#told + 1] = pod.metadata.name
  end)
  t.equal(told, { "a", "b", "c", "d" })
  played()
end

test["a listing that is forgotten again and again is asked for in one piece"] = function(t)
  local steps = {}
  for _ = 1, 4 do
    steps[#steps + 1] = { "GET " .. PODS, query = { limit = "500" }, body = page({ script.pod "a" }, "one") }
    steps[#steps + 1] = { "GET " .. PODS, status = 410, body = GONE.body }
  end
  steps[#steps + 1] = { "GET " .. PODS, query = { limit = false }, body = page { script.pod "a" } }
  local cluster, played = script.open(steps)
  t.equal(names((cluster:list "pods")), { "a" })
  played()
end

test["pages that do not end, and lists that are none, are told"] = function(t)
  local cluster = script.open { { "GET " .. PODS, body = page({}, "one") }, { "GET " .. PODS, body = page({}, "one") } }
  t.raises("protocol", "cannot list pods in namespace \"default\" (context \"script\"): the server's pages do not end",
    cluster.list, cluster, "pods")
  for _, body in ipairs { { items = 7, metadata = {} }, { items = {} }, { items = { 7 }, metadata = {} },
    { items = { {} }, metadata = {} } } do
    cluster = script.open { { "GET " .. PODS, body = body } }
    t.raises("protocol", "cannot list pods", cluster.list, cluster, "pods")
  end
end

test["each stops when it is told to, and passes errors on"] = function(t)
  local cluster, played = script.open { { "GET " .. PODS, body = page({ script.pod "a", script.pod "b" }, "more") },
    { "GET " .. PODS, body = page { script.pod "a" } } }
  local told = 0
  cluster:each("pods", {}, function()
    told = told + 1
    return true
  end)
  t.equal(told, 1)
  local e = failure.new("io", "mine")
  t.raises("io", "mine", cluster.each, cluster, "pods", {}, function()
    error(e, 0)
  end)
  played()
end

test["an object is created where it belongs"] = function(t)
  local body
  local cluster, played = script.open { { "POST /apis/apps/v1/namespaces/n/deployments",
    query = { fieldManager = "moonkeep" }, status = 201, body = { metadata = { uid = "7" } },
    check = function(request)
      body = json.decode(request.body)
      t.equal(request.headers["Content-Type"], "application/json")
    end } }
  local given = { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "d", managedFields = { {} } },
    spec = { list = json.array {}, map = {} } }
  t.equal(cluster:create(given, { namespace = "n" }).metadata.uid, "7")
  t.equal(body, { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "d", namespace = "n" },
    spec = { list = {}, map = {} } })
  -- What was given stays as it was.
  t.equal({ given.metadata.namespace, given.metadata.managedFields }, { nil, { {} } })
  t.raises("invalid", "says the namespace \"a\" itself, not \"b\"", cluster.create, cluster, { apiVersion = "v1",
    kind = "Pod", metadata = { name = "x", namespace = "a" } }, { namespace = "b" })
  played()
end

test["an apply takes the fields over only when told to, and says who owns them"] = function(t)
  local path = "PATCH /apis/apps/v1/namespaces/default/deployments/d"
  local object = { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "d" }, spec = { replicas = 2 } }
  local conflict = script.status(409, "Conflict", "Apply failed with 1 conflict", { causes = {
    { reason = "FieldManagerConflict", field = ".spec.replicas",
      message = "conflict with \"kubectl-scale\" using apps/v1" },
  } })
  local cluster, played = script.open {
    { path, query = { fieldManager = "moonkeep", force = false }, body = object, check = function(request)
      t.equal(request.headers["Content-Type"], "application/apply-patch+yaml")
    end },
    { path, status = 409, body = conflict },
    { path, query = { force = "true", fieldManager = "other" }, body = object },
    { path, status = 409, body = script.status(409, "Conflict", "the object has been modified") },
  }
  cluster:apply(object)
  local e = t.raises("changed", "cannot apply deployment.apps \"d\" in namespace \"default\" (context \"script\"): "
    .. "others own what it sets: .spec.replicas (owned by \"kubectl-scale\")", cluster.apply, cluster, object)
  t.equal(e.conflicts, { { field = ".spec.replicas", manager = "kubectl-scale" } })
  t.contains(e.hint, "force = true")
  cluster:apply(object, { force = true, manager = "other" })
  t.raises("changed", "modified", cluster.apply, cluster, object)
  played()
end

test["a patch is sent as what it is"] = function(t)
  local function typed(wanted, body)
    return function(request)
      t.equal(request.headers["Content-Type"], wanted)
      t.equal(request.body, body)
    end
  end
  local cluster, played = script.open {
    { "PATCH " .. PODS .. "/x", check = typed("application/merge-patch+json", "{\"a\":null}") },
    { "PATCH " .. PODS .. "/x", check = typed("application/json-patch+json", "[]") },
    { "PATCH " .. PODS .. "/x/status", check = typed("application/strategic-merge-patch+json", "{}") },
  }
  cluster:patch("pod", "x", { a = json.null })
  cluster:patch("pod", "x", {}, { type = "json" })
  cluster:patch("pod", "x", {}, { type = "strategic", subresource = "status" })
  t.raises("recipe", "not \"yaml\"", cluster.patch, cluster, "pod", "x", {}, { type = "yaml" })
  played()
end

test["a replace carries the version that it replaces"] = function(t)
  local cluster, played = script.open { { "PUT " .. PODS .. "/x", body = {}, check = function(request)
      t.equal(json.decode(request.body).metadata.resourceVersion, "7")
    end }, { "PUT " .. PODS .. "/x", status = 409, body = script.status(409, "Conflict", "modified") } }
  cluster:replace(script.pod("x", "7"))
  t.raises("changed", "cannot replace pod \"x\"", cluster.replace, cluster, script.pod("x", "7"))
  played()
end

test["a delete says how, and what is gone is fine"] = function(t)
  local line = "DELETE " .. PODS .. "/x"
  local sent = {}
  local function keep(request)
    sent[#sent + 1] = json.decode(request.body)
  end
  local cluster, played = script.open { { line, check = keep }, { line, check = keep, status = 202 },
    { line, status = 404, body = script.status(404, "NotFound", "gone", { name = "x" }) },
    { line, status = 409, body = script.status(409, "Conflict", "Precondition failed: UID in precondition: a") } }
  t.equal(cluster:delete("pod", "x"), true)
  t.equal(cluster:delete("pod", "x", { propagation = "Foreground", grace = 0, uid = "a" }), true)
  t.equal(cluster:delete("pod", "x"), false)
  local e = t.raises("changed", "cannot delete pod \"x\"", cluster.delete, cluster, "pod", "x", { uid = "a" })
  t.contains(e.hint, "another object has that name")
  t.equal({ sent[1].propagationPolicy, sent[1].gracePeriodSeconds }, { "Background" })
  t.equal({ sent[2].propagationPolicy, sent[2].gracePeriodSeconds, sent[2].preconditions },
    { "Foreground", 0, { uid = "a" } })
  t.raises("recipe", "propagation is", cluster.delete, cluster, "pod", "x", { propagation = "all" })
  played()
end

test["logs are bounded text, also where they are no UTF-8"] = function(t)
  local cluster, played = script.open {
    { "GET " .. PODS .. "/x/log", body = "a\xffb\n", query = { container = "c", previous = "true", tailLines = "5",
      sinceSeconds = "60", limitBytes = "1048576" } },
    { "GET " .. PODS .. "/x/log", body = "abcdef", query = { limitBytes = "3", previous = false } },
    { "GET " .. PODS .. "/x/log", status = 400, body = script.status(400, "BadRequest", "container c is waiting") },
  }
  t.equal(cluster:logs("x", { container = "c", previous = true, tail = 5, since_s = 60 }), "a\xffb\n")
  t.equal(cluster:logs("x", { max = 3 }), "abc")
  t.raises("http", "cannot get log of pod \"x\"", cluster.logs, cluster, "x")
  played()
end

test["events are told in their order, of either kind"] = function(t)
  local cluster, played = script.open { { "GET /api/v1/namespaces/default/events", query = {
    fieldSelector = "involvedObject.kind=Pod,involvedObject.name=x,involvedObject.uid=uid-x" },
    body = page { { metadata = { creationTimestamp = "2026-11-21T02:00:00Z" }, type = "Warning", reason = "Failed",
      message = "no", count = 3, lastTimestamp = "2026-11-21T02:00:09Z" },
      { metadata = {}, eventTime = "2026-11-21T02:00:05.000000Z", reason = "Scheduled", lastTimestamp = json.null },
      { metadata = {}, series = { count = 2, lastObservedTime = "2026-11-21T02:00:07.000000Z" } } } } }
  local list = cluster:events(script.pod "x")
  t.equal({ list[1].reason, list[2].count, list[3].reason, list[3].count, list[3].type, list[3].last },
    { "Scheduled", 2, "Failed", 3, "Warning", "2026-11-21T02:00:09Z" })
  played()
end

return test
