--- Journals in a store, for runs whose machine will be gone: runs/RUN/00000001.json,
--- one object an event, written once; a lock of the store says that the run lives.
---
--- An event is an object that exists or does not, so no line is ever torn.  That
--- the newest objects were removed is not seen here: versioning or object lock of
--- the store is the answer to that.

local effect = require "effect"
local failure = require "failure"
local lock = require "store.lock"
local os_ = require "_os"
local task = require "task"

local journal_store = {}

--- Bound on one event, and how long writing one may take although the run was cancelled.
local EVENT_MAX = 9 * 1024 * 1024
local WRITE_MS = 60000

local RENEW_MS = 20000

local Medium = {}
Medium.__index = Medium

local function prefix(run)
  return ("runs/%s/"):format(run)
end

--- The journal's own writes are no change that a step has to make, and are not cut by a cancel.
local function aside(fn, ...)
  return effect.with(nil, task.shielded, WRITE_MS, fn, ...)
end

local function new(store, run)
  -- The lock belongs to this process: another that resumes the same run is another holder.
  local self = setmetatable({ store = store, run = run,
    lock = lock.new(store, "runs/" .. run, run .. "-" .. os_.random_id(8)) }, Medium)
  aside(self.lock.acquire, self.lock)
  self.renewer = task.spawn(function()
    effect.with(nil, function()
      while true do
        task.sleep(RENEW_MS)
        pcall(self.lock.renew, self.lock)
      end
    end)
  end)
  return self
end

local function texts(store, run)
  local lines = {}
  for _, entry in ipairs(store:list(prefix(run))) do
    local seq = entry.key:match("/(%d%d%d%d%d%d%d%d)%.json$")
    if seq then
      lines[#lines + 1] = store:get(entry.key, EVENT_MAX)
    end
  end
  return table.concat(lines)
end

local function exists(store, run)
  local ok, found = pcall(store.list, store, prefix(run))
  if not ok and not failure.is(found, "not_found") then
    error(found, 0)
  end
  return ok and #found > 0
end

--- A new journal; it is locked.
function journal_store.create(store, run)
  return new(store, run)
end

--- A journal to go on with; see journal_file.open.
function journal_store.open(store, run)
  if not exists(store, run) then
    return nil
  end
  local self = new(store, run)
  return self, texts(store, run), nil
end

--- A journal's text, and whether its run is alive; nil when there is none.
function journal_store.peek(store, run)
  if not exists(store, run) then
    return nil
  end
  return texts(store, run), nil, lock.new(store, "runs/" .. run, "nobody"):is_held()
end

--- The ids of all runs.
function journal_store.ids(store)
  local ok, entries = pcall(store.list, store, "runs/", true)
  if not ok then
    if failure.is(entries, "not_found") then
      return {}
    end
    error(entries, 0)
  end
  local ids = {}
  for _, entry in ipairs(entries) do
    ids[#ids + 1] = entry.key:match("^runs/(%w[%w-]*)/$")
  end
  return ids
end

function journal_store.describe(store, run)
  return store.url .. "/" .. prefix(run)
end

function Medium:settle()
  aside(self.store.sweep, self.store, prefix(self.run))
end

--- Write an event as an object of its own; raises "exists" when somebody else
--- goes on with the same run.
function Medium:append(seq, line)
  local key = ("%s%08d.json"):format(prefix(self.run), seq)
  aside(function()
    local excludes = self.store:excludes() ~= false
    if not excludes and self.store:stat(key) then
      failure.raise("exists", ("cannot write \"%s\": it exists"):format(key))
    end
    local ok, e = pcall(self.store.put, self.store, key, line .. "\n", { exclusive = excludes })
    -- When the answer to a request is lost it is sent again, and then it is there.
    if not ok and not (failure.is(e, "exists") and self.store:get(key, EVENT_MAX) == line .. "\n") then
      error(e, 0)
    end
  end)
end

--- What would be remembered apart would lie in the same store.
function Medium.remember() end

--- Nothing was written yet.
function Medium.discard() end

function Medium:close()
  self.renewer:cancel()
  self.renewer:wait()
  aside(self.lock.release, self.lock)
end

return journal_store
