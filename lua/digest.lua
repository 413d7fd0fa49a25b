--- SHA-256 and text forms of bytes.

local native = require "_digest"

local digest = {}

--- The SHA-256 of a string, as 64 hexadecimal digits.
function digest.sha256(bytes)
  return native.sha256(bytes)
end

--- Base64 (RFC 4648), padded.
function digest.base64(bytes)
  return native.base64(bytes)
end

--- Bytes of base64 text; raises "invalid".
function digest.unbase64(text)
  return native.unbase64(text)
end

return digest
