--- Stores: where backups live.  One interface for directories and object
--- stores.  Keys are relative paths with "/".

local effect = require "effect"
local failure = require "failure"
local native = require "_store"

local store = {}

local Store = {}
Store.__index = Store

--- Is the text a store's URL?  Raises "usage" or "unsupported".
function store.check(text)
  native.open(text)
end

--- Open a store; nothing is created or contacted yet.  Of what is returned, `url`
--- opens the same store, and `place` says which one it is, however it is reached.
--- @param url string "./dir", "/dir", "file:/dir", "s3://BUCKET/PREFIX", "azure://ACCOUNT/CONTAINER/PREFIX"
function store.open(url)
  local handle = native.open(url)
  return setmetatable({ url = handle:url(), place = handle:place(), can = handle:can(),
    _handle = handle }, Store)
end

--- A key as people see it: which store, and what in it.
local function shown(self, key)
  local url, options = self.place:match("^(%a[%w+.-]*://[^?]*)(%?.*)$")
  return url and url .. "/" .. key .. options or self.place .. "/" .. key
end

--- @return table|nil {size, mtime, etag (nil where there is none), archived}; nil
---   when there is no such key
function Store:stat(key)
  return self._handle:stat(key)
end

--- The keys below a prefix ("" or ending in "/"), in byte order; with shallow,
--- names with a further "/" are folded into one {key = "name/"}.  For few keys;
--- many are for Store:each.  A store that does not exist raises "not_found".
--- @return table list of {key, size, mtime, etag, archived}
function Store:list(prefix, shallow)
  return self._handle:list(prefix, shallow or false)
end

--- Go through the keys below a prefix as Store:list has them, however many:
--- `for entry in store:each(prefix) do`.  An error of the listing, also that it
--- broke off, is raised where the loop goes on; leaving the loop ends it.
function Store:each(prefix, shallow)
  local walk = self._handle:walk(prefix, shallow or false)
  local batch, at = {}, 0
  return function()
    at = at + 1
    if batch and batch[at] == nil then
      batch, at = walk:next(), 1
    end
    return batch and batch[at]
  end, nil, nil, walk
end

--- A small object's bytes, or nil when there is none.
--- @param max integer more bytes raise "too_big"
function Store:get(key, max)
  return self._handle:get(key, max)
end

--- A source over an object, or length bytes of it from offset.  What lies in an
--- archive raises "archived".
function Store:read(key, offset, length)
  return self._handle:read(key, offset or 0, length or -1)
end

--- How something is written, as the native store takes it.
local function how(options)
  return { exclusive = options.exclusive, resume = options.resume, digest = options.digest }
end

--- Write a small object, atomically.
--- @param options? table {exclusive = true: raise "exists" when it is there, digest = of
---   stream.new_digest: filled, why = for the plan}
function Store:put(key, bytes, options)
  options = options or {}
  if options.digest then
    effect.change_for_result("write", shown(self, key), options.why)
  elseif not effect.change("write", shown(self, key), options.why) then
    return
  end
  self._handle:put(key, bytes, how(options))
end

--- A sink for an object; stream.commit makes it visible.
--- @param options? table {exclusive, why, digest = of stream.new_digest: complete with the
---   commit, resume = true: go on with an upload that was interrupted, when what is
---   written begins again at the first byte}
function Store:create(key, options)
  options = options or {}
  effect.change_for_result("write", shown(self, key), options.why)
  return self._handle:create(key, how(options))
end

--- Copy objects to the same keys of another store, one after another; within one
--- service the server does it, where it can.  Others go on when one fails.  What is
--- something else by now fails with a retryable "io" and is not written; what is
--- gone, with "not_found".
--- @param target table store
--- @param entries table list, at most 64, as listed: {key, size, mtime, etag}
--- @param options? table {progress: counts the bytes, why = for the plan}
--- @return table list: of each {size, mtime, etag, as the target has it, as far as it says;
---   by_server}, or the error
function Store:copy(target, entries, options)
  options = options or {}
  local what = #entries == 1 and shown(target, entries[1].key)
    or ("%d objects in %s"):format(#entries, target.place)
  effect.change_for_result("write", what, options.why)
  return self._handle:copy(target._handle, entries, options.progress)
end

--- Remove an object; a missing one is fine.
--- @param why? string for the plan
function Store:remove(key, why)
  if effect.change("remove", shown(self, key), why) then
    self._handle:remove(key)
  end
end

--- Remove everything below a prefix, and what interrupted writes left there.
--- @param prefix string ends in "/"
function Store:remove_all(prefix, why)
  if prefix == "" or prefix:sub(-1) ~= "/" then
    failure.raise("recipe", "a prefix that is removed must end in \"/\"")
  end
  if effect.change("remove", shown(self, prefix), why) then
    self._handle:sweep(prefix)
    require("store.removal").below(self, prefix)
  end
end

--- Remove objects, many with one request where the store can; missing ones are fine.
--- @param keys table list
--- @param why? string for the plan
function Store:remove_keys(keys, why)
  if #keys > 0 and effect.change("remove", ("%d objects of %s"):format(#keys, self.place), why) then
    require("store.removal").keys(self, keys)
  end
end

--- Does a create-only write exclude others here?  Where that has to be tried, it
--- is, once: the verdict is kept in the store.  A plan does not try.
--- @return boolean|nil nil: not known, in a plan
function Store:excludes()
  if self._excludes == nil then
    self._excludes = require("store.exclusion").find(self)
  end
  return self._excludes
end

--- Remove what interrupted writes left below a prefix; only for the lock's holder.
--- @return integer how much
function Store:sweep(prefix)
  if effect.change("remove what interrupted writes left below", shown(self, prefix)) then
    return self._handle:sweep(prefix)
  end
  return 0
end

--- Send a request in the store's own protocol, signed, with the driver's retries.
--- Answers other than 2xx raise, with `http`; "unsupported" where the store speaks none.
--- @param request table method, key (nil: the bucket or container itself), query and headers
---   (name = text; of a header also a secret), body, once = true: not to be sent again when
---   it is not known whether it took effect, max = bound on the answer in bytes, why = for
---   the plan
--- @return table {status, headers (names in lower case), body}
function Store:call(request)
  if request.method ~= "GET" and request.method ~= "HEAD" then
    effect.change_for_result(request.method, shown(self, request.key or ""), request.why)
  end
  return self._handle:call(request)
end

return store
