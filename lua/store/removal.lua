--- Removing many objects of a store.

local digest = require "digest"
local failure = require "failure"
local task = require "task"
local xml = require "xml"

local removal = {}

--- How many one request names: S3 takes 1000, and some servers remove one after the
--- other before they answer.  How many requests run at once, of many and of one.
local MANY = 100
local MANY_AT_ONCE = 4
local AT_ONCE = 8

--- What stands in front of a store's keys in its bucket.
local function s3_prefix(url)
  local path = url:match("^s3://[^/?]+/([^?]*)")
  return path and path ~= "" and digest.url_decode(path) .. "/" or ""
end

--- Does the server know no such request?
local function is_unknown(e)
  return failure.is(e, "unsupported") or (failure.is(e) and (e.http == 501 or e.http == 405))
end

local function one_by_one(handle, keys)
  task.each(keys, AT_ONCE, function(key)
    handle:remove(key)
  end)
end

--- Remove up to MANY keys of an S3 store in one request.  What the answer does
--- not say to be removed is removed by itself, which says why it cannot be.
--- @return boolean false: the server knows no such request
local function multi_delete(handle, prefix, keys)
  local document, alone = { "Delete", xmlns = "http://s3.amazonaws.com/doc/2006-03-01/", { "Quiet", "true" } }, {}
  for _, key in ipairs(keys) do
    -- XML has no control characters.
    if key:find("[\0-\31]") or not utf8.len(key) then
      alone[#alone + 1] = key
    else
      document[#document + 1] = { "Object", { "Key", prefix .. key } }
    end
  end
  if #alone < #keys then
    local body = xml.document(document)
    local ok, answer = pcall(function()
      return handle:call { method = "POST", query = { delete = "" }, body = body,
        headers = { ["Content-MD5"] = digest.md5_base64(body), ["Content-Type"] = "application/xml" } }
    end)
    if not ok and is_unknown(answer) then
      return false
    elseif not ok then
      error(answer, 0)
    end
    local result = xml.parse(answer.body)
    if result.name ~= "DeleteResult" then
      failure.raise("protocol", ("the store answers the removal of many keys with \"%s\""):format(result.name))
    end
    for e in xml.each(result, "Error") do
      local key = xml.text(e, "Key") or ""
      if key:sub(1, #prefix) ~= prefix or key == prefix then
        failure.raise("protocol", ("the store could not remove a key that it was not asked to remove (%s)")
          :format(xml.text(e, "Code") or "?"))
      end
      alone[#alone + 1] = key:sub(#prefix + 1)
    end
  end
  one_by_one(handle, alone)
  return true
end

--- What removes lists of at most MANY keys, several at once; its flow is to be finished.
local function remover(store)
  return { handle = store._handle, prefix = s3_prefix(store.url), flow = task.flow(MANY_AT_ONCE),
    at_once = store.url:match("^s3://") ~= nil }
end

local function remove(self, keys)
  self.at_once = self.at_once and multi_delete(self.handle, self.prefix, keys)
  if not self.at_once then
    one_by_one(self.handle, keys)
  end
end

--- Remove keys, at most as many as one request takes.
local function add(self, keys)
  -- Until it is known, whether the server can, and where it cannot: one list at a time.
  if not self.at_once or not self.known then
    remove(self, keys)
    self.known = true
  else
    self.flow:start(1, remove, self, keys)
  end
end

--- Wait for the last ones; raises what failed.
--- Remove these keys; missing ones are fine.
function removal.keys(store, keys)
  local all = remover(store)
  local _ <close> = all.flow
  for first = 1, #keys, MANY do
    add(all, table.move(keys, first, math.min(first + MANY - 1, #keys), 1, {}))
  end
  all.flow:finish()
end

--- Remove all keys below a prefix.
function removal.below(store, prefix)
  -- A directory must not change while it is listed.
  if not store.url:match("^%a[%w+.-]*://") then
    for _, entry in ipairs(store:list(prefix)) do
      store._handle:remove(entry.key)
    end
    return
  end
  local all, keys = remover(store), {}
  local _ <close> = all.flow
  for entry in store:each(prefix) do
    keys[#keys + 1] = entry.key
    if #keys == MANY then
      add(all, keys)
      keys = {}
    end
  end
  if #keys > 0 then
    add(all, keys)
  end
  all.flow:finish()
end

return removal
