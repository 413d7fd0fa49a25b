--- A kind of object as a cluster serves it: where its objects are found, and what
--- they are called in messages.

local digest = require "digest"
local failure = require "failure"

local resource = {}

local Resource = {}
Resource.__index = Resource

local function text_or(value, default)
  return type(value) == "string" and value ~= "" and value or default
end

--- A kind from an entry of an APIResourceList; nil when the entry is none.
--- @param group string "" for the core
--- @return table|nil {group, version, plural, singular, kind, short, namespaced, verbs (a set)}
function resource.new(group, version, entry)
  if type(entry) ~= "table" or type(entry.name) ~= "string" or type(entry.kind) ~= "string"
    or not entry.name:match("^[%w%-]+$") then
    return nil
  end
  local made = { group = group, version = version, plural = entry.name, kind = entry.kind,
    singular = text_or(entry.singularName, entry.kind:lower()), namespaced = entry.namespaced == true,
    short = {}, verbs = {}, subresources = {} }
  for _, name in ipairs(type(entry.shortNames) == "table" and entry.shortNames or {}) do
    made.short[name] = true
  end
  for _, verb in ipairs(type(entry.verbs) == "table" and entry.verbs or {}) do
    made.verbs[verb] = true
  end
  return setmetatable(made, Resource)
end

--- A name as one part of a path.  The server refuses what is refused here, but for
--- the empty name, which would mean all objects.
--- @param what string "name", "namespace"
function resource.segment(what, name)
  if type(name) ~= "string" or name == "" or name == "." or name == ".." or name:find("[/%%%c]") then
    failure.raise("invalid", ("%s is no %s of an object"):format(
      type(name) == "string" and ("\"%s\""):format(name:gsub("%c", "?")) or "a " .. type(name), what))
  end
  return digest.url_encode(name)
end

--- The apiVersion of its objects.
function Resource:api_version()
  return self.group == "" and self.version or self.group .. "/" .. self.version
end

--- The path of its objects, or of one.
--- @param namespace? string nil: all namespaces, or one that is in none
--- @param name? string
--- @param subresource? string "status", "scale"
function Resource:path(namespace, name, subresource)
  local parts = { self.group == "" and "/api/" .. self.version or "/apis/" .. self.group .. "/" .. self.version }
  if self.namespaced and namespace then
    parts[#parts + 1] = "namespaces/" .. resource.segment("namespace", namespace)
  end
  parts[#parts + 1] = self.plural
  if name ~= nil then
    parts[#parts + 1] = resource.segment("name", name)
  end
  if subresource then
    parts[#parts + 1] = subresource
  end
  return table.concat(parts, "/")
end

--- How a user would write exactly this kind: "deployments.apps/v1".
function Resource:typed()
  return ("%s%s/%s"):format(self.plural, self.group ~= "" and "." .. self.group or "", self.version)
end

--- "pod", "deployment.apps"
function Resource:one()
  return self.singular .. (self.group ~= "" and "." .. self.group or "")
end

--- "pods", "deployments.apps"
function Resource:many()
  return self.plural .. (self.group ~= "" and "." .. self.group or "")
end

--- An object for people: `pod "x" in namespace "y"`, `namespace "y"`.
function Resource:named(namespace, name)
  return ("%s \"%s\"%s"):format(self:one(), name,
    self.namespaced and namespace and (" in namespace \"%s\""):format(namespace) or "")
end

--- Its objects for people: `pods in namespace "y"`, `pods in all namespaces`, `nodes`.
function Resource:listed(namespace)
  return self:many() .. (self.namespaced and (namespace and (" in namespace \"%s\""):format(namespace)
    or " in all namespaces") or "")
end

--- Are these Secrets, whose data no message may show?
function Resource:is_secret()
  return self.group == "" and self.kind == "Secret"
end

return resource
