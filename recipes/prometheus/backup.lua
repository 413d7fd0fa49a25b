local backup = require "backup"
local failure = require "failure"
local blocks = require "prometheus._blocks"
local questions = require "prometheus._questions"
local server = require "prometheus._server"
local stream = require "stream"
local task = require "task"
local tsdb = require "tsdb"

--- How often the copy of a part is tried when the connection breaks.
local TRIES = 3

--- A step that changes nothing, in a plan.
local function nothing()
  return {}
end

return recipe {
  summary = "Back up a Prometheus server: TSDB snapshot, configuration, rules",
  description = [[
Asks Prometheus for a consistent snapshot of its database, streams it into the
store while every block is checked, saves the configuration and rule files,
reads everything back, and only then publishes the backup.  The snapshot is
removed from the server whether or not that succeeds; the server runs on.]],
  mirrors = "full-backup.sh",
  rpo = "1h",
  rto = "1h",
  tags = { "backup", "prometheus", "safe" },
  params = server.with({ "target", "store", "url", "token", "ca_file", "stall", "instance", "encrypt_key" }, {
    data_dir = { "path", help = "the data directory on the target, if not where Prometheus says" },
    skip_head = { "boolean", default = false, help = "leave out what is not yet in a block (about 2 h)" },
    level = { "integer", default = 1, range = { 1, 19 }, help = "zstd level" },
    streams = { "integer", default = 1, range = { 1, 16 },
      help = "parts of the database that are copied at once, each an artifact of its own" },
    probe = { "string", list = true, help = "a query whose answer a restored server must repeat" },
  }),
  steps = {
    { "inspect", "Look at the server" },
    { "lock", "Lock the instance's backups" },
    { "snapshot", "Create a TSDB snapshot", plan = function(ctx, p, done)
      ctx:will("POST", p.url .. "/api/v1/admin/tsdb/snapshot", "create a TSDB snapshot")
      return { name = "(new)", path = done.inspect.data_dir .. "/snapshots/(new)" }
    end, check = function(ctx, p, done)
      -- Interrupted, it may have been made, or half of it: a new one is cheap.
      server.new(p):remove_snapshot(ctx, done.inspect, nil)
    end },
    { "blocks", "List the blocks of the snapshot", plan = nothing },
    { "questions", "Record what the server answers now", plan = nothing },
    { "copy", "Stream the snapshot into the store", plan = function(ctx, _, _, name)
      ctx:will("write", name .. " and its catalog", "the snapshot")
      return { artifacts = {}, blocks = {} }
    end },
    { "config", "Save configuration and rules", plan = function(ctx, _, done)
      ctx:will("write", "config.tar.gz and its catalog", table.concat(done.inspect.config, " "))
      return {}
    end },
    { "verify", "Read the backup back", plan = nothing },
    { "publish", "Publish the backup", plan = function(ctx, p)
      ctx:will("write", (p.store.can.whole_digest and "SHA256SUMS, " or "")
        .. "manifest.json and a verification record", "it is a backup then")
      return {}
    end },
  },
  example = "moonkeep run prometheus.backup --store ./backups",

  run = function(ctx, p)
    local prom = server.new(p)
    local set = backup.new(ctx, p.store, "prometheus", p.instance, p.encrypt_key)

    local found = ctx:step("inspect", function()
      return prom:inspect(p.data_dir)
    end)

    ctx:cleanup("release the lock on " .. set.lock.name, function()
      return set:release()
    end)
    set:begin(ctx:step("lock", function()
      return set:acquire()
    end))
    ctx:compensate("remove the incomplete backup from the store", {}, function()
      return set:discard()
    end)

    local snap
    ctx:cleanup("remove the snapshot from the server", function()
      prom:remove_snapshot(ctx, found, snap)
    end)
    snap = ctx:step("snapshot", function()
      return prom:snapshot(found, p.skip_head)
    end)

    local there = ctx:step("blocks", function()
      local list = blocks.on_target(p.target, snap.path)
      if #list == 0 then
        failure.raise("not_found", ("the snapshot of Prometheus at %s holds no data"):format(p.url),
          { hint = p.skip_head and "it has no complete block yet: leave out --skip-head"
            or "it has not scraped anything yet; is it the right one?" })
      end
      return list
    end)

    local asked = ctx:step("questions", function()
      local list = questions.record(prom, there, p.probe)
      if questions.telling(list) == 0 then
        ctx:say("no question has an answer yet: a restore of this backup is judged by its blocks alone")
      end
      return list
    end)

    local parts, names = blocks.divide(there, p.streams), {}
    for index, part in ipairs(parts) do
      names[index] = part.name
    end
    local tally = stream.tally(#names)
    local copied = ctx:steps("copy", names, p.streams, function(name, index)
      ctx:watch(tally)
      return task.again(TRIES, function()
        local check, ulids, progress = tsdb.check(), parts[index].ulids, tally:part(name)
        local artifacts = set:put_tar(name, p.target:tar_out(snap.path, { names = ulids, progress = progress }),
          { level = p.level, watcher = check, progress = progress, roots = ulids })
        return { artifacts = artifacts, blocks = check:finish() }
      end, function(e)
        ctx:say("%s once more: %s", name, e.message)
      end)
    end)

    local config = ctx:step("config", function()
      local files = {}
      for _, path in ipairs(found.config) do
        local ok, seen = pcall(p.target.stat, p.target, path, true)
        if not ok and not failure.is(seen, "unsupported") then
          error(seen, 0)
        elseif not ok then
          ctx:warn(seen) -- in the image of a pod without a shell
        elseif seen then
          files[#files + 1] = path:sub(2)
        else
          ctx:warn(("the target has no \"%s\", which Prometheus has loaded"):format(path))
        end
      end
      return set:put_tar("config.tar.gz", p.target:tar_out("/", { names = files, follow_names = true }))
    end)

    local artifacts, lists = { config }, {}
    for index, part in ipairs(copied) do
      artifacts[index + 1], lists[index] = part.artifacts, part.blocks
    end
    local content = blocks.describe(blocks.join(lists))
    content.version, content.data_dir, content.owner = found.version, found.data_dir, found.owner
    content.config, content.questions, content.retention = found.config, asked, found.retention
    local book = set:manifest { recipe = "prometheus.backup", artifacts = artifacts,
      content = content, target = p.target.url, partial = ctx:warned() or nil }

    local checked = ctx:step("verify", function()
      local watchers, finish = blocks.watch(book)
      local sum = set:read_back(book, watchers, ctx:watch(stream.progress()))
      blocks.compare(finish(), content.blocks, "the backup")
      return sum
    end)

    ctx:step("publish", function()
      return set:publish(book, checked)
    end)

    return {
      backup = set.name, store = p.store.url, prometheus = found.version, blocks = #content.blocks,
      samples = content.samples, from = content.from, to = content.to, bytes = checked.bytes,
      config_files = #found.config, questions = questions.telling(asked),
    }
  end,
}
