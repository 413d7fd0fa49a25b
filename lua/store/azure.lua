--- What Azure Blob has and other stores have not: containers, tags, tiers and the
--- way out of the archive.  For a store of azure://; lifecycle policies are
--- in store.azure_policy.

local effect = require "effect"
local failure = require "failure"
local task = require "task"
local xml = require "xml"

local azure = {}

--- What is to be known before something is brought back from the archive.
azure.REHYDRATION_COST = "bringing blobs back from the archive costs money for each GiB and each blob "
  .. "(with priority \"high\" several times as much), takes up to 15 hours (\"high\": often below one), "
  .. "and what was archived for less than 180 days is charged for the rest of them"

--- The tiers, as the service writes them.
local TIERS = { hot = "Hot", cool = "Cool", cold = "Cold", archive = "Archive" }
local PRIORITIES = { standard = "Standard", high = "High" }

--- How often it is looked whether a blob is out of the archive.
local LOOK_MS = 60000

--- No rehydration takes longer; milliseconds.
local REHYDRATION_MS = 24 * 3600 * 1000

local TAGS_MAX = 10

local function is_not_there(e)
  return failure.is(e, "not_found") and e.http == 404
end

--- What the service says of the store's container, or nil when there is none.
--- @return table|nil {etag, modified, access: "blob", "container" or nil}
function azure.container(store)
  local ok, answer = pcall(store.call, store, { method = "GET", query = { restype = "container" } })
  if ok then
    local headers = answer.headers
    return { etag = headers.etag, modified = headers["last-modified"],
      access = headers["x-ms-blob-public-access"] }
  elseif is_not_there(answer) then
    return nil
  end
  error(answer, 0)
end

--- Make the store's container.
--- @param why? string for the plan
--- @return boolean was it made?  false: it was there
function azure.create_container(store, why)
  local ok, e = pcall(store.call, store, { method = "PUT", query = { restype = "container" }, why = why })
  if not ok and not failure.is(e, "exists") then
    error(e, 0)
  end
  return ok
end

--- The tags of a blob.
--- @return table name = value
function azure.tags(store, key)
  local answer = store:call { method = "GET", key = key, query = { comp = "tags" } }
  local tags = {}
  for tag in xml.each(xml.at(xml.parse(answer.body), "TagSet"), "Tag") do
    tags[xml.text(tag, "Key") or ""] = xml.text(tag, "Value") or ""
  end
  return tags
end

local function check_tag(name, value)
  local allowed = "^[%w +%-./:=_]*$"
  if type(name) ~= "string" or type(value) ~= "string" or name == "" or #name > 128 or #value > 256
    or not name:match(allowed) or not value:match(allowed) then
    failure.raise("recipe", ("%s = %s is no tag of a blob: names have 1 to 128, values at most 256 letters, "
      .. "digits, spaces and + - . / : = _"):format(tostring(name), tostring(value)))
  end
end

--- Give a blob these tags, and no others.
--- @param tags table name = value, at most 10
--- @param why? string for the plan
function azure.set_tags(store, key, tags, why)
  local names, set = {}, { "TagSet" }
  for name, value in pairs(tags) do
    check_tag(name, value)
    names[#names + 1] = name
  end
  if #names > TAGS_MAX then
    failure.raise("recipe", ("a blob has at most %d tags, not %d"):format(TAGS_MAX, #names))
  end
  table.sort(names)
  for _, name in ipairs(names) do
    set[#set + 1] = { "Tag", { "Key", name }, { "Value", tags[name] } }
  end
  store:call { method = "PUT", key = key, query = { comp = "tags" },
    body = xml.document { "Tags", set }, why = why }
end

--- What tier a blob has.
--- @return table {tier = "hot", ..., rehydrating: the tier that it is on its way to, or nil}
function azure.tier(store, key)
  local headers = store:call({ method = "HEAD", key = key }).headers
  local status = headers["x-ms-archive-status"]
  return { tier = (headers["x-ms-access-tier"] or "hot"):lower(),
    rehydrating = status and status:match("^rehydrate%-pending%-to%-(%w+)$") }
end

--- Move a blob to another tier.
--- @param tier string "hot", "cool", "cold", "archive"
--- @param options? table priority = "standard" or "high": of the way out of the archive;
---   why = for the plan
function azure.set_tier(store, key, tier, options)
  options = options or {}
  if TIERS[tier] == nil then
    failure.raise("recipe", ("\"%s\" is no tier: hot, cool, cold, archive"):format(tostring(tier)))
  end
  local priority = options.priority and PRIORITIES[options.priority]
  if options.priority and not priority then
    failure.raise("recipe", ("\"%s\" is no priority: standard, high"):format(tostring(options.priority)))
  end
  store:call { method = "PUT", key = key, query = { comp = "tier" },
    headers = { ["x-ms-access-tier"] = TIERS[tier], ["x-ms-rehydrate-priority"] = priority },
    why = options.why }
end

--- Bring blobs back from the archive, as far as they lie in it: it costs money, see
--- azure.REHYDRATION_COST.  What is on its way already is left alone.
--- @param keys table list
--- @param options? table tier = "hot" (default), "cool" or "cold"; priority, why
--- @return table list of the keys that are on their way
function azure.rehydrate(store, keys, options)
  options = options or {}
  local under_way = {}
  for _, key in ipairs(keys) do
    local now = azure.tier(store, key)
    if now.tier == "archive" then
      if not now.rehydrating then
        azure.set_tier(store, key, options.tier or "hot",
          { priority = options.priority or "standard", why = options.why or azure.REHYDRATION_COST })
      end
      under_way[#under_way + 1] = key
    end
  end
  return under_way
end

--- Wait until none of the blobs lies in the archive.
--- @param keys table list, as azure.rehydrate returns it
--- @param options? table limit_ms (a day), look_ms (a minute), tell = function(keys left)
function azure.wait_rehydrated(store, keys, options)
  options = options or {}
  local left = table.move(keys, 1, #keys, 1, {})
  if effect.planning() then
    return
  end
  task.wait_until(("%d blobs to leave the archive"):format(#keys), options.limit_ms or REHYDRATION_MS, function()
    for index = #left, 1, -1 do
      if azure.tier(store, left[index]).tier ~= "archive" then
        table.remove(left, index)
      end
    end
    if options.tell then
      options.tell(left)
    end
    return #left == 0, ("%d are still there"):format(#left)
  end, options.look_ms or LOOK_MS)
end

return azure
