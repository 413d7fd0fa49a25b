local kube = require "kube"

return recipe {
  summary = "Ask the API server one question",
  description = "For scripts/bench-e2e: from the start of the program to the first answer.",
  tags = { "bench" },
  params = {},
  steps = { { "ask", "Ask" } },
  example = "moonkeep --dev build/bench/dev run bench.answer",

  run = function(ctx)
    return { uid = ctx:step("ask", function()
      return kube.open():get("namespace", "kube-system").metadata.uid
    end) }
  end,
}
