local params = require "recipe.params"

local test = {}

local function spec(kind, fields)
  fields = fields or {}
  fields[1] = kind
  fields.help = "for the test"
  return fields
end

local function parse(kind, text, fields)
  return params.parse("toy.one", { it = spec(kind, fields) }, { it = { text } }).it
end

test["each type reads its texts"] = function(t)
  t.equal(parse("string", ""), "")
  t.equal(parse("path", "/a b"), "/a b")
  t.equal(parse("integer", "-12"), -12)
  t.equal(parse("integer", "007"), 7)
  t.equal(parse("boolean", "yes"), true)
  t.equal(parse("boolean", "0"), false)
  t.equal(parse("duration", "250ms"), 250)
  t.equal(parse("duration", "2h"), 7200000)
  t.equal(parse("duration", "7d"), 604800000)
  t.equal(parse("size", "512"), 512)
  t.equal(parse("size", "64MiB"), 64 * 1024 * 1024)
  t.equal(parse("size", "2g"), 2 * 1024 ^ 3 // 1 | 0)
  t.equal(parse("time", "20261121T020000Z"), 1795226400000)
  t.equal(parse("time", "2026-11-21T02:00:00Z"), 1795226400000)
  t.equal(parse("url", "http://127.0.0.1:9090"), "http://127.0.0.1:9090")
  t.equal(parse("owner", "65534:12"), { uid = 65534, gid = 12 })
  t.equal(parse("secret", "env:TOKEN"), "env:TOKEN")
end

test["a text of another type is refused, naming the parameter"] = function(t)
  for _, row in ipairs {
    { "path", "" }, { "integer", "x" }, { "integer", "" }, { "integer", "1.5" },
    { "integer", "9223372036854775808" }, { "boolean", "maybe" }, { "duration", "5" },
    { "duration", "5 parsecs" }, { "duration", "-5m" }, { "size", "many" }, { "size", "-1" },
    { "url", "ftp://a" }, { "url", "http://me:secret@a" }, { "url", "nonsense" },
    { "owner", "nobody-has-this-name" }, { "target", "here" }, { "target", "local:/x" },
  } do
    local ok, e = pcall(parse, row[1], row[2])
    t.check(not ok, ("%s took \"%s\""):format(row[1], row[2]))
    t.contains(e.message, "--it: ")
  end
end

test["numbers that do not fit are refused"] = function(t)
  t.raises("usage", "no duration", parse, "duration", "99999999999999999999d")
  t.raises("usage", "no size", parse, "size", "99999999999999999999")
  t.raises("usage", "no duration", parse, "duration", "9223372036854775807d")
  t.raises("usage", "no size", parse, "size", "9223372036854775807k")
end

test["a value that cannot be journalled is refused"] = function(t)
  t.raises("usage", "--it: \"a\\xff\" is not UTF-8", parse, "path", "a\xff")
end

test["ranges and choices are kept"] = function(t)
  t.equal(parse("integer", "3", { range = { 1, 3 } }), 3)
  t.raises("usage", "is not between 1 and 3", parse, "integer", "4", { range = { 1, 3 } })
  t.raises("usage", "is none of a, b", parse, "string", "c", { choices = { "a", "b" } })
end

test["a value comes from the command line, else the environment, else the default"] = function(t)
  local specs = { it = spec("string", { env = "PATH", default = "d" }),
    other = spec("string", { env = "MOONKEEP_TEST_NOT_SET", default = "d" }), none = spec("string") }
  local values, origins = params.parse("toy.one", specs, { it = { "typed" } })
  t.equal(values, { it = "typed", other = "d" })
  t.equal(origins, { it = "command line", other = "default" })
  values, origins = params.parse("toy.one", specs, {})
  t.equal(values.it, require("_os").getenv("PATH"))
  t.equal(origins.it, "environment PATH")
end

test["a missing parameter, an unknown one and one given twice are refused"] = function(t)
  local specs = { data_dir = spec("path", { required = true }), other = spec("string") }
  local e = t.raises("usage", "toy.one needs --data-dir (for the test)", params.parse, "toy.one", specs, {})
  t.contains(e.hint, "moonkeep help toy.one")
  t.raises("usage", "has no parameter --data-dri (did you mean \"data-dir\"?)", params.parse, "toy.one",
    specs, { data_dri = { "x" } })
  t.raises("usage", "--data-dir is given 2 times", params.parse, "toy.one", specs,
    { data_dir = { "a", "b" } })
end

test["a repeated option is a list"] = function(t)
  local specs = { it = spec("integer", { list = true }) }
  t.equal(params.parse("toy.one", specs, { it = { "1", "2" } }).it, { 1, 2 })
  t.raises("usage", "--it: \"x\" is no whole number", params.parse, "toy.one", specs, { it = { "1", "x" } })
end

test["declarations are checked, naming file, parameter and field"] = function(t)
  local function wrong(part, name, declared)
    t.raises("recipe", "recipes/toy/one.lua: parameter \"" .. tostring(name) .. "\": " .. part,
      params.check_specs, "recipes/toy/one.lua", { [name] = declared })
  end
  wrong("unknown type \"strnig\" (did you mean \"string\"?)", "it", spec("strnig"))
  wrong("unknown type", "it", "string")
  wrong("a name is lower-case", "It", spec("string"))
  wrong("a name is lower-case", "1", spec("string"))
  wrong("the name has a meaning of its own", "yes", spec("boolean"))
  wrong("must have the type of its name", "store", spec("string"))
  wrong("unknown field \"defualt\"", "it", spec("string", { defualt = 1 }))
  wrong("field \"env\" must be a string", "it", spec("string", { env = 1 }))
  wrong("field \"required\" must be a boolean", "it", spec("string", { required = "yes" }))
  wrong("help is missing", "it", { "string" })
  params.check_specs("f", { target = spec("target"), store = spec("store"), a_1 = spec("string") })
end

test["values can be typed again"] = function(t)
  for _, row in ipairs { { "duration", "90m" }, { "duration", "250ms" }, { "duration", "0s" },
    { "time", "20261121T020000Z" }, { "owner", "1:2" }, { "size", "3k" }, { "boolean", "yes" },
    { "integer", "-5" }, { "string", "a b" } } do
    local value = parse(row[1], row[2])
    local texts = params.texts(spec(row[1]), value)
    t.equal(#texts, 1)
    t.equal(parse(row[1], texts[1]), value)
  end
  t.equal(params.texts(spec("integer", { list = true }), { 1, 2 }), { "1", "2" })
end

test["a default is known as one"] = function(t)
  t.check(params.is_default(spec("duration", { default = "5m" }), 300000))
  t.check(not params.is_default(spec("duration", { default = "5m" }), 300001))
  t.check(params.is_default(spec("boolean", { default = false }), false))
  t.check(params.is_default(spec("string", { list = true }), {}))
  t.check(not params.is_default(spec("string"), ""))
end

test["the environment of a secret is kept as a reference to it"] = function(t)
  local values, origins = params.parse("it", { home = { "secret", env = "HOME", help = "x" } }, {})
  t.equal({ values.home, origins.home }, { "env:HOME", "environment HOME" })
end

test["a secret is fetched from where its reference says"] = function(t)
  local dir = t.dir()
  require("_fs").write(dir .. "/token", "open sesame\n")
  local secret = require "secret"
  local opened = params.open({ it = spec("secret") }, { it = "file:" .. dir .. "/token" })
  t.check(secret.is(opened.it))
  t.equal(secret.redact("say open sesame now"):find("sesame"), nil)
  t.raises("usage", "there is no file", params.open, { it = spec("secret") }, { it = "file:" .. dir .. "/no" })
  t.raises("usage", "the environment has no", params.open, { it = spec("secret") },
    { it = "env:MOONKEEP_TEST_NOT_SET" })
  t.raises("usage", "never the secret itself", params.open, { it = spec("secret") }, { it = "sesame" })
end

return test
