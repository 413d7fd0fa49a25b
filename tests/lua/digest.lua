--- Digests and text forms.

local digest = require "digest"

local test = {}

test["digests of known strings"] = function(t)
  t.equal(digest.sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  t.equal(digest.sha256_base64("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
  t.equal(digest.md5_base64(""), "1B2M2Y8AsgTpgAmY7PhCfg==")
  t.equal(digest.md5_base64("abc"), "kAFQmDzST7DWlj99KOF/cg==")
end

test["text forms go both ways"] = function(t)
  t.equal(digest.base64("a\0b\255"), "YQBi/w==")
  t.equal(digest.unbase64("YQBi/w=="), "a\0b\255")
  t.raises("invalid", "", digest.unbase64, "no base64!")
  t.equal(digest.url_decode("a%2Fb%20c+d"), "a/b c+d")
  t.raises("invalid", "", digest.url_decode, "a%2")
end

return test
