--- Errors as the user sees them.

local failure = require "failure"
local os_ = require "_os"
local text = require "cli.text"

local complain = {}

--- The exit status of an error code.
--- @param code string
--- @return integer
function complain.status(code)
  for _, row in ipairs(os_.errors()) do
    if row.code == code then
      return row.status
    end
  end
  return 1
end

--- "step "copy": why it failed"
--- @param e table error, structured or plain
function complain.message(e)
  local message = text.safe(e.message)
  return e.step and ("step \"%s\": %s"):format(text.safe(e.step), message) or message
end

--- The lines for standard error.
--- @param e any error value, or the plain form of one
--- @param options table {verbose, log_format}
function complain.lines(e, options)
  if type(e) ~= "table" or e.code == nil then
    e = failure.of(e)
  end
  if options.log_format == "json" then
    return require("cli.log").line("error", complain.message(e), { error = e.code })
  end
  local lines = { "moonkeep: ", complain.message(e), "\n" }
  local hint = failure.hint(e)
  if hint then
    lines[#lines + 1] = "  hint: " .. text.safe(hint) .. "\n"
  end
  if options.verbose and type(e.traceback) == "string" then
    for line in e.traceback:gmatch("[^\n]+") do
      lines[#lines + 1] = "  " .. text.safe((line:gsub("^\t", "  "))) .. "\n"
    end
  end
  return table.concat(lines)
end

--- Tell an error and return the exit status that it means.
--- @param e any error value
--- @param options table {verbose, json, log_format}
--- @return integer
function complain.tell(e, options)
  e = failure.of(e)
  local status = complain.status(e.code)
  text.err(complain.lines(e, options))
  if options.json then
    local json = require "json"
    pcall(text.out, json.encode({ error = failure.plain(e), exit = status }, 2) .. "\n")
  end
  return status
end

return complain
