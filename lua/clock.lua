--- Clocks and timestamps.  Recipes take the time from ctx:now(), which is
--- recorded; this module is for libraries and commands.

local native = require "_time"

local clock = {}

--- Wall clock, milliseconds since 1970 UTC.
function clock.now()
  return native.now()
end

--- Monotonic clock, milliseconds.
function clock.mono()
  return native.mono()
end

--- "20261121T020000Z", the name of a backup's folder.
function clock.compact(ms)
  return native.compact(ms)
end

--- "2026-11-21T02:00:00.000Z"
function clock.iso(ms)
  return native.iso(ms)
end

--- Milliseconds of either form; raises "invalid".
function clock.parse(text)
  return native.parse(text)
end

return clock
