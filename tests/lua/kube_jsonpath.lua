--- Values of objects by their paths.

local json = require "json"
local jsonpath = require "kube.jsonpath"

local test = {}

local pod = {
  metadata = { annotations = { ["moonkeep.dev/undo"] = "3", ["a'b"] = "quoted" } },
  spec = { replicas = 0, nothing = json.null,
    containers = { { name = "one", image = "a" }, { name = "two", image = "b" } } },
  status = { phase = "Running", ready = false, conditions = {
    { type = "Initialized", status = "True" }, { type = "Ready", status = "False", count = 7 } } },
}

local function values(path)
  return jsonpath.values(jsonpath.parse(path), pod)
end

test["names lead down, with or without braces and dollar"] = function(t)
  for _, path in ipairs { "{.status.phase}", ".status.phase", "status.phase", "{$.status.phase}", " {.status.phase} ",
    "['status']['phase']", "{.status[\"phase\"]}" } do
    t.equal(values(path), { "Running" }, path)
  end
end

test["names with dots are quoted or escaped"] = function(t)
  t.equal(values "{.metadata.annotations['moonkeep.dev/undo']}", { "3" })
  t.equal(values "{.metadata.annotations.moonkeep\\.dev/undo}", { "3" })
  t.equal(values "{.metadata.annotations['a\\'b']}", { "quoted" })
end

test["lists are indexed from either end, and taken whole"] = function(t)
  t.equal(values ".spec.containers[0].name", { "one" })
  t.equal(values ".spec.containers[-1].name", { "two" })
  t.equal(values ".spec.containers[5].name", {})
  t.equal(values ".spec.containers[*].image", { "a", "b" })
  t.equal(values ".status.conditions.*.type", { "Initialized", "Ready" })
end

test["filters choose members"] = function(t)
  t.equal(values "{.status.conditions[?(@.type==\"Ready\")].status}", { "False" })
  t.equal(values "{.status.conditions[?(@.type == 'Ready')].status}", { "False" })
  t.equal(values "{.status.conditions[?(@.type!=\"Ready\")].status}", { "True" })
  t.equal(values "{.status.conditions[?(@.count>6)].type}", { "Ready" })
  t.equal(values "{.status.conditions[?(@.count<=6)].type}", {})
  t.equal(values "{.status.conditions[?(@.count)].type}", { "Ready" })
  t.equal(values "{.status.conditions[?(@.type==\"a)]b\")].type}", {})
end

test["what is not there, or null, is nothing; false and 0 are something"] = function(t)
  t.equal(values ".spec.nodeName", {})
  t.equal(values ".spec.nothing", {})
  t.equal(values ".spec.replicas.deeper", {})
  t.equal(values ".status.ready", { false })
  t.equal(values ".spec.replicas", { 0 })
end

test["values are compared as kubectl prints them"] = function(t)
  t.equal(jsonpath.text(false), "false")
  t.equal(jsonpath.text(3), "3")
  t.equal(jsonpath.text({ b = 1, a = "x" }), "{\"a\":\"x\",\"b\":1}")
end

test["what is no path is refused, with the place"] = function(t)
  for path, why in pairs { [""] = "empty", ["{}"] = "empty", [".a..b"] = "a name is missing", [".a["] = "in [] stand",
    [".a['b"] = "not closed", [".a['b'"] = "] is missing", [".a[?(@.b)"] = "ends in )]",
    [".a[?(@.b==)]"] = "in quotes", [".a[?(@.b=1)]"] = "no comparison", [".a[?(b==1)]"] = "a filter is written",
    [".a[1:2]"] = "in [] stand", [".a b"] = "a step begins", [".a[?(@.b==\"c\"]"] = "ends in )]",
    [("a"):rep(2000)] = "at most", [".a[99999999999]"] = "in [] stand" } do
    t.raises("recipe", why, jsonpath.parse, path)
  end
  t.raises("recipe", "a path is a text", jsonpath.parse, nil)
end

return test
