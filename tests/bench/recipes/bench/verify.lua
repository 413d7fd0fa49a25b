local check = require "backup.check"
local shelf = require "backup.shelf"
local stream = require "stream"
local tsdb = require "tsdb"

return recipe {
  summary = "Read a backup back and check the TSDB blocks in it, as prometheus.verify does",
  description = "For scripts/bench: every byte compared with its digest, every block and chunk checked.",
  tags = { "bench" },
  params = {
    store = { "store", required = true, help = "where the backup is" },
    artifact = { "string", default = "data.tar.zst", help = "where the blocks are" },
  },
  steps = {
    { "verify", "Read it back" },
  },
  example = "moonkeep --dev build/bench/dev run bench.verify --store STORE",

  run = function(ctx, p)
    local entry = shelf.find(p.store, "bench/main/latest")
    return ctx:step("verify", function()
      local blocks = tsdb.check()
      local sum = check.backup(p.store, entry.prefix, shelf.manifest(p.store, entry), "content",
        { watchers = { [p.artifact] = blocks }, progress = ctx:watch(stream.progress(entry.bytes)) })
      sum.blocks = #blocks:finish()
      return sum
    end)
  end,
}
