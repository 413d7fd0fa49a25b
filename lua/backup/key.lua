--- The key that the artifacts of a backup are encrypted with: a passphrase, as
--- OpenPGP takes it, so that `gpg --decrypt` reads them without moonkeep.

local failure = require "failure"
local stream = require "stream"

local key = {}

--- How artifacts are encrypted, and how their names end.
key.FORMAT = "openpgp"
local ENDING = ".gpg"

--- The parameter of every recipe that writes or reads artifacts.
key.param = { "secret", env = "MOONKEEP_ENCRYPT_KEY",
  help = "the key of encrypted artifacts: env:NAME, file:PATH or command:PROGRAM" }

--- Ids that were computed: each takes a good part of a second, on purpose.
local ids = setmetatable({}, { __mode = "k" })

--- What tells the key apart from others, without helping to guess it.
--- @param secret table
--- @return string 16 hex digits
function key.id(secret)
  ids[secret] = ids[secret] or stream.key_id(secret)
  return ids[secret]
end

--- The name in the store of an artifact that is encrypted if there is a key.
--- @param secret? table
function key.stored_name(name, secret)
  return secret and name .. ENDING or name
end

--- The name of an artifact of a manifest as recipes know it: "tsdb.tar.zst".
function key.plain_name(artifact)
  return artifact.encryption and artifact.name:sub(1, -#ENDING - 1) or artifact.name
end

--- What a manifest says of an artifact that is encrypted with the key.
--- @param secret? table
--- @return table|nil
function key.described(secret)
  return secret and { format = key.FORMAT, key = key.id(secret) } or nil
end

--- Is that what a manifest may say of an artifact?  Raises "unsupported" for a
--- format that is not known.
--- @param artifact table
--- @param where string for messages
--- @return boolean
function key.is_valid(artifact, where)
  local encryption = artifact.encryption
  if encryption == nil then
    return true
  elseif type(encryption) ~= "table" or type(encryption.format) ~= "string" then
    return false
  elseif encryption.format ~= key.FORMAT then
    failure.raise("unsupported", ("%s: artifact \"%s\" is encrypted in the format \"%s\", which this moonkeep "
      .. "does not read"):format(where, artifact.name, encryption.format), { hint = "use a newer moonkeep" })
  end
  return type(encryption.key) == "string" and #encryption.key == 16 and not encryption.key:find("[^0-9a-f]")
    and artifact.name:sub(-#ENDING) == ENDING and #artifact.name > #ENDING
end

--- The id of the key that a manifest's artifacts are encrypted with, or nil.
function key.of(book)
  for _, artifact in ipairs(book.artifacts) do
    if artifact.encryption then
      return artifact.encryption.key
    end
  end
  return nil
end

--- Raise "key" unless the key opens what is encrypted of the artifacts.
--- @param artifacts table list of a manifest
--- @param secret? table
--- @param name string of the backup, for messages
function key.check(artifacts, secret, name)
  for _, artifact in ipairs(artifacts) do
    local wanted = artifact.encryption and artifact.encryption.key
    if wanted and secret == nil then
      failure.raise("key", ("the key is missing: the backup %s is encrypted with key %s"):format(name, wanted),
        { hint = "say where it is: --encrypt-key file:PATH, or env:NAME, or command:PROGRAM" })
    elseif wanted and key.id(secret) ~= wanted then
      failure.raise("key", ("the key is wrong: the backup %s was made with key %s, this one is %s")
        :format(name, wanted, key.id(secret)))
    end
  end
end

return key
