--- What recipes can reach: modules, globals, libraries, and what they cannot.

local scripts = require "_scripts"

local test = {}

--- The function that a recipe's text is, in the environment that recipes get.
local function recipe_chunk(text)
  return scripts.load(text, "@recipes/toy/one.lua", setmetatable({}, { __index = _G,
    __newindex = function(_, name) error("\"" .. name .. "\" is not declared", 0) end }))
end

test["what opens files, loads code or looks inside is not there"] = function(t)
  for _, name in ipairs { "load", "loadfile", "dofile", "print", "warn", "debug", "io", "os", "package",
    "loadstring", "unpack", "arg", "jit" } do
    t.raises("recipe", ("\"%s\" is not declared"):format(name), recipe_chunk("return " .. name))
    t.equal(rawget(_G, name), nil, name)
  end
  t.equal(string.dump, nil)
  t.equal(rawget(string, "dump"), nil)
  t.equal(("").dump, nil)
end

test["what is there is what was promised, and nothing else"] = function(t)
  local names = {}
  for name in pairs(_G) do
    names[#names + 1] = name
  end
  table.sort(names)
  t.equal(names, { "_G", "_VERSION", "assert", "collectgarbage", "coroutine", "error", "getmetatable",
    "ipairs", "math", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen", "rawset", "recipe", "require",
    "select", "setmetatable", "string", "table", "tonumber", "tostring", "type", "utf8", "xpcall" })
end

test["globals must be declared, to read and to write"] = function(t)
  t.raises("recipe", "\"colour\" is not declared: use `local`", recipe_chunk("return colour"))
  t.raises("recipe", "\"colour\" is not declared", recipe_chunk("colour = 1"))
  t.raises("recipe", "\"colour\" is not declared", recipe_chunk("function colour() end"))
  t.raises("recipe", "\"colour\" is not declared", recipe_chunk("_G.colour = 1"))
  t.raises("recipe", "\"7\" is not declared", recipe_chunk("return _G[7]"))
  t.raises("recipe", "protected metatable", recipe_chunk("setmetatable(_G, {})"))
  t.equal(recipe_chunk("return getmetatable(_G)")(), false)
end

test["native modules are for the library only, however they are asked for"] = function(t)
  for _, text in ipairs {
    "return require '_fs'",
    "local fs = require '_fs' return fs",
    "return (require('_fs'))",
    "local ok, e = pcall(require, '_fs') error(e, 0)",
    "local _, e = xpcall(require, function(m) return m end, '_fs') error(e, 0)",
    "for _, fs in require, '_fs' do return fs end",
    "return coroutine.wrap(require)('_fs')",
    "return coroutine.wrap(function() return require '_fs' end)()",
    "local list = table.pack(pcall(string.gsub, '_fs', '.*', require)) error(list[2], 0)",
    "return require('failure').during('x', require, '_fs')",
    "return require('effect').with(nil, require, '_fs')",
    "local _, e = require('task').spawn(require, '_fs'):wait() error(e, 0)",
    "return require('task').each({ '_fs' }, 1, require)[1]",
    "return require('task').wait_until('x', 100, function() return require '_fs' end)",
    "return setmetatable({}, { __index = function(_, k) return require(k) end })._fs",
    "local t <close> = setmetatable({}, { __close = function() require '_fs' end })",
    "return tostring(setmetatable({}, { __tostring = function() return require '_fs' end }))",
  } do
    local e = t.raises("recipe", "native module \"_fs\" may only be required below lua/", recipe_chunk(text))
    t.equal(e.code, "recipe", text)
  end
end

test["names that are no module's are refused"] = function(t)
  for _, name in ipairs { "", ".", "..", "a..b", ".a", "a.", "../x", "a/b", "/etc/passwd", "A", "task\0x",
    "task ", "täsk", ("x"):rep(129), "-", "a-b", "recipe.run.lua/" } do
    t.raises("recipe", "is no module name", require, name)
  end
  t.raises("recipe", "there is no module \"no_such\"", require, "no_such")
  t.raises("recipe", "there is no module \"_no.such\"", require, "_no.such")
  t.raises("recipe", "there is no native module \"_no_such\"", function() return require "_no_such" end)
  t.raises("recipe", "string expected", require)
  t.raises("recipe", "string expected", require, {})
  -- A recipe is no module; its folder's library is.
  t.raises("recipe", "there is no module \"prometheus.backup\"", require, "prometheus.backup")
end

test["a module is loaded once"] = function(t)
  t.check(rawequal(require "task", require "task"))
  t.check(rawequal(require "_task", require "_task"))
end

--- A process of its own, with such a library of its recipes.
local function library(t, files)
  local fs, proc = require "_fs", require "_proc"
  local dir = t.dir()
  fs.make_dirs(dir .. "/recipes/toy")
  proc.run { argv = { "ln", "-s", fs.real((scripts.dev() or ".") .. "/lua"), dir .. "/lua" } }
  for name, text in pairs(files) do
    fs.write(dir .. "/recipes/toy/" .. name, text)
  end
  local done = proc.run { argv = { fs.real("/proc/self/exe"), "--dev", dir, "help", "toy.one" } }
  t.equal(done.status, 2)
  return done.stderr
end

test["modules that require each other, or fail, say so"] = function(t)
  t.contains(library(t, { ["one.lua"] = "return require 'toy._a'", ["_a.lua"] = "return require 'toy._a'" }),
    "module \"toy._a\" requires itself")
  t.contains(library(t, { ["one.lua"] = "return require 'toy._a'", ["_a.lua"] = "return require 'toy._b'",
    ["_b.lua"] = "return require 'toy._a'" }), "module \"toy._a\" requires itself")
  -- It failed: the second try fails alike, and not by taking it for loading.
  t.contains(library(t, { ["one.lua"] = "pcall(require, 'toy._a') return require 'toy._a'",
    ["_a.lua"] = "error('no luck', 0)" }), "no luck")
end

test["an error of syntax in a recipe or its library is told with file and line"] = function(t)
  t.contains(library(t, { ["one.lua"] = "local x = 1\nlocal = 2" }), "recipes/toy/one.lua:2: ")
  t.contains(library(t, { ["one.lua"] = "return require 'toy._a'", ["_a.lua"] = "x =" }),
    "recipes/toy/_a.lua:1: ")
end

test["code is text: bytecode is refused"] = function(t)
  local e = t.raises("recipe", "attempt to load a binary chunk", scripts.load, "\27Lua\x54\0\x19\x93\r\n\x1a\n",
    "@recipes/toy/one.lua", {})
  t.equal(e.code, "recipe")
end

test["an error of syntax says file and line"] = function(t)
  t.raises("recipe", "recipes/toy/one.lua:2: ", scripts.load, "local x = 1\nlocal = 2", "@recipes/toy/one.lua", {})
end

test["files outside are not read as scripts"] = function(t)
  for _, name in ipairs { "../etc/passwd", "lua/../../etc/passwd", "lua/nothing.lua", "" } do
    local ok, text = pcall(scripts.text, name)
    t.check(not ok or text == nil, name)
  end
end

test["methods of handles check what they are called on"] = function(t)
  local stream = require "stream"
  local source <close> = stream.from_string("x")
  local progress = stream.progress()
  t.raises("recipe", "moonkeep.source expected", source.close, progress)
  t.raises("recipe", "moonkeep.progress expected", progress.get, source)
  t.raises("recipe", "moonkeep.source expected", source.close, {})
  t.raises("recipe", "moonkeep.source expected", source.close)
  t.equal(getmetatable(source), false)
  t.raises("recipe", "table expected", setmetatable, source, {})
end

return test
