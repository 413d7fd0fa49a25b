--- The program: reads the command line, does what it says, tells what failed.
--- Returns function(argv) -> exit status.  Modules are required when needed, so
--- that a small command starts fast.

local native = require "_task"

--- What of the command line decides how an error is told, also when the rest
--- of it cannot be understood.
local function look_ahead(argv)
  local options = {}
  for index, word in ipairs(argv) do
    if word == "--" then
      break
    elseif word == "--json" then
      options.json = true
    elseif word == "-v" or word == "--verbose" then
      options.verbose = true
    elseif word == "--log-format=json" or (word == "--log-format" and argv[index + 1] == "json") then
      options.log_format = "json"
    end
  end
  return options
end

local function dispatch(argv)
  local call = require("cli.options").parse(argv)
  if call.options.verbose then
    require("_os").debug(call.options.log_format == "json")
  end
  if call.options.help or call.command == nil then
    return require("cli.help").of_call(call)
  end
  return require(call.command.module)[call.command.name:match("([^%s_]+)$")](call)
end

return function(argv)
  -- A task of its own keeps the traceback of an error.
  local ok, status = native.spawn(dispatch, argv):wait()
  if ok then
    return status
  end
  return require("cli.complain").tell(status, look_ahead(argv))
end
