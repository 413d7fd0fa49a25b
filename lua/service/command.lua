--- Services that commands stop and start; lua/service.lua says how they are written.

local effect = require "effect"
local failure = require "failure"
local task = require "task"
local words = require "words"

local command = {}

--- How long stopping and starting may take without a word from the command.
local COMMAND_STALL_MS = 300000

--- How long it may take after its commands until it has stopped, or runs.
local STOP_MS, RUN_MS = 60000, 15000

local Service = {}
Service.__index = Service

local function systemd(unit)
  if not unit:match("^[%w:_.@\\-]+$") then
    failure.raise("usage", ("\"%s\" is no unit of systemd"):format(unit))
  end
  return {
    name = unit,
    stop = { "systemctl", "stop", "--", unit },
    start = { "systemctl", "start", "--", unit },
    running = { "systemctl", "is-active", "--quiet", "--", unit },
  }
end

--- Read a service parameter: a list of texts.
--- @param hint string for what is not understood
function command.open(list, hint)
  local unit = #list == 1 and list[1]:match("^systemd:(.+)$")
  if unit then
    return setmetatable(systemd(unit), Service)
  end
  local commands = {}
  for _, text in ipairs(list) do
    local verb, line = text:match("^(%a+)=(.+)$")
    if (verb ~= "stop" and verb ~= "start" and verb ~= "running") or commands[verb] then
      failure.raise("usage", ("--service \"%s\" is not understood"):format(text), { hint = hint })
    end
    commands[verb] = words.split(line)
  end
  if commands.stop == nil or commands.start == nil then
    failure.raise("usage", "--service needs both stop=COMMAND and start=COMMAND", { hint = hint })
  end
  commands.name = "the service"
  return setmetatable(commands, Service)
end

--- The plain form, for an undo record.
function Service:plain()
  return { name = self.name, stop = self.stop, start = self.start, running = self.running }
end

--- A service from its plain form.
function command.from_plain(plain)
  return setmetatable({ name = plain.name, stop = plain.stop, start = plain.start,
    running = plain.running }, Service)
end

local function run(target, argv, verb, name)
  local done = target:exec { argv = argv, stall_ms = COMMAND_STALL_MS, output_max = 1024 * 1024,
    reads = true }
  if done.status ~= 0 then
    local said = (done.stderr ~= "" and done.stderr or done.stdout):gsub("%s+$", "")
    failure.raise("process", ("cannot %s %s: \"%s\" ended with status %d%s"):format(verb, name,
      table.concat(argv, " "), done.status, said ~= "" and ": " .. said:sub(-400) or ""))
  end
end

--- Does it run?  Where no command tells, ask the given function, else assume that it does.
--- @param target table
--- @param probe? function() -> boolean
function Service:is_running(target, probe)
  if self.running == nil then
    return probe == nil or probe()
  end
  local done = target:exec { argv = self.running, stall_ms = COMMAND_STALL_MS,
    output_max = 1024 * 1024, reads = true }
  return done.status == 0
end

--- The data stays where it is.
function Service.rehearse() end

--- Stop it, if it runs, and wait until it does not.
--- @param probe? function() -> boolean whether it still answers
function Service:halt(target, why, probe)
  if not effect.change("stop", self.name, why) or not self:is_running(target, probe) then
    return
  end
  run(target, self.stop, "stop", self.name)
  if self.running or probe then
    task.wait_until(self.name .. " to stop", STOP_MS, function()
      return not self:is_running(target, probe)
    end)
  end
end

--- Stop it for an undoing: also when it does not seem to run, because the command
--- that starts it may have outlived the process that called it, and still be at
--- work.  What is stopped already may refuse to be stopped.
--- @param probe? function() -> boolean whether it still answers
function Service:halt_surely(target, why, probe)
  if not effect.change("stop", self.name, why) then
    return
  end
  local ok, e = pcall(run, target, self.stop, "stop", self.name)
  if not ok and (failure.is(e, "cancelled") or self:is_running(target, probe)) then
    error(e, 0)
  end
  self:halt(target, why, probe)
end

--- Start it, unless it runs, and wait until its own command says so; whether it
--- is ready is for the caller to ask.
--- @param probe? function() -> boolean whether it answers
function Service:launch(target, why, probe)
  if not effect.change("start", self.name, why)
    or ((self.running or probe) and self:is_running(target, probe)) then
    return
  end
  run(target, self.start, "start", self.name)
  if self.running then
    task.wait_until(self.name .. " to run", RUN_MS, function()
      return self:is_running(target)
    end)
  end
end

return command
