--- Encryption as Lua sees it: keys are secrets, and what is wrong is told apart.

local native = require "_stream"
local new_secret = require("_secret").new
local stream = require "stream"

local test = {}

local MIB = 1024 * 1024

local function encrypted(text, key)
  return stream.read_all(stream.encrypt(stream.from_string(text), key), 16 * MIB)
end

local function decrypted(text, key)
  return stream.read_all(stream.decrypt(stream.from_string(text), key), 16 * MIB)
end

test["what is encrypted is decrypted again"] = function(t)
  local key = new_secret("sesame")
  for _, text in ipairs { "", "x", ("moonkeep "):rep(200000) } do
    local packed = encrypted(text, key)
    t.check(not packed:find("moonkeep", 1, true), "nothing of it is readable")
    t.equal(decrypted(packed, key) == text, true)
  end
end

test["another key, a cut, a changed byte and other data are told apart"] = function(t)
  local key = new_secret("sesame")
  local packed = encrypted(("moonkeep "):rep(20000), key)
  t.raises("key", "not the one", decrypted, packed, new_secret("Sesame"))
  t.raises("truncated", "too early", decrypted, packed:sub(1, -2), key)
  t.raises("corrupt", "does not match its digest", decrypted,
    packed:sub(1, 9999) .. string.char(packed:byte(10000) ~ 1) .. packed:sub(10001), key)
  t.raises("corrupt", "behind the end", decrypted, packed .. "x", key)
  t.raises("corrupt", "this is not OpenPGP data", decrypted, "moonkeep", key)
end

test["a sink encrypts what is written to it"] = function(t)
  local key, path = new_secret("sesame"), t.dir() .. "/x"
  local sink <close> = native.file_sink(path)
  stream.encrypt_sink(sink, key)
  stream.copy(stream.from_string("moonkeep"), sink)
  t.raises("recipe", "in use", stream.encrypt_sink, sink, key)
  stream.commit(sink)
  t.equal(stream.read_all(stream.decrypt(stream.from_file(path), key), 100), "moonkeep")
end

test["keys are secrets"] = function(t)
  t.raises("recipe", "secret expected", native.encrypt, stream.from_string("x"), "sesame")
  t.raises("recipe", "secret expected", native.decrypt, stream.from_string("x"))
  t.raises("recipe", "secret expected", native.key_id, "sesame")
end

test["a key is one line, as gpg takes it"] = function(t)
  t.raises("usage", "one line", stream.key_id, new_secret("sesame\nopen"))
  t.raises("usage", "one line", stream.key_id, new_secret("sesame\0open"))
end

test["the id of a key is always the same, and another key's is another"] = function(t)
  t.equal(stream.key_id(new_secret("sesame")), "b747707822499c6a")
  t.check(stream.key_id(new_secret("Sesame")) ~= "b747707822499c6a")
end

return test
