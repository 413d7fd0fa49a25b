--- SHA-256, MD5 and text forms of bytes.

local native = require "_digest"

local digest = {}

--- The SHA-256 of a string, as 64 hexadecimal digits.
function digest.sha256(bytes)
  return native.sha256(bytes)
end

--- The SHA-256 of a string in base64, as services want it in headers.
function digest.sha256_base64(bytes)
  return native.base64(native.sha256_raw(bytes))
end

--- The MD5 of a string in base64: Content-MD5, which some services insist on.
--- It proves nothing against a forger.
function digest.md5_base64(bytes)
  return native.base64(native.md5_raw(bytes))
end

--- Base64 (RFC 4648), padded.
function digest.base64(bytes)
  return native.base64(bytes)
end

--- Bytes of base64 text; raises "invalid".
function digest.unbase64(text)
  return native.unbase64(text)
end

--- Bytes as a part of a URL.
function digest.url_encode(bytes)
  return native.url_encode(bytes)
end

--- The bytes that a part of a URL stands for; raises "invalid".
function digest.url_decode(text)
  return native.url_decode(text)
end

return digest
