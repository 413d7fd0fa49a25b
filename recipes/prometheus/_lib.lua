--- What the Prometheus recipes share: the server's API, its snapshots, and the
--- questions by which a restored server is judged.

local clock = require "clock"
local failure = require "failure"
local json = require "json"
local task = require "task"

local lib = {}

--- Bounds on what is read: a block's meta.json, one configuration file.
local META_MAX = 64 * 1024 * 1024

--- How far behind the snapshot's end the last question stays: scrapes that were
--- under way have been written by then.
local MARGIN_MS = 60 * 1000

--- How many metrics, instants and points of a range are asked about.
local METRICS, INSTANTS, POINTS = 3, 6, 60

local ULID = "^" .. ("[0-9A-HJKMNP-TV-Z]"):rep(26) .. "$"
local SNAPSHOT = "^%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ%-%x+$"

--- The parameters by which a recipe finds the server.
lib.params = {
  target = { "target", default = "local:", env = "MOONKEEP_TARGET", help = "where Prometheus runs" },
  store = { "store", default = "./backups", env = "MOONKEEP_STORE", help = "where backups are kept" },
  url = { "url", default = "http://127.0.0.1:9090", env = "PROMETHEUS_URL",
    help = "Prometheus as seen from the target, with its route prefix if it has one" },
  token = { "secret", help = "bearer token: env:NAME, file:PATH or command:PROGRAM" },
  ca_file = { "path", help = "the certificates (PEM) to trust over https, instead of the system's" },
  instance = { "string", default = "main", help = "which Prometheus this is, in the backup's name" },
}

--- The declared parameters of those names and more.
function lib.with(names, more)
  local specs = {}
  for _, name in ipairs(names) do
    specs[name] = lib.params[name]
  end
  for name, spec in pairs(more) do
    specs[name] = spec
  end
  return specs
end

local Server = {}
Server.__index = Server

--- The server that the parameters name.
function lib.server(p)
  return setmetatable({
    target = p.target, url = p.url,
    api = p.target:http(p.url, { token = p.token, ca_file = p.ca_file, stall_ms = 60000 }),
  }, Server)
end

local function get(self, path, query)
  local answer = self.api:get_json(path, { query = query })
  if type(answer) ~= "table" or answer.status ~= "success" or answer.data == nil then
    failure.raise("protocol", ("GET %s%s: this is no answer of Prometheus"):format(self.url, path))
  end
  return answer.data
end

--- Does anything answer at the URL?
function Server:answers()
  local ok, e = pcall(self.api.request, self.api, "GET", "/-/ready", { stall_ms = 5000 })
  if not ok and e.code == "cancelled" then
    error(e, 0)
  end
  return ok or e.code ~= "network"
end

--- The blocks in a directory, from their meta.json: list of {ulid, min_time,
--- max_time, samples}, by time.
function Server:blocks(dir)
  local blocks = {}
  for _, name in ipairs(self.target:list(dir)) do
    if name:match(ULID) then
      local path = ("%s/%s/meta.json"):format(dir, name)
      local text = self.target:read(path, META_MAX)
      if text == nil then
        failure.raise("corrupt", ("\"%s\" is missing"):format(path))
      end
      local meta = failure.during(("cannot read \"%s\""):format(path), json.decode, text)
      blocks[#blocks + 1] = { ulid = name, min_time = meta.minTime, max_time = meta.maxTime,
        samples = meta.stats and meta.stats.numSamples or 0 }
    end
  end
  table.sort(blocks, function(a, b)
    return a.min_time < b.min_time or (a.min_time == b.min_time and a.ulid < b.ulid)
  end)
  return blocks
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
  local build = get(self, "/api/v1/status/buildinfo")
  local flags = get(self, "/api/v1/status/flags")
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
  return {
    version = build.version, data_dir = data_dir, config = lib.config_files(self, flags),
    owner = { uid = there.uid, gid = there.gid, mode = there.mode },
    snapshots = snapshots_in(self, data_dir), retention = flags["storage.tsdb.retention.time"],
  }
