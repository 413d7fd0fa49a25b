--- What a bucket of S3 has and other stores have not: versions, encryption, object lock,
--- tags, replication.  For a store of s3://, whose bucket is meant.  Lifecycle rules are in
--- store.s3_lifecycle, objects in store.s3_object, unfinished uploads in store.s3_uploads.
---
--- Each raises "unsupported" where the server does not know the thing, "permission" where
--- these credentials may not ask or change it, "not_found" where there is no bucket.

local effect = require "effect"
local failure = require "failure"
local s3_call = require "store.s3_call"
local xml = require "xml"

local s3 = {}

local TAGS_MAX = 50

--- Does the bucket exist, and may it be seen?
--- @return boolean
function s3.exists(store)
  s3_call.of(store)
  local ok, e = pcall(store.call, store, { method = "HEAD" })
  if ok then
    return true
  elseif e.http == 404 then
    return false
  end
  error(e, 0)
end

--- Make the bucket.
--- @param options? table region (elsewhere than us-east-1), object_lock = true, why
--- @return boolean was it made?  false: it was there, and is ours
function s3.create(store, options)
  options = options or {}
  s3_call.of(store)
  if not effect.change("create the bucket of", store.place, options.why) then
    return true
  end
  local region = options.region or store.url:match("[?&]region=([^&]*)")
  local body
  if region and region ~= "us-east-1" and not store.url:find("[?&]endpoint=") then
    body = xml.document { "CreateBucketConfiguration", xmlns = "http://s3.amazonaws.com/doc/2006-03-01/",
      { "LocationConstraint", region } }
  end
  local ok, e = pcall(store._handle.call, store._handle, { method = "PUT", body = body, headers = {
    ["x-amz-bucket-object-lock-enabled"] = options.object_lock and "true" or nil } })
  if not ok and s3_call.code(e) ~= "BucketAlreadyOwnedByYou" then
    error(failure.prefix(e, "cannot create the bucket"), 0)
  end
  return ok
end

--- Where the bucket is: "eu-west-1"; "us-east-1" also where the server says nothing.
function s3.location(store)
  local document = s3_call.read(store, "location", { query = { location = "" } }, "LocationConstraint")
  return document and document.text ~= "" and document.text or "us-east-1"
end

--- @return string "enabled", "suspended" or "never"
function s3.versioning(store)
  local document = s3_call.read(store, "versioning", { query = { versioning = "" } }, "VersioningConfiguration")
  local status = xml.text(document, "Status")
  return status == "Enabled" and "enabled" or status == "Suspended" and "suspended" or "never"
end

--- Keep the versions that are overwritten and removed, or stop to.
--- @param status string "enabled" or "suspended"
--- @param why? string for the plan
function s3.set_versioning(store, status, why)
  local said = ({ enabled = "Enabled", suspended = "Suspended" })[status]
  if said == nil then
    failure.raise("recipe", ("versioning is \"enabled\" or \"suspended\", not \"%s\""):format(tostring(status)))
  end
  s3_call.write(store, "versioning", { query = { versioning = "" }, root = "VersioningConfiguration", why = why,
    document = { "VersioningConfiguration", { "Status", said } } })
end

--- How what is written is encrypted unless it says otherwise.
--- @return table|nil {algorithm = "AES256" or "aws:kms", key}; nil: the bucket says nothing
function s3.encryption(store)
  local document = s3_call.read(store, "encryption", { query = { encryption = "" } },
    "ServerSideEncryptionConfiguration")
  local default = xml.at(document, "Rule/ApplyServerSideEncryptionByDefault")
  return default and { algorithm = xml.text(default, "SSEAlgorithm"), key = xml.text(default, "KMSMasterKeyID") }
end

--- @param algorithm string "AES256", "aws:kms" or "aws:kms:dsse"
--- @param key? string of KMS; without, its default key
--- @param why? string for the plan
function s3.set_encryption(store, algorithm, key, why)
  if algorithm ~= "AES256" and algorithm ~= "aws:kms" and algorithm ~= "aws:kms:dsse" then
    failure.raise("recipe", ("\"%s\" is none of AES256, aws:kms and aws:kms:dsse"):format(tostring(algorithm)))
  elseif key and algorithm == "AES256" then
    failure.raise("recipe", "AES256 takes no key of KMS")
  end
  local default = { "ApplyServerSideEncryptionByDefault", { "SSEAlgorithm", algorithm } }
  default[3] = key and { "KMSMasterKeyID", key } or nil
  s3_call.write(store, "encryption", { query = { encryption = "" }, root = "ServerSideEncryptionConfiguration",
    why = why, document = { "ServerSideEncryptionConfiguration", { "Rule", default } } })
