local json = require "json"

local test = {}

test["values survive a round trip"] = function(t)
  for _, value in ipairs { true, false, 0, -1, math.maxinteger, math.mininteger, 1.5, "", "a\0b\n\"\\",
    "\u{1f319}", { 1, 2, { 3 } }, { a = { b = { c = "d" } } }, { [""] = 1 } } do
    t.equal(json.decode(json.encode(value)), value)
  end
end

test["keys are sorted in the canonical form"] = function(t)
  t.equal(json.encode { b = 1, a = { d = 1, c = 2 }, ["A"] = 3 }, '{"A":3,"a":{"c":2,"d":1},"b":1}')
end

test["null and absence are told apart"] = function(t)
  t.equal(json.encode { a = json.null }, '{"a":null}')
  t.check(json.decode('{"a":null}').a == json.null)
  t.equal(json.encode { a = nil }, "{}")
end

test["an empty array stays one"] = function(t)
  t.equal(json.encode(json.array {}), "[]")
  t.equal(json.encode(json.array()), "[]")
  t.equal(json.encode {}, "{}")
  t.equal(json.encode(json.decode("[]")), "[]")
  t.equal(json.encode(json.decode('{"a":[],"b":{}}')), '{"a":[],"b":{}}')
end

test["what JSON cannot hold is refused with its place"] = function(t)
  t.raises("recipe", "value.a is a function", json.encode, { a = error })
  t.raises("recipe", "value.a[2] is a handle", json.encode,
    { a = { 1, require("_secret").new("open sesame") } })
  t.raises("recipe", "value[1] is not a finite number", json.encode, { 0 / 0 })
  t.raises("recipe", "value[1] is not a finite number", json.encode, { math.huge })
  t.raises("recipe", "value.x is a table that mixes", json.encode, { x = { 1, b = 2 } })
  t.raises("recipe", "is a table that mixes", json.encode, { [1] = 1, [3] = 3 })
  t.raises("recipe", "a table with a key that is no string", json.encode, { [true] = 1 })
  t.raises("recipe", "value[1] is thread", json.encode, { coroutine.create(error) })
  local cycle = {}
  cycle[1] = cycle
  t.raises("recipe", "nested too deeply", json.encode, cycle)
end

test["text that is no JSON is refused with its line"] = function(t)
  for _, text in ipairs { "", "{", "[1,]", "{\"a\":1,\"a\":2}", "1 2", "\"\\ud800\"", "nul", "01",
    "\"\xff\"", "[1e999]", "\"a\nb\"" } do
    local e = t.raises("invalid", "", json.decode, text)
    t.contains(e.message, "line")
  end
end

test["nesting has a bound"] = function(t)
  t.raises("invalid", "", json.decode, ("["):rep(5000) .. ("]"):rep(5000))
end

test["indentation is only for people"] = function(t)
  t.equal(json.encode({ a = { 1 } }, 2), '{\n  "a": [\n    1\n  ]\n}')
  t.equal(json.decode(json.encode({ a = { 1, { b = "c" } } }, 4)), { a = { 1, { b = "c" } } })
end

return test
