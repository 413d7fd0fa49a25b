local backup = require "backup"
local key = require "backup.key"
local stream = require "stream"
local tsdb = require "tsdb"

return recipe {
  summary = "Stream a directory into a store, as the backups do",
  description = "For scripts/bench: the pipeline of every backup with its journal, lock, catalog and digests.",
  tags = { "bench" },
  params = {
    target = { "target", default = "local:", help = "where the directory is" },
    store = { "store", required = true, help = "where the backup goes" },
    dir = { "path", required = true, help = "what to store" },
    artifact = { "string", default = "data.tar.zst", help = "its ending is the compression" },
    check = { "boolean", default = false, help = "check the TSDB blocks as they pass" },
    encrypt_key = key.param,
  },
  steps = {
    { "lock", "Take the lock of the instance" },
    { "copy", "Stream the directory into the store" },
    { "publish", "Publish the backup" },
  },
  example = "moonkeep --dev build/bench/dev run bench.copy --dir DIR --store STORE",

  run = function(ctx, p)
    local set = backup.new(ctx, p.store, "bench", "main", p.encrypt_key)
    ctx:cleanup("release the lock on " .. set.lock.name, function()
      set:release()
    end)
    set:begin(ctx:step("lock", function()
      return set:acquire()
    end))
    local copied = ctx:step("copy", function()
      local progress = ctx:watch(stream.progress())
      local check = p.check and tsdb.check() or nil
      local artifacts = set:put_tar(p.artifact, p.target:tar_out(p.dir, { progress = progress }),
        { watcher = check, progress = progress })
      return { artifacts = artifacts, blocks = check and #check:finish() }
    end)
    ctx:step("publish", function()
      return set:publish(set:manifest { recipe = "bench.copy", artifacts = { copied.artifacts },
        target = p.target.url }, {})
    end)
    return { backup = set.name, blocks = copied.blocks }
  end,
}