end

--- Does the bucket lock objects, and which retention does it give them?
--- @return table|nil {mode = "governance" or "compliance", days, years}: the default retention,
---   empty when there is none; nil: it cannot lock
function s3.object_lock(store)
  local document = s3_call.read(store, "object lock", { query = { ["object-lock"] = "" } },
    "ObjectLockConfiguration")
  if xml.text(document, "ObjectLockEnabled") ~= "Enabled" then
    return nil
  end
  local default = xml.at(document, "Rule/DefaultRetention")
  return { mode = (xml.text(default, "Mode") or ""):lower():match("%a+"),
    days = s3_call.number(default, "Days"), years = s3_call.number(default, "Years") }
end

--- Give a retention to all that is written from now on.  The bucket must have been made
--- with object lock.
--- @param mode string "governance" (some may remove it) or "compliance" (nobody may)
--- @param days integer
--- @param why? string for the plan
function s3.set_object_lock(store, mode, days, why)
  if mode ~= "governance" and mode ~= "compliance" or math.type(days) ~= "integer" or days < 1 then
    failure.raise("recipe", "a retention has the mode governance or compliance, and days")
  end
  s3_call.write(store, "object lock", { query = { ["object-lock"] = "" }, root = "ObjectLockConfiguration",
    why = why, document = { "ObjectLockConfiguration", { "ObjectLockEnabled", "Enabled" },
      { "Rule", { "DefaultRetention", { "Mode", mode:upper() }, { "Days", days } } } } })
end

--- The bucket's tags: name = value.
function s3.tags(store)
  return s3_call.tags(s3_call.read(store, "tags", { query = { tagging = "" } }, "Tagging"))
end

--- @param tags table name = value, at most 50
--- @param why? string for the plan
function s3.set_tags(store, tags, why)
  s3_call.write(store, "tags", { query = { tagging = "" }, root = "Tagging", why = why,
    document = { "Tagging", s3_call.tag_set(tags, TAGS_MAX) } })
end

--- The replication of the bucket: {role, rules = list of {id, enabled, prefix, bucket (an ARN),
--- class, priority, deletes (of markers, too?)}}, or nil.
function s3.replication(store)
  local document = s3_call.read(store, "replication", { query = { replication = "" } },
    "ReplicationConfiguration")
  if xml.first(document, "Rule") == nil then
    return nil
  end
  local found = { role = xml.text(document, "Role"), rules = {} }
  for rule in xml.each(document, "Rule") do
    table.insert(found.rules, { id = xml.text(rule, "ID"), enabled = xml.text(rule, "Status") == "Enabled",
      prefix = xml.text(rule, "Filter/Prefix") or xml.text(rule, "Filter/And/Prefix")
        or xml.text(rule, "Prefix") or "",
      bucket = xml.text(rule, "Destination/Bucket"), class = xml.text(rule, "Destination/StorageClass"),
      priority = s3_call.number(rule, "Priority"),
      deletes = xml.text(rule, "DeleteMarkerReplication/Status") == "Enabled" })
  end
  return found
end

--- Replicate the bucket, by these rules alone.
--- @param role string ARN of the role that S3 takes
--- @param rules table list of {id, prefix, bucket (ARN), class, deletes}
--- @param why? string for the plan
function s3.set_replication(store, role, rules, why)
  local document = { "ReplicationConfiguration", { "Role", role } }
  for index, rule in ipairs(rules) do
    local destination = { "Destination", { "Bucket", rule.bucket } }
    destination[3] = rule.class and { "StorageClass", rule.class } or nil
    document[index + 2] = { "Rule", { "ID", rule.id }, { "Priority", index }, { "Status", "Enabled" },
      { "Filter", { "Prefix", rule.prefix or "" } },
      { "DeleteMarkerReplication", { "Status", rule.deletes and "Enabled" or "Disabled" } }, destination }
  end
  s3_call.write(store, "replication", { query = { replication = "" }, root = "ReplicationConfiguration",
    document = document, why = why })
end

return s3
