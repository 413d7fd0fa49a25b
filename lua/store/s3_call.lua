--- Requests to S3 that no driver function makes: documents of a bucket or an object.
---
--- Servers that know no such document do not all say so: Swift overlooks what it does
--- not know in the query, answers a GET with a listing, and removes the bucket for a
--- DELETE.  So an answer counts only when it is the document that was asked for, and
--- what cannot be read is neither written nor removed.

local digest = require "digest"
local effect = require "effect"
local failure = require "failure"
local xml = require "xml"

local s3_call = {}

local NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

--- Codes of answers that say: there is none.  NoSuchBucket is not among them.
local NONE = {
  NoSuchLifecycleConfiguration = true, ServerSideEncryptionConfigurationNotFoundError = true,
  ReplicationConfigurationNotFoundError = true, ObjectLockConfigurationNotFoundError = true,
  NoSuchTagSet = true, NoSuchTagSetError = true, NoSuchObjectLockConfiguration = true,
}

--- The bucket of a store and what stands in front of its keys, "" or with a "/" at its
--- end.  Raises "usage" for a store that is none of s3://.
--- @return string bucket
--- @return string prefix
function s3_call.of(store)
  local bucket, path = store.url:match("^s3://([^/?]+)/?([^?]*)")
  if bucket == nil then
    failure.raise("usage", ("\"%s\" is no store of S3"):format(store.place),
      { hint = "write s3://BUCKET/PREFIX" })
  end
  return bucket, path ~= "" and digest.url_decode(path):gsub("/*$", "/") or ""
end

--- The server's code in an error, or nil.
function s3_call.code(e)
  return failure.is(e) and e.message:match("%((%w+)%)") or nil
end

--- Does the error say that there is no such document?
local function is_none(e)
  return NONE[s3_call.code(e)] or false
end

local function unknown(store, what)
  failure.raise("unsupported", ("the server of \"%s\" does not know the %s of a bucket or object"):format(
    store.place, what))
end

--- Read a document.  Raises "unsupported" where the server knows none of that kind.
--- @param what string for messages: "lifecycle"
--- @param request table key (nil: of the bucket), query
--- @param root string|table the document's root element, or several that will do
--- @return table|nil its root element; nil: there is none
function s3_call.read(store, what, request, root)
  s3_call.of(store)
  local ok, answer = pcall(store.call, store, { method = "GET", key = request.key, query = request.query })
  if not ok and is_none(answer) then
    return nil
  elseif not ok then
    error(failure.prefix(answer, ("cannot read the %s"):format(what)), 0)
  end
  local parsed, document = pcall(xml.parse, answer.body)
  for _, name in ipairs(type(root) == "table" and root or { root }) do
    if parsed and document.name == name then
      return document
    end
  end
  unknown(store, what)
end

--- Write a document, which the server has been seen to know.
--- @param what string "lifecycle"
--- @param request table key, query, root (to see that it is known), document, headers, why
function s3_call.write(store, what, request)
  if not effect.change("set the " .. what .. " of", request.key or store.place, request.why) then
    return
  end
  s3_call.read(store, what, request, request.root)
  request.document.xmlns = NAMESPACE
  local body = xml.document(request.document)
  local headers = { ["Content-MD5"] = digest.md5_base64(body), ["Content-Type"] = "application/xml" }
  for name, value in pairs(request.headers or {}) do
    headers[name] = value
  end
  failure.during(("cannot set the %s"):format(what), store._handle.call, store._handle,
    { method = "PUT", key = request.key, query = request.query, headers = headers, body = body })
end

--- Remove a document, if there is one.
--- @param request table key, query, root, why
function s3_call.remove(store, what, request)
  if s3_call.read(store, what, request, request.root) == nil
    or not effect.change("remove the " .. what .. " of", request.key or store.place, request.why) then
    return
  end
  failure.during(("cannot remove the %s"):format(what), store._handle.call, store._handle,
    { method = "DELETE", key = request.key, query = request.query })
end

--- A parsed element as xml.document writes it.
function s3_call.element(element)
  local made = { element.name }
  if #element == 0 then
    made[2] = element.text
  end
  for index, child in ipairs(element) do
    made[index + 1] = s3_call.element(child)
  end
  return made
end

--- A whole number in a document, or nil when there is no such element; raises "protocol".
function s3_call.number(element, path)
  local text = xml.text(element, path)
  local value = text and text:match("^%s*%d+%s*$") and math.tointeger(tonumber(text))
  if text and value == nil then
    failure.raise("protocol", ("the server says \"%s\" where a number belongs (%s)"):format(text, path))
  end
  return value
end

--- Tags as a document's element, checked: at most 10, names of 1 to 128, values of at
--- most 256 characters.
--- @param tags table name = value
function s3_call.tag_set(tags, max)
  local names, set = {}, { "TagSet" }
  for name, value in pairs(tags) do
    if type(name) ~= "string" or type(value) ~= "string" or (utf8.len(name) or 0) < 1 or utf8.len(name) > 128
      or (utf8.len(value) or 257) > 256 or name:match("^aws:") then
      failure.raise("recipe", ("%s = %s is no tag: names have 1 to 128 characters, values at most 256, "
        .. "and no name begins with aws:"):format(tostring(name), tostring(value)))
    end
    names[#names + 1] = name
  end
  if #names > max then
    failure.raise("recipe", ("at most %d tags, not %d"):format(max, #names))
  end
  table.sort(names)
  for index, name in ipairs(names) do
    set[index + 1] = { "Tag", { "Key", name }, { "Value", tags[name] } }
  end
  return set
end

--- The tags that a document has: name = value.
function s3_call.tags(document)
  local tags = {}
  for tag in xml.each(xml.first(document, "TagSet"), "Tag") do
    tags[xml.text(tag, "Key") or ""] = xml.text(tag, "Value") or ""
  end
  return tags
end

return s3_call
