--- YAML as the Kubernetes ecosystem reads and writes it, and Lua values as those
--- of `json`: null is json.null, arrays stay arrays when they are empty.
---
--- A plain scalar means what it means to kubectl (`yes` is true, `0x1f` is 31,
--- `1e3` is 1000, a date is a string); strings are written in double quotes or as
--- literals, so that no reader takes them for something else.

local failure = require "failure"
local native = require "_yaml"

local yaml = {}

--- All documents of a text, empty ones left out; JSON is YAML, too.  Raises
--- "invalid" with line and column (also for duplicate keys and unknown tags),
--- "too_big" past 512 levels or 2 million values with aliases expanded.
--- @param text string
--- @return table list of values
function yaml.parse(text)
  return native.parse(text)
end

--- The one document of a text.  Raises "invalid" when there is none, or another.
--- @param text string
function yaml.decode(text)
  local documents = native.parse(text)
  if #documents ~= 1 then
    failure.raise("invalid", ("YAML: one document was expected, and there are %d"):format(#documents))
  end
  return documents[1]
end

--- A value as one document in block style, keys sorted.  Functions, handles,
--- secrets, NaN and tables that mix a list with named fields raise "recipe".
--- @param value any
--- @param marker? boolean with "---" in front
--- @return string
function yaml.dump(value, marker)
  return native.dump(value, marker or false)
end

return yaml
