--- Which cluster this is, whatever it is called and wherever it is reached: for
--- guards that keep a run from going on in another one.

local client = require "kube.client"
local digest = require "digest"
local failure = require "failure"

local identity = {}

--- What tells clusters apart, the best first.  Not every user may read each.
local MARKS = {
  { by = "namespace kube-system", path = "/api/v1/namespaces/kube-system" },
  { by = "service kubernetes", path = "/api/v1/namespaces/default/services/kubernetes" },
  { by = "authority", namespaced = "/configmaps/kube-root-ca.crt",
    value = function(item)
      local text = type(item.data) == "table" and item.data["ca.crt"]
      return type(text) == "string" and digest.sha256(text) or nil
    end },
}

local function uid_of(item)
  local uid = type(item.metadata) == "table" and item.metadata.uid
  return type(uid) == "string" and uid or nil
end

--- The value of a mark; nil when the user may not see it, or there is none.
local function read(cluster, mark)
  local path = mark.path
  if mark.namespaced then
    path = "/api/v1/namespaces/" .. require("kube.resource").segment("namespace", cluster.namespace) .. mark.namespaced
  end
  local answer = client.call(cluster, { method = "GET", path = path, what = "find out which cluster this is",
    refused = function(answer)
      return answer.status == 403 or answer.status == 404
    end })
  return answer and (mark.value or uid_of)(answer)
end

--- Which cluster this is.
--- @return table {context, server, uid, by}; by = "address", without uid, where the user may
---   read no mark at all
function identity.of(cluster)
  local about = cluster.about
  for _, mark in ipairs(MARKS) do
    local value = read(cluster, mark)
    if value then
      return { context = about.context, server = about.server, uid = value, by = mark.by }
    end
  end
  return { context = about.context, server = about.server, by = "address" }
end

--- Is the cluster the one of an identity that was taken before?
--- @return boolean|nil nil: what it was known by cannot be read now
--- @return string|nil why not
function identity.is(cluster, before)
  local value, known = nil, before.uid
  if before.by == "address" then
    value, known = cluster.about.server, before.server
  end
  for _, mark in ipairs(MARKS) do
    if mark.by == before.by then
      value = read(cluster, mark)
    end
  end
  if value == nil then
    return nil, ("the cluster was known by its %s, which the user cannot read now"):format(tostring(before.by))
  elseif value ~= known then
    return false, ("the context \"%s\" leads to another cluster (%s) than before (context \"%s\", %s): "
      .. "%s differs"):format(cluster.about.context, cluster.about.server, tostring(before.context),
      tostring(before.server), before.by)
  end
  return true
end

--- Raise "refused" unless the cluster is the one of an identity that was taken before.
function identity.demand(cluster, before)
  local ok, why = identity.is(cluster, before)
  if not ok then
    failure.raise("refused", why, { hint = "choose the context of the cluster that is meant" })
  end
end

return identity
