--- Structured errors: {code, message, hint, http, retryable}.
---
--- A failure raises; absence is nil.  The codes and their exit statuses are
--- those of include/moonkeep/err.h.

local scripts = require "_scripts"

local failure = {}

local meta = scripts.error_meta()

--- Make an error value.
--- @param code string one of the error codes
--- @param message string what was being done, to what, why it failed
--- @param fields? table hint, http, retryable, ...
function failure.new(code, message, fields)
  local e = { code = code, message = tostring(message) }
  for name, value in pairs(fields or {}) do
    e[name] = value
  end
  return setmetatable(e, meta)
end

--- Raise an error.  Parameters as failure.new.
function failure.raise(code, message, fields)
  error(failure.new(code, message, fields), 0)
end

--- Is the value a structured error (with that code)?
--- @return boolean
function failure.is(e, code)
  return getmetatable(e) == meta and (code == nil or e.code == code)
end

--- The value as a structured error; a plain Lua error becomes code "recipe".
function failure.of(e)
  if getmetatable(e) == meta then
    return e
  end
  return failure.new("recipe", tostring(e))
end

--- The same error with "text: " in front of its message.
function failure.prefix(e, text)
  e = failure.of(e)
  local copy = {}
  for name, value in pairs(e) do
    copy[name] = value
  end
  copy.message = text .. ": " .. e.message
  return setmetatable(copy, meta)
end

--- Call fn(...); an error it raises goes on with "text: " in front.
function failure.during(text, fn, ...)
  local results = table.pack(pcall(fn, ...))
  if not results[1] then
    error(failure.prefix(results[2], text), 0)
  end
  return table.unpack(results, 2, results.n)
end

--- What to do about an error that has no hint of its own.
local HINTS = {
  full = "make room there, then run it again",
  permission = "run it as a user who may, or change the owner or the mode",
}

--- What the user can do about an error, or nil.
--- @return string|nil
function failure.hint(e)
  return e.hint or HINTS[e.code]
end

--- What of an error goes into journals and JSON: no traceback, and UTF-8 also
--- where it names a file that is not.
--- @return table
function failure.plain(e)
  local valid = require("words").valid
  e = failure.of(e)
  local hint = failure.hint(e)
  return { code = e.code, message = valid(e.message), hint = hint and valid(hint), http = e.http,
    step = e.step }
end

return failure
