--- Following objects over ends, cuts and what the server has forgotten.

local clock = require "clock"
local failure = require "failure"
local json = require "json"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()
local task = require "task"

local test = {}

local PODS = "/api/v1/namespaces/default/pods"
local EXPIRED = { type = "ERROR", object = script.status(410, "Expired", "too old resource version") }

local function listed(version, ...)
  return { "GET " .. PODS, body = { kind = "PodList", items = json.array { ... },
    metadata = { resourceVersion = version } } }
end

local function turn(version, ...)
  return { "FOLLOW " .. PODS, query = { watch = "1", resourceVersion = version, allowWatchBookmarks = "true" },
    lines = { ... } }
end

local function event(type, name, version, uid)
  local pod = script.pod(name, version)
  pod.metadata.uid = uid or pod.metadata.uid
  return { type = type, object = pod }
end

local function bookmark(version)
  return { type = "BOOKMARK", object = { kind = "Pod", metadata = { resourceVersion = version } } }
end

--- Watch until the object "end" shows; what was told, as "ADDED a 1".
local function told(cluster, options)
  local list = {}
  cluster:watch("pods", options, function(type, object)
    if object.metadata.name == "end" then
      return true
    end
    list[#list + 1] = ("%s %s %s"):format(type, object.metadata.name, object.metadata.resourceVersion)
  end)
  return list
end

test["what is there is told first, then what happens"] = function(t)
  local cluster, played = script.open { listed("5", script.pod("a", "3"), script.pod("b", "4")),
    turn("5", event("MODIFIED", "a", "6"), event("ADDED", "c", "7"), event("DELETED", "b", "8"),
      event("ADDED", "end", "9")) }
  local synced = 0
  t.equal(told(cluster, { synced = function() synced = synced + 1 end }),
    { "ADDED a 3", "ADDED b 4", "MODIFIED a 6", "ADDED c 7", "DELETED b 8" })
  t.equal(synced, 1)
  played()
end

test["a watch that the server ends goes on where it was, also from a bookmark"] = function(t)
  local cluster, played = script.open { listed("5", script.pod("a", "3")),
    turn("5", event("MODIFIED", "a", "6")), turn("6", bookmark "20"),
    turn("20", event("MODIFIED", "a", "21"), "waiting"),
    turn("21", event("ADDED", "end", "22")) }
  t.equal(told(cluster), { "ADDED a 3", "MODIFIED a 6", "MODIFIED a 21" })
  played()
end

test["a watch that is cut, stalls or cannot be begun goes on without loss or doubles"] = function(t)
  for _, e in ipairs { failure.new("network", "reset"), failure.new("truncated", "cut"),
    failure.new("timeout", "stall"), failure.new("http", "busy", { http = 503 }),
    failure.new("http", "busy", { http = 429 }) } do
    local cluster, played = script.open { listed("5", script.pod("a", "3")),
      turn("5", event("MODIFIED", "a", "6"), e), { "FOLLOW " .. PODS, error = e },
      -- The server tells again what it had told.
      turn("6", event("MODIFIED", "a", "6"), event("ADDED", "b", "7"), e), turn("7", event("ADDED", "b", "7"),
        event("ADDED", "end", "8")) }
    t.equal(told(cluster), { "ADDED a 3", "MODIFIED a 6", "ADDED b 7" }, e.code)
    played()
  end
end

test["what the server has forgotten is listed anew, and the difference told"] = function(t)
  for _, forgotten in ipairs { turn("5", EXPIRED), { "FOLLOW " .. PODS, error = failure.new("changed", "x",
    { http = 410 }) }, { "FOLLOW " .. PODS, status = 410, body = EXPIRED.object } } do
    local newer = script.pod("c", "40")
    newer.metadata.uid = "another"
    local cluster, played = script.open {
      listed("5", script.pod("a", "1"), script.pod("b", "2"), script.pod("c", "3"), script.pod("d", "4")), forgotten,
      listed("50", script.pod("a", "1"), script.pod("b", "30"), newer, script.pod("e", "41")),
      turn("50", event("ADDED", "end", "51")) }
    t.equal(told(cluster), { "ADDED a 1", "ADDED b 2", "ADDED c 3", "ADDED d 4",
      "DELETED d 4", "MODIFIED b 30", "DELETED c 3", "ADDED c 40", "ADDED e 41" })
    played()
  end
end

test["another object of the same name is another object"] = function(t)
  local cluster, played = script.open { listed("5", script.pod("a", "3")),
    turn("5", event("ADDED", "a", "6", "new"), event("DELETED", "a", "7"), event("DELETED", "a", "8", "new"),
      event("DELETED", "a", "8", "new"), event("ADDED", "end", "9")) }
  t.equal(told(cluster), { "ADDED a 3", "DELETED a 3", "ADDED a 6", "DELETED a 8" })
  played()
end

test["an event that is too long is an error at once: it would be told again and again"] = function(t)
  local cluster, played = script.open { listed "5",
    turn("5", event("ADDED", "a", "6"), failure.new("too_big", "a line is longer")) }
  t.raises("too_big", "a line is longer", told, cluster)
  played()
end

test["a refusal is an error, and so is what is no event"] = function(t)
  local cluster = script.open { listed "5", { "FOLLOW " .. PODS, status = 403,
    body = script.status(403, "Forbidden", "no") } }
  local e = t.raises("permission", "cannot watch pods in namespace \"default\" (context \"script\")", told, cluster)
  t.contains(e.hint, "--verb=watch --resource=pods")
  for _, line in ipairs { "no json", "{}", "[1]", "{\"type\":\"ADDED\"}",
    "{\"type\":\"ADDED\",\"object\":{}}",
    "{\"type\":7,\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}" } do
    cluster = script.open { listed "5", turn("5", line) }
    t.raises("protocol", "cannot watch pods", told, cluster)
  end
  cluster = script.open { listed "5",
    turn("5", { type = "ERROR", object = script.status(403, "Forbidden", "no more") }) }
  t.raises("permission", "no more", told, cluster)
end

test["an error that stays is raised when its time is over"] = function(t)
  local steps = { listed "5" }
  for index = 1, 500 do
    steps[index + 1] = { "FOLLOW " .. PODS, error = failure.new("network", "cannot connect to x: refused") }
  end
  local cluster = script.open(steps)
  t.raises("network", "refused", told, cluster)
  t.check(#steps > 0)
end

test["a server that ends each watch at once is not run over"] = function(t)
  local steps = { listed "5" }
  for _ = 1, 20 do
    steps[#steps + 1] = turn "5"
  end
  steps[#steps + 1] = turn("5", event("ADDED", "end", "6"))
  local cluster, played = script.open(steps)
  cluster.pace = { first_ms = 10, longest_ms = 10, limit_ms = 60000 }
  local began = clock.mono()
  told(cluster)
  t.check(clock.mono() - began >= 20 * 5)
  played()
end

test["what the caller does wrong is the caller's error"] = function(t)
  local cluster, played = script.open { listed("5", script.pod("a", "3")) }
  t.raises("network", "mine", cluster.watch, cluster, "pods", nil, function()
    failure.raise("network", "mine")
  end)
  played()
end

test["idle is called while nothing happens, and may stop"] = function(t)
  local cluster, played = script.open { listed "5", turn("5", "waiting", "waiting", "waiting") }
  local count = 0
  cluster:watch("pods", { idle = function()
    count = count + 1
    return count == 2
  end }, function() end)
  t.equal(count, 2)
  played()
end

test["an object is followed by its name, among others by selectors"] = function(t)
  local cluster, played = script.open { { "GET " .. PODS, query = { fieldSelector = "a=b,metadata.name=x",
    labelSelector = "l=m" }, body = { items = {}, metadata = { resourceVersion = "5" } } },
    { "FOLLOW " .. PODS, query = { fieldSelector = "a=b,metadata.name=x", labelSelector = "l=m" },
      lines = { event("ADDED", "end", "6") } } }
  told(cluster, { name = "x", fields = { a = "b" }, selector = "l=m" })
  played()
end

test["a cancel ends a watch, also between its turns"] = function(t)
  local steps = { listed "5" }
  for index = 1, 100 do
    steps[index + 1] = { "FOLLOW " .. PODS, error = failure.new("network", "cannot connect to x") }
  end
  local cluster = script.open(steps)
  cluster.pace = { first_ms = 20000, longest_ms = 20000, limit_ms = 600000 }
  local handle = task.spawn(told, cluster)
  task.sleep(10)
  handle:cancel()
  local ok, e = handle:wait()
  t.check(not ok and failure.is(e, "cancelled"))
end

return test
