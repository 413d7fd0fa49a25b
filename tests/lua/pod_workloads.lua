--- Pods and the workloads that they are of, as a cluster tells of them.

local address = require "target.pod.address"
local json = require "json"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()
local workloads = require "target.pod.workloads"

local test = {}

local PODS, APPS = "GET /api/v1/namespaces/m/pods", "GET /apis/apps/v1/namespaces/m/"
local CONTROLLER = { apiVersion = "apps/v1", kind = "StatefulSet", name = "db", uid = "u-db", controller = true }

--- @param owner? table its ownerReference
local function pod(name, owner, more)
  local one = { apiVersion = "v1", kind = "Pod", metadata = { name = name, namespace = "m", uid = "u-" .. name,
    ownerReferences = owner and { owner } }, spec = { containers = { { name = "c" } } },
    status = { phase = "Running", conditions = { { type = "Ready", status = "True" } } } }
  for field, value in pairs(more or {}) do
    one.metadata[field] = value
  end
  return one
end

local function workload(kind, name, spec, annotations)
  spec.selector, spec.template = { matchLabels = { app = name } }, { metadata = { labels = { app = name } }, spec = {} }
  return { apiVersion = "apps/v1", kind = kind, metadata = { name = name, namespace = "m", uid = "u-" .. name,
    annotations = annotations }, spec = spec }
end

local function list(...)
  return { metadata = {}, items = json.array { ... } }
end

local function absent(name)
  return script.status(404, "NotFound", "not found", { name = name })
end

--- What an address means, where the cluster gives these answers.
local function find(t, text, steps, plan)
  local cluster, played = script.open(steps)
  local results = table.pack(pcall(workloads.find, cluster, address.parse(text), plan))
  played()
  t.check(results[1], results[2])
  return results[2]
end

local function find_refused(t, text, steps, code, part, plan)
  local cluster, played = script.open(steps)
  local e = t.raises(code, part, workloads.find, cluster, address.parse(text), plan)
  played()
  return e
end

test["a replica that the workload does not have is told at once, with those that it has"] = function(t)
  local e = find_refused(t, "pod://m/sts/db?replica=3", {
    { APPS .. "statefulsets/db", body = workload("StatefulSet", "db", { replicas = 1 }) },
    { PODS, body = list(pod("db-0", CONTROLLER)) } }, "not_found",
    "there is no replica 3: statefulset m/db has 1 replica, with the number 0")
  t.contains(e.hint, "choose another one")
  find_refused(t, "pod://m/sts/db?replica=2", {
    { APPS .. "statefulsets/db", body = workload("StatefulSet", "db", { replicas = 3, ordinals = { start = 5 } }) },
    { PODS, body = list(pod("db-5", CONTROLLER)) } }, "not_found", "has 3 replicas, with the numbers 5 to 7")
  -- Without any pods just now, and of a Deployment.
  find_refused(t, "pod://m/deploy/web?replica=2", {
    { APPS .. "deployments/web", body = workload("Deployment", "web", { replicas = 2 }) }, { PODS, body = list() } },
    "not_found", "deployment m/web has 2 replicas, with the numbers 0 to 1")
  find_refused(t, "pod://m?selector=app=web&replica=2", { { PODS, body = list() },
    { APPS .. "statefulsets", body = list() },
    { APPS .. "deployments", body = list(workload("Deployment", "web", {})) } }, "not_found",
    "deployment m/web has 1 replica, with the number 0")
end

test["a replica that is to come, or that a run has scaled away, is one"] = function(t)
  local function found(spec, annotations, plan)
    return find(t, "pod://m/sts/db?replica=1", {
      { APPS .. "statefulsets/db", body = workload("StatefulSet", "db", spec, annotations) },
      { PODS, body = list() } }, plan)
  end
  t.equal(found({ replicas = 2 }).ordinal, 1)
  t.equal(found({ replicas = 1, ordinals = { start = 1 } }).ordinal, 1)
  -- Nobody says how many there are when it runs.
  t.equal(found({ replicas = 0 }).ordinal, 1)
  t.equal(found({ replicas = 0 }, { ["moonkeep.dev/undo"] = '{"replicas": 2}' }).ordinal, 1)
  t.equal(found({ replicas = 0 }, { ["moonkeep.dev/undo"] = "no JSON" }).ordinal, 1)
  -- What this run has seen is meant, also when somebody scaled it away.
  t.equal(found({ replicas = 1 }, nil, { pod = "db-1" }).ordinal, 1)
  find_refused(t, "pod://m/sts/db?replica=1", { { APPS .. "statefulsets/db",
    body = workload("StatefulSet", "db", { replicas = 0 }, { ["moonkeep.dev/undo"] = '{"replicas": 1}' }) },
    { PODS, body = list() } }, "not_found", "there is no replica 1")
end

