--- HTTP to a service: through the API server's proxy; where that is closed, or would
--- take the request's token for one to itself, to a pod behind the service, as to pods.

local failure = require "failure"
local http = require "http"
local proxy = require "kube.proxy"

local service_http = {}

local Route = {}
Route.__index = Route

--- The number that an endpoint gives the service's port: ports of endpoints have the
--- names of the service's.
local function target_port(subset, name)
  for _, port in ipairs(subset.ports or {}) do
    if port.name == name or (name == nil and #subset.ports == 1) then
      return port.port
    end
  end
  return nil
end

--- A ready pod behind the service, and its port.
local function find_pod(self)
  local service = self.cluster:get("service", self.name, { namespace = self.namespace })
  if service == nil then
    failure.raise("not_found", ("there is no service \"%s\" in namespace \"%s\" (context \"%s\")"):format(self.name,
      self.namespace, self.cluster:info().context))
  end
  local name, known
  for _, port in ipairs(service.spec.ports or {}) do
    if port.port == self.port then
      name, known = port.name, true
    end
  end
  if not known then
    failure.raise("not_found", ("the service %s has no port %d"):format(self.text, self.port))
  end
  local endpoints = self.cluster:get("endpoints", self.name, { namespace = self.namespace })
  for _, subset in ipairs(endpoints and endpoints.subsets or {}) do
    for _, address in ipairs(subset.addresses or {}) do
      local port = target_port(subset, name)
      if port and address.targetRef and address.targetRef.kind == "Pod" then
        return address.targetRef.name, port
      end
    end
  end
  failure.raise("network", ("cannot connect to the service %s: no pod behind it is ready"):format(self.text),
    { retryable = true })
end

local function by_proxy(self, request)
  if proxy.has_authorization(request.headers) then
    return nil
  end
  local answer = self.cluster.native:request {
    method = request.method, headers = request.headers, body = request.body,
    path = proxy.path(self.namespace, ("services/%s:%d"):format(self.name, self.port), request.url),
    answer_max = request.answer_max, stall_ms = request.stall_ms, total_ms = request.total_ms,
  }
  return (proxy.judge(answer, self.text))
end

--- Send a request of the client (module http).
--- @return table {status, headers, body}
function Route:send(request)
  local answer = not self.closed and by_proxy(self, request)
  if answer then
    return answer
  end
  self.closed = true
  local pod, port = find_pod(self)
  local place = require("target.pod.place").new(
    require("target.pod.address").parse(("pod://%s/%s"):format(self.namespace, pod)), self.cluster)
  local path = request.url:match("^%a+://[^/?]*(.*)$")
  local client = require("target.pod.http").client(place, ("http://127.0.0.1:%d"):format(port), {})
  request.url = client.base .. path
  return client.send(request)
end

--- A client (module http) for a port of a service.
--- @param port integer the service's
--- @param given table namespace, and the options of http.client
function service_http.client(cluster, name, port, given)
  local namespace = given.namespace or cluster.namespace
  local route = setmetatable({ cluster = cluster, name = name, port = port, namespace = namespace,
    text = ("%s/%s:%d"):format(namespace, name, port) }, Route)
  local with = { send = function(request)
    return route:send(request)
  end }
  for option, value in pairs(given) do
    with[option] = value
  end
  with.namespace = nil
  return http.client(("http://%s.%s:%d"):format(name, namespace, port), with)
end

return service_http
