--- Requests to a cluster's API server: sent, repeated where that is safe, answers
--- decoded, and errors that say what was asked of which cluster.
---
--- A cluster is {native = of _kube.open, check = _kube.check, about = {server, context,
--- user, namespace}, namespace, pace, gate}, with the methods of the module kube.

local failure = require "failure"
local gate = require "kube.gate"
local http = require "http"
local json = require "json"
local retry = require "kube.retry"
local task = require "task"

local client = {}

--- Requests under way to one server.
local ROOM = 10

local STALL_MS = 60000

--- After this many tries, about a second, the operator learns what is waited for.
local TOLD_AT = 4

local TYPES = {
  json = "application/json",
  apply = "application/apply-patch+yaml",
  merge = "application/merge-patch+json",
  strategic = "application/strategic-merge-patch+json",
  json_patch = "application/json-patch+json",
}

--- A cluster, as yet without methods.
--- @param native table client of _kube.open
--- @param check function _kube.check
--- @param options? table namespace, pace (of kube.retry), waiting (of kube.open)
function client.new(native, check, options)
  local about = native:info()
  return { native = native, check = check, about = about, gate = gate.of(about.server, ROOM),
    namespace = options and options.namespace or about.namespace,
    pace = options and options.pace or retry.PACE, waiting = options and options.waiting }
end

--- What is asked, with where: `cannot get pod "x" in namespace "y" (context "z")`.
function client.what(cluster, request)
  return ("cannot %s (context \"%s\")"):format(request.what, cluster.about.context)
end

--- Status codes that mean: what was sent is wrong.  The server quotes it then.
local QUOTES = { [400] = true, [415] = true, [422] = true }

--- May the answer quote what was sent?  Who else admits objects says what he likes.
local function may_quote(answer)
  return QUOTES[answer.status] or answer.body:find("admission webhook", 1, true) ~= nil
end

