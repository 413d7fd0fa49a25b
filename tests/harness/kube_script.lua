--- A cluster that plays a script: requests in their order, each with its answer.
---
---   local cluster, played = script.open {
---     { "GET /api/v1/namespaces/default/pods/x", body = { ... } },
---     { "PATCH /api/v1/...", status = 409, headers = {}, body = ..., query = { force = "true" },
---       check = function(request) ... end },
---     { "FOLLOW /api/v1/pods", query = { resourceVersion = "7" }, lines = { {event}, "text",
---       "waiting", an error }, pause_ms = before each line },
---   }
---   ...
---   played()     -- all of it was
---
--- A step may be `error = failure.new(...)` instead of an answer.  Discovery is answered
--- aside from the script.

local digest = require "digest"
local failure = require "failure"
local json = require "json"
local kube = require "kube"
local task = require "task"

local script = {}

local function kinds(group_version, list)
  local resources = json.array {}
  for _, one in ipairs(list) do
    resources[#resources + 1] = { name = one[1], kind = one[2], namespaced = one[3], singularName = "",
      shortNames = json.array(one[4] or {}), verbs = json.array { "get", "list" } }
  end
  return { kind = "APIResourceList", groupVersion = group_version, resources = resources }
end

local function group(name, ...)
  local versions = json.array {}
  for index, version in ipairs { ... } do
    versions[index] = { groupVersion = name .. "/" .. version, version = version }
  end
  return { name = name, versions = versions, preferredVersion = versions[1] }
end

--- What the scripted cluster serves.
script.discovery = {
  ["/api/v1"] = kinds("v1", { { "pods", "Pod", true, { "po" } }, { "pods/log", "Pod", true },
    { "secrets", "Secret", true }, { "configmaps", "ConfigMap", true, { "cm" } }, { "events", "Event", true },
    { "services", "Service", true, { "svc" } },
    { "endpoints", "Endpoints", true, { "ep" } },
    { "namespaces", "Namespace", false, { "ns" } }, { "nodes", "Node", false } }),
  ["/apis"] = { kind = "APIGroupList", groups = json.array { group("metrics.k8s.io", "v1beta1"),
    group("apps", "v1"), group("batch", "v1", "v1beta1"), group("stable.example.com", "v1") } },
  ["/apis/apps/v1"] = kinds("apps/v1", { { "deployments", "Deployment", true, { "deploy" } },
    { "deployments/scale", "Scale", true }, { "statefulsets", "StatefulSet", true, { "sts" } },
    { "statefulsets/scale", "Scale", true }, { "daemonsets", "DaemonSet", true, { "ds" } },
    { "replicasets", "ReplicaSet", true, { "rs" } } }),
  ["/apis/batch/v1"] = kinds("batch/v1", { { "jobs", "Job", true } }),
  ["/apis/batch/v1beta1"] = kinds("batch/v1beta1", { { "jobs", "Job", true }, { "cronjobs", "CronJob", true } }),
  ["/apis/stable.example.com/v1"] = kinds("stable.example.com/v1", { { "pods", "Pod", true },
    { "backups", "Backup", true, { "bk" } } }),
}

--- What a Status says, for answers.
function script.status(code, reason, message, details)
  return { kind = "Status", apiVersion = "v1", status = "Failure", code = code, reason = reason, message = message,
    details = details }
end

local function query_of(path)
  local query = {}
  for name, value in (path:match("%?(.*)$") or ""):gmatch("([^&=]+)=([^&]*)") do
    query[digest.url_decode(name)] = digest.url_decode(value)
  end
  return query
end

local function fail(text)
  failure.raise("internal", text)
end

--- The next step must be this one.
local function expect(self, method, request)
  local step = table.remove(self.steps, 1)
  local line = method .. " " .. request.path:match("^[^?]*")
  if step == nil then
    fail("nothing more was expected, but: " .. method .. " " .. request.path)
  elseif step[1] ~= line then
    fail(("expected: %s, but: %s"):format(step[1], line))
  end
  local query = query_of(request.path)
  for name, value in pairs(step.query or {}) do
    if query[name] ~= (value or nil) then
      fail(("%s: %s is %s, not %s"):format(step[1], name, tostring(query[name]), tostring(value)))
    end
  end
  if step.check then
    step.check(request, query)
  end
  if step.error then
    error(step.error, 0)
  end
  return step
end

local function answer_of(step)
  local body = step.body or {}
  return { status = step.status or 200, headers = step.headers or {},
    body = type(body) == "table" and json.encode(body) or body }
end

local Native = {}
Native.__index = Native

function Native:info()
  return { server = "https://script", context = "script", user = "tester", namespace = "default" }
end

function Native:request(request)
  local known = self.discovery[request.path]
  if known and request.method == "GET" then
    self.asked[request.path] = (self.asked[request.path] or 0) + 1
    return answer_of(known.status and known or { body = known })
  end
  if request.path:match("^/apis/[^/]+/[^/]+$") and request.method == "GET" then
    return { status = 404, headers = {}, body = "404 page not found" }
  end
  return answer_of(expect(self, request.method, request))
end

local Lines = {}
Lines.__index = Lines

function Lines:next()
  if self.pause_ms then
    task.sleep(self.pause_ms)
  end
  local line = table.remove(self.list, 1)
  if line == nil then
    return nil, "ended"
  elseif line == "waiting" then
    return nil, "waiting"
  elseif failure.is(line) then
    error(line, 0)
  end
  return type(line) == "table" and json.encode(line) or line
end

function Lines:close()
  self.closed = true
end

function Native:follow(request)
  local step = expect(self, "FOLLOW", request)
  if step.status then
    self.check("watch", answer_of(step))
  end
  return setmetatable({ list = step.lines, pause_ms = step.pause_ms }, Lines)
end

--- @param steps table list
--- @param discovery? table {path = answer, or {status =, body =}} beside or instead of the usual
--- @return table cluster
--- @return function raises unless the script was played to its end
--- @return table what was asked: {path = how often} of discovery
function script.open(steps, discovery)
  local check = require("_kube").check
  local native = setmetatable({ steps = steps, discovery = setmetatable(discovery or {},
    { __index = script.discovery }), asked = {}, check = check }, Native)
  local cluster = kube.over(native, check, { pace = { first_ms = 1, longest_ms = 4, limit_ms = 300 } })
  return cluster, function()
    if #steps > 0 then
      fail(("%d steps were not played, from: %s"):format(#steps, steps[1][1]))
    end
  end, native.asked
end

--- A pod, for answers.
function script.pod(name, version, more)
  local pod = { apiVersion = "v1", kind = "Pod", metadata = { name = name, namespace = "default",
    uid = "uid-" .. name, resourceVersion = version or "1" }, spec = {}, status = {} }
  for key, value in pairs(more or {}) do
    pod[key] = value
  end
  return pod
end

return script
