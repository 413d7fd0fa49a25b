--- HTTP into a pod: which way a request takes, and what an answer of the API
--- server's proxy means.

local failure = require "failure"
local json = require "json"
local native = require "_kube"
local pod_http = require "target.pod.http"

local test = {}

local TEXT = "pod://m/web-0"

--- A place with a pod in it; what is asked of the API server goes to answer(request).
local function place_of(answer, pod)
  local place = { where = { namespace = "m", text = TEXT }, said = {},
    pod = pod == nil and { name = "web-0", uid = "u1", ips = { ["10.1.2.3"] = true }, container = "c",
      image = "i" } or pod }
  function place:running()
    return self.pod or nil
  end
  function place:cluster()
    return { native = { request = function(_, request)
      return answer(request)
    end } }
  end
  function place:once(_, text, ...)
    self.said[#self.said + 1] = text:format(...)
  end
  function place:has_shell()
    return false
  end
  return place
end

--- Let port-forwards do what fn does.
local function with_forward(fn, body)
  local before = native.request_forwarded
  native.request_forwarded = fn
  local ok, e = pcall(body)
  native.request_forwarded = before
  if not ok then
    error(e, 0)
  end
end

local function status(code, message, reason)
  return { status = code, headers = {}, body = json.encode { kind = "Status", apiVersion = "v1", code = code,
    message = message, reason = reason } }
end

local function no_forward()
  failure.raise("network", "cannot connect")
end

test["the API server's proxy comes first"] = function(t)
  local seen
  local place = place_of(function(request)
    seen = request
    return { status = 200, headers = {}, body = "{\"a\":1}" }
  end)
  local client = pod_http.client(place, "http://127.0.0.1:9090/prefix")
  t.equal(client:get_json("/api/v1/x", { query = { q = "a b" } }), { a = 1 })
  t.equal({ seen.method, seen.path }, { "GET", "/api/v1/namespaces/m/pods/web-0:9090/proxy/prefix/api/v1/x?q=a%20b" })
  t.equal(place.said, { "HTTP to 127.0.0.1:9090 goes by the API server's proxy" })
  for _, url in ipairs { "http://localhost:80", "http://10.1.2.3", "http://[::1]:80" } do
    t.equal(pod_http.client(place, url):request("GET", "/").status, 200)
    t.equal(seen.path, "/api/v1/namespaces/m/pods/web-0:80/proxy/")
  end
end

test["answers of the server are passed on, whatever their status"] = function(t)
  for _, code in ipairs { 400, 401, 403, 404, 500, 502, 503, 504 } do
    local client = pod_http.client(place_of(function()
      return { status = code, headers = {}, body = "from the server itself" }
    end), "http://127.0.0.1:9090")
    t.equal(client:request("GET", "/x").status, code)
  end
end

test["a server that does not listen is a network error"] = function(t)
  with_forward(no_forward, function()
    for _, answer in ipairs {
      { status = 503, headers = {}, body = "error trying to reach service: dial tcp 10.1.2.3:9090: connect: "
        .. "connection refused" },
      status(503, "error trying to reach service: dial tcp 10.1.2.3:9090: connect: connection refused"),
      status(500, "error trying to reach service: dial tcp 10.1.2.3:9090: connect: connection refused"),
      status(502, "error trying to reach service: EOF"),
      status(404, "pods \"web-0\" not found") } do
      local client = pod_http.client(place_of(function() return answer end), "http://127.0.0.1:9090")
      local e = t.raises("network", "GET http://127.0.0.1:9090/x", client.request, client, "GET", "/x")
      t.check(e.message:find("refused", 1, true) or e.message:find("EOF", 1, true)
        or e.message:find("not found", 1, true), e.message)
    end
    local place = place_of(function() return nil end, false)
    function place.running()
      return nil, "not ready: CrashLoopBackOff", "h"
    end
    local client = pod_http.client(place, "http://127.0.0.1:9090")
    local e = t.raises("network", TEXT .. " does not run: not ready: CrashLoopBackOff", client.request, client, "GET",
      "/x")
    t.equal(e.hint, "h")
  end)
end

test["where the proxy is not allowed the next way is taken, and kept"] = function(t)
  local asked = 0
  local place = place_of(function()
    asked = asked + 1
    return status(403, "pods \"web-0\" is forbidden: cannot get resource \"pods/proxy\"", "Forbidden")
  end)
  local ports = {}
  with_forward(function(request)
    ports[#ports + 1] = request.port
    return { status = 200, headers = {}, body = "forwarded" }
  end, function()
    local client = pod_http.client(place, "http://127.0.0.1:9090")
    t.equal(client:request("GET", "/x").body, "forwarded")
    t.equal(client:request("GET", "/x").body, "forwarded")
    t.equal({ asked, ports }, { 1, { 9090, 9090 } })
    t.contains(place.said[1], "goes by port-forward (pods \"web-0\" is forbidden")
    -- Another pod, another try.
    place.pod.uid = "u2"
    client:request("GET", "/x")
    t.equal(asked, 2)
  end)
end

test["who may look through the proxy but not change takes another way for changes"] = function(t)
  local place = place_of(function(request)
    return request.method == "GET" and { status = 200, headers = {}, body = "{}" }
      or status(403, "pods \"web-0\" is forbidden: cannot create resource \"pods/proxy\"", "Forbidden")
  end)
  local sent = {}
  with_forward(function(request)
    sent[#sent + 1] = request.method
    return { status = 200, headers = {}, body = "{}" }
  end, function()
    local client = pod_http.client(place, "http://127.0.0.1:9090")
    client:request("GET", "/x")
    t.equal(client:request("POST", "/x", { why = "y" }).status, 200)
    t.equal(sent, { "POST" })
    t.contains(place.said[2], "goes by port-forward (pods \"web-0\" is forbidden")
  end)
end

test["tokens and https never go through the API server's proxy"] = function(t)
  local place = place_of(function()
    error("it was asked")
  end)
  local headers
  with_forward(function(request)
    headers = request.headers
    return { status = 200, headers = {}, body = "ok" }
  end, function()
    local client = pod_http.client(place, "http://127.0.0.1:9090", { headers = { authorization = "Basic x" } })
    t.equal(client:request("GET", "/x").body, "ok")
    t.equal(headers.authorization, "Basic x")
    t.contains(place.said[1], "would take the request's token")
    t.equal(pod_http.client(place, "https://127.0.0.1:9090"):request("GET", "/x").body, "ok")
    t.contains(place.said[2], "does not verify certificates")
  end)
end

test["other hosts are reached from within the pod only"] = function(t)
  with_forward(function()
    error("it was asked")
  end, function()
    local client = pod_http.client(place_of(function()
      error("it was asked")
    end), "http://elsewhere:9090")
    t.raises("network", "the address is not the pod's own; the container has no shell", client.request, client,
      "GET", "/x")
  end)
end

test["a cluster that does not answer is no server that does not run"] = function(t)
  local place = place_of(function() end)
  function place.running()
    failure.raise("network", "cannot connect to 10.0.0.1:6443")
  end
  local client = pod_http.client(place, "http://127.0.0.1:9090")
  t.raises("timeout", "cannot look for " .. TEXT, client.request, client, "GET", "/x")
end

test["an address of nothing is no server that does not run"] = function(t)
  local place = place_of(function() end)
  function place.running()
    failure.raise("not_found", "pod web-0 has no container \"x\": there is web", { hint = "h" })
  end
  local client = pod_http.client(place, "http://127.0.0.1:9090")
  local e = t.raises("not_found", "has no container \"x\"", client.request, client, "GET", "/x")
  t.equal(e.hint, "h")
end

return test
