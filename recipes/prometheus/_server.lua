--- A running Prometheus: its API, its snapshots, and the parameters that name it.

local failure = require "failure"
local json = require "json"
local key = require "backup.key"
local task = require "task"

local server = {}

local SNAPSHOT = "^%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ%-%x+$"

--- How long it is tried to remove a snapshot: a pod that was replaced may take as long to come.
local REMOVE_MS = 180000

--- The parameters by which a recipe finds the server.
server.params = {
  target = { "target", default = "local:", env = "MOONKEEP_TARGET",
    help = "where Prometheus runs: local:, pod://NAMESPACE/NAME" },
  store = { "store", default = "./backups", env = "MOONKEEP_STORE", help = "where backups are kept" },
  url = { "url", default = "http://127.0.0.1:9090", env = "PROMETHEUS_URL",
    help = "Prometheus as seen from the target, with its route prefix if it has one" },
  token = { "secret", help = "bearer token: env:NAME, file:PATH or command:PROGRAM" },
  ca_file = { "path", help = "the certificates (PEM) to trust over https, instead of the system's" },
  stall = { "duration", default = "5m", help = "how long the server may be silent before the run gives up" },
  instance = { "string", default = "main", help = "which Prometheus this is, in the backup's name" },
  encrypt_key = key.param,
}

--- The declared parameters of those names and more.
function server.with(names, more)
  local specs = {}
  for _, name in ipairs(names) do
    specs[name] = server.params[name]
  end
  for name, spec in pairs(more) do
    specs[name] = spec
  end
  return specs
end

local Server = {}
Server.__index = Server

--- The server that the parameters name.
function server.new(p)
  return setmetatable({
    target = p.target, url = p.url,
    api = p.target:http(p.url, { token = p.token, ca_file = p.ca_file, stall_ms = p.stall }),
  }, Server)
end

local ANOTHER = "is this Prometheus, and its route prefix in --url?"

--- What to do about an error of the API.
local function hint_of(e)
  if e.http == 401 or e.http == 403 then
    return "it wants to know who asks: --token"
  elseif e.message:find("no space left on device", 1, true) then
    return "make room where Prometheus keeps its data: a snapshot also writes its newest samples"
  elseif e.code == "http" and e.http < 500 or e.code == "invalid" then
    return ANOTHER
  end
  return nil
end

--- Call a method of the client; an error says what to do.
local function call(self, method, ...)
  local ok, answer = pcall(self.api[method], self.api, ...)
  if not ok then
    local e = failure.of(answer)
    e.hint = e.hint or hint_of(e)
    error(e, 0)
  end
  return answer
end

--- The data of a 2xx answer of the API, a table.
--- @param query? table
function Server:get(path, query)
  local answer = call(self, "get_json", path, { query = query })
  if type(answer) ~= "table" or answer.status ~= "success" or type(answer.data) ~= "table" then
    failure.raise("protocol", ("GET %s%s: this is no answer of Prometheus"):format(self.url, path),
      { hint = ANOTHER })
  end
  return answer.data
end

--- What says nothing about a server: the way to its target is closed.
local NO_WAY = { cancelled = true, not_found = true, permission = true, refused = true, usage = true, invalid = true }

--- Does anything answer at the URL?  Raises where there is no way to ask.
function Server:answers()
  local ok, e = pcall(self.api.request, self.api, "GET", "/-/ready", { stall_ms = 5000 })
  if not ok and NO_WAY[e.code] then
    error(e, 0)
  end
  return ok or e.code ~= "network"
end

