local options = require "cli.options"

local test = {}

local function parse(...)
  return options.parse { ... }
end

test["words are the command and its arguments, wherever the options are"] = function(t)
  local call = parse("--state", "dir", "report", "-v", "r1", "--json")
  t.equal(call.command.name, "report")
  t.equal(call.args, { "r1" })
  t.equal(call.options, { state = "dir", verbose = true, json = true })
end

test["an option's value is behind = or in the next word"] = function(t)
  t.equal(parse("runs", "--state=a=b").options.state, "a=b")
  t.equal(parse("runs", "--state", "-").options.state, "-")
  t.raises("usage", "--state needs a value", parse, "runs", "--state")
  t.raises("usage", "--state needs a value", parse, "runs", "--state=")
  t.raises("usage", "--state is given twice", parse, "runs", "--state", "a", "--state", "b")
  t.raises("usage", "--json takes no value", parse, "runs", "--json=yes")
end

test["one dash is for one letter, two are for a name"] = function(t)
  t.equal(parse("runs", "-q").options.quiet, true)
  t.raises("usage", "no option --q", parse, "runs", "--q")
  t.raises("usage", "there is no option -json (did you mean \"--json\"?)", parse, "runs", "-json")
  t.raises("usage", "no option -z", parse, "runs", "-z")
end

test["the recipe's parameters are kept as texts"] = function(t)
  local call = parse("run", "prometheus.backup", "--data-dir", "/x", "--instance=a", "--plan")
  t.equal(call.recipe.id, "prometheus.backup")
  t.equal(call.given, { data_dir = { "/x" }, instance = { "a" } })
  t.equal(call.options.plan, true)
end

test["an option that the environment or a default gives"] = function(t)
  t.equal(parse("backups").options.store, require("_os").getenv("MOONKEEP_STORE") or "./backups")
  t.equal(parse("backups", "--store", "x").options.store, "x")
end

test["behind two dashes all are words"] = function(t)
  t.equal(parse("report", "--", "--json").args, { "--json" })
  t.raises("usage", "report does not take \"--\"", parse, "report", "a", "--", "--")
end

test["too few and too many words are told with the usage"] = function(t)
  t.equal(t.raises("usage", "report needs RUN", parse, "report").hint, "moonkeep report RUN")
  t.raises("usage", "version does not take \"x\"", parse, "version", "x")
end

test["hidden commands are not guessed"] = function(t)
  t.raises("usage", "there is no command \"_tset\"", parse, "_tset")
  local e = t.raises("usage", "there is no command", parse, "_tset")
  t.equal(e.message:find("_test", 1, true), nil)
end

test["anything typed is answered by a usage error or a call"] = function(t)
  local bits = { "run", "prometheus.backup", "--", "-", "", "--x", "-v", "--json", "--store", "=", "--=", "---",
    "--no-", "--no-x", "runs", "latest", "--state", "\xff", "--plan=", "-=", "--no-plan" }
  local seed = 7
  for _ = 1, 3000 do
    local argv = {}
    for index = 1, 5 do
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      argv[index] = bits[(seed >> 8) % #bits + 1]
    end
    local ok, e = pcall(options.parse, argv)
    t.check(ok or e.code == "usage", not ok and tostring(e.message))
  end
end

return test
