--- HTTP to a server in a pod, whichever way there is:
---
---   proxy     through the API server's proxy of pods: no process in the pod
---   command   `nc` in the container, with its stdin and stdout as the connection
---   forward   the kubelet's port-forward
---
--- The proxy is left out for https, since the API server would not verify the
--- certificate, and for requests with an Authorization of their own, which the API
--- server takes for one to itself.  What worked is used as long as the pod is there.

local failure = require "failure"
local http = require "http"
local kube_native = require "_kube"
local proxy = require "kube.proxy"
local url = require "_url"

local pod_http = {}

local LOOPBACK = { localhost = true, ["127.0.0.1"] = true, ["::1"] = true, ["0.0.0.0"] = true }
local PORTS = { http = 80, https = 443 }

local Route = {}
Route.__index = Route

local function nothing_listens(self, why, hint)
  failure.raise("network", ("cannot connect to %s:%d: %s does not run: %s"):format(self.host, self.port,
    self.place.where.text, why), { retryable = true, hint = hint })
end

local function by_proxy(self, request, pod)
  -- Not raw: what the server behind answers, also 503, is for the caller to judge.
  local answer = self.place:cluster().native:request {
    method = request.method, headers = request.headers, body = request.body,
    path = proxy.path(self.place.where.namespace, ("pods/%s:%d"):format(pod.name, self.port), request.url),
    answer_max = request.answer_max, stall_ms = request.stall_ms, total_ms = request.total_ms,
  }
  return proxy.judge(answer, ("%s:%d"):format(self.host, self.port))
end

local function by_command(self, request, pod)
  if not self.place:has_shell(pod) then
    return nil, "the container has no shell"
  end
  request.host = self.place:host(pod.name, pod.container)
  request.argv = { "nc", self.host, tostring(self.port) }
  local ok, answer = pcall(kube_native.request_by_command, request)
  if ok then
    return answer
  end
  local e = failure.of(answer)
  if e.code == "not_found" or e.code == "unsupported" then
    return nil, e.message
  elseif e.code == "truncated" or e.code == "process" then
    return nil, e.message
  end
  error(e, 0)
end

local function by_forward(self, request, pod)
  request.client, request.ns, request.pod = self.place:cluster().native, self.place.where.namespace, pod.name
  request.port = self.port
  local ok, answer = pcall(kube_native.request_forwarded, request)
  if ok then
    return answer
  end
  local e = failure.of(answer)
  if e.code == "permission" or e.code == "unsupported" then
    return nil, e.message
  end
  error(e, 0)
end

local WAYS = {
  { name = "the API server's proxy", send = by_proxy, may = function(self, request, pod)
    if self.scheme == "https" then
      return false, "the API server's proxy does not verify certificates"
    elseif proxy.has_authorization(request.headers) then
      return false, "the API server's proxy would take the request's token for one to itself"
    elseif not (LOOPBACK[self.host] or pod.ips[self.host]) then
      return false, "the address is not the pod's own"
    end
    return true
  end },
  { name = "nc in the container", send = by_command, may = function() return true end },
  { name = "port-forward", send = by_forward, may = function(self, _, pod)
    if not (LOOPBACK[self.host] or pod.ips[self.host]) then
      return false, "the address is not the pod's own"
    end
    return true
  end },
}

local function copy(request)
  local into = {}
  for name, value in pairs(request) do
    into[name] = value
  end
  return into
end

--- Try a way: the answer; or nil, why not, and the error when it was of the network.
local function try(self, way, request, pod)
  local may, why = way.may(self, request, pod)
  if not may then
    return nil, why
  end
  local ok, answer, closed = pcall(way.send, self, copy(request), pod)
  if ok then
    return answer, closed
  end
  local e = failure.of(answer)
  if e.code ~= "network" then
    error(e, 0)
  end
  return nil, e.message, e
end

--- The pod; or nil, why it does not run, and a hint.  Neither a cluster that does not answer
--- nor an address of nothing is a server that does not run.
local function find_pod(self)
  local ok, pod, why, hint = pcall(self.place.running, self.place)
  if not ok then
    local e = failure.of(pod)
    if e.code == "not_found" then
      error(e, 0) -- says itself what there is not
    end
    e = failure.prefix(e, "cannot look for " .. self.place.where.text)
    if e.code == "network" then
      e.code = "timeout"
    end
    e.hint = e.hint or e.http and "is the --target right?"
      or "cluster and user are those of KUBECONFIG, or of the service account in a pod"
    error(e, 0)
  end
  return pod, why, hint
end

function Route:send(request)
  local pod, missing, hint = find_pod(self)
  if pod == nil then
    nothing_listens(self, missing, hint)
  elseif pod.uid ~= self.uid then
    self.uid, self.way = pod.uid, nil
  end
  if self.way then
    local answer, _, e = try(self, self.way, request, pod)
    if answer or e then
      return answer or error(e, 0)
    end
    -- Closed to this request, which was not sent on: who may look may perhaps not change.
    self.way = nil
  end
  local reasons, first = {}, nil
  for _, way in ipairs(WAYS) do
    local answer, why, e = try(self, way, request, pod)
    if answer then
      self.way = way
      self.place:once("detail", "HTTP to %s:%d goes by %s%s", self.host, self.port, way.name,
        #reasons > 0 and " (" .. table.concat(reasons, "; ") .. ")" or "")
      return answer
    end
    first = first or e
    reasons[#reasons + 1] = why
  end
  error(first or failure.new("network", ("cannot connect to %s:%d of %s: %s"):format(self.host, self.port,
    self.place.where.text, table.concat(reasons, "; "))), 0)
end

--- A client (module http) for a URL as it is seen from the pod.
--- @param place table of target.pod.place
function pod_http.client(place, base, options)
  local parsed = url.parse(base)
  local route = setmetatable({ place = place, scheme = parsed.scheme, host = parsed.host,
    port = parsed.port or PORTS[parsed.scheme] }, Route)
  local with = copy(options or {})
  with.send = function(request)
    return route:send(request)
  end
  return http.client(base, with)
end

return pod_http
