--- Stores: where backups live.  One interface for directories and, later,
--- object stores.  Keys are relative paths with "/".

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

--- Open a store; nothing is created or contacted yet.
--- @param url string "./dir", "/dir", "file:/dir"
function store.open(url)
  local handle = native.open(url)
  return setmetatable({ url = handle:url(), can = handle:can(), _handle = handle }, Store)
end

--- @return table|nil {size, mtime}; nil when there is no such key
function Store:stat(key)
  return self._handle:stat(key)
end

--- The keys below a prefix ("" or ending in "/"), in byte order; with shallow,
--- names with a further "/" are folded into one {key = "name/"}.
--- A store that does not exist raises "not_found".
--- @return table list of {key, size, mtime}
function Store:list(prefix, shallow)
  return self._handle:list(prefix, shallow or false)
end

--- A small object's bytes, or nil when there is none.
--- @param max integer more bytes raise "too_big"
function Store:get(key, max)
  return self._handle:get(key, max)
end

--- A source over an object, or length bytes of it from offset.
function Store:read(key, offset, length)
  return self._handle:read(key, offset or 0, length or -1)
end

--- Write a small object, atomically.
--- @param options? table {exclusive = true: raise "exists" when it is there, why = for the plan}
function Store:put(key, bytes, options)
  options = options or {}
  if effect.change("write", self.url .. "/" .. key, options.why) then
    self._handle:put(key, bytes, options.exclusive or false)
  end
end

--- A sink for an object; stream.commit makes it visible.
--- @param options? table {exclusive, why}
function Store:create(key, options)
  options = options or {}
  effect.change_for_result("write", self.url .. "/" .. key, options.why)
  return self._handle:create(key, options.exclusive or false)
end

--- Remove an object; a missing one is fine.
--- @param why? string for the plan
function Store:remove(key, why)
  if effect.change("remove", self.url .. "/" .. key, why) then
    self._handle:remove(key)
  end
end

--- Remove everything below a prefix, and what interrupted writes left there.
--- @param prefix string ends in "/"
function Store:remove_all(prefix, why)
  if prefix == "" or prefix:sub(-1) ~= "/" then
    failure.raise("recipe", "a prefix that is removed must end in \"/\"")
  end
  if effect.change("remove", self.url .. "/" .. prefix, why) then
    self._handle:sweep(prefix)
    for _, entry in ipairs(self:list(prefix)) do
      self._handle:remove(entry.key)
    end
  end
end

--- Remove what interrupted writes left below a prefix; only for the lock's holder.
--- @return integer how much
function Store:sweep(prefix)
  if effect.change("remove what interrupted writes left below", self.url .. "/" .. prefix) then
    return self._handle:sweep(prefix)
  end
  return 0
end

return store
