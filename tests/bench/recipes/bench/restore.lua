local check = require "backup.check"
local shelf = require "backup.shelf"
local stream = require "stream"

return recipe {
  summary = "Extract a backup's tar into a new directory, as the restores do",
  description = "For scripts/bench: every byte compared with its digest, extracted and synced to disk.",
  tags = { "bench" },
  params = {
    target = { "target", default = "local:", help = "where the directory will be" },
    store = { "store", required = true, help = "where the backup is" },
    dir = { "path", required = true, help = "where to extract it" },
    artifact = { "string", default = "data.tar.zst", help = "what to extract" },
  },
  steps = {
    { "extract", "Extract the backup" },
  },
  example = "moonkeep --dev build/bench/dev run bench.restore --dir DIR --store STORE",

  run = function(ctx, p)
    local entry = shelf.find(p.store, "bench/main/latest")
    ctx:step("extract", function()
      local artifact = shelf.artifact(shelf.manifest(p.store, entry), p.artifact)
      local progress = ctx:watch(stream.progress(artifact.bytes))
      p.target:make_dirs(p.dir)
      p.target:tar_in(p.dir, check.source(p.store, entry.prefix, artifact, { progress = progress }), {})
      return {}
    end)
    return { backup = entry.name }
  end,
}