end

--- The configuration files that the server has loaded: its own, the rules'.
function lib.config_files(self, flags)
  local seen, files = {}, json.array {}
  local function add(path)
    if type(path) == "string" and path:sub(1, 1) == "/" and not seen[path] then
      seen[path] = true
      files[#files + 1] = path
    end
  end
  add(flags["config.file"])
  add(flags["web.config.file"])
  for _, group in ipairs(get(self, "/api/v1/rules").groups or {}) do
    add(group.file)
  end
  table.sort(files)
  return files
end

--- Create a snapshot.
--- @return table {name, path}
function Server:snapshot(server, skip_head)
  local answer = self.api:post_json("/api/v1/admin/tsdb/snapshot", "create a TSDB snapshot",
    { query = { skip_head = skip_head and "true" or "false" } })
  local name = type(answer) == "table" and type(answer.data) == "table" and answer.data.name
  if type(name) ~= "string" or not name:match(SNAPSHOT) then
    failure.raise("protocol", ("Prometheus at %s made a snapshot, but did not say its name"):format(self.url))
  end
  local path = ("%s/snapshots/%s"):format(server.data_dir, name)
  if self.target:stat(path) == nil then
    failure.raise("not_found", ("Prometheus made the snapshot %s, but the target has no \"%s\"")
      :format(name, path), { hint = "is \"" .. server.data_dir .. "\" its data on this target?" })
  end
  return { name = name, path = path }
end

--- Remove this run's snapshot.  When the run was killed before it learnt the
--- name, the one that appeared since it looked is removed, if there is just one.
--- @param server table of inspect
--- @param snap table|nil of snapshot
function Server:remove_snapshot(ctx, server, snap)
  local dir = server.data_dir .. "/snapshots"
  if snap then
    self.target:remove_tree(("%s/%s"):format(dir, snap.name), "the backup is done with it")
    return
  end
  local before, appeared = {}, {}
  for _, name in ipairs(server.snapshots) do
    before[name] = true
  end
  for _, name in ipairs(snapshots_in(self, server.data_dir)) do
    if not before[name] and name:match(SNAPSHOT) then
      appeared[#appeared + 1] = name
    end
  end
  if #appeared == 1 then
    self.target:remove_tree(("%s/%s"):format(dir, appeared[1]), "this run made it before it was interrupted")
  elseif #appeared > 1 then
    ctx:say("left alone in %s, since any of them may be somebody else's: %s", dir,
      table.concat(appeared, ", "))
  end
end

local function ask_one(self, question)
  local path = question.step and "/api/v1/query_range" or "/api/v1/query"
  local data = get(self, path, { query = question.query, time = question.time, start = question.start,
    ["end"] = question["end"], step = question.step })
  local rows = {}
  for _, row in ipairs(data.result or {}) do
    rows[#rows + 1] = json.encode { metric = row.metric, value = row.value, values = row.values }
  end
  table.sort(rows)
  return require("digest").sha256(table.concat(rows, "\n")), rows
end

--- A time of the API: seconds with three places.
local function seconds(ms)
  return ("%d.%03d"):format(ms // 1000, ms % 1000)
end

local function pick(list, count)
  local picked = {}
  for index = 1, math.min(count, #list) do
    picked[index] = list[1 + (index - 1) * (#list - 1) // math.max(1, math.min(count, #list) - 1)]
  end
  return picked
end

--- Think of questions about the time of some blocks, and record the answers of
--- the running server: how many samples metrics have before given instants, and
--- their values over the whole range.  All times are absolute.
--- @param blocks table of Server:blocks
--- @param probes table more queries of the operator's own
--- @return table list of {query, time | start, end, step, answer, rows}
function Server:questions(blocks, probes)
  local questions = json.array {}
  if #blocks == 0 then
    return questions
  end
  local first, last = blocks[1].min_time, blocks[1].max_time
  for _, block in ipairs(blocks) do
    last = math.max(last, block.max_time)
  end
  last = math.max(first, last - MARGIN_MS)

  local names = get(self, "/api/v1/label/__name__/values", { start = seconds(first), ["end"] = seconds(last) })
  local function add(question)
    question.answer, question.rows = ask_one(self, question)
    question.rows = #question.rows
    questions[#questions + 1] = question
  end
  for _, block in ipairs(pick(blocks, INSTANTS)) do
    local at = math.min(block.max_time - 1, last)
    local window = math.max(1, math.min(at - block.min_time, 2 * 3600 * 1000) // 1000)
    for _, name in ipairs(pick(names, METRICS)) do
      add { query = ("sum(count_over_time({__name__=%q}[%ds]))"):format(name, window), time = seconds(at) }
    end
    for _, probe in ipairs(probes or {}) do
      add { query = probe, time = seconds(at) }
    end
  end
  local step = math.max(1000, (last - first) // POINTS)
  for _, name in ipairs(pick(names, METRICS)) do
    add { query = ("max({__name__=%q})"):format(name), start = seconds(first), ["end"] = seconds(last),
      step = seconds(step) }
  end
  return questions
end

--- Ask the recorded questions again.  Raises "unverified" for the first answer
--- that differs.
--- @return integer how many were asked
function Server:ask(questions)
  for _, question in ipairs(questions) do
    local answer, rows = ask_one(self, question)
    if answer ~= question.answer then
      local at = question.time or (question.start .. " to " .. question["end"])
      failure.raise("unverified", ("the restored server answers \"%s\" at %s with %d rows that are "
        .. "not the %d of when the backup was made"):format(question.query, at, #rows, question.rows),
        { hint = rows[1] and ("the first row is now " .. rows[1]:sub(1, 200)) or nil })
    end
  end
  return #questions
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

--- How many bytes a backup's database takes on disk.
function lib.needed_bytes(book)
  local sum = 0
  for _, artifact in ipairs(book.artifacts) do
    sum = sum + (artifact.name == "tsdb.tar.zst" and artifact.file_bytes or 0)
  end
  return sum
end

--- What of the checked blocks goes into the manifest.
--- @param blocks table of tsdb.check
function lib.describe(blocks)
  local sum = { blocks = json.array {}, samples = 0, series = 0, chunks = 0 }
  for index, block in ipairs(blocks) do
    sum.blocks[index] = block
    sum.samples = sum.samples + block.samples
    sum.chunks = sum.chunks + block.chunks
    sum.series = math.max(sum.series, block.series)
  end
  if #blocks > 0 then
    sum.from = clock.iso(blocks[1].min_time)
    sum.to = blocks[1].max_time
    for _, block in ipairs(blocks) do
      sum.to = math.max(sum.to, block.max_time)
    end
    sum.to = clock.iso(sum.to)
  end
  return sum
end

--- Do blocks that were read equal those of the manifest?  Raises "unverified"
--- naming the first difference.
--- @param where string for the message
function lib.compare(blocks, recorded, where)
  local by_ulid = {}
  for _, block in ipairs(blocks) do
    by_ulid[block.ulid] = block
  end
  for _, wanted in ipairs(recorded) do
    local block = by_ulid[wanted.ulid]
    if block == nil then
      failure.raise("unverified", ("%s lacks block %s"):format(where, wanted.ulid))
    end
    for _, field in ipairs { "meta_sha256", "tombstones_sha256", "samples", "series", "chunks",
      "tombstones", "bytes", "min_time", "max_time" } do
      if block[field] ~= wanted[field] then
        failure.raise("unverified", ("%s: block %s has %s %s instead of %s"):format(where, wanted.ulid,
          field, tostring(block[field]), tostring(wanted[field])))
      end
    end
  end
  if #blocks ~= #recorded then
    failure.raise("unverified", ("%s has %d blocks instead of %d"):format(where, #blocks, #recorded))
  end
end

return lib
