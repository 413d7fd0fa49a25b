--- The API server as a proxy to pods and services: paths, and whose answer it is.

local failure = require "failure"
local json = require "json"

local proxy = {}

--- What the API server says when nothing listens there: with 500, 502 or 503, as a
--- Status or as plain text.
local UNREACHED = { "error trying to reach service", "no endpoints available for service", "no service port" }

--- The Status of the API server itself, not an answer of the server behind it; or nil.
local function own_status(answer)
  local ok, value = pcall(json.decode, answer.body)
  return ok and type(value) == "table" and value.kind == "Status" and value.apiVersion == "v1" and value or nil
end

--- Has a request an Authorization of its own?  The API server would take it for one to itself.
function proxy.has_authorization(headers)
  for name in pairs(headers or {}) do
    if name:lower() == "authorization" then
      return true
    end
  end
  return false
end

--- The path of a request to "pods/NAME:PORT" or "services/NAME:PORT" in a namespace.
--- @param address string the URL as it would be asked there
function proxy.path(namespace, object, address)
  local path = address:match("^%a+://[^/?]*(.*)$")
  return ("/api/v1/namespaces/%s/%s/proxy%s%s"):format(namespace, object, path:sub(1, 1) == "/" and "" or "/", path)
end

--- What an answer means: the server's answer; nil and why where this way is closed to
--- us.  Raises "network" where nothing listens.
--- @param where string "127.0.0.1:9090"
function proxy.judge(answer, where)
  local status = answer.status >= 400 and own_status(answer)
  local said = status and tostring(status.message) or answer.body
  local nobody = status and answer.status == 404
  for _, text in ipairs(answer.status >= 500 and UNREACHED or {}) do
    nobody = nobody or said:sub(1, #text) == text
  end
  if nobody then
    failure.raise("network", ("cannot connect to %s: %s"):format(where, said:gsub("%s+", " "):sub(1, 300)),
      { retryable = true })
  elseif status and (answer.status == 401 or answer.status == 403 or answer.status == 405) then
    return nil, said
  end
  return answer
end

return proxy
