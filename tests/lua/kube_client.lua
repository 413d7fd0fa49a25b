--- Requests to an API server: what is repeated, how long, and what errors say.

local clock = require "clock"
local failure = require "failure"
local retry = require "kube.retry"
local task = require "task"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()

local test = {}

local POD = "/api/v1/namespaces/default/pods/x"
local BUSY = { status = 429, headers = { ["retry-after"] = "0" }, body = "busy" }

local function refused()
  return failure.new("network", "cannot connect to 127.0.0.1:6443: Connection refused", { retryable = true })
end

local function step(line, more)
  local made = { line }
  for name, value in pairs(more) do
    made[name] = value
  end
  return made
end

test["a read is tried again while the server is busy or away"] = function(t)
  for _, trouble in ipairs { BUSY, { status = 503 }, { status = 502 }, { status = 504 },
    { status = 500, headers = { ["retry-after"] = "0" } }, { error = refused() },
    { error = failure.new("network", "connection reset") }, { error = failure.new("truncated", "cut") },
    { error = failure.new("timeout", "stall") } } do
    local cluster, played = script.open { step("GET " .. POD, trouble), step("GET " .. POD, trouble),
      { "GET " .. POD, body = script.pod "x" } }
    t.equal(cluster:get("pod", "x").metadata.name, "x")
    played()
  end
end

test["what says no is not asked again"] = function(t)
  for status, code in pairs { [400] = "http", [401] = "credentials", [403] = "permission", [500] = "http" } do
    local cluster, played = script.open { { "GET " .. POD, status = status,
      body = script.status(status, "Any", "the server's words") } }
    local e = t.raises(code, "cannot get pod \"x\" in namespace \"default\" (context \"script\"): ", cluster.get,
      cluster, "pod", "x")
    t.contains(e.message, "the server's words")
    t.equal(e.http, status)
    played()
  end
  local cluster, played = script.open { { "GET " .. POD, error = failure.new("tls", "no") } }
  t.raises("tls", "cannot get pod", cluster.get, cluster, "pod", "x")
  played()
end