--- The answer without what the server quotes of a Secret's data.
local function without_quotes(answer)
  local ok, status = pcall(json.decode, answer.body)
  local fields = {}
  if ok and type(status) == "table" and type(status.details) == "table" then
    for _, cause in ipairs(type(status.details.causes) == "table" and status.details.causes or {}) do
      local field = type(cause) == "table" and cause.field
      if type(field) == "string" and field:match("^[%w_.%-/%[%]]+$") then
        fields[#fields + 1] = field
      end
    end
  end
  local message = "the server does not accept it; its words are not shown, as they quote the Secret"
    .. (#fields > 0 and "; fields: " .. table.concat(fields, ", ") or "")
  local reason = ok and type(status) == "table" and type(status.reason) == "string"
    and status.reason:match("^%a+$")
  return { status = answer.status, headers = answer.headers, body = json.encode { kind = "Status",
    apiVersion = "v1", status = "Failure", message = message, reason = reason, code = answer.status } }
end

--- How a right is granted, for people with kubectl.
local function grant_hint(request)
  local right = request.right
  if right == nil then
    return nil
  end
  local resource = right.resource .. (right.group ~= "" and "." .. right.group or "")
    .. (right.subresource and "/" .. right.subresource or "")
  local kind = right.namespace and "role" or "clusterrole"
  return ("it takes the verb \"%s\" on \"%s\": kubectl%s create %s NAME --verb=%s --resource=%s, "
    .. "and a %sbinding of it"):format(right.verb, resource,
    right.namespace and " -n " .. right.namespace or "", kind, right.verb, resource, kind)
end

--- Raise the error that an answer other than 2xx says.
function client.refuse(cluster, request, answer)
  if request.secret and may_quote(answer) then
    answer = without_quotes(answer)
  end
  local ok, e = pcall(cluster.check, client.what(cluster, request), answer)
  if ok then
    failure.raise("protocol", ("%s: the server answered %d"):format(client.what(cluster, request),
      answer.status), { http = answer.status })
  end
  e = failure.of(e)
  e.http = e.http or answer.status
  if answer.status == 403 then
    e.hint = grant_hint(request) or e.hint
  end
  error(e, 0)
end

local function transmit(cluster, request, repeats)
  local headers = { ["Accept"] = request.accept or "application/json" }
  local body = request.body
  if type(body) == "table" then
    body = json.encode(body)
  end
  if body ~= nil then
    headers["Content-Type"] = TYPES[request.type or "json"]
  end
  for name, value in pairs(request.headers or {}) do
    headers[name] = value
  end
  return cluster.native:request {
    method = request.method, path = request.path .. http.query(request.query), headers = headers,
    body = body, answer_max = request.answer_max, stall_ms = request.stall_ms or STALL_MS,
    repeats = repeats, once = not repeats,
  }
end

--- Tell, once until the server answers again, that and why it is waited for.
local function tell_wait(cluster, pauses, why)
  if cluster.waiting and not cluster.is_away and pauses.tries == TOLD_AT then
    cluster.is_away = true
    cluster.waiting(("the API server of context \"%s\" is asked again for up to %d s: %s"):format(
      cluster.about.context, cluster.pace.limit_ms // 1000, why))
  end
end

--- Send a request, again where that is safe; an answer of any status is returned.
--- @param request table method, path, query, body (a table: as JSON), type, accept, headers,
---   answer_max; what = "get pod \"x\" in namespace \"y\""; repeats = may be done twice
---   (default: GET and HEAD)
function client.send(cluster, request)
  local repeats = request.repeats
  if repeats == nil then
    repeats = request.method == "GET" or request.method == "HEAD"
  end
  local pauses = retry.begin(cluster.pace)
  while true do
    local ok, answer = pcall(cluster.gate.pass, cluster.gate, transmit, cluster, request,
      repeats)
    local e = not ok and answer or nil
    if not retry.makes_sense(ok and answer or nil, e, repeats) then
      if ok then
        cluster.is_away = nil
        return answer
      end
      error(failure.prefix(e, client.what(cluster, request)), 0)
    end
    local ms = pauses:next_ms(ok and retry.asked_ms(answer) or nil)
    if ms == nil then
      if ok then
        return answer
      end
      error(failure.prefix(e, ("%s, tried %d times"):format(client.what(cluster, request), pauses.tries)), 0)
    end
    tell_wait(cluster, pauses, ok and ("it answers %d"):format(answer.status) or e.message)
    task.sleep(ms)
  end
end

--- The JSON object that a text is.  What does not decode is not quoted: it may be a Secret.
function client.decode(cluster, request, text)
  local ok, value = pcall(json.decode, text)
  if not ok or type(value) ~= "table" then
    failure.raise("protocol", ("%s: the server's answer is %s"):format(client.what(cluster, request),
      ok and "no JSON object" or "no JSON"))
  end
  return value
end

--- Send a request and return the decoded answer; other statuses than 2xx raise.
--- @param request table as client.send; also right = {verb, group, resource, subresource,
---   namespace} for the hint of a 403, secret = true where the server's words may quote a
---   Secret's data, refused = function(answer) for other statuses: may raise an error of its
---   own, or return true where there is nothing to return
--- @return table|nil nil: refused said so
function client.call(cluster, request)
  local answer = client.send(cluster, request)
  if answer.status >= 200 and answer.status < 300 then
    return client.decode(cluster, request, answer.body)
  elseif request.refused and request.refused(answer) then
    return nil
  end
  client.refuse(cluster, request, answer)
end

--- Begin to read an answer line by line; any failure raises, and nothing is tried again.
--- @param request table as client.call, of which path, query, what and right count
--- @param options table stall_ms, line_max
--- @return table lines of _kube
function client.follow(cluster, request, options)
  local ok, lines = pcall(cluster.native.follow, cluster.native, {
    path = request.path .. http.query(request.query), stall_ms = options.stall_ms, line_max = options.line_max })
  if ok then
    return lines
  end
  local e = failure.prefix(lines, client.what(cluster, request))
  if e.http == 403 then
    e.hint = grant_hint(request) or e.hint
  end
  error(e, 0)
end

--- Is this a 404 for the object of that name, and not for a path that nobody serves?
--- @param name string
function client.is_absent(answer, name)
  if answer.status ~= 404 then
    return false
  end
  local ok, status = pcall(json.decode, answer.body)
  return ok and type(status) == "table" and status.kind == "Status" and status.reason == "NotFound"
    and type(status.details) == "table" and status.details.name == name
end

return client
