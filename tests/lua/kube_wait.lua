--- Waiting for objects.

local effect = require "effect"
local failure = require "failure"
local json = require "json"
local plan = require "recipe.plan"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()

local test = {}

local PODS = "/api/v1/namespaces/default/pods"
local EVENTS = "GET /api/v1/namespaces/default/events"

local function listed(...)
  return { "GET " .. PODS, query = { fieldSelector = "metadata.name=x" }, body = { kind = "PodList",
    items = json.array { ... }, metadata = { resourceVersion = "5" } } }
end

local function turn(...)
  return { "FOLLOW " .. PODS, query = { fieldSelector = "metadata.name=x" }, lines = { ... } }
end

local function no_events()
  return { EVENTS, body = { items = json.array {}, metadata = {} } }
end

local function ready(version, status, more)
  local condition = { type = "Ready", status = status }
  for name, value in pairs(more or {}) do
    condition[name] = value
  end
  return script.pod("x", version, { status = { phase = "Pending", conditions = { condition } } })
end

local function modified(pod)
  return { type = "MODIFIED", object = pod }
end

test["a condition that is met already is not waited for"] = function(t)
  local cluster, played = script.open { listed(ready("1", "True")) }
  t.equal(cluster:wait("pod", "x", { condition = "Ready" }).metadata.resourceVersion, "1")
  played()
end

test["a condition is waited for, also by another value"] = function(t)
  local cluster, played = script.open { listed(ready("1", "False")), turn("waiting", modified(ready("2", "Unknown")),
    modified(ready("3", "True"))), listed(ready("4", "True")), turn(modified(ready("6", "False"))) }
  t.equal(cluster:wait("pod", "x", { condition = "Ready" }).metadata.resourceVersion, "3")
  t.equal(cluster:wait("pod", "x", { condition = "Ready=false" }).metadata.resourceVersion, "6")
  played()
end

test["a condition of an older version of the object does not count"] = function(t)
  local old, older = ready("1", "True", { observedGeneration = 1 }), ready("2", "True")
  old.metadata.generation = 2
  older.metadata.generation, older.status.observedGeneration = 2, 1
  local new = ready("3", "True", { observedGeneration = 2 })
  new.metadata.generation = 2
  local cluster, played = script.open { listed(old), turn(modified(older), modified(new)) }
  t.equal(cluster:wait("pod", "x", { condition = "Ready" }).metadata.resourceVersion, "3")
  played()
end

test["an object that does not exist yet is waited for"] = function(t)
  local cluster, played = script.open { listed(), turn({ type = "ADDED", object = ready("7", "True") }) }
  t.equal(cluster:wait("pod", "x", { condition = "Ready" }).metadata.resourceVersion, "7")
  played()
end

test["what a watch does not tell, the list after it does"] = function(t)
  local cluster, played = script.open { listed(ready("900", "False")), turn("waiting"),
    -- The past has changed: there are only older versions now.
    listed(ready("40", "True")) }
  t.equal(cluster:wait("pod", "x", { condition = "Ready" }).metadata.resourceVersion, "40")
  played()
end

test["a value at a path is compared as text"] = function(t)
  local one = script.pod("x", "1", { status = { phase = "Pending", ready = false, count = 3, list = { 1, 2 } } })
  local two = script.pod("x", "2", { status = { phase = "Running" } })
  local cluster, played = script.open { listed(one), turn(modified(two)), listed(one), listed(one), listed(one),
    listed(one) }
  t.equal(cluster:wait("pod", "x", { path = "{.status.phase}", value = "Running" }).metadata.resourceVersion, "2")
  cluster:wait("pod", "x", { path = ".status.count", value = 3 })
  cluster:wait("pod", "x", { path = ".status.ready", value = false })
  cluster:wait("pod", "x", { path = ".status.phase" })
  t.raises("recipe", "leads to 2 values", cluster.wait, cluster, "pod", "x", { path = ".status.list[*]", value = 1 })
  played()
end

test["what is gone, or another by now, is gone"] = function(t)
  local another = script.pod("x", "9")
  another.metadata.uid = "another"
  local cluster, played = script.open { listed(), listed(script.pod "x"), turn { type = "DELETED",
    object = script.pod("x", "6") }, listed(script.pod "x"), turn { type = "ADDED", object = another },
    listed(another) }
  for _ = 1, 3 do
    t.equal(cluster:wait("pod", "x", { gone = true }), nil)
  end
  t.equal(cluster:wait("pod", "x", { gone = true, uid = "uid-x" }), nil)
  played()
end

