return recipe {
  summary = "Run a command on a target that does nothing",
  description = "For scripts/bench-e2e: a round trip.",
  tags = { "bench" },
  params = { target = { "target", required = true, help = "where" } },
  steps = { { "run", "Run it" } },
  example = "moonkeep --dev build/bench/dev run bench.exec --target pod://NS/NAME",

  run = function(ctx, p)
    return { status = ctx:step("run", function()
      return p.target:exec({ argv = { "true" }, why = "measure it" }).status
    end) }
  end,
}
