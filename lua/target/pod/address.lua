--- How a pod is written as a target:
---
---   pod://NS/NAME            that pod
---   pod://NS/KIND/NAME       a pod of a workload: statefulset (sts), deployment (deploy), daemonset (ds)
---   pod://NS?selector=a=b    a pod with these labels
---
--- with options behind "?", joined by "&": container, context (of the
--- kubeconfig), replica (which of several), helper (image of a helper pod),
--- proof (structure or digest).

local failure = require "failure"
local url = require "_url"
local words = require "words"

local address = {}

--- What may stand before the name, and the kind that it means.
local KINDS = {
  pod = "pod", po = "pod", pods = "pod",
  sts = "statefulset", statefulset = "statefulset", statefulsets = "statefulset",
  deploy = "deployment", deployment = "deployment", deployments = "deployment",
  ds = "daemonset", daemonset = "daemonset", daemonsets = "daemonset",
}

local OPTIONS = { "container", "context", "helper", "proof", "replica", "selector" }
local PROOFS = { structure = true, digest = true }
local REPLICA_MAX, NAME_MAX = 100000, 253

local HINT = "pod://NAMESPACE/POD, pod://NAMESPACE/sts/NAME, pod://NAMESPACE/deploy/NAME "
  .. "or pod://NAMESPACE?selector=app=x"

local function bad(text, why, ...)
  failure.raise("usage", ("\"%s\": %s"):format(text, why:format(...)), { hint = HINT })
end

--- Is it a name of an object in the API (RFC 1123)?
local function is_name(name)
  return #name <= NAME_MAX and name:match("^[a-z0-9][a-z0-9.-]*$") ~= nil and name:match("[a-z0-9]$") ~= nil
end

local function replica_of(text, value)
  local number = value:match("^%d+$") and #value < 10 and math.tointeger(tonumber(value))
  if not number or number > REPLICA_MAX then
    bad(text, "replica must be a number from 0 to %d, not \"%s\"", REPLICA_MAX, value)
  end
  return number
end

--- The decoded options of a query; each at most once.
local function options_of(text, query)
  local found = {}
  for part in (query or ""):gmatch("[^&]+") do
    local name, value = part:match("^([^=]*)=(.*)$")
    name = name or part
    local known = false
    for _, option in ipairs(OPTIONS) do
      known = known or option == name
    end
    if not known then
      bad(text, "there is no option \"%s\"%s", name, words.did_you_mean(name, OPTIONS))
    elseif value == nil or value == "" then
      bad(text, "option %s needs a value", name)
    elseif found[name] then
      bad(text, "option %s is given twice", name)
    end
    found[name] = value:gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
    if found[name]:find("%c") then
      bad(text, "option %s holds a control character", name)
    end
  end
  return found
end

local function place_of(text, parsed, options)
  local parts = {}
  for part in (parsed.path or ""):gmatch("[^/]+") do
    parts[#parts + 1] = part
  end
  if options.selector then
    if #parts > 0 then
      bad(text, "a selector takes the place of a name")
    end
    return "selector"
  elseif #parts == 1 then
    return "pod", parts[1]
  elseif #parts == 2 then
    local kind = KINDS[parts[1]]
    if kind == nil then
      bad(text, "\"%s\" is no kind that has pods: sts, deploy and ds are", parts[1])
    end
    return kind, parts[2]
  end
  bad(text, #parts == 0 and "which pod is missing" or "too many parts")
end

--- Read an address; raises "usage".
--- @param text string
--- @return table {text, namespace, kind = "pod"|"statefulset"|"deployment"|"daemonset"|"selector", name,
---   selector, container, context, replica, helper, proof}
function address.parse(text)
  local ok, parsed = pcall(url.parse, text)
  if not ok then
    bad(text, "it is no URL")
  elseif parsed.user or parsed.has_password or parsed.port then
    bad(text, "a pod has neither user nor port")
  elseif (parsed.host or "") == "" then
    bad(text, "the namespace is missing")
  elseif not is_name(parsed.host) or parsed.host:find(".", 1, true) then
    bad(text, "\"%s\" is no name of a namespace", parsed.host)
  end
  local options = options_of(text, parsed.query)
  local kind, name = place_of(text, parsed, options)
  if name and not is_name(name) then
    bad(text, "\"%s\" is no name of a %s", name, kind)
  elseif options.container and not is_name(options.container) then
    bad(text, "\"%s\" is no name of a container", options.container)
  elseif options.helper and not options.helper:match("^[%w][%w./:@_-]*$") then
    bad(text, "\"%s\" is no name of an image", options.helper)
  elseif options.proof and not PROOFS[options.proof] then
    bad(text, "proof is structure or digest, not \"%s\"", options.proof)
  elseif options.replica and kind == "pod" then
    bad(text, "a pod's name says already which one it is: replica is for workloads and selectors")
  end
  return {
    text = text, namespace = parsed.host, kind = kind, name = name, selector = options.selector,
    container = options.container, context = options.context, helper = options.helper,
    replica = options.replica and replica_of(text, options.replica),
    proof = options.proof or "structure",
  }
end

--- What it names, for messages: "pod monitoring/prometheus-0".
function address.describe(where)
  if where.kind == "selector" then
    return ("pods with %s in %s"):format(where.selector, where.namespace)
  end
  return ("%s %s/%s"):format(where.kind, where.namespace, where.name)
end

return address