test["a pod that is gone is that of its StatefulSet, by its name"] = function(t)
  local found = find(t, "pod://m/db-2", { { PODS .. "/db-2", status = 404, body = absent "db-2" },
    { APPS .. "statefulsets/db", body = workload("StatefulSet", "db", { replicas = 1 }) } })
  t.equal({ found.workload.metadata.name, found.ordinal, found.pod }, { "db", 2, nil })
  t.equal(workloads.lacks(found.workload, 2), "statefulset m/db has 1 replica, with the number 0")
  t.equal(workloads.lacks(found.workload, 0), nil)
  -- One of a Deployment is found again by what was seen of it.
  found = find(t, "pod://m/web-6f7-abcde", { { PODS .. "/web-6f7-abcde", status = 404, body = absent "web-6f7-abcde" },
    { APPS .. "deployments/web", body = workload("Deployment", "web", {}) } },
    { owner = { apiVersion = "apps/v1", kind = "Deployment", name = "web", uid = "u-web" } })
  t.equal(found.workload.metadata.name, "web")
  -- And of nothing there is nothing.
  t.equal(find(t, "pod://m/alone", { { PODS .. "/alone", status = 404, body = absent "alone" } }).workload, nil)
end

test["pods of others that only have the same labels are not the workload's"] = function(t)
  local of_web = { apiVersion = "apps/v1", kind = "ReplicaSet", name = "web-6f7", uid = "u1", controller = true }
  local steps = { { PODS, query = { labelSelector = "app=web" }, body = list(pod("web-6f7-a", of_web),
    pod("alone"), pod("other", { kind = "ReplicaSet", apiVersion = "apps/v1", name = "webby-1", uid = "u2",
      controller = true }), pod("helper", { kind = "Deployment", apiVersion = "apps/v1", name = "web", uid = "u-web",
      controller = false })) } }
  local cluster, played = script.open(steps)
  local names = {}
  for index, one in ipairs(workloads.pods(cluster, workload("Deployment", "web", {}))) do
    names[index] = one.metadata.name
  end
  played()
  t.equal(names, { "web-6f7-a" })
end

test["the workload of a pod is its controller, of a ReplicaSet the Deployment, else the pod itself"] = function(t)
  local function owner_of(one, steps)
    local cluster, played = script.open(steps or {})
    local owner = workloads.of_pod(cluster, one)
    played()
    return owner.kind .. " " .. owner.name
  end
  local set = { apiVersion = "apps/v1", kind = "ReplicaSet", name = "web-6f7", uid = "u1", controller = true }
  t.equal(owner_of(pod("db-0", CONTROLLER)), "StatefulSet db")
  t.equal(owner_of(pod "alone"), "Pod alone")
  t.equal(owner_of(pod("web-6f7-a", set), { { APPS .. "replicasets/web-6f7", body = { kind = "ReplicaSet",
    metadata = { name = "web-6f7", ownerReferences = { { apiVersion = "apps/v1", kind = "Deployment", name = "web",
      uid = "u2", controller = true } } } } } }), "Deployment web")
  -- Whoever may not look, or a set of its own.
  t.equal(owner_of(pod("web-6f7-a", set), { { APPS .. "replicasets/web-6f7", status = 403,
    body = script.status(403, "Forbidden", "no") } }), "ReplicaSet web-6f7")
  t.equal(owner_of(pod("web-6f7-a", set), { { APPS .. "replicasets/web-6f7", body = { kind = "ReplicaSet",
    metadata = { name = "web-6f7" } } } }), "ReplicaSet web-6f7")
end

test["a selector without pods leads to the one workload whose pods would have its labels"] = function(t)
  local function found(selector, sets, deployments)
    local result = find(t, "pod://m?selector=" .. selector, { { PODS, body = list() },
      { APPS .. "statefulsets", body = sets }, { APPS .. "deployments", body = deployments } }).workload
    return result and result.kind .. " " .. result.metadata.name
  end
  local db, web = workload("StatefulSet", "db", {}), workload("Deployment", "web", {})
  t.equal(found("app=db", list(db), list(web)), "StatefulSet db")
  t.equal(found("app", list(), list(web)), "Deployment web")
  t.equal(found("app==web", list(db), list(web)), "Deployment web")
  -- Several, none, or more than equalities say: nothing is guessed.
  t.equal(found("app", list(db), list(web)), nil)
  t.equal(found("app=x", list(db), list(web)), nil)
  t.equal(found("app%20in%20(db)", list(db), list(web)), nil)
end

test["only a volume that no second pod may have keeps a helper away"] = function(t)
  local CLAIM = "GET /api/v1/namespaces/m/persistentvolumeclaims/data-db-0"
  local plan = { namespace = "m", volumes = { { name = "conf", configMap = { name = "x" } },
    { name = "data", persistentVolumeClaim = { claimName = "data-db-0" } } } }
  local kinds = { ["/api/v1"] = { resources = json.array { { name = "persistentvolumeclaims",
    kind = "PersistentVolumeClaim", namespaced = true, singularName = "", shortNames = json.array { "pvc" },
    verbs = json.array { "get" } } } } }
  for answer, exclusive in pairs {
    [{ CLAIM, body = { spec = { accessModes = { "ReadWriteOncePod" } } } }] = true,
    [{ CLAIM, body = { spec = { accessModes = { "ReadWriteOnce" } } } }] = false,
    [{ CLAIM, status = 403, body = script.status(403, "Forbidden", "no") }] = false,
    [{ CLAIM, status = 404, body = absent "data-db-0" }] = false } do
    local cluster, played = script.open({ answer }, { ["/api/v1"] = kinds["/api/v1"] })
    t.equal(workloads.is_exclusive(cluster, plan), exclusive)
    played()
  end
end

return test
