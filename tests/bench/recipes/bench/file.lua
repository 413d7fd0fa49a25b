local stream = require "stream"

return recipe {
  summary = "Stream a directory into a file of this machine",
  description = "For scripts/bench-e2e: a verified stream and nothing else.",
  tags = { "bench" },
  params = {
    target = { "target", default = "local:", help = "where the directory is" },
    dir = { "path", required = true, help = "what to copy" },
    file = { "path", help = "where to; nowhere: the bytes are dropped" },
  },
  steps = { { "copy", "Stream the directory into the file" } },
  example = "moonkeep --dev build/bench/dev run bench.file --dir DIR --file FILE",

  run = function(ctx, p)
    return { bytes = ctx:step("copy", function()
      local progress = ctx:watch(stream.progress())
      local source = p.target:tar_out(p.dir, { progress = progress })
      if p.file == nil then
        return stream.drain(source, progress)
      end
      local sink <close> = stream.to_file(p.file)
      local bytes = stream.copy(source, sink, progress)
      stream.commit(sink)
      return bytes
    end) }
  end,
}