--- The configuration files that the server has loaded: its own, the rules'.
local function config_files(self, flags)
  local seen, files = {}, json.array {}
  local function add(path)
    if type(path) == "string" and path:sub(1, 1) == "/" and not seen[path] then
      seen[path] = true
      files[#files + 1] = path
    end
  end
  add(flags["config.file"])
  add(flags["web.config.file"])
  local groups = self:get("/api/v1/rules").groups
  for _, group in ipairs(type(groups) == "table" and groups or {}) do
    add(type(group) == "table" and group.file)
  end
  table.sort(files)
  return files
end

local function snapshots_in(self, data_dir)
  local dir = data_dir .. "/snapshots"
  if self.target:stat(dir, true) == nil then
    return json.array {}
  end
  return json.array(self.target:list(dir))
end

--- Look at the server before anything is changed, and refuse what cannot work.
--- @param data_dir? string where the target sees the data, if not where the server says
--- @return table {version, data_dir, owner, config, snapshots}
function Server:inspect(data_dir)
  local build = self:get("/api/v1/status/buildinfo")
  local flags = self:get("/api/v1/status/flags")
  if type(build.version) ~= "string" then
    failure.raise("protocol", ("what answers at %s does not say its version"):format(self.url),
      { hint = ANOTHER })
  end
  if flags["web.enable-admin-api"] ~= "true" then
    failure.raise("unsupported", ("Prometheus at %s has no admin API, which makes snapshots"):format(self.url),
      { hint = "start it with --web.enable-admin-api" })
  end
  data_dir = data_dir or flags["storage.tsdb.path"]
  if type(data_dir) ~= "string" or data_dir:sub(1, 1) ~= "/" then
    failure.raise("usage", ("Prometheus keeps its data in \"%s\", relative to where it was started")
      :format(tostring(data_dir)), { hint = "say where that is: --data-dir /ABSOLUTE/PATH" })
  end
  data_dir = data_dir:gsub("(.)/+$", "%1")
  local there = self.target:stat(data_dir, true)
  if there == nil or there.type ~= "dir" then
    failure.raise("not_found", ("the target has no directory \"%s\", where Prometheus at %s keeps its data")
      :format(data_dir, self.url), { hint = "is this the right --target? else say where: --data-dir" })
  end
  -- A snapshot is made where the server's data is: what is looked at elsewhere would stay.
  if self.target:stat(data_dir .. "/wal", true) == nil then
    failure.raise("not_found", ("\"%s\" on the target is no data directory of Prometheus: it has no \"wal\"")
      :format(data_dir), { hint = "is this the right --target? else say where: --data-dir" })
  end
  return {
    version = build.version, data_dir = data_dir, config = config_files(self, flags),
    owner = { uid = there.uid, gid = there.gid, mode = ("%04o"):format(there.mode) },
    snapshots = snapshots_in(self, data_dir), retention = flags["storage.tsdb.retention.time"],
  }
end

--- Create a snapshot.
--- @return table {name, path}
function Server:snapshot(found, skip_head)
  local answer = call(self, "post_json", "/api/v1/admin/tsdb/snapshot", "create a TSDB snapshot",
    { query = { skip_head = skip_head and "true" or "false" } })
  local name = type(answer) == "table" and type(answer.data) == "table" and answer.data.name
  if type(name) ~= "string" or not name:match(SNAPSHOT) then
    failure.raise("protocol", ("Prometheus at %s made a snapshot, but did not say its name"):format(self.url))
  end
  local path = ("%s/snapshots/%s"):format(found.data_dir, name)
  if self.target:stat(path) == nil then
    failure.raise("not_found", ("Prometheus made the snapshot %s, but the target has no \"%s\"")
      :format(name, path), { hint = ("is \"%s\" its data on this target? the snapshot is left where the server made it")
        :format(found.data_dir) })
  end
  return { name = name, path = path }
end

--- The snapshot that appeared since the run looked, if there is just one: its name, or nil.
local function appeared_since(self, ctx, found)
  local before, appeared = {}, {}
  for _, name in ipairs(found.snapshots) do
    before[name] = true
  end
  for _, name in ipairs(snapshots_in(self, found.data_dir)) do
    if not before[name] and name:match(SNAPSHOT) then
      appeared[#appeared + 1] = name
    end
  end
  if #appeared > 1 then
    ctx:say("left alone in %s/snapshots, since any of them may be somebody else's: %s", found.data_dir,
      table.concat(appeared, ", "))
  end
  return #appeared == 1 and appeared[1] or nil
end

--- Raise that a snapshot is left, and how it goes.
local function snapshot_left(self, path, dir, e)
  local late = e.code == "cancelled"
  failure.raise(late and "timeout" or e.code, ("%s: %s"):format(
    path and ("the snapshot \"%s\" is left"):format(self.target:describe(path))
      or ("it is not known whether a snapshot is left in \"%s\""):format(self.target:describe(dir)),
    late and "there was no time to wait any longer" or e.message),
    { hint = ("it keeps old data from being freed; %s: %s"):format(path and "remove it" or "look",
      self.target:command(path and { "rm", "-rf", "--", path } or { "ls", "-l", "--", dir })) })
end

--- Remove this run's snapshot.  When the run was killed before it learnt the
--- name, the one that appeared since it looked is removed, if there is just one.
--- Where the way to it is closed, as while its pod is replaced, that is tried for a time.
--- @param found table of inspect
--- @param snap table|nil of snapshot
function Server:remove_snapshot(ctx, found, snap)
  local dir, path = found.data_dir .. "/snapshots", nil
  local ok, e = pcall(task.again_within, REMOVE_MS, function()
    local name = snap and snap.name or appeared_since(self, ctx, found)
    path = name and ("%s/%s"):format(dir, name)
    if path then
      self.target:remove_tree(path, snap and "the backup is done with it"
        or "this run made it before it was interrupted")
    end
  end, function(why)
    ctx:say("the snapshot is not removed yet: %s", why.message)
  end)
  if not ok then
    snapshot_left(self, path, dir, failure.of(e))
  end
end

--- Wait until the server says that it is ready; it may replay its log for long.
--- @param limit_ms integer
--- @param alive? function() -> boolean; an end of the server ends the wait
function Server:wait_ready(limit_ms, alive)
  return task.wait_until(("Prometheus at %s to be ready"):format(self.url), limit_ms, function()
    if alive and not alive() then
      failure.raise("process", ("Prometheus at %s ended while it started"):format(self.url),
        { hint = "its own log says why" })
    end
    local ok, answer = pcall(self.api.request, self.api, "GET", "/-/ready", { stall_ms = 10000 })
    if not ok then
      if answer.code == "cancelled" then
        error(answer, 0)
      end
      return false, answer.message
    end
    return answer.status == 200, ("it answers %d"):format(answer.status)
  end)
end

return server
