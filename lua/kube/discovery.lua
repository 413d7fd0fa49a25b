--- Which kinds of objects a cluster serves, by all the names that they are called by.
---
--- Looked at as needed and kept; what is not found is looked for once more, since
--- kinds come and go.  A group that cannot be asked (its own server is down) is an
--- error only for names that no other group knows.

local client = require "kube.client"
local failure = require "failure"
local resource = require "kube.resource"
local task = require "task"
local words = require "words"

local discovery = {}

--- Groups that are asked at once.
local AT_ONCE = 6

local LIST_MAX = 16 * 1024 * 1024

local function cache_of(cluster)
  cluster.kinds = cluster.kinds or { lists = {} }
  return cluster.kinds
end

local function ask(cluster, path)
  return client.call(cluster, { method = "GET", path = path, what = "list what is served at " .. path,
    answer_max = LIST_MAX })
end

--- The kinds of a group and version: {[plural] = resource}, in order at 1 to #.
local function read_list(cluster, group, version)
  local path = group == "" and "/api/" .. version or ("/apis/%s/%s"):format(group, version)
  local answer, list, found = ask(cluster, path), {}, {}
  for _, entry in ipairs(type(answer.resources) == "table" and answer.resources or {}) do
    local made = resource.new(group, version, entry)
    if made then
      list[#list + 1] = made
      found[made.plural] = made
    end
  end
  for _, entry in ipairs(type(answer.resources) == "table" and answer.resources or {}) do
    local parent, sub = (type(entry) == "table" and tostring(entry.name) or ""):match("^([^/]+)/([%w%-]+)$")
    if parent and found[parent] then
      found[parent].subresources[sub] = true
    end
  end
  return list
end

--- The kinds of a group and version, or nil and why not.
local function list_of(cluster, group, version)
  local lists, key = cache_of(cluster).lists, group .. "/" .. version
  if lists[key] == nil then
    local ok, value = pcall(read_list, cluster, group, version)
    if ok then
      lists[key] = { kinds = value }
    elseif failure.is(value, "cancelled") or not failure.is(value) then
      error(value, 0)
    elseif value.http == 404 then
      -- Nobody serves it: so it has no kinds.
      lists[key] = { kinds = {} }
    else
      lists[key] = { error = value }
    end
  end
  return lists[key].kinds, lists[key].error
end

local function version_of(entry)
  local version = type(entry) == "table" and entry.version
  return type(version) == "string" and version:match("^%w+$") or nil
end

--- Name and versions of an entry of an APIGroupList; nil when it is none.
local function read_group(entry)
  local name = type(entry) == "table" and entry.name
  if type(name) ~= "string" or not name:match("^[%w%-.]+$") then
    return nil
  end
  local preferred = version_of(entry.preferredVersion)
  local versions = { preferred }
  for _, one in ipairs(type(entry.versions) == "table" and entry.versions or {}) do
    local version = version_of(one)
    if version ~= preferred then
      versions[#versions + 1] = version
    end
  end
  return name, versions
end

--- The groups in the server's order of preference, the core first, then apps:
--- {name, versions with the preferred one first}.
local function groups_of(cluster)
  local cache = cache_of(cluster)
  if cache.groups then
    return cache.groups
  end
  local answer = ask(cluster, "/apis")
  local groups, others = { { name = "", versions = { "v1" } } }, {}
  for _, group in ipairs(type(answer.groups) == "table" and answer.groups or {}) do
    local name, versions = read_group(group)
    if name then
      local list = name == "apps" and groups or others
      list[#list + 1] = { name = name, versions = versions }
    end
  end
  cache.groups = table.move(others, 1, #others, #groups + 1, groups)
  return cache.groups
end

--- What a user writes: name, group (nil: any), version (nil: preferred first); and,
--- for "deployments.v1.apps", the other way to read it.
local function parse(typed)
  local text, version = typed:match("^([^/]+)/([^/]+)$")
  text = text or typed
  local name, rest = text:match("^([^.]+)%.(.+)$")
  if name == nil then
    return { name = text:lower(), version = version, group = version and "" or nil }
  end
  local label, group = rest:match("^(v%d%w*)%.(.*)$")
  local plain = { name = name:lower(), group = rest:gsub("%.$", ""), version = version }
  if label and version == nil then
    return { name = name:lower(), group = group, version = label, otherwise = plain }
  end
  return plain
end

--- The kind in a list that a name means: its own names go before short ones.
local function match(list, name)
  for _, kind in ipairs(list) do
    if kind.plural == name or kind.singular == name or kind.kind:lower() == name then
      return kind
    end
  end
  for _, kind in ipairs(list) do
    if kind.short[name] then
      return kind
    end
  end
end

--- Go through groups and versions {group, version} in order; the first that knows the name.
--- @return table|nil the kind
--- @return table|nil the error of the first that could not be asked
local function search(cluster, places, name)
  task.each(places, AT_ONCE, function(place)
    list_of(cluster, place[1], place[2])
  end)
  local first
  for _, place in ipairs(places) do
    local list, e = list_of(cluster, place[1], place[2])
    local found = list and match(list, name)
    if found then
      return found
    end
    first = first or e
  end
  return nil, first
end

--- The places where a name can be known, in the order in which they count: the
--- preferred versions of all groups, then the others.
local function places_of(cluster, wanted)
  local preferred, others = {}, {}
  for _, group in ipairs(groups_of(cluster)) do
    if wanted.group == nil or wanted.group == group.name then
      for index, version in ipairs(group.versions) do
        if wanted.version == nil or wanted.version == version then
          local list = index == 1 and preferred or others
          list[#list + 1] = { group.name, version }
        end
      end
    end
  end
  return preferred, others
end

local function find(cluster, wanted)
  -- Most names are of the core or of apps; then nothing else need be asked.
  if wanted.group == nil then
    local list, e = list_of(cluster, "", "v1")
    if list == nil then
      error(e, 0)
    end
    local found = match(list, wanted.name)
    if found then
      return found
    end
    list = list_of(cluster, "apps", "v1")
    found = list and match(list, wanted.name)
    if found then
      return found
    end
  end
  local preferred, others = places_of(cluster, wanted)
  local found, e = search(cluster, preferred, wanted.name)
  if found == nil then
    local other_e
    found, other_e = search(cluster, others, wanted.name)
    e = e or other_e
  end
  if found == nil and wanted.otherwise then
    return find(cluster, wanted.otherwise)
  end
  return found, e
end

--- Call fn, and once more with nothing kept when what was kept knew nothing.
local function fresh(cluster, fn)
  local kept = cluster.kinds ~= nil
  local found, e = fn()
  if found == nil and kept then
    cluster.kinds = nil
    found, e = fn()
  end
  return found, e
end

local function unknown(cluster, typed, e)
  if e then
    failure.raise(e.code, ("cannot tell whether the cluster (context \"%s\") has the kind \"%s\": %s"):format(
      cluster.about.context, typed, e.message), { http = e.http, hint = e.hint, retryable = e.retryable })
  end
  local names = {}
  for _, entry in pairs(cache_of(cluster).lists) do
    for _, kind in ipairs(entry.kinds or {}) do
      names[#names + 1] = kind.singular
      names[#names + 1] = kind.plural
    end
  end
  table.sort(names)
  failure.raise("not_found", ("the cluster (context \"%s\") has no kind \"%s\"%s"):format(
    cluster.about.context, typed, words.did_you_mean(typed:lower(), names)),
    { hint = "`kubectl api-resources` lists the kinds; one that is missing comes with its CustomResourceDefinition" })
end

--- The kind that a user means: "pod", "sts", "deployments.apps",
--- "volumesnapshots.snapshot.storage.k8s.io/v1", "deployments.v1.apps", "pods/v1".
--- Raises "not_found".
function discovery.resource(cluster, typed)
  if type(typed) ~= "string" or not typed:match("^%w[%w%-.]*/?%w*$") then
    failure.raise("invalid", ("%s is no kind of object"):format(type(typed) == "string"
      and ("\"%s\""):format(typed:gsub("%c", "?")) or "a " .. type(typed)))
  end
  local wanted = parse(typed)
  local found, e = fresh(cluster, function()
    return find(cluster, wanted)
  end)
  return found or unknown(cluster, typed, e)
end

--- Does the cluster serve that kind?  Raises when that cannot be told.
function discovery.has(cluster, typed)
  local ok, value = pcall(discovery.resource, cluster, typed)
  if not ok and not (failure.is(value, "not_found") and value.http == nil) then
    error(value, 0)
  end
  return ok
end

--- The kind of an object, by its own words.  Raises "not_found".
function discovery.of(cluster, object)
  local api_version, kind = object.apiVersion, object.kind
  if type(api_version) ~= "string" or type(kind) ~= "string" then
    failure.raise("invalid", "an object needs apiVersion and kind")
  end
  local group, version = api_version:match("^(%w[%w%-.]*)/(%w+)$")
  if group == nil then
    group, version = "", api_version:match("^%w+$")
  end
  if version == nil then
    failure.raise("invalid", ("an object says \"%s\" as its apiVersion"):format((api_version:gsub("%c", "?"))))
  end
  local found, e = fresh(cluster, function()
    local list, e = list_of(cluster, group, version)
    for _, known in ipairs(list or {}) do
      if known.kind == kind then
        return known
      end
    end
    return nil, e
  end)
  return found or unknown(cluster, kind .. "." .. api_version, e)
end

return discovery
