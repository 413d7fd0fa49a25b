--- Messages as JSON, one object a line on standard error (--log-format json).

local clock = require "clock"
local json = require "json"
local text = require "cli.text"

local log = {}

--- A line: {"time", "level", "msg", ...fields}.
--- @param level string "error", "warn", "info" or "debug"
--- @param fields? table plain values
function log.line(level, message, fields)
  local line = { time = clock.iso(clock.now()), level = level, msg = message }
  for name, value in pairs(fields or {}) do
    line[name] = value
  end
  return json.encode(line) .. "\n"
end

--- Write such a line.
function log.write(level, message, fields)
  text.err(log.line(level, message, fields))
end

return log
