--- manifest.json: what a backup consists of.  Written last: no manifest, no
--- backup.  docs/design/backup-format.md has every field.

local digest = require "digest"
local failure = require "failure"
local json = require "json"
local key = require "backup.key"

local manifest = {}

manifest.FILE = "manifest.json"
manifest.FORMAT = "moonkeep-backup"
manifest.VERSION = 1

--- Bound on a manifest's size, in bytes.
manifest.MAX = 64 * 1024 * 1024

local function digest_of(value)
  local copy = {}
  for name, field in pairs(value) do
    if name ~= "manifest_sha256" then
      copy[name] = field
    end
  end
  return digest.sha256(json.encode(copy))
end

--- The text of a manifest, sealed with the digest of its canonical form.
function manifest.encode(value)
  value.format, value.version = manifest.FORMAT, manifest.VERSION
  value.manifest_sha256 = digest_of(value)
  return json.encode(value, 2) .. "\n"
end

local function is_hex(text, digits)
  return type(text) == "string" and #text == digits and not text:find("[^0-9a-f]")
end

local function check_artifact(artifact, where, bad)
  if type(artifact) ~= "table" then
    bad("an artifact is no object")
  end
  local name = artifact.name
  if type(name) ~= "string" or not require("backup.name").is_part(name) then
    bad("an artifact has no usable name")
  elseif math.type(artifact.bytes) ~= "integer" or artifact.bytes < 0
    or math.type(artifact.part_size) ~= "integer" or artifact.part_size < 1
    or type(artifact.parts) ~= "table" then
    bad(("artifact \"%s\" has no size or no digests"):format(name))
  end
  if not key.is_valid(artifact, where) then
    bad(("artifact \"%s\" does not say how it is encrypted"):format(name))
  end
  local wanted = (artifact.bytes + artifact.part_size - 1) // artifact.part_size
  if #artifact.parts ~= wanted then
    bad(("artifact \"%s\" has %d part digests instead of %d"):format(name, #artifact.parts, wanted))
  end
  for _, part in ipairs(artifact.parts) do
    if not is_hex(part, 64) then
      bad(("artifact \"%s\" has a digest that is no SHA-256"):format(name))
    end
  end
end

--- Read a manifest's text.  Raises "corrupt" when it was damaged, "unsupported"
--- when it is of a later version.
--- @param text string
--- @param where string for messages
function manifest.decode(text, where)
  local function bad(why)
    failure.raise("corrupt", ("the manifest \"%s\" is damaged: %s"):format(where, why),
      { hint = "this is no usable backup; take an older one" })
  end
  local ok, value = pcall(json.decode, text)
  if not ok or type(value) ~= "table" then
    bad(ok and "it is no object" or value.message)
  elseif value.format ~= manifest.FORMAT then
    bad("it is no manifest of moonkeep")
  elseif value.version ~= manifest.VERSION then
    failure.raise("unsupported", ("the manifest \"%s\" has version %s; this moonkeep reads %d")
      :format(where, tostring(value.version), manifest.VERSION), { hint = "use a newer moonkeep" })
  elseif value.manifest_sha256 ~= digest_of(value) then
    bad("it does not match its own digest")
  end
  if type(value.artifacts) ~= "table" or #value.artifacts == 0 and next(value.artifacts) ~= nil then
    bad("it lists no artifacts")
  end
  for _, artifact in ipairs(value.artifacts) do
    check_artifact(artifact, ("the manifest \"%s\""):format(where), bad)
  end
  return value
end

return manifest
