--- Objects read: one, or all of a kind, page by page.

local client = require "kube.client"
local discovery = require "kube.discovery"
local failure = require "failure"
local json = require "json"
local options = require "kube.options"
local resource = require "kube.resource"

local object = {}

--- Bounds on the JSON of an object and of a page of them.
local OBJECT_MAX = 16 * 1024 * 1024
local PAGE_MAX = 64 * 1024 * 1024

local PAGE = 500

--- How often a listing that the server forgot is begun anew before it is asked for
--- in one piece.
local ANEW = 3

--- The request for what is to be done to one object.
--- @param verb string of RBAC, and of messages
--- @param subresource? string
function object.request(cluster, verb, kind, namespace, name, subresource)
  -- Without a name it would be a request about all of them.
  resource.segment("name", name)
  return { what = ("%s %s%s"):format(verb, subresource and subresource .. " of " or "",
      kind:named(namespace, name)),
    path = kind:path(namespace, name, subresource), answer_max = OBJECT_MAX, secret = kind:is_secret(),
    right = { verb = verb, group = kind.group, resource = kind.plural, subresource = subresource,
      namespace = namespace },
    refused = function(answer)
      return client.is_absent(answer, name)
    end }
end

--- An object, or nil.
function object.get(cluster, typed, name, given)
  local opts = options.check("kube get", given, { namespace = "string", subresource = "string" })
  local kind = discovery.resource(cluster, typed)
  local namespace = options.namespace(cluster, kind, opts.namespace)
  local request = object.request(cluster, "get", kind, namespace, name, opts.subresource)
  request.method = "GET"
  return client.call(cluster, request)
end

--- The request for all objects of a kind, without what pages and watches add.
--- @param opts table namespace, all, selector, fields
--- @param verb string "list", "watch"
function object.list_request(cluster, kind, opts, verb)
  local namespace = options.namespace(cluster, kind, opts.namespace)
  if opts.all then
    namespace = nil
  end
  return { method = "GET", path = kind:path(namespace), what = verb .. " " .. kind:listed(namespace),
    query = { labelSelector = options.selector(opts.selector), fieldSelector = options.selector(opts.fields) },
    answer_max = PAGE_MAX, secret = kind:is_secret(),
    right = { verb = verb, group = kind.group, resource = kind.plural, namespace = namespace } }
end

--- Items of a list have neither kind nor apiVersion of their own.
local function items_of(cluster, request, kind, answer)
  if type(answer.items) ~= "table" and answer.items ~= json.null or type(answer.metadata) ~= "table" then
    failure.raise("protocol", ("%s: the server's answer is no list"):format(client.what(cluster, request)))
  end
  local items = answer.items ~= json.null and answer.items or {}
  for _, item in ipairs(items) do
    if type(item) ~= "table" or type(item.metadata) ~= "table" then
      failure.raise("protocol", ("%s: an item of the server's list is no object"):format(
        client.what(cluster, request)))
    end
    item.apiVersion, item.kind = item.apiVersion or kind:api_version(), item.kind or kind.kind
  end
  return items
end

local function is_gone(e)
  return failure.is(e) and e.http == 410
end

--- Go through the pages of a listing: fn(items) returns true to stop.
--- @param anew function() called when the listing begins anew, since the server has
---   forgotten where it was (410)
--- @return string|nil the resourceVersion of the list; nil when it was stopped
function object.pages(cluster, kind, request, page, fn, anew)
  local continue, began = nil, 0
  while true do
    request.query.limit = began <= ANEW and page or nil
    request.query.continue = continue
    local ok, answer = pcall(client.call, cluster, request)
    if ok then
      if fn(items_of(cluster, request, kind, answer)) then
        return nil
      end
      local before = continue
      continue = answer.metadata.continue
      if type(continue) ~= "string" or continue == "" then
        return answer.metadata.resourceVersion
      elseif continue == before then
        failure.raise("protocol", ("%s: the server's pages do not end"):format(client.what(cluster, request)))
      end
    elseif is_gone(answer) and continue then
      began, continue = began + 1, nil
      anew()
    else
      error(answer, 0)
    end
  end
end

local LISTING = { namespace = "string", all = "boolean", selector = "any", fields = "any", limit = "integer" }

--- Each object of a kind once; fn(object) returns true to stop.
function object.each(cluster, typed, given, fn)
  local opts = options.check("kube each", given, LISTING)
  local kind = discovery.resource(cluster, typed)
  local seen, skip = {}, false
  object.pages(cluster, kind, object.list_request(cluster, kind, opts, "list"), opts.limit or PAGE, function(items)
    for _, item in ipairs(items) do
      local id = item.metadata.uid or ("%s/%s"):format(item.metadata.namespace, item.metadata.name)
      if not (skip and seen[id]) then
        seen[id] = true
        if fn(item) then
          return true
        end
      end
    end
  end, function()
    skip = true
  end)
end

--- All objects of a kind at one moment, and the resourceVersion of that moment.
function object.list(cluster, typed, given)
  local opts = options.check("kube list", given, LISTING)
  local kind = discovery.resource(cluster, typed)
  local list = {}
  local version = object.pages(cluster, kind, object.list_request(cluster, kind, opts, "list"),
    opts.limit or PAGE, function(items)
      table.move(items, 1, #items, #list + 1, list)
    end, function()
      list = {}
    end)
  return list, version
end

return object
