--- What a plan does instead of changing a cluster.

local effect = require "effect"
local json = require "json"
local plan = require "recipe.plan"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()

local test = {}

local PODS = "/api/v1/namespaces/default/pods"
local REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
local DRY = { dryRun = "All" }
local WITHOUT = script.status(400, "BadRequest", "admission webhook \"x\" does not support dry run")

local function pod(name)
  return { apiVersion = "v1", kind = "Pod", metadata = { name = name } }
end

local function allowed(yes)
  return { REVIEW, body = { status = { allowed = yes } } }
end

--- Call fn in a plan; what was listed, and what it returned.
local function planning(fn)
  local list = plan.new(function() end)
  local results = table.pack(pcall(effect.with, { plan = list }, fn))
  local said = {}
  for index, entry in ipairs(list.entries) do
    said[index] = entry.verb .. " " .. entry.object .. (entry.why and " (" .. entry.why .. ")" or "")
  end
  if not results[1] then
    error(results[2], 0)
  end
  return said, table.unpack(results, 2, results.n)
end

test["changes are listed, and sent as dry runs"] = function(t)
  local cluster, played = script.open {
    { "POST " .. PODS, query = DRY, body = { metadata = { name = "made" } } },
    { "PATCH " .. PODS .. "/x", query = DRY }, { "PATCH " .. PODS .. "/x", query = DRY },
    { "PUT " .. PODS .. "/x", query = DRY },
    { "DELETE " .. PODS .. "/x", check = function(request)
      t.equal(json.decode(request.body).dryRun, { "All" })
    end },
    { "GET /apis/apps/v1/namespaces/default/deployments/d/scale", body = { spec = { replicas = 3 },
      metadata = { resourceVersion = "7" } } },
    { "PATCH /apis/apps/v1/namespaces/default/deployments/d/scale", query = DRY },
    { "GET /apis/apps/v1/namespaces/default/deployments/d", body = { spec = {} } },
    { "PATCH /apis/apps/v1/namespaces/default/deployments/d", query = DRY },
  }
  local made, was
  local said = planning(function()
    made = cluster:create(pod "x2", { why = "to see" })
    cluster:patch("pod", "x", {})
    cluster:apply(pod "x")
    cluster:replace(pod "x")
    cluster:delete("pod", "x")
    was = cluster:scale("deploy", "d", 0)
    cluster:restart("deploy", "d")
    t.equal(cluster:rollout_status("deploy", "d"), nil)
  end)
  t.equal(said, { "create pod \"x2\" in namespace \"default\" (context \"script\") (to see)",
    "patch pod \"x\" in namespace \"default\" (context \"script\")",
    "apply pod \"x\" in namespace \"default\" (context \"script\")",
    "replace pod \"x\" in namespace \"default\" (context \"script\")",
    "delete pod \"x\" in namespace \"default\" (context \"script\")",
    "scale deployment.apps \"d\" in namespace \"default\" from 3 to 0 (context \"script\")",
    "restart deployment.apps \"d\" in namespace \"default\" (context \"script\")" })
  t.equal({ made.metadata.name, was }, { "made", 3 })
  played()
end

test["what would be refused is refused in the plan"] = function(t)
  for status, code in pairs { [403] = "permission", [422] = "invalid", [409] = "changed" } do
    local cluster, played = script.open { { "PATCH " .. PODS .. "/x", status = status,
      body = script.status(status, status == 409 and "Conflict" or "Any", "no, for a reason") } }
    local e = t.raises(code, "as a dry run: cannot patch pod \"x\"", planning, function()
      cluster:patch("pod", "x", {})
    end)
    t.contains(e.message, "no, for a reason")
    played()
  end
end

test["a dry run is only a question, and may be asked again"] = function(t)
  local cluster, played = script.open { { "PATCH " .. PODS .. "/x", query = DRY, status = 503 },
    { "PATCH " .. PODS .. "/x", query = DRY } }
  planning(function() cluster:patch("pod", "x", {}) end)
  played()
end

test["where no dry run can be made the rights are asked for"] = function(t)
  local cluster, played = script.open { { "POST " .. PODS, status = 400, body = WITHOUT }, allowed(true),
    { "POST " .. PODS, status = 400, body = WITHOUT }, allowed(false) }
  local _, made = planning(function() return cluster:create(pod "x") end)
  t.equal(made.metadata, { name = "x", namespace = "default" })
  t.raises("permission", "may not (context \"script\"): create pods \"y\" in namespace \"default\"", planning,
    function() cluster:create(pod "y") end)
  played()
end

test["what the plan itself makes or removes the server does not know"] = function(t)
  local cluster, played = script.open {
    { "POST /api/v1/namespaces", query = DRY },
    allowed(true), allowed(true), allowed(true), -- the pod in it, its patch, its deletion
    { "DELETE " .. PODS .. "/x" }, allowed(true), allowed(true),
  }
  local said, gone = planning(function()
    cluster:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "new" } }
    cluster:create(pod "x", { namespace = "new" })
    cluster:patch("pod", "x", {}, { namespace = "new" })
    t.equal(cluster:scale("deploy", "d", 2, { namespace = "new" }), 2)
    cluster:restart("deploy", "d", { namespace = "new" })
    cluster:delete("pod", "x", { namespace = "new" })
    local twice = cluster:delete("pod", "x", { namespace = "new" })
    cluster:delete("pod", "x")
    cluster:create(pod "x")
    cluster:patch("pod", "x", {})
    return twice
  end)
  t.equal({ #said, gone }, { 10, false })
  played()
  -- Another plan knows nothing of it.
  cluster, played = script.open { { "POST " .. PODS, query = DRY } }
  planning(function() cluster:create(pod "x") end)
  played()
end

test["deleting what is not there is fine in a plan, too"] = function(t)
  local cluster, played = script.open { { "DELETE " .. PODS .. "/x", status = 404,
    body = script.status(404, "NotFound", "gone", { name = "x" }) } }
  local _, was = planning(function() return cluster:delete("pod", "x") end)
  t.equal(was, false)
  played()
end

test["a raw change ends the plan, a raw read does not"] = function(t)
  local cluster, played = script.open { { "GET /version" } }
  local list = plan.new(function() end)
  local ok, e = pcall(effect.with, { plan = list }, function()
    cluster:raw { path = "/version" }
    cluster:raw { method = "POST", path = "/x", why = "because" }
  end)
  t.check(not ok and e == effect.plan_end)
  t.equal(list.entries, { { kind = "change", verb = "POST", object = "/x (context \"script\")", why = "because" } })
  played()
end

test["between the steps of a run nothing is changed"] = function(t)
  local cluster = script.open { { "GET /apis/apps/v1/namespaces/default/deployments/d/scale", body = { spec = {},
    metadata = {} } } }
  for _, call in ipairs { function() cluster:create(pod "x") end, function() cluster:apply(pod "x") end,
    function() cluster:patch("pod", "x", {}) end, function() cluster:replace(pod "x") end,
    function() cluster:delete("pod", "x") end, function() cluster:raw { method = "PUT", path = "/x" } end,
    function() cluster:scale("deploy", "d", 1) end } do
    t.raises("recipe", "between steps", effect.with, {}, call)
  end
end

return test
