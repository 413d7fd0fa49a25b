--- What an object in S3 has beyond its bytes: metadata, tags, retention, versions, a class;
--- and the way out of the archive.

local clock = require "clock"
local digest = require "digest"
local effect = require "effect"
local failure = require "failure"
local s3_call = require "store.s3_call"
local task = require "task"
local xml = require "xml"

local object = {}

local TAGS_MAX = 10
local PAGES_MAX = 10000

--- What is to be known before something is brought back from the archive.
object.RESTORE_COST = "bringing objects back from the archive costs money for each GiB and each object (with the "
  .. "tier \"expedited\" many times as much), takes from minutes (\"expedited\") to 12 hours, from DEEP_ARCHIVE up "
  .. "to 48, and the copy is charged for as long as it is kept"

local TIERS = { bulk = "Bulk", standard = "Standard", expedited = "Expedited" }

--- How often it is looked whether an object is back; no way back takes longer; milliseconds.
local LOOK_MS = 60000
local RESTORE_MS = 72 * 3600 * 1000

--- A key as it stands in a header.
local function encode(key)
  return (key:gsub("[^%w%-._~/]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

--- What HEAD says of an object, or nil when there is none.
--- @return table|nil {size, etag, modified, class, encryption, version, restore ("under way", "done"),
---   replication, lock_mode, lock_until, legal_hold, metadata = name -> value}
function object.head(store, key)
  s3_call.of(store)
  local ok, answer = pcall(store.call, store, { method = "HEAD", key = key })
  if not ok and answer.http == 404 then
    return nil
  elseif not ok then
    error(answer, 0)
  end
  local h = answer.headers
  local found = { size = math.tointeger(tonumber(h["content-length"])), etag = h.etag and h.etag:gsub('"', ""),
    modified = h["last-modified"], class = h["x-amz-storage-class"] or "STANDARD",
    encryption = h["x-amz-server-side-encryption"], version = h["x-amz-version-id"],
    replication = h["x-amz-replication-status"],
    lock_mode = h["x-amz-object-lock-mode"] and h["x-amz-object-lock-mode"]:lower(),
    lock_until = h["x-amz-object-lock-retain-until-date"],
    legal_hold = h["x-amz-object-lock-legal-hold"] == "ON", metadata = {} }
  local restore = h["x-amz-restore"]
  found.restore = restore and (restore:find('ongoing-request="true"', 1, true) and "under way" or "done")
  for name, value in pairs(h) do
    local short = name:match("^x%-amz%-meta%-(.+)$")
    if short then
      found.metadata[short] = value
    end
  end
  return found
end

--- An object's tags: name = value.
function object.tags(store, key)
  return s3_call.tags(s3_call.read(store, "tags", { key = key, query = { tagging = "" } }, "Tagging"))
end

--- Give an object these tags, and no others.
--- @param tags table name = value, at most 10
--- @param why? string for the plan
function object.set_tags(store, key, tags, why)
  s3_call.write(store, "tags", { key = key, query = { tagging = "" }, root = "Tagging", why = why,
    document = { "Tagging", s3_call.tag_set(tags, TAGS_MAX) } })
end

--- How long an object is locked.
--- @return table|nil {mode, till (ms)}
function object.retention(store, key)
  local document = s3_call.read(store, "retention", { key = key, query = { retention = "" } }, "Retention")
  local till = xml.text(document, "RetainUntilDate")
  return till and { mode = (xml.text(document, "Mode") or ""):lower(), till = clock.parse(till) } or nil
end

--- Lock an object until then; a lock can be made longer, shorter only in the mode governance.
--- @param mode string "governance" or "compliance"
--- @param till integer ms since 1970
--- @param options? table bypass = true: make it shorter (governance), why
function object.set_retention(store, key, mode, till, options)
  options = options or {}
  if mode ~= "governance" and mode ~= "compliance" or math.type(till) ~= "integer" then
    failure.raise("recipe", "a retention has the mode governance or compliance, and a time")
  end
  s3_call.write(store, "retention", { key = key, query = { retention = "" }, root = "Retention", why = options.why,
    headers = options.bypass and { ["x-amz-bypass-governance-retention"] = "true" } or nil,
    document = { "Retention", { "Mode", mode:upper() }, { "RetainUntilDate", clock.iso(till) } } })
end

--- Is the object held, whatever its retention?
function object.legal_hold(store, key)
  return xml.text(s3_call.read(store, "legal hold", { key = key, query = { ["legal-hold"] = "" } }, "LegalHold"),
    "Status") == "ON"
end

--- @param on boolean
--- @param why? string for the plan
function object.set_legal_hold(store, key, on, why)
  s3_call.write(store, "legal hold", { key = key, query = { ["legal-hold"] = "" }, root = "LegalHold", why = why,
    document = { "LegalHold", { "Status", on and "ON" or "OFF" } } })
end

--- Copy an object to another key of the same store, on the server: its bytes, metadata and
--- tags.  For objects up to 5 GiB.
--- @param options? table class, metadata (name = value: instead of its own), why
--- @return string|nil the new ETag; nil in a plan
function object.copy(store, key, new_key, options)
  options = options or {}
  local bucket, prefix = s3_call.of(store)
  if not effect.change("copy \"" .. key .. "\" to", new_key, options.why) then
    return nil
  end
  local headers = { ["x-amz-storage-class"] = options.class,
    ["x-amz-copy-source"] = ("/%s/%s"):format(bucket, encode(prefix .. key)),
    ["x-amz-metadata-directive"] = options.metadata and "REPLACE" or nil }
  for name, value in pairs(options.metadata or {}) do
    if not name:match("^[%w-]+$") or value:find("[%c\128-\255]") then
      failure.raise("recipe", ("%s = %s is no metadata: letters, digits and \"-\", and ASCII"):format(name, value))
    end
    headers["x-amz-meta-" .. name:lower()] = value
  end
  local answer = failure.during(("cannot copy \"%s\" to \"%s\""):format(key, new_key), store._handle.call,
    store._handle, { method = "PUT", key = new_key, headers = headers })
  local etag = xml.text(xml.parse(answer.body), "ETag")
  if etag == nil then
    failure.raise("protocol", ("cannot copy \"%s\" to \"%s\": the server does not say what it made"):format(key,
      new_key))
  end
  return (etag:gsub('"', ""))
end

--- Bring objects back from the archive: temporary copies, for so many days.
--- object.RESTORE_COST is to be shown before.
--- @param keys table list
--- @param days integer
--- @param tier? string "bulk", "standard" (the default) or "expedited"
--- @param why? string for the plan
--- @return integer how many are on their way now; those that are readable or on it already do not count
function object.restore(store, keys, days, tier, why)
  local said = TIERS[tier or "standard"]
  if said == nil or math.type(days) ~= "integer" or days < 1 then
    failure.raise("recipe", "objects are brought back for days, with the tier bulk, standard or expedited")
  end
  local body = xml.document { "RestoreRequest", xmlns = "http://s3.amazonaws.com/doc/2006-03-01/",
    { "Days", days }, { "GlacierJobParameters", { "Tier", said } } }
  local count = 0
  for _, key in ipairs(keys) do
    if effect.change("bring back from the archive", key, why) then
      local ok, e = pcall(store._handle.call, store._handle, { method = "POST", key = key,
        query = { restore = "" }, body = body, headers = { ["Content-MD5"] = digest.md5_base64(body) } })
      local code = not ok and s3_call.code(e)
      -- Under way already, or in no archive.
      if not ok and code ~= "RestoreAlreadyInProgress" and code ~= "InvalidObjectState"
        and not failure.is(e, "archived") then
        error(failure.prefix(e, ("cannot bring \"%s\" back"):format(key)), 0)
      end
      count = count + (ok and 1 or 0)
    end
  end
  return count
end

--- Wait until objects can be read.
--- @param limit_ms? integer default 72 h
--- @param every_ms? integer default a minute
function object.wait_restored(store, keys, limit_ms, every_ms)
  local at = 1
  task.wait_until("objects to come back from the archive", limit_ms or RESTORE_MS, function()
    while keys[at] do
      local entry = store:stat(keys[at])
      if entry == nil then
        failure.raise("not_found", ("there is no object \"%s\" any more"):format(keys[at]))
      elseif entry.archived then
        return false, ("%d of %d are back"):format(at - 1, #keys)
      end
      at = at + 1
    end
    return true
  end, every_ms or LOOK_MS)
end

--- Call visit for each version and delete marker below a prefix of the store.
--- @param visit function({key, version, latest, marker, size, etag, modified (ms)})
function object.each_version(store, below, visit)
  local _, prefix = s3_call.of(store)
  local query = { versions = "", prefix = prefix .. below }
  for _ = 1, PAGES_MAX do
    local document = s3_call.read(store, "versions", { query = query },
      { "ListVersionsResult", "ListBucketVersionsResult" })
    for _, one in ipairs(document) do
      if one.name == "Version" or one.name == "DeleteMarker" then
        local etag = xml.text(one, "ETag")
        visit { key = (xml.text(one, "Key") or ""):sub(#prefix + 1), version = xml.text(one, "VersionId"),
          latest = xml.text(one, "IsLatest") == "true", marker = one.name == "DeleteMarker",
          size = s3_call.number(one, "Size"), etag = etag and etag:gsub('"', "") or nil,
          modified = clock.parse(xml.text(one, "LastModified") or "") }
      end
    end
    local key, version = xml.text(document, "NextKeyMarker"), xml.text(document, "NextVersionIdMarker")
    if xml.text(document, "IsTruncated") ~= "true" then
      return
    elseif key == nil or key == query["key-marker"] and version == query["version-id-marker"] then
      failure.raise("protocol", "the listing of versions does not go on")
    end
    query["key-marker"], query["version-id-marker"] = key, version
  end
  failure.raise("protocol", "the listing of versions never ends")
end

--- Remove one version of an object for good.
--- @param why? string for the plan
function object.remove_version(store, key, version, why)
  if effect.change("remove for good", ("%s (version %s)"):format(key, version), why) then
    store._handle:call { method = "DELETE", key = key, query = { versionId = version } }
  end
end

return object