test["a wait that takes too long says what was seen last, and the warnings"] = function(t)
  local pod = ready("1", "False", { reason = "ContainersNotReady", message = "unready: [main]" })
  local lines = {}
  for index = 1, 2000 do
    lines[index] = "waiting"
  end
  local events = { EVENTS, body = { metadata = {}, items = json.array {
    { metadata = {}, type = "Normal", reason = "Scheduled", lastTimestamp = "2026-11-21T02:00:00Z" },
    { metadata = {}, type = "Warning", reason = "BackOff", message = "Back-off pulling\nimage", count = 4,
      lastTimestamp = "2026-11-21T02:00:01Z" } } } }
  local cluster = script.open { listed(pod), { "FOLLOW " .. PODS, lines = lines, pause_ms = 5 }, events }
  t.raises("timeout", "waited 0 s for pod \"x\" in namespace \"default\" (context \"script\") to have "
    .. "the condition Ready: phase Pending, Ready is False (ContainersNotReady: unready: [main]); last warnings: "
    .. "BackOff: Back-off pulling image (4 times)", cluster.wait, cluster, "pod", "x",
    { condition = "Ready", limit_ms = 50 })
end

test["what changes nothing for too long ends, what changes goes on"] = function(t)
  local lines = {}
  local cluster = script.open { listed(script.pod "x"), { "FOLLOW " .. PODS, lines = lines, pause_ms = 5 },
    no_events() }
  for index = 1, 40 do
    lines[index] = modified(script.pod("x", tostring(index + 10)))
  end
  for index = 41, 400 do
    lines[index] = "waiting"
  end
  t.raises("timeout", "0 s without a change: ", cluster.wait, cluster, "pod", "x",
    { path = ".status.phase", value = "Running", stall_ms = 100, limit_ms = 60000 })
  t.check(#lines < 360, "the changes did not count")
end

test["what keeps an object from going is told"] = function(t)
  local pod = script.pod "x"
  pod.metadata.deletionTimestamp, pod.metadata.finalizers = "2026-11-21T02:00:00Z", { "a/b" }
  local cluster = script.open { listed(pod), turn("waiting"), no_events() }
  t.raises("timeout", "to be gone: it is being deleted; finalizers: a/b", cluster.wait, cluster, "pod", "x",
    { gone = true, limit_ms = 0 })
  cluster = script.open { listed(), turn("waiting"), { EVENTS, status = 403 } }
  t.raises("timeout", "it does not exist", cluster.wait, cluster, "pod", "x", { condition = "Ready", limit_ms = 0 })
end

test["a Secret's data is waited for, and not shown"] = function(t)
  local secret = { metadata = { name = "x", namespace = "default", resourceVersion = "1", uid = "u" },
    data = { word = "aHVudGVyMg==" } }
  local cluster = script.open { { "GET /api/v1/namespaces/default/secrets", body = { items = { secret },
    metadata = { resourceVersion = "5" } } }, { "FOLLOW /api/v1/namespaces/default/secrets", lines = { "waiting" } },
    no_events() }
  local e = t.raises("timeout", ".data.word is another", cluster.wait, cluster, "secret", "x",
    { path = ".data.word", value = "c2VzYW1l", limit_ms = 0 })
  t.equal(e.message:find("aHVu", 1, true) or e.message:find("c2Vz", 1, true), nil)
end

test["who may not watch asks again and again"] = function(t)
  local denied = { "GET " .. PODS, status = 403, body = script.status(403, "Forbidden", "no") }
  local cluster, played = script.open { denied, { "GET " .. PODS .. "/x", body = ready("1", "False") },
    { "GET " .. PODS .. "/x", body = ready("2", "True") } }
  t.equal(cluster:wait("pod", "x", { condition = "Ready", limit_ms = 60000 }).metadata.resourceVersion, "2")
  played()
  cluster, played = script.open { listed(ready("1", "False")), { "FOLLOW " .. PODS, status = 403 },
    { "GET " .. PODS .. "/x", body = ready("2", "True") } }
  t.equal(cluster:wait("pod", "x", { condition = "Ready" }).metadata.resourceVersion, "2")
  played()
  cluster = script.open { denied, { "GET " .. PODS .. "/x", status = 403 } }
  t.raises("permission", "cannot get pod \"x\"", cluster.wait, cluster, "pod", "x", { condition = "Ready" })
end

test["a test of one's own says why not"] = function(t)
  local cluster = script.open { listed(script.pod "x"), turn("waiting"), no_events() }
  t.raises("timeout", "to be as wanted: too small", cluster.wait, cluster, "pod", "x", { limit_ms = 0,
    test = function() return false, "too small" end })
  cluster = script.open { listed(script.pod "x") }
  t.raises("io", "mine", cluster.wait, cluster, "pod", "x", { test = function() failure.raise("io", "mine") end })
end

test["one thing is waited for"] = function(t)
  local cluster = script.open {}
  t.raises("recipe", "takes one of", cluster.wait, cluster, "pod", "x", {})
  t.raises("recipe", "takes one of", cluster.wait, cluster, "pod", "x", { gone = true, condition = "Ready" })
end

test["a plan waits for nothing"] = function(t)
  local cluster = script.open {}
  t.equal(effect.with({ plan = plan.new(function() end) }, cluster.wait, cluster, "pod", "x", { gone = true }), nil)
end

return test
