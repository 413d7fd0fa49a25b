--- Rights, and which cluster it is.

local json = require "json"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()

local test = {}

local REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

--- An answer to a review, which must have asked for this.
local function review(t, wanted, status)
  return { REVIEW, status = 201, body = { status = status }, check = wanted and function(request)
    t.equal(json.decode(request.body).spec.resourceAttributes, wanted)
  end }
end

test["a right is asked for as the server knows it"] = function(t)
  local cluster, played = script.open {
    review(t, { verb = "create", group = "", resource = "pods", subresource = "exec", namespace = "default" },
      { allowed = true }),
    review(t, { verb = "get", group = "apps", resource = "deployments", namespace = "n", name = "x" },
      { allowed = false, reason = "no rule" }),
    review(t, { verb = "list", group = "", resource = "pods" }, { allowed = false, evaluationError = "broken" }),
    review(t, { verb = "list", group = "", resource = "nodes" }, { allowed = false }),
  }
  t.equal({ cluster:can("create", "pod", { subresource = "exec" }) }, { true })
  t.equal({ cluster:can("get", "deploy", { namespace = "n", name = "x" }) }, { false, "no rule" })
  t.equal({ cluster:can("list", "pods", { all = true }) }, { false, "broken" })
  t.equal({ cluster:can("list", "nodes") }, { false })
  played()
end

test["an answer that says neither yes nor no is no yes"] = function(t)
  for _, body in ipairs { {}, { status = 7 }, { status = { allowed = "true" } }, { status = { denied = false } } } do
    local cluster = script.open { { REVIEW, body = body } }
    t.raises("protocol", "neither yes nor no", cluster.can, cluster, "get", "pod")
  end
end

test["all that is missing is told in one error"] = function(t)
  local cluster = script.open {}
  local asked = 0
  cluster.native.request = function(_, request)
    if request.method == "GET" then
      return { status = 200, headers = {}, body = json.encode(script.discovery[request.path]) }
    end
    asked = asked + 1
    local want = json.decode(request.body).spec.resourceAttributes
    return { status = 201, headers = {}, body = json.encode { status = {
      allowed = want.verb == "get" and want.subresource == nil, reason = want.verb == "delete" and "never" or nil } } }
  end
  local e = t.raises("permission", "the user \"tester\" may not (context \"script\"): get pods/exec in namespace "
    .. "\"m\"; create pods/exec in namespace \"m\"; delete deployments.apps \"x\" in namespace \"default\" (never); "
    .. "list nodes", cluster.preflight, cluster, { { "get", "pod", namespace = "m" },
      { "get", "pod", namespace = "m", subresource = "exec" },
      { "create", "pod", namespace = "m", subresource = "exec" },
      { "delete", "deploy", name = "x" }, { "list", "nodes" } })
  t.equal(e.hint, "rules that grant it: {apiGroups: [\"\"], resources: [pods/exec], verbs: [get, create]}, "
    .. "{apiGroups: [\"apps\"], resources: [deployments], verbs: [delete]}, "
    .. "{apiGroups: [\"\"], resources: [nodes], verbs: [list]}")
  t.equal(asked, 5)
  cluster:preflight { { "get", "pod" } }
end

local SYSTEM = "GET /api/v1/namespaces/kube-system"
local SERVICE = "GET /api/v1/namespaces/default/services/kubernetes"
local ROOT = "GET /api/v1/namespaces/default/configmaps/kube-root-ca.crt"

local function of_uid(line, uid)
  return { line, body = { metadata = { uid = uid } } }
end

test["a cluster is known by kube-system, or by what else the user may read"] = function(t)
  local cluster, played = script.open { of_uid(SYSTEM, "u1"),
    { SYSTEM, status = 403 }, of_uid(SERVICE, "u2"),
    { SYSTEM, status = 403 }, { SERVICE, status = 403 }, { ROOT, body = { data = { ["ca.crt"] = "pem" } } },
    { SYSTEM, status = 403 }, { SERVICE, status = 403 }, { ROOT, status = 404 } }
  t.equal(cluster:identity(), { context = "script", server = "https://script", uid = "u1",
    by = "namespace kube-system" })
  t.equal(cluster:identity().by, "service kubernetes")
  local by_authority = cluster:identity()
  t.equal({ by_authority.by, #by_authority.uid }, { "authority", 64 })
  t.equal(cluster:identity(), { context = "script", server = "https://script", by = "address" })
  played()
end

test["another cluster is refused, also under the same name"] = function(t)
  local before = { context = "old", server = "https://old", uid = "u1", by = "namespace kube-system" }
  local cluster, played = script.open { of_uid(SYSTEM, "u1"), of_uid(SYSTEM, "other"), { SYSTEM, status = 403 },
    of_uid(SERVICE, "u2") }
  cluster:demand_identity(before)
  local e = t.raises("refused", "the context \"script\" leads to another cluster (https://script) than before (context "
    .. "\"old\", https://old): namespace kube-system differs", cluster.demand_identity, cluster, before)
  t.contains(e.hint, "the cluster that is meant")
  t.raises("refused", "which the user cannot read now", cluster.demand_identity, cluster, before)
  cluster:demand_identity { uid = "u2", by = "service kubernetes" }
  cluster:demand_identity { server = "https://script", by = "address" }
  t.raises("refused", "another cluster", cluster.demand_identity, cluster, { server = "https://other", by = "address" })
  t.raises("refused", "cannot read", cluster.demand_identity, cluster, { uid = "u", by = "nonsense" })
  played()
end

return test
