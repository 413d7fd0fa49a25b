--- Kinds of objects, by all the names that they are called by.

local json = require "json"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()

local test = {}

local function path(cluster, kind)
  return cluster:resource(kind):path("n", "x")
end

test["a kind is found by plural, singular, kind and short name"] = function(t)
  local cluster = script.open {}
  for _, name in ipairs { "pods", "pod", "Pod", "PODS", "po", "pods/v1" } do
    t.equal(path(cluster, name), "/api/v1/namespaces/n/pods/x", name)
  end
  for _, name in ipairs { "statefulset", "sts", "StatefulSet", "statefulsets.apps", "sts.apps", "statefulsets.apps/v1",
    "statefulsets.v1.apps" } do
    t.equal(path(cluster, name), "/apis/apps/v1/namespaces/n/statefulsets/x", name)
  end
  t.equal(path(cluster, "ns"), "/api/v1/namespaces/x")
  t.equal(cluster:resource("bk"):path(nil, nil), "/apis/stable.example.com/v1/backups")
  t.equal(cluster:resource("deploy"):path("n", "x", "scale"), "/apis/apps/v1/namespaces/n/deployments/x/scale")
  local pod = cluster:resource "pod"
  t.equal({ pod.kind, pod.plural, pod.namespaced, pod.verbs.list, pod.subresources.log },
    { "Pod", "pods", true, true, true })
end

test["a name of several groups is the core's, then that of apps, then the server's first"] = function(t)
  local cluster = script.open {}
  t.equal(cluster:resource("pods").group, "")
  t.equal(cluster:resource("pods.stable.example.com").group, "stable.example.com")
  t.equal(cluster:resource("jobs").version, "v1")
  t.equal(cluster:resource("jobs.v1beta1.batch").version, "v1beta1")
  t.equal(cluster:resource("jobs.batch/v1beta1").version, "v1beta1")
end

test["a kind that only an older version of its group has is found"] = function(t)
  local cluster = script.open {}
  t.equal(cluster:resource("cronjob").version, "v1beta1")
end

test["what is known is not asked for again"] = function(t)
  local cluster, _, asked = script.open {}
  for _ = 1, 3 do
    cluster:resource "pod"
    cluster:resource "sts"
    cluster:resource "cronjobs"
  end
  t.equal(asked, { ["/api/v1"] = 1, ["/apis"] = 1, ["/apis/apps/v1"] = 1, ["/apis/batch/v1"] = 1,
    ["/apis/batch/v1beta1"] = 1, ["/apis/stable.example.com/v1"] = 1 })
end

test["common kinds cost one request"] = function(t)
  local cluster, _, asked = script.open {}
  cluster:resource "pod"
  t.equal(asked, { ["/api/v1"] = 1 })
end

test["a kind that came meanwhile is found"] = function(t)
  local extra = {}
  local cluster = script.open({}, extra)
  cluster:resource "pod"
  t.equal(cluster:has "snapshots", false)
  extra["/apis/batch/v1"] = { kind = "APIResourceList", resources = { { name = "snapshots", kind = "Snapshot",
    namespaced = true } } }
  t.equal(cluster:has "snapshots", true)
end

test["a group whose server is down matters only to its own kinds"] = function(t)
  local down = { status = 503, body = script.status(503, "ServiceUnavailable", "metrics is down") }
  local cluster = script.open({}, { ["/apis/metrics.k8s.io/v1beta1"] = down })
  t.equal(cluster:resource("backups").group, "stable.example.com")
  local e = t.raises("http", "cannot tell whether the cluster (context \"script\") has the kind \"podmetrics\"",
    cluster.resource, cluster, "podmetrics")
  t.contains(e.message, "metrics is down")
  t.raises("http", "metrics is down", cluster.has, cluster, "podmetrics")
  t.raises("http", "metrics is down", cluster.create, cluster, { apiVersion = "metrics.k8s.io/v1beta1", kind = "X" })
end

test["a kind that nobody has is told, with what was probably meant"] = function(t)
  local cluster = script.open {}
  local e = t.raises("not_found", "the cluster (context \"script\") has no kind \"stateful-sets\" (did you mean",
    cluster.resource, cluster, "stateful-sets")
  t.contains(e.hint, "CustomResourceDefinition")
  t.equal(cluster:has "nonsense", false)
  t.equal(cluster:has "pods.nobody.example.com", false)
  t.raises("not_found", "no kind \"Thing.v1\"", cluster.create, cluster, { apiVersion = "v1", kind = "Thing" })
  t.raises("not_found", "no kind \"Thing.nobody.example.com/v1\"", cluster.create, cluster,
    { apiVersion = "nobody.example.com/v1", kind = "Thing" })
  for _, bad in ipairs { "", "a b", "pods/v1/x", "../x", "a\nb", 7 } do
    t.raises("invalid", "is no kind of object", cluster.resource, cluster, bad)
  end
  t.raises("invalid", "an object needs apiVersion and kind", cluster.create, cluster, { kind = "Pod" })
  for _, bad in ipairs { "", "../v1", "v1/", "a/b/c", "v1?" } do
    t.raises("invalid", "as its apiVersion", cluster.create, cluster, { apiVersion = bad, kind = "Pod" })
  end
end

test["a server that answers nonsense is no cause for a crash"] = function(t)
  for _, nonsense in ipairs { {}, { resources = 7 }, { resources = { 7, "x", {} } }, { resources = json.null },
    { resources = { { name = "pods" }, { name = {}, kind = "Pod" }, { name = "../../x", kind = "Pod" },
      { name = "pods/../x", kind = "Pod" }, { name = "a", kind = "A", verbs = 7, shortNames = "a" } } } } do
    local cluster = script.open({}, { ["/api/v1"] = nonsense, ["/apis"] = { groups = { {} } } })
    t.raises("not_found", "has no kind \"pods\"", cluster.resource, cluster, "pods")
  end
  for _, nonsense in ipairs { { groups = 7 }, { groups = { 7 } }, { groups = { { name = "x", versions = { 7 } } } },
    { groups = { { name = "x", preferredVersion = { version = 7 }, versions = { { version = {} } } } } } } do
    local cluster = script.open({}, { ["/apis"] = nonsense })
    t.raises("not_found", "has no kind \"things\"", cluster.resource, cluster, "things")
  end
end

test["names cannot leave their place in the path, and no name is not all objects"] = function(t)
  local cluster = script.open {}
  for _, bad in ipairs { "", ".", "..", "a/b", "a%2fb", "a\0b" } do
    t.raises("invalid", "is no name of an object", cluster.get, cluster, "pod", bad)
    t.raises("invalid", "is no name of an object", cluster.delete, cluster, "pod", bad)
    t.raises("invalid", "is no namespace of an object", cluster.get, cluster, "pod", "x", { namespace = bad })
    t.raises("invalid", "is no name of an object", cluster.wait, cluster, "pod", bad, { gone = true })
  end
  t.raises("invalid", "a nil is no name", cluster.delete, cluster, "pod", nil)
  t.equal(cluster:resource("pod"):path("n", "a b?c#d"), "/api/v1/namespaces/n/pods/a%20b%3Fc%23d")
end

return test