test["whoever waits for a server is told so, once until it answers again"] = function(t)
  local away = {}
  for try = 1, 6 do
    away[try] = { "GET " .. POD, error = refused() }
  end
  local all = { table.unpack(away) }
  all[7] = { "GET " .. POD, body = script.pod "x" }
  table.move(away, 1, 6, 8, all)
  all[14] = { "GET " .. POD, body = script.pod "x" }
  local cluster, played = script.open(all)
  local said = {}
  cluster.waiting = function(text)
    said[#said + 1] = text
  end
  cluster:get("pod", "x")
  t.equal(#said, 1)
  t.contains(said[1], "the API server of context \"script\" is asked again for up to ")
  t.contains(said[1], "cannot connect to 127.0.0.1:6443: Connection refused")
  cluster:get("pod", "x")
  t.equal(#said, 2)
  played()
end

test["a change is tried again only where nothing was done"] = function(t)
  local patch = "PATCH " .. POD
  local cluster, played = script.open { step(patch, BUSY), { patch, error = refused() },
    { patch, error = failure.new("network", "x: the connection broke in the TLS handshake: reset") },
    { patch, body = script.pod "x" } }
  cluster:patch("pod", "x", { metadata = {} })
  played()
  for _, trouble in ipairs { { status = 503 }, { status = 504 }, { status = 500, headers = { ["retry-after"] = "0" } },
    { error = failure.new("network", "connection reset") }, { error = failure.new("truncated", "cut") },
    { error = failure.new("timeout", "stall") } } do
    cluster, played = script.open { step(patch, trouble) }
    local ok, e = pcall(cluster.patch, cluster, "pod", "x", { metadata = {} })
    t.check(not ok)
    t.contains(failure.of(e).message, "cannot patch pod \"x\" in namespace \"default\" (context \"script\")")
    played()
  end
end

test["after its time the last answer is the error"] = function(t)
  local steps = {}
  for index = 1, 400 do
    steps[index] = { "GET " .. POD, status = 503, body = script.status(503, "ServiceUnavailable", "down") }
  end
  local cluster = script.open(steps)
  local e = t.raises("http", "down", cluster.get, cluster, "pod", "x")
  t.equal(e.http, 503)
  t.check(#steps > 0 and #steps < 396)
  cluster = script.open { { "GET " .. POD, status = 429, headers = { ["retry-after"] = "3600" } } }
  e = t.raises("http", "cannot get pod", cluster.get, cluster, "pod", "x")
  t.equal(e.http, 429)
end

test["Retry-After is seconds, or a date by the server's clock"] = function(t)
  local function asked(after, date)
    return retry.asked_ms { headers = { ["retry-after"] = after, date = date } }
  end
  t.equal(asked(nil), nil)
  t.equal(asked "7", 7000)
  t.equal(asked " 7 ", 7000)
  t.equal(asked "soon", nil)
  t.equal(asked("Sat, 21 Nov 2026 02:00:30 GMT", "Sat, 21 Nov 2026 02:00:00 GMT"), 30000)
  t.equal(asked("Sat, 21 Nov 2026 02:00:00 GMT", "Sat, 21 Nov 2026 02:00:30 GMT"), 0)
  t.equal(asked "Sat, 21 Nov 2020 02:00:00 GMT", 0)
  t.equal(asked "Sat, 99 Nov 2026 02:00:00 GMT", nil)
  t.check(asked("99999999999999999999") > 0)
end

test["pauses grow, are bounded, and are not all alike"] = function(t)
  local pace, seen = { first_ms = 100, longest_ms = 1000, limit_ms = 1 }, {}
  for tries = 1, 70 do
    local ms = retry.pause_ms(pace, tries)
    t.check(ms >= 50 and ms <= 1000, ms)
    t.check(tries > 1 or ms <= 100, ms)
    t.check(tries < 5 or ms >= 500, ms)
    seen[ms] = true
  end
  local count = 0
  for _ in pairs(seen) do
    count = count + 1
  end
  t.check(count > 5)
end

test["a 403 says how the right is granted"] = function(t)
  local cluster = script.open { { "GET " .. POD, status = 403, body = script.status(403, "Forbidden", "no") },
    { "GET /apis/apps/v1/namespaces/m/deployments/x/scale", status = 403 }, { "GET /api/v1/nodes/n", status = 403 } }
  local e = t.raises("permission", "cannot get pod \"x\"", cluster.get, cluster, "pod", "x")
  t.contains(e.hint, "the verb \"get\" on \"pods\": kubectl -n default create role NAME --verb=get --resource=pods")
  e = t.raises("permission", "cannot get scale of deployment.apps \"x\" in namespace \"m\"", cluster.get, cluster,
    "deploy", "x", { namespace = "m", subresource = "scale" })
  t.contains(e.hint, "kubectl -n m create role NAME --verb=get --resource=deployments.apps/scale")
  e = t.raises("permission", "cannot get node \"n\" (context", cluster.get, cluster, "node", "n")
  t.contains(e.hint, "kubectl create clusterrole NAME")
end

test["an answer that is no JSON object is told, and not quoted"] = function(t)
  for _, body in ipairs { "hunter2 {", "[", "\"hunter2\"", "7" } do
    local cluster = script.open { { "GET /api/v1/namespaces/default/secrets/x", body = body } }
    local e = t.raises("protocol", "cannot get secret \"x\"", cluster.get, cluster, "secret", "x")
    t.equal(e.message:find("hunter2", 1, true), nil)
  end
end

test["what the server quotes of a Secret is not shown"] = function(t)
  local said = "unable to decode: ...|password: hunter2|..."
  for _, status in ipairs { 400, 422 } do
    local cluster = script.open { { "POST /api/v1/namespaces/default/secrets", status = status,
      body = script.status(status, "Invalid", said, { causes = { { field = "data[password]", message = "hunter2" },
        { field = "hunter2 hunter2" } } }) } }
    local ok, e = pcall(cluster.create, cluster, { apiVersion = "v1", kind = "Secret", metadata = { name = "x" },
      data = { password = "hunter2" } })
    t.check(not ok)
    t.equal((e.message .. (e.hint or "")):find("hunter2", 1, true), nil)
    t.contains(e.message, "cannot create secret \"x\" in namespace \"default\"")
    t.contains(e.message, "data[password]")
  end
end

test["what others who admit objects say of a Secret is not shown either"] = function(t)
  local cluster = script.open { { "POST /api/v1/namespaces/default/secrets", status = 403, body = script.status(403,
    "Forbidden", "admission webhook \"x\" denied the request: hunter2 is too short") } }
  local e = t.raises("permission", "cannot create secret \"x\"", cluster.create, cluster, { apiVersion = "v1",
    kind = "Secret", metadata = { name = "x" } })
  t.equal(e.message:find("hunter2", 1, true), nil)
end

test["only so many requests are under way to a server at once"] = function(t)
  local cluster = script.open {}
  local now, most, done = 0, 0, 0
  cluster.native.request = function()
    now = now + 1
    most = math.max(most, now)
    task.sleep(2)
    now, done = now - 1, done + 1
    return { status = 200, headers = {}, body = "{}" }
  end
  local many = {}
  for index = 1, 60 do
    many[index] = index
  end
  task.each(many, 60, function()
    cluster:version()
  end)
  t.equal({ most, done, now }, { 10, 60, 0 })
end

test["who is cancelled while waiting for its turn takes no place with it"] = function(t)
  local cluster = script.open {}
  cluster.native.request = function()
    task.sleep(30)
    return { status = 200, headers = {}, body = "{}" }
  end
  local handles = {}
  for index = 1, 25 do
    handles[index] = task.spawn(cluster.version, cluster)
  end
  task.sleep(5)
  for index = 1, 25, 2 do
    handles[index]:cancel()
  end
  local ended = { [true] = 0, [false] = 0 }
  for index = 1, 25 do
    local ok, e = handles[index]:wait()
    t.check(ok or failure.is(e, "cancelled"))
    ended[ok] = ended[ok] + 1
  end
  t.equal(ended, { [true] = 12, [false] = 13 })
  t.equal({ cluster.gate.free, #cluster.gate.queue }, { 10, 0 })
end

test["a cancel ends the pauses between tries"] = function(t)
  local steps = {}
  for index = 1, 50 do
    steps[index] = { "GET " .. POD, status = 429, headers = { ["retry-after"] = "20" } }
  end
  local cluster = script.open(steps)
  cluster.pace = { first_ms = 1, longest_ms = 1, limit_ms = 60000 }
  local began = clock.mono()
  local handle = task.spawn(cluster.get, cluster, "pod", "x")
  task.sleep(10)
  handle:cancel()
  local ok, e = handle:wait()
  t.check(not ok and failure.is(e, "cancelled"))
  t.check(clock.mono() - began < 10000)
end

test["options that are none are refused before anything is sent"] = function(t)
  local cluster = script.open {}
  t.raises("recipe", "kube delete has no option \"ui\" (did you mean \"uid\"?)", cluster.delete, cluster, "pod",
    "x", { ui = "7" })
  t.raises("recipe", "kube get: namespace is a string, not a number", cluster.get, cluster, "pod", "x",
    { namespace = 7 })
  t.raises("recipe", "takes a table of options, not a string", cluster.get, cluster, "pod", "x", "default")
end

test["a raw request returns any answer, and its query is its own"] = function(t)
  local cluster, played = script.open { { "GET /healthz", query = { verbose = "1" }, status = 418, body = "teapot",
    check = function(request) t.equal(request.headers["X-A"], "b") end } }
  local answer = cluster:raw { path = "/healthz?verbose=1", headers = { ["X-A"] = "b" } }
  t.equal({ answer.status, answer.body }, { 418, "teapot" })
  played()
end

return test
