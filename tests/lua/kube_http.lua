--- HTTP to services: through the API server's proxy, else to a pod behind the service.

local json = require "json"
local pod_http = require "target.pod.http"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()
local secret = require "_secret"

local test = {}

local BASE = "/api/v1/namespaces/m/"
local PROXY = "GET " .. BASE .. "services/web:80/proxy/status"

local SERVICE = { "GET " .. BASE .. "services/web", body = { metadata = { name = "web" }, spec = { ports = json.array {
  { name = "admin", port = 81 }, { name = "http", port = 80 } } } } }

local function endpoints(subsets)
  return { "GET " .. BASE .. "endpoints/web", body = { metadata = { name = "web" }, subsets = subsets } }
end

local READY = endpoints(json.array { {
  ports = json.array { { name = "admin", port = 9081 }, { name = "http", port = 9080 } },
  addresses = json.array { { ip = "10.0.0.9", targetRef = { kind = "Pod", name = "web-0" } } } } })

test["a service is asked through the proxy of the API server"] = function(t)
  local cluster, played = script.open { { PROXY, body = { fine = true }, query = { a = "b" } } }
  local client = cluster:http("web", 80, { namespace = "m" })
  t.equal(client:get_json("/status", { query = { a = "b" } }), { fine = true })
  played()
end

test["what nobody answers for is a matter of the network, and retryable"] = function(t)
  for _, text in ipairs { "no endpoints available for service \"web\"", "error trying to reach service: refused",
    "no service port 80 found for service \"web\"" } do
    local said = script.status(503, "ServiceUnavailable", text)
    local cluster, played = script.open { { PROXY, status = 503, body = said } }
    local e = t.raises("network", text, cluster:http("web", 80, { namespace = "m" }).get_json,
      cluster:http("web", 80, { namespace = "m" }), "/status")
    t.check(e.retryable)
    played()
  end
end

test["an error of the server behind is the server's"] = function(t)
  local cluster, played = script.open { { PROXY, status = 503, body = { busy = true } } }
  t.equal(cluster:http("web", 80, { namespace = "m" }):request("GET", "/status").status, 503)
  played()
end

test["a token is the service's, and goes to a pod behind it"] = function(t)
  local cluster, played = script.open { SERVICE, READY }
  local before, place, address, asked = pod_http.client, nil, nil, nil
  pod_http.client = function(at, base)
    place, address = at, base
    return { base = base, send = function(request)
      asked = request
      return { status = 200, headers = {}, body = "{}" }
    end }
  end
  local ok, e = pcall(function()
    local client = cluster:http("web", 80, { namespace = "m", token = secret.new("open sesame") })
    return client:get_json("/status", { query = { a = "b" } })
  end)
  pod_http.client = before
  t.check(ok, e)
  t.equal({ place.where.namespace, place.where.name, address }, { "m", "web-0", "http://127.0.0.1:9080" })
  t.check(place:cluster() == cluster)
  t.equal(asked.url, "http://127.0.0.1:9080/status?a=b")
  t.check(asked.headers.Authorization ~= nil)
  played()
end

test["a service, a port or a pod that is not there is said to be so"] = function(t)
  local token = secret.new("open sesame")
  local function ask(steps, port, code, text)
    local cluster, played = script.open(steps)
    local client = cluster:http("web", port, { namespace = "m", token = token })
    t.raises(code, text, client.get_json, client, "/status")
    played()
  end
  ask({ { "GET " .. BASE .. "services/web", status = 404, body = script.status(404, "NotFound", "no",
    { name = "web", kind = "services" }) } }, 80,
    "not_found", "there is no service \"web\" in namespace \"m\"")
  ask({ SERVICE }, 8, "not_found", "has no port 8")
  ask({ SERVICE, endpoints(nil) }, 80, "network", "no pod behind it is ready")
  ask({ SERVICE, endpoints(json.array { { ports = json.array { { name = "http", port = 9080 } },
    notReadyAddresses = json.array { { ip = "10.0.0.9" } } } }) }, 80, "network", "no pod behind it is ready")
end

return test
