--- moonkeep version

local os_ = require "_os"

local version = {}

--- Print the version.
function version.version(call)
  if call.options.json then
    os_.write(1, require("json").encode({ version = os_.version }, 2) .. "\n")
  else
    os_.write(1, "moonkeep " .. os_.version .. "\n")
  end
  return 0
end

return version
