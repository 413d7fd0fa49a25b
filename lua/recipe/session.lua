--- What a run gives to its targets: its id, a memory that a resumed run finds
--- again, and a voice.  At the end of the run the targets remove what they made.

local failure = require "failure"
local json = require "json"

local session = {}

local Session = {}
Session.__index = Session

--- Say something: "say" and "detail" (with -v) tell the operator, "caution" warns.
--- @param hint? string with a warning: what to do
function Session:tell(kind, text, hint)
  if kind == "caution" then
    self._run.ui:event { kind = "caution", error = failure.new("unsupported", text, { hint = hint }) }
  else
    self._run.ui:event { kind = kind, text = text }
  end
end

--- Keep the target's memory in the journal.
--- @param memory table plain values
function Session:remember(memory)
  local journal = self._run.journal
  local text = json.encode(memory)
  if journal and text ~= self._kept then
    self._kept = text
    -- A journal that is full must not keep from undoing.
    local ok, e = pcall(journal.add, journal, { event = "target", name = self._name, memory = json.decode(text) })
    if not ok and not self._run.ending then
      error(e, 0)
    end
  end
end

--- The targets among a run's parameters: list of {name, target}, by name.
local function targets(run)
  local found = {}
  for name, value in pairs(run.opened) do
    if type(value) == "table" and type(value.attach) == "function" then
      found[#found + 1] = { name = name, target = value }
    end
  end
  table.sort(found, function(a, b)
    return a.name < b.name
  end)
  return found
end

--- Let the targets of a run know it.
--- @param run table {id, opened, journal|nil, ui}
function session.attach(run)
  local memories = {}
  for _, event in ipairs(run.journal and run.journal.events or {}) do
    if event.event == "target" then
      memories[event.name] = event.memory
    end
  end
  for _, one in ipairs(targets(run)) do
    one.target:attach(setmetatable({ run = run.id, memory = memories[one.name], _run = run, _name = one.name,
      _kept = memories[one.name] and json.encode(memories[one.name]) }, Session))
  end
end

--- Raise "refused" when a target is not what it was when the run began: the same
--- context may lead to another cluster.
function session.demand(run)
  session.attach(run)
  for _, one in ipairs(targets(run)) do
    one.target:demand()
  end
end

--- Let the targets remove what they made.
--- @return error|nil the first that could not
function session.release(run)
  local first
  for _, one in ipairs(targets(run)) do
    local ok, e = pcall(one.target.release, one.target)
    if not ok then
      first = first or failure.of(e)
    end
  end
  return first
end

--- Where the targets are, for confirmations, or nil when there is only this machine.
function session.surroundings(run)
  for _, one in ipairs(targets(run)) do
    if one.target.surroundings then
      return one.target:surroundings()
    end
  end
  return nil
end

return session
