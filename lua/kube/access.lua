--- Who may do what: asked of the server, before it matters.

local client = require "kube.client"
local discovery = require "kube.discovery"
local failure = require "failure"
local options = require "kube.options"
local task = require "task"

local access = {}

local AT_ONCE = 6

--- Has the user that right?
--- @param right table verb, group, resource, subresource, namespace (nil: in all), name
--- @return boolean
--- @return string|nil why not, where the server says it
function access.ask(cluster, right)
  local answer = client.call(cluster, { method = "POST", repeats = true,
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", what = "ask for one's own rights",
    body = { apiVersion = "authorization.k8s.io/v1", kind = "SelfSubjectAccessReview",
      spec = { resourceAttributes = { verb = right.verb, group = right.group, resource = right.resource,
        subresource = right.subresource, namespace = right.namespace, name = right.name } } } })
  local status = type(answer.status) == "table" and answer.status or {}
  if type(status.allowed) ~= "boolean" then
    failure.raise("protocol", ("cannot ask for one's own rights (context \"%s\"): the server's answer says neither "
      .. "yes nor no"):format(cluster.about.context))
  end
  local why = type(status.reason) == "string" and status.reason ~= "" and status.reason
    or type(status.evaluationError) == "string" and status.evaluationError ~= "" and status.evaluationError or nil
  return status.allowed, why
end

local function resource_of(right)
  return right.resource .. (right.group ~= "" and "." .. right.group or "")
    .. (right.subresource and "/" .. right.subresource or "")
end

local function said(right)
  return ("%s %s%s%s"):format(right.verb, resource_of(right),
    right.name and (" \"%s\""):format(right.name) or "",
    right.namespace and (" in namespace \"%s\""):format(right.namespace) or "")
end

--- The rules that grant rights, as they stand in a Role, on one line.
local function rules_of(missing)
  local rules, order = {}, {}
  for _, one in ipairs(missing) do
    local right = one.right
    local resource = right.resource .. (right.subresource and "/" .. right.subresource or "")
    local key = right.group .. "\0" .. resource
    if rules[key] == nil then
      rules[key] = { group = right.group, resource = resource, verbs = {} }
      order[#order + 1] = key
    end
    if not rules[key].verbs[right.verb] then
      rules[key].verbs[right.verb] = true
      rules[key].verbs[#rules[key].verbs + 1] = right.verb
    end
  end
  local parts = {}
  for _, key in ipairs(order) do
    local rule = rules[key]
    parts[#parts + 1] = ("{apiGroups: [\"%s\"], resources: [%s], verbs: [%s]}"):format(rule.group, rule.resource,
      table.concat(rule.verbs, ", "))
  end
  return table.concat(parts, ", ")
end

--- Raise "permission" for rights that are missing: {right, why}.
function access.refuse(cluster, missing)
  local parts = {}
  for _, one in ipairs(missing) do
    parts[#parts + 1] = said(one.right) .. (one.why and " (" .. one.why .. ")" or "")
  end
  failure.raise("permission", ("the user%s may not (context \"%s\"): %s"):format(
    cluster.about.user ~= "" and (" \"%s\""):format(cluster.about.user) or "", cluster.about.context,
    table.concat(parts, "; ")), { hint = "rules that grant it: " .. rules_of(missing) })
end

local ASKED = { namespace = "string", all = "boolean", subresource = "string", name = "string" }

local function right_of(cluster, verb, typed, opts)
  local kind = discovery.resource(cluster, typed)
  local namespace = options.namespace(cluster, kind, opts.namespace)
  if opts.all then
    namespace = nil
  end
  return { verb = verb, group = kind.group, resource = kind.plural, subresource = opts.subresource,
    namespace = namespace, name = opts.name }
end

--- May the user do that?
--- @return boolean
--- @return string|nil why not, where the server says it
function access.can(cluster, verb, typed, given)
  return access.ask(cluster, right_of(cluster, verb, typed, options.check("kube can", given, ASKED)))
end

--- Ask for all of a list of rights, {verb, kind, namespace =, all =, subresource =, name =}
--- each, and raise one "permission" that names all that are missing.
function access.preflight(cluster, list)
  local rights = {}
  for index, one in ipairs(list) do
    local opts = {}
    for name, value in pairs(one) do
      if name ~= 1 and name ~= 2 then
        opts[name] = value
      end
    end
    rights[index] = right_of(cluster, one[1], one[2], options.check("kube preflight", opts, ASKED))
  end
  local missing = {}
  for index, result in ipairs(task.each(rights, AT_ONCE, function(right)
    local ok, why = access.ask(cluster, right)
    return { ok = ok, why = why }
  end)) do
    if not result.ok then
      missing[#missing + 1] = { right = rights[index], why = result.why }
    end
  end
  if #missing > 0 then
    access.refuse(cluster, missing)
  end
end

return access
