--- Each function of kube once, on whatever cluster KUBECONFIG names, in the namespace
--- $NAMESPACE, which is there and empty.  IMAGE and PULL: an image with busybox.

local effect = require "effect"
local json = require "json"
local kube = require "kube"
local manifest = require "kube.manifest"
local os_ = require "_os"
local plan = require "recipe.plan"
local task = require "task"

local NAMESPACE = os_.getenv "NAMESPACE"
local IMAGE, PULL = os_.getenv "E2E_IMAGE" or "registry.local/busybox", os_.getenv "E2E_PULL" or "IfNotPresent"
local LIMIT_MS = 120000

local test = {}

local function open()
  return kube.open { namespace = NAMESPACE }
end

local function config_map(name, data)
  return { apiVersion = "v1", kind = "ConfigMap", metadata = { name = name, labels = { made = "here" } },
    data = data or { a = "1" } }
end

local function pod_spec()
  return { terminationGracePeriodSeconds = 0, containers = { { name = "main", image = IMAGE, imagePullPolicy = PULL,
    command = { "sh", "-c", "echo started; while :; do sleep 1; done" } } } }
end

local function pod(name)
  return { apiVersion = "v1", kind = "Pod", metadata = { name = name }, spec = pod_spec() }
end

local function workload(kind, name, replicas, strategy)
  return { apiVersion = "apps/v1", kind = kind, metadata = { name = name }, spec = { replicas = replicas,
    serviceName = kind == "StatefulSet" and name or nil, updateStrategy = strategy,
    selector = { matchLabels = { app = name } },
    template = { metadata = { labels = { app = name } }, spec = pod_spec() } } }
end

local function names(list)
  local found = {}
  for index, item in ipairs(list) do
    found[index] = item.metadata.name
  end
  table.sort(found)
  return found
end

test["what the cluster is, is known"] = function(t)
  local cluster = open()
  t.equal(cluster:info().namespace, NAMESPACE)
  t.check(cluster:version().gitVersion:match("^v1%."))
  local identity = cluster:identity()
  t.equal(identity.by, "namespace kube-system")
  t.equal(identity.uid, cluster:get("ns", "kube-system").metadata.uid)
  cluster:demand_identity(identity)
  t.raises("refused", "another cluster", cluster.demand_identity, cluster, { uid = "x", by = "namespace kube-system" })
end

test["kinds are found by their names"] = function(t)
  local cluster = open()
  for _, name in ipairs { "statefulset", "sts", "StatefulSet", "statefulsets.apps", "statefulsets.apps/v1",
    "statefulsets.v1.apps" } do
    t.equal(cluster:resource(name):path("n", "x"), "/apis/apps/v1/namespaces/n/statefulsets/x", name)
  end
  t.equal(cluster:resource("po"):path("n"), "/api/v1/namespaces/n/pods")
  t.equal({ cluster:has "jobs", cluster:has "jobs.batch", cluster:has "nonsense" }, { true, true, false })
end

