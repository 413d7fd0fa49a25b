local json = require "json"
local yaml = require "yaml"

local test = {}

test["documents become values as those of JSON"] = function(t)
  local documents = yaml.parse("a: [1, yes, ~, 1.5, x]\nb: {}\nc: []\n---\n---\n017\n")
  t.equal(#documents, 2)
  t.equal(documents[1].a[1], 1)
  t.equal(documents[1].a[2], true)
  t.check(documents[1].a[3] == json.null)
  t.equal(documents[1].a[4], 1.5)
  t.equal(documents[2], 15)
  t.equal(json.encode(documents[1]), '{"a":[1,true,null,1.5,"x"],"b":{},"c":[]}')
  t.equal(json.encode(yaml.parse("")), "[]")
end

test["exactly one document is decoded"] = function(t)
  t.equal(yaml.decode("a: 1\n"), { a = 1 })
  t.raises("invalid", "there are 2", yaml.decode, "--- 1\n--- 2\n")
  t.raises("invalid", "there are 0", yaml.decode, "# nothing\n")
end

test["what was dumped is parsed as it was"] = function(t)
  for _, value in ipairs { true, 0, math.maxinteger, math.mininteger, 1.5, "", "yes", "0x1f", "1e3", "017", "~",
    "2001-01-01", "a\nb\n", " a\n\n", "trailing \nblank", "a\0b", "\u{1f319}", "\u{85}", { 1, { 2 }, "x" },
    { yes = "no", ["a b"] = { c = json.array(), d = {} } } } do
    t.equal(yaml.decode(yaml.dump(value)), value)
    t.equal(yaml.decode(yaml.dump(value, true)), value)
  end
  t.equal(yaml.dump({ b = "x", a = { 1, json.null, json.array() } }, true),
    '---\na:\n- 1\n- null\n- []\nb: "x"\n')
end

test["text that is no YAML is refused with its line"] = function(t)
  t.raises("invalid", "line 2, column 1", yaml.parse, "a: 1\na: 2\n")
  t.raises("invalid", "a quoted scalar from line 1 on", yaml.parse, "a: 'b\n")
  t.raises("invalid", "infinity", yaml.parse, "a: .inf\n")
end

test["what JSON cannot hold is not dumped"] = function(t)
  t.raises("recipe", "value.a is a function", yaml.dump, { a = error })
  t.raises("recipe", "is a handle or a secret", yaml.dump, { a = require("_secret").new("open sesame") })
  t.raises("recipe", "not a finite number", yaml.dump, { 0 / 0 })
  t.raises("recipe", "mixes a list", yaml.dump, { 1, a = 2 })
end

return test
