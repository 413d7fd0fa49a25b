--- moonkeep _test FILE: run the tests of tests/lua/NAME.lua.
---
--- The file returns a table of name -> function(t); each runs as a task of its
--- own.  t.equal, t.raises, t.contains, t.check judge; t.dir() makes a
--- directory that is removed afterwards.

local failure = require "failure"
local fs = require "_fs"
local json = require "json"
local native = require "_task"
local os_ = require "_os"
local scripts = require "_scripts"

local test = {}

local FILE_MAX = 1024 * 1024

local function show(value)
  if type(value) == "string" then
    return ("%q"):format(value)
  elseif type(value) == "table" then
    local ok, said = pcall(json.encode, value)
    return ok and said or tostring(value)
  end
  return tostring(value)
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and math.type(a) == math.type(b)
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local function helpers()
  local t = { dirs = {} }

  function t.equal(got, want, what)
    if not same(got, want) then
      error(("%sis %s, want %s"):format(what and what .. " " or "", show(got), show(want)), 2)
    end
  end

  function t.check(value, what)
    if not value then
      error(what or "is not true", 2)
    end
  end

  function t.contains(s, part)
    if not tostring(s):find(part, 1, true) then
      error(("%s does not contain %s"):format(show(s), show(part)), 2)
    end
  end

  --- fn(...) raises an error with that code, and with that text in its message.
  function t.raises(code, part, fn, ...)
    local ok, e = pcall(fn, ...)
    if ok then
      error(("raised nothing, want %s: %s"):format(code, part), 2)
    end
    e = failure.of(e)
    if e.code ~= code or not e.message:find(part, 1, true) then
      error(("raised %s: %s, want %s: %s"):format(e.code, e.message, code, part), 2)
    end
    return e
  end

  function t.dir()
    local path = ("%s/mkl.%s"):format(os_.getenv("TMPDIR") or "/tmp", os_.random_id(8))
    fs.make_dirs(path)
    t.dirs[#t.dirs + 1] = path
    return path
  end

  return t
end

local function run_one(fn)
  local t <close> = setmetatable(helpers(), { __close = function(t)
    for _, path in ipairs(t.dirs) do
      fs.remove_tree(path)
    end
  end })
  fn(t)
end

--- Run the tests of a file, those whose name contains a pattern.
function test.test(call)
  local path = call.args[1]
  local source = fs.read(path, FILE_MAX)
  if source == nil then
    failure.raise("usage", ("there is no file \"%s\""):format(path))
  end
  -- The chunk's name decides that it may require native modules.
  local chunk = "@tests/lua/" .. path:match("[^/]+$")
  local tests = scripts.load(source, chunk, _G)()
  local names, failed = {}, 0
  for name in pairs(tests) do
    if call.args[2] == nil or name:find(call.args[2], 1, true) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local ok, e = native.spawn(run_one, tests[name]):wait()
    if ok then
      os_.write(1, ("ok %s\n"):format(name))
    else
      failed = failed + 1
      e = failure.of(e)
      os_.write(1, ("%s\nnot ok %s (%s)\n"):format(e.traceback or "", name,
        (e.message:gsub("\n", " "))))
    end
  end
  return failed > 0 and 1 or 0
end

return test
