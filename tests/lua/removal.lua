--- Removing many objects: what a server answers, and what follows from it.

local digest = require "digest"
local failure = require "failure"
local removal = require "store.removal"
local xml = require "xml"

local test = {}

--- A store whose server has these keys; answer(keys) is what it says when many are
--- to be removed at once, nil: that they are.
local function server(t, url, keys, answer)
  local has, calls, alone = {}, 0, {}
  for _, key in ipairs(keys) do
    has[key] = true
  end
  local handle = {}
  function handle.call(_, request)
    calls = calls + 1
    t.equal({ request.method, request.key, request.query.delete }, { "POST", nil, "" })
    t.equal(request.headers["Content-MD5"], digest.md5_base64(request.body))
    local asked = {}
    for object in xml.each(xml.parse(request.body), "Object") do
      asked[#asked + 1] = xml.text(object, "Key")
    end
    t.check(#asked <= 1000)
    local said = answer and answer(asked, calls)
    if said then
      return { status = 200, headers = {}, body = said }
    end
    for _, key in ipairs(asked) do
      t.check(key:sub(1, 4) == "p x/")
      has[key:sub(5)] = nil
    end
    return { status = 200, headers = {}, body = "<DeleteResult/>" }
  end
  function handle.remove(_, key)
    alone[#alone + 1] = key
    has[key] = nil
  end
  local store = { _handle = handle, url = url }
  function store.each()
    local at = 0
    return function()
      at = at + 1
      return keys[at] and { key = keys[at] }
    end
  end
  return store, function()
    return { left = next(has), calls = calls, alone = #alone }
  end
end

local S3 = "s3://bucket/p%20x?endpoint=http://127.0.0.1:1&region=x"

local function many(count)
  local keys = {}
  for index = 1, count do
    keys[index] = ("k&%d"):format(index)
  end
  return keys
end

test["many keys are removed by few requests"] = function(t)
  for count = 0, 250, 50 do
    for _, how in ipairs { "below", "keys" } do
      local store, told = server(t, S3, many(count))
      removal[how](store, how == "below" and "any/" or many(count))
      t.equal(told(), { calls = (count + 99) // 100, alone = 0 })
    end
  end
end

test["other stores remove one at a time"] = function(t)
  local store, told = server(t, "azure://account/container", many(250))
  removal.below(store, "any/")
  t.equal(told(), { calls = 0, alone = 250 })
end

test["a server that knows no such request is asked once"] = function(t)
  for _, fields in ipairs { { "http", 501 }, { "http", 405 }, { "unsupported" } } do
    local store, told = server(t, S3, many(250), function()
      failure.raise(fields[1], "not implemented", { http = fields[2] })
    end)
    removal.below(store, "any/")
    t.equal(told(), { calls = 1, alone = 250 })
  end
end

test["what could not be removed with the others is removed by itself, or says why"] = function(t)
  local store, told = server(t, S3, many(3), function()
    return "<DeleteResult><Error><Key>p x/k&amp;2</Key><Code>SlowDown</Code></Error></DeleteResult>"
  end)
  removal.keys(store, many(3))
  t.equal(told().alone, 1)
  store._handle.remove = function()
    failure.raise("permission", "access denied")
  end
  t.raises("permission", "access denied", removal.keys, store, many(3))
end

test["keys that XML cannot carry are removed by themselves"] = function(t)
  local keys = { "a\1", "\xff", "plain", "tab\t" }
  local store, told = server(t, S3, keys)
  removal.keys(store, keys)
  t.equal(told(), { calls = 1, alone = 3 })
  store, told = server(t, S3, { "a\1" })
  removal.keys(store, { "a\1" })
  t.equal(told(), { calls = 0, alone = 1 })
end

test["answers that make no sense are errors"] = function(t)
  for body, code in pairs {
    [""] = "invalid", ["<DeleteResult>"] = "invalid", ["<Error><Code>InternalError</Code></Error>"] = "protocol",
    ["<DeleteResult><Error><Key>other/k</Key></Error></DeleteResult>"] = "protocol",
    ["<DeleteResult><Error><Key>p x/</Key></Error></DeleteResult>"] = "protocol",
    ["<DeleteResult><Error/></DeleteResult>"] = "protocol",
  } do
    local store = server(t, S3, many(3), function() return body end)
    t.raises(code, "", removal.keys, store, many(3))
  end
  local store = server(t, S3, many(250), function(_, calls)
    if calls > 1 then
      failure.raise("network", "the line broke", { retryable = true })
    end
  end)
  t.raises("network", "the line broke", removal.below, store, "any/")
end

return test