test["objects are created, read, listed and deleted"] = function(t)
  local cluster = open()
  for index = 1, 7 do
    cluster:create(config_map("each-" .. index))
  end
  t.raises("exists", ("cannot create configmap \"each-1\" in namespace \"%s\""):format(NAMESPACE), cluster.create,
    cluster, config_map "each-1")
  t.equal(cluster:get("cm", "each-1").data, { a = "1" })
  t.equal(cluster:get("cm", "each-8"), nil)
  local wanted = { "each-1", "each-2", "each-3", "each-4", "each-5", "each-6", "each-7" }
  t.equal(names((cluster:list("cm", { selector = { made = "here" }, limit = 2 }))), wanted)
  local seen = {}
  cluster:each("cm", { selector = "made=here", limit = 3 }, function(object)
    seen[#seen + 1] = object
  end)
  t.equal(names(seen), wanted)
  t.equal(names((cluster:list("cm", { fields = { ["metadata.name"] = "each-3" } }))), { "each-3" })
  local everywhere = 0
  cluster:each("cm", { all = true, selector = "made=here" }, function(object)
    everywhere = everywhere + (object.metadata.namespace == NAMESPACE and 1 or 0)
  end)
  t.equal(everywhere, 7)
  for index = 1, 7 do
    t.equal(cluster:delete("cm", "each-" .. index), true)
  end
  t.equal(cluster:delete("cm", "each-1"), false)
  t.equal((cluster:list("cm", { selector = "made=here" })), {})
end

test["a Secret goes through unchanged"] = function(t)
  local cluster = open()
  local data = { word = "aHVudGVyMg==", empty = "" }
  cluster:create { apiVersion = "v1", kind = "Secret", metadata = { name = "secret" }, type = "Opaque", data = data }
  t.equal(cluster:get("secret", "secret").data, data)
  cluster:delete("secret", "secret")
end

test["fields are applied, patched and replaced"] = function(t)
  local cluster = open()
  cluster:apply(config_map("fields", { a = "1", b = "1" }))
  t.equal(cluster:apply(config_map("fields", { a = "1", b = "2" })).data, { a = "1", b = "2" })
  local e = t.raises("changed", "others own what it sets: ", cluster.apply, cluster, config_map("fields", { a = "9" }),
    { manager = "other" })
  t.equal({ e.conflicts[1].manager, e.conflicts[1].field }, { "moonkeep", ".data.a" })
  t.equal(cluster:apply(config_map("fields", { a = "9" }), { manager = "other", force = true }).data.a, "9")
  t.equal(cluster:patch("cm", "fields", { data = { a = json.null, c = "3" } }).data, { b = "2", c = "3" })
  t.equal(cluster:patch("cm", "fields", { { op = "replace", path = "/data/c", value = "4" } },
    { type = "json" }).data.c, "4")
  t.equal(cluster:patch("cm", "fields", { data = { d = "5" } }, { type = "strategic" }).data.d, "5")
  local object = cluster:get("cm", "fields")
  object.data = { only = "this" }
  t.equal(cluster:replace(object).data, { only = "this" })
  t.raises("changed", "cannot replace configmap \"fields\"", cluster.replace, cluster, object)
  cluster:delete("cm", "fields")
end

--- Texts that other readers of YAML take for something else.
local AWKWARD = { "yes", "No", "on", "true", "null", "~", "", " ", "017", "0o17", "0x1f", "0b1", "1e3", "1_000", "1.10",
  ".5", "-.inf", ".nan", "12:30:45", "2026-11-21", "2026-11-21T02:00:00Z", "- a", "a: b", "a #b", "#c", "{}", "[a]",
  "&a", "*a", "!a", "%a", "@a", "`a", "|", ">", "'", "\"", "\\", " lead", "trail ", "tab\there", "two\nlines",
  "end\n", "ends\n\n\n", "\n\nbegin", "  deep\nflat\n", "blank \nend", "\r\nwindows\r\n", "\u{e4}\u{2028}\u{feff}",
  "---\na: b\n...\n" }

test["a manifest is cleaned, written, and applied again as it was"] = function(t)
  local cluster = open()
  local map = config_map("again", {})
  for index, text in ipairs(AWKWARD) do
    map.data["k" .. index] = text
  end
  local service = { apiVersion = "v1", kind = "Service", metadata = { name = "again" },
    spec = { selector = { app = "again" }, ports = { { name = "http", port = 80, targetPort = 8080 } } } }
  local account = { apiVersion = "v1", kind = "ServiceAccount", metadata = { name = "again" } }
  local objects = { map, service, account, workload("Deployment", "again", 0) }
  local texts = {}
  for index, object in ipairs(objects) do
    cluster:create(object)
    texts[index] = manifest.dump { manifest.clean(cluster:get(object.kind, "again")) }
    t.equal(texts[index]:find("uid", 1, true) or texts[index]:find("resourceVersion", 1, true), nil, texts[index])
  end
  local whole = manifest.parse(table.concat(texts))
  t.equal(#whole, #objects)
  t.equal(whole[1].data, map.data)
  for _, object in ipairs(whole) do
    local uid = cluster:get(object.kind, "again").metadata.uid
    cluster:delete(object.kind, "again", { propagation = "foreground" })
    cluster:wait(object.kind, "again", { gone = true, uid = uid, limit_ms = LIMIT_MS })
  end
  for index, object in ipairs(whole) do
    cluster:apply(object)
    local made = cluster:get(object.kind, "again")
    t.equal(manifest.dump { manifest.clean(made) }, texts[index])
    cluster:delete(object.kind, "again")
  end
end

test["only the object that is meant is deleted"] = function(t)
  local cluster = open()
  local first = cluster:create(config_map "one")
  cluster:delete("cm", "one")
  local second = cluster:create(config_map "one")
  local e = t.raises("changed", "cannot delete configmap \"one\"", cluster.delete, cluster, "cm", "one",
    { uid = first.metadata.uid })
  t.contains(e.hint, "another object has that name")
  cluster:wait("cm", "one", { gone = true, uid = first.metadata.uid, limit_ms = LIMIT_MS })
  t.equal(cluster:delete("cm", "one", { uid = second.metadata.uid }), true)
  cluster:wait("cm", "one", { gone = true, limit_ms = LIMIT_MS })
end

test["what happens is told in its order"] = function(t)
  local cluster, told, count = open(), {}, {}
  cluster:create(config_map "before")
  local changes
  cluster:watch("cm", { selector = "made=here", synced = function()
    changes = task.spawn(function()
      cluster:create(config_map "new")
      cluster:patch("cm", "before", { data = { a = "2" } })
      cluster:delete("cm", "before")
      cluster:create(config_map "end")
    end)
  end }, function(type, object)
    local said = type .. " " .. object.metadata.name
    told[#told + 1], count[said] = said, (count[said] or 0) + 1
    return count["ADDED end"] and count["DELETED before"] and count["ADDED new"]
  end)
  t.check(changes:wait())
  if os_.getenv "FORGETS" then
    -- What is listed anew is told as it is by then.
    count["MODIFIED before"] = nil
    t.equal(count, { ["ADDED before"] = 1, ["ADDED new"] = 1, ["DELETED before"] = 1, ["ADDED end"] = 1 })
  else
    t.equal(told, { "ADDED before", "ADDED new", "MODIFIED before", "DELETED before", "ADDED end" })
  end
  cluster:delete("cm", "new")
  cluster:delete("cm", "end")
end

test["a pod is waited for, heard and let go"] = function(t)
  local cluster = open()
  cluster:create(pod "waited")
  local ready = cluster:wait("pod", "waited", { condition = "Ready", limit_ms = LIMIT_MS })
  t.equal(ready.status.phase, "Running")
  cluster:wait("pod", "waited", { path = "{.status.conditions[?(@.type==\"Ready\")].status}", value = "True",
    limit_ms = LIMIT_MS })
  t.raises("timeout", "to have \"Failed\" at {.status.phase}: phase Running, {.status.phase} is \"Running\"",
    cluster.wait, cluster, "pod", "waited", { path = "{.status.phase}", value = "Failed", limit_ms = 100 })
  t.equal(type(cluster:logs("waited", { container = "main", tail = 5 })), "string")
  t.equal(type(cluster:events(ready)), "table")
  cluster:delete("pod", "waited", { grace = 0 })
  t.equal(cluster:wait("pod", "waited", { gone = true, limit_ms = LIMIT_MS }), nil)
end

test["a deployment is rolled out, scaled and restarted"] = function(t)
  local cluster = open()
  cluster:create(workload("Deployment", "deploy", 2))
  t.equal(cluster:rollout_status("deploy", "deploy", { limit_ms = LIMIT_MS }).status.availableReplicas, 2)
  t.equal(cluster:scale("deploy", "deploy", 1), 2)
  t.equal(cluster:scale("deploy", "deploy", 0, { annotations = { ["moonkeep.dev/undo"] = "1" } }), 1)
  cluster:rollout_status("deploy", "deploy", { limit_ms = LIMIT_MS })
  local found = cluster:get("deploy", "deploy")
  t.equal({ found.spec.replicas, found.metadata.annotations["moonkeep.dev/undo"] }, { 0, "1" })
  t.equal(cluster:scale("deploy", "deploy", 1, { annotations = { ["moonkeep.dev/undo"] = json.null } }), 0)
  cluster:rollout_status("deploy", "deploy", { limit_ms = LIMIT_MS })
  t.equal(cluster:get("deploy", "deploy").metadata.annotations["moonkeep.dev/undo"], nil)
  local before = names((cluster:list("pod", { selector = "app=deploy" })))
  cluster:restart("deploy", "deploy")
  cluster:rollout_status("deploy", "deploy", { limit_ms = LIMIT_MS })
  for _, name in ipairs(before) do
    cluster:wait("pod", name, { gone = true, limit_ms = LIMIT_MS })
  end
  t.check(#(cluster:list("pod", { selector = "app=deploy" })) == 1)
  cluster:delete("deploy", "deploy", { propagation = "foreground" })
  cluster:wait("deploy", "deploy", { gone = true, limit_ms = LIMIT_MS })
  t.equal((cluster:list("pod", { selector = "app=deploy" })), {})
end

test["a statefulset keeps its pod's name over a scaling to nothing"] = function(t)
  local cluster = open()
  cluster:create(workload("StatefulSet", "set", 1))
  cluster:rollout_status("sts", "set", { limit_ms = LIMIT_MS })
  local first = cluster:get("pod", "set-0").metadata.uid
  t.equal(cluster:scale("sts", "set", 0), 1)
  cluster:wait("pod", "set-0", { gone = true, uid = first, limit_ms = LIMIT_MS })
  t.equal(cluster:scale("sts", "set", 1), 0)
  cluster:rollout_status("sts", "set", { limit_ms = LIMIT_MS })
  t.check(cluster:get("pod", "set-0").metadata.uid ~= first)
  cluster:delete("sts", "set")
  cluster:wait("pod", "set-0", { gone = true, limit_ms = LIMIT_MS })
end

test["rights are asked for"] = function(t)
  local cluster = open()
  t.equal((cluster:can("create", "pod", { subresource = "exec" })), true)
  cluster:preflight { { "get", "pod" }, { "patch", "sts" }, { "list", "nodes" } }
end

test["a plan changes nothing, and finds what would be refused"] = function(t)
  local cluster = open()
  cluster:create(config_map "there")
  local list = plan.new(function() end)
  effect.with({ plan = list }, function()
    t.equal(cluster:create(config_map "planned").metadata.namespace, NAMESPACE)
    t.equal(cluster:patch("cm", "there", { data = { a = "2" } }).data.a, "2")
    cluster:apply(config_map("other", { a = "3" }))
    t.equal(cluster:delete("cm", "there"), true)
    t.equal(cluster:wait("cm", "there", { gone = true }), nil)
    cluster:create(config_map "there")
  end)
  t.equal(#list.entries, 5)
  t.equal(cluster:get("cm", "planned"), nil)
  t.equal(cluster:get("cm", "there").data, { a = "1" })
  t.raises("exists", "as a dry run: cannot create configmap \"there\"", effect.with,
    { plan = plan.new(function() end) }, cluster.create, cluster, config_map "there")
  cluster:delete("cm", "there")
end

test["any request may be sent"] = function(t)
  local cluster = open()
  local answer = cluster:raw { path = "/api/v1/namespaces/" .. NAMESPACE }
  t.equal({ answer.status, json.decode(answer.body).metadata.name }, { 200, NAMESPACE })
  t.equal(cluster:raw({ path = "/nonsense" }).status, 404)
end

return test
