--- Secrets: opaque values that can be passed on, but not read, printed or journalled.

local failure = require "failure"
local fs = require "_fs"
local native = require "_secret"
local os_ = require "_os"
local proc = require "_proc"

local secret = {}

--- Bound on a secret's length, in bytes.
local MAX = 64 * 1024

--- All that were fetched, to the end of the program: what they are redacted
--- from may be printed after the run that used them.
local fetched = {}

--- Is the value a secret?
function secret.is(value)
  return native.is(value)
end

--- A string with every known secret in it starred out.
function secret.redact(text)
  return native.redact(text)
end

--- A copy of a plain value with every known secret starred out of its strings:
--- unlike redact, it leaves alone what is no text.
function secret.redact_value(value)
  if type(value) == "string" then
    return native.redact(value)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = {}
  for name, field in pairs(value) do
    copy[type(name) == "string" and native.redact(name) or name] = secret.redact_value(field)
  end
  return setmetatable(copy, getmetatable(value))
end

local function strip(text)
  return (text:gsub("[\r\n]+$", ""))
end

--- Fetch a secret from where its reference says:
--- "env:NAME", "file:PATH" or "command:PROGRAM ARG..." (its first line of output).
--- @param name string the parameter, for messages
function secret.fetch(reference, name)
  local kind, rest = reference:match("^(%a+):(.+)$")
  local value
  if kind == "env" then
    value = os_.getenv(rest)
    if value == nil then
      failure.raise("usage", ("--%s: the environment has no %s"):format(name, rest))
    end
  elseif kind == "file" then
    value = failure.during(("cannot read the secret for --%s"):format(name), fs.read, rest, MAX)
    if value == nil then
      failure.raise("usage", ("--%s: there is no file \"%s\""):format(name, rest))
    end
    value = strip(value)
  elseif kind == "command" then
    local words = require("words")
    local done = proc.run { argv = words.split(rest), output_max = MAX, stall_ms = 60000 }
    if done.status ~= 0 then
      failure.raise("process", ("--%s: the command for the secret ended with status %d")
        :format(name, done.status))
    end
    value = strip(done.stdout)
  else
    failure.raise("usage", ("--%s takes env:NAME, file:PATH or command:PROGRAM, never the secret itself")
      :format(name))
  end
  if value == "" then
    failure.raise("usage", ("--%s: the secret is empty"):format(name))
  end
  local made = native.new(value)
  fetched[#fetched + 1] = made
  return made
end

return secret
