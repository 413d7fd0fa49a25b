--- Small HTTP requests: API calls whose answer fits a bound.
---
--- Certificates are always verified, redirects are not followed, an answer
--- that is cut short is an error.  Secrets go into headers as opaque values.

local effect = require "effect"
local failure = require "failure"
local json = require "json"
local native = require "_http"

local http = {}

--- How much of an unexpected answer is quoted in an error.
local EXCERPT = 200

local Client = {}
Client.__index = Client

--- A client for a base URL.
--- @param base string "http://127.0.0.1:9090"
--- @param options? table headers, token (secret), ca_file, stall_ms, answer_max;
---   send = function(request) -> answer: how requests get there, if not by a
---   connection from here (request: method, url, headers, body, answer_max, stall_ms, total_ms, ca_file)
function http.client(base, options)
  options = options or {}
  local headers = {}
  for name, value in pairs(options.headers or {}) do
    headers[name] = value
  end
  if options.token then
    headers["Authorization"] = { "Bearer ", options.token }
  end
  return setmetatable({ base = (base:gsub("/+$", "")), headers = headers, options = options,
    send = options.send or native.request }, Client)
end

--- "?a=b&c=d" of a table, sorted by name; list values repeat the name.
function http.query(params)
  local url_encode = require("_digest").url_encode
  local parts = {}
  for name, value in pairs(params or {}) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      if type(one) ~= "string" and type(one) ~= "number" and type(one) ~= "boolean" then
        failure.raise("recipe", ("a %s cannot be part of a URL"):format(type(one) == "userdata"
          and "handle or a secret" or type(one)))
      end
      parts[#parts + 1] = url_encode(name) .. "=" .. url_encode(tostring(one))
    end
  end
  table.sort(parts)
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

local function excerpt(body)
  local text = body:gsub("%s+", " "):gsub("[^\32-\126\128-\255]", "?")
  return #text > EXCERPT and text:sub(1, EXCERPT) .. "..." or text
end

--- Send a request; any complete answer is returned.
--- @param method string
--- @param path string begins with "/"
--- @param options? table query, body, headers, answer_max, stall_ms, total_ms
--- @return table {status, headers, body}
function Client:request(method, path, options)
  options = options or {}
  local headers = {}
  for name, value in pairs(self.headers) do
    headers[name] = value
  end
  for name, value in pairs(options.headers or {}) do
    headers[name] = value
  end
  local ok, answer = pcall(self.send, {
    method = method,
    url = self.base .. path .. http.query(options.query),
    headers = headers,
    body = options.body,
    answer_max = options.answer_max or self.options.answer_max,
    stall_ms = options.stall_ms or self.options.stall_ms,
    total_ms = options.total_ms,
    ca_file = self.options.ca_file,
  })
  if ok then
    return answer
  end
  local e = failure.of(answer)
  if not e.message:find(self.base, 1, true) then
    e = failure.prefix(e, ("%s %s"):format(method, self.base .. path))
  end
  if e.code == "network" and e.hint == nil then
    e.hint = "does the server run, and is the address right as seen from here?"
  end
  error(e, 0)
end

--- Raise "http" for an answer with another status than 2xx.
function http.check(answer, what)
  if answer.status >= 200 and answer.status < 300 then
    return answer
  end
  failure.raise("http", ("%s: the server answered %d%s"):format(what, answer.status,
    answer.body ~= "" and " (" .. excerpt(answer.body) .. ")" or ""),
    { http = answer.status, retryable = answer.status >= 500 or answer.status == 429 })
end

--- GET, and the decoded JSON of a 2xx answer.
function Client:get_json(path, options)
  local what = "GET " .. self.base .. path
  local answer = http.check(self:request("GET", path, options), what)
  return failure.during(what, json.decode, answer.body)
end

--- POST something that changes the server, and the decoded JSON of a 2xx answer.
--- @param why string for the plan
function Client:post_json(path, why, options)
  local what = "POST " .. self.base .. path
  effect.change_for_result("POST", self.base .. path, why)
  local answer = http.check(self:request("POST", path, options), what)
  return failure.during(what, json.decode, answer.body)
end

return http
