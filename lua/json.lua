--- JSON text and Lua values.
---
--- null is json.null.  Arrays that were decoded, or marked with json.array,
--- stay arrays when they are empty; other empty tables are objects.

local native = require "_json"

local json = { null = native.null }

--- Decode exactly one value.  Raises "invalid" with line and column.
--- @param text string
function json.decode(text)
  return native.decode(text)
end

--- Encode a value; keys are sorted.  Functions, handles, secrets, NaN and
--- tables that mix a list with named fields raise "recipe", naming the place.
--- @param indent? integer 0 (default) is the canonical form, of which digests are taken
--- @return string
function json.encode(value, indent)
  return native.encode(value, indent or 0)
end

--- Mark a table as an array (also when it is empty).
function json.array(list)
  return native.array(list or {})
end

return json
