local check = require "backup.check"
local blocks = require "prometheus._blocks"
local server = require "prometheus._server"
local shelf = require "backup.shelf"

return recipe {
  summary = "Read a Prometheus backup back and check every block in it",
  description = [[
Reads every byte of the backup, compares it with the digests of the manifest,
walks the archives to their end, and checks what is inside: each block's
meta.json, index and tombstones, and the checksum of each chunk.  The outcome,
good or bad, is recorded beside the manifest; the system is not touched.]],
  mirrors = "snapshot-backup.sh",
  tags = { "verify", "prometheus", "safe" },
  params = server.with({ "store", "encrypt_key" }, {
    backup = { "backup", default = "prometheus/main/latest", help = "SYSTEM/INSTANCE/TIME, latest or latest-verified" },
    level = { "string", default = "content", choices = { "present", "digest", "content" },
      help = "present: sizes; digest: every byte; content: every block, too" },
  }),
  steps = {
    { "choose", "Find the backup" },
    { "verify", "Read it back", plan = function(ctx)
      ctx:will("write", "a verification record", "what was found is kept beside the backup")
      return {}
    end },
  },
  example = "moonkeep run prometheus.verify --store ./backups --backup prometheus/main/latest",

  run = function(ctx, p)
    local entry = ctx:step("choose", function()
      return shelf.find(p.store, p.backup)
    end)

    local checked = ctx:step("verify", function()
      return check.verify(ctx, p.store, entry, p.level, function(book)
        local watchers, finish = blocks.watch(book)
        return watchers, function()
          local read = finish()
          blocks.compare(read, book.content.blocks, "the backup")
          local sum = blocks.describe(read)
          return { blocks = #read, samples = sum.samples, chunks = sum.chunks }
        end
      end, p.encrypt_key)
    end)

    checked.backup, checked.level = entry.name, p.level
    return checked
  end,
}
