--- What changes a cluster, and what a plan does instead: the change is listed, and
--- sent as a dry run, so that what would be refused is refused in the plan.

local access = require "kube.access"
local client = require "kube.client"
local effect = require "effect"
local failure = require "failure"

local change = {}

--- What each plan has created and deleted by now: of that the server knows nothing.
local planned = setmetatable({}, { __mode = "k" })

local function done_in(plan, cluster)
  planned[plan] = planned[plan] or {}
  planned[plan][cluster.about.server] = planned[plan][cluster.about.server] or {}
  return planned[plan][cluster.about.server]
end

local function key_of(kinds, namespace, name)
  return ("%s/%s/%s"):format(kinds, namespace or "", name or "")
end

--- Would the plan have made this object, or the namespace it is in?  Then the server
--- does not know it yet.
function change.is_planned(cluster, kind, namespace, name)
  if not effect.planning() then
    return false
  end
  local done = done_in(effect.current().plan, cluster)
  return done[key_of(kind:many(), namespace, name)] == "created"
    or namespace ~= nil and done[key_of("namespaces", nil, namespace)] == "created"
end

--- List a change of an object for which change.is_planned.
function change.list(cluster, verb, said, why)
  effect.change(verb, ("%s (context \"%s\")"):format(said, cluster.about.context), why)
end

--- A dry run that the server, or who admits objects to it, cannot do.
local function is_refusal(e)
  local text = failure.is(e) and e.message:lower() or ""
  return e.http == 400 and (text:find("dry run", 1, true) or text:find("dryrun", 1, true)) ~= nil
end

local function ask_rights(cluster, doing)
  local kind = doing.kind
  for _, verb in ipairs(doing.rights) do
    local right = { verb = verb, group = kind.group, resource = kind.plural, subresource = doing.subresource,
      namespace = doing.namespace, name = doing.name }
    local ok, why = access.ask(cluster, right)
    if not ok then
      access.refuse(cluster, { { right = right, why = why } })
    end
  end
end

local function dry_run(cluster, request, doing)
  local done = done_in(effect.current().plan, cluster)
  local key = key_of(doing.kind:many(), doing.namespace, doing.name)
  local here = done[key]
  local parent = doing.namespace and done[key_of("namespaces", nil, doing.namespace)]
  if doing.makes then
    done[key] = doing.makes
  end
  if doing.makes == "deleted" and here == "deleted" then
    return nil
  elseif here or parent then
    ask_rights(cluster, doing)
    return doing.stand_in
  end
  if request.method == "DELETE" then
    request.body.dryRun = { "All" }
  else
    request.query = request.query or {}
    request.query.dryRun = "All"
  end
  request.repeats = true
  local ok, answer = pcall(client.call, cluster, request)
  if ok then
    return answer
  elseif is_refusal(answer) then
    ask_rights(cluster, doing)
    return doing.stand_in
  end
  error(failure.prefix(answer, "as a dry run"), 0)
end

--- Change the cluster, or in a plan see whether that would work.
--- @param request table of client.call
--- @param doing table verb and said (what is listed: "scale", "deployment \"x\" to 0"), why, kind,
---   subresource, namespace, name, rights (verbs that it takes), makes ("created", "deleted" or
---   nil), stand_in (what is returned where nothing could be tried)
--- @return table|nil the answer; nil when request.refused says so
function change.perform(cluster, request, doing)
  local said = ("%s (context \"%s\")"):format(doing.said, cluster.about.context)
  if effect.change(doing.verb, said, doing.why) then
    return client.call(cluster, request)
  end
  return dry_run(cluster, request, doing)
end

return change
