--- Uploads to S3 that were begun and not completed: they cost storage and show in no
--- listing.

local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local s3_call = require "store.s3_call"
local xml = require "xml"

local uploads = {}

--- Bound on pages: a server that never ends its listing.
local PAGES_MAX = 10000

--- The unfinished uploads below a store's prefix.
--- @param max? integer at most so many, default 10000
--- @return table list of {key (of the store), id, began (ms), age (ms)}, the oldest first
--- @return boolean were there more?
function uploads.list(store, max)
  local _, prefix = s3_call.of(store)
  local found, now = {}, clock.now()
  local query = { uploads = "", prefix = prefix, ["max-uploads"] = "1000" }
  for _ = 1, PAGES_MAX do
    local document = s3_call.read(store, "unfinished uploads", { query = query }, "ListMultipartUploadsResult")
    for upload in xml.each(document, "Upload") do
      local key, id = xml.text(upload, "Key"), xml.text(upload, "UploadId")
      if key == nil or id == nil or key:sub(1, #prefix) ~= prefix then
        failure.raise("protocol", "the listing of unfinished uploads has one that was not asked for")
      end
      local ok, began = pcall(clock.parse, xml.text(upload, "Initiated") or "")
      table.insert(found, { key = key:sub(#prefix + 1), id = id, began = ok and began or nil,
        age = ok and math.max(now - began, 0) or nil })
    end
    local marker, id_marker = xml.text(document, "NextKeyMarker"), xml.text(document, "NextUploadIdMarker")
    local more = xml.text(document, "IsTruncated") == "true"
    if more and (marker == nil or marker == query["key-marker"] and id_marker == query["upload-id-marker"]) then
      failure.raise("protocol", "the listing of unfinished uploads does not go on")
    elseif not more or #found >= (max or 10000) then
      table.sort(found, function(x, y)
        return (x.began or 0) < (y.began or 0)
      end)
      return found, more
    end
    query["key-marker"], query["upload-id-marker"] = marker, id_marker
  end
  failure.raise("protocol", "the listing of unfinished uploads never ends")
end

--- How many bytes the server keeps of one.
function uploads.bytes(store, upload)
  local query, bytes = { uploadId = upload.id }, 0
  for _ = 1, PAGES_MAX do
    local document = s3_call.read(store, "parts of an upload", { key = upload.key, query = query },
      "ListPartsResult")
    for part in xml.each(document, "Part") do
      bytes = bytes + (s3_call.number(part, "Size") or 0)
    end
    local marker = xml.text(document, "NextPartNumberMarker")
    if xml.text(document, "IsTruncated") ~= "true" or marker == nil or marker == query["part-number-marker"] then
      return bytes
    end
    query["part-number-marker"] = marker
  end
  return bytes
end

--- Give an upload up; its parts are removed.  One that is gone is fine.
--- @param why? string for the plan
function uploads.abort(store, upload, why)
  if not effect.change("give up the upload of", upload.key, why) then
    return
  end
  local ok, e = pcall(store._handle.call, store._handle,
    { method = "DELETE", key = upload.key, query = { uploadId = upload.id } })
  if not ok and not failure.is(e, "not_found") then
    error(e, 0)
  end
end

return uploads
