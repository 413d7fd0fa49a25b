--- Folders that count as a whole, by one object that is written last and removed
--- first: a backup by its manifest.json, a block of Thanos by its meta.json.

local manifest = require "backup.manifest"
local failure = require "failure"

local folder = {}

--- How a folder is told by its name, and its marker.
local KINDS = {
  { name = "^(.-/)(%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ[%w-]*/).", marker = manifest.FILE, backup = true },
  { name = "^(.-/)(" .. ("[0-9A-HJKMNP-TV-Z]"):rep(26) .. "/).", marker = "meta.json" },
}

--- Bounds on the objects of one folder, and on a marker's bytes.
folder.OBJECTS_MAX = 100000
local MARKER_MAX = manifest.MAX

local Folder = {}
Folder.__index = Folder

--- The folder that a key is in, or nil.
--- @param key string all before its last "/" decides
function folder.of(key)
  local text = "/" .. key
  for _, kind in ipairs(KINDS) do
    local above, name = text:match(kind.name)
    if above then
      local prefix = (above .. name):sub(2)
      return setmetatable({ prefix = prefix, marker = prefix .. kind.marker, backup = kind.backup,
        pairs = {} }, Folder)
    end
  end
  return nil
end

--- Is the key one of the folder?
function Folder:has(key)
  return key:sub(1, #self.prefix) == self.prefix
end

--- Add what the two listings have of a key.
function Folder:add(key, source, target)
  if #self.pairs == folder.OBJECTS_MAX then
    failure.raise("too_big", ("the folder \"%s\" has more than %d objects"):format(self.prefix,
      folder.OBJECTS_MAX))
  end
  local pair = { key = key, source = source, target = target }
  self.pairs[#self.pairs + 1] = pair
  if key == self.marker then
    self.marked = pair
  end
end

--- Has that end the marker?
function Folder:complete(side)
  return self.marked ~= nil and self.marked[side] ~= nil
end

local function get(store, key)
  local ok, text = pcall(store.get, store, key, MARKER_MAX)
  if ok then
    return text
  elseif failure.is(text, "archived") or failure.is(text, "too_big") then
    return nil
  end
  error(text, 0)
end

--- Have both ends the same marker, byte for byte?  They are read once.
function Folder:agrees(from, to)
  if self.agreed == nil then
    self.agreed = false
    if self:complete("source") and self:complete("target")
      and self.marked.source.size == self.marked.target.size then
      local text = get(from, self.marker)
      self.agreed = text ~= nil and text == get(to, self.marker)
      self.text = self.agreed and text or nil
    end
  end
  return self.agreed
end

--- Of a backup whose manifest both ends have: the size that it states for each
--- of its keys; of anything else, nothing.
--- @return table key -> bytes
function Folder:stated(from, to)
  if self.sizes == nil then
    self.sizes = {}
    if self.backup and self:agrees(from, to) then
      local ok, book = pcall(manifest.decode, self.text, self.marker)
      for _, artifact in ipairs(ok and book.artifacts or {}) do
        self.sizes[self.prefix .. artifact.name] = artifact.bytes
      end
      self.sizes[self.marker] = #self.text
    end
    self.text = nil
  end
  return self.sizes
end

--- Is the key a verification, which each store has of its own?
function Folder:is_verification(key)
  return self.backup and key:sub(#self.prefix + 1):match("^verifications/") ~= nil
end

return folder
