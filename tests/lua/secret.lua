--- Secrets can be passed on, but not read, printed, recorded or joined; what
--- leaves the program is redacted.

local digest = require "digest"
local failure = require "failure"
local fs = require "_fs"
local json = require "json"
local native = require "_secret"
local proc = require "_proc"
local scripts = require "_scripts"
local secret = require "secret"

local test = {}

--- Characters that every form writes differently, and nothing else in a program holds.
local WORD = "Zq7/+ ~\"&=\\ü9xK"

--- Is the word, or base64 of it at any offset, or its URL form, in the text?
local function leaks(text)
  local forms = { WORD, require("_digest").url_encode(WORD), (require("_digest").url_encode(WORD):gsub("%%20", "+")),
    (json.encode(WORD):sub(2, -2)) }
  for shift = 0, 2 do
    -- The middle of it, where the neighbours do not show.
    local coded = digest.base64(("x"):rep(shift) .. WORD .. "xxx")
    forms[#forms + 1] = coded:sub(5, -9)
  end
  for _, form in ipairs(forms) do
    if text:find(form, 1, true) then
      return form
    end
  end
  return nil
end

test["a secret cannot be printed, joined, measured, indexed, compared, counted or encoded"] = function(t)
  local s = native.new(WORD)
  t.check(secret.is(s))
  t.equal(leaks(tostring(s)), nil)
  t.equal(leaks(("%s"):format(s)), nil)
  for _, fn in ipairs {
    function() return "x" .. s end, function() return s .. s end, function() return #s end,
    function() return s.bytes.x end, function() return s:bytes() end, function() return s[1].x end,
    function() return s < "x" end, function() return s + 1 end, function() return s() end,
    function() return ("%d"):format(s) end, function() return ("x"):rep(s) end,
    function() return table.concat { s } end,
    function() return json.encode(s) end, function() return json.encode { a = { s } } end,
    function() return next(s) end, function() return digest.sha256(s) end,
    function() return digest.base64(s) end, function() s.x = 1 end,
    function() return native.new(s) end, function() return secret.redact(s) end,
    function() return utf8.len(s) end, function() return tonumber(s, 16) end,
    function() return require("stream").from_string(s) end,
    function() fs.write(t.dir() .. "/x", s) end, function() require("_os").write(1, s) end,
    function() error(s) end, function() failure.raise("io", s) end,
  } do
    local ok, e = pcall(fn)
    if ok then
      error("a secret could be used")
    end
    t.equal(leaks(tostring(e)), nil)
    t.equal(leaks(failure.of(e).message .. ""), nil)
  end
  t.equal(getmetatable(s), false)
  t.equal(s == native.new(WORD), false)
  t.equal(tonumber(s), nil)
  t.raises("recipe", "value.a[1] is a handle or a secret", json.encode, { a = { s } })
end

test["text with a secret in it is starred, in each of its forms, and keeps its length"] = function(t)
  local s = native.new(WORD)
  for shift = 0, 2 do
    local text = ("x"):rep(shift) .. WORD .. "yyyy"
    for _, form in ipairs { text, digest.base64(text), require("_digest").url_encode(text), json.encode(text) } do
      local starred = secret.redact("before " .. form .. " behind")
      t.equal(#starred, #form + 14)
      t.equal(leaks(starred), nil, form)
      t.contains(starred, "before ")
      t.contains(starred, " behind")
    end
  end
  t.equal(secret.redact("nothing of that kind"), "nothing of that kind")
  t.equal(secret.redact(""), "")
  t.check(s)
end

test["a value is starred in its strings only, and stays what it is"] = function(t)
  local s = native.new("true")
  local value = { flag = true, said = "it is true", ["true"] = { 1, "true" }, none = json.null,
    list = json.array {} }
  t.equal(json.encode(secret.redact_value(value)),
    [[{"****":[1,"****"],"flag":true,"list":[],"none":null,"said":"it is ****"}]])
  t.check(s)
end

test["a secret that is forgotten is not looked for any more"] = function(t)
  do
    local s = native.new("only for a moment")
    t.equal(secret.redact("only for a moment"), ("*"):rep(17))
    t.check(s)
  end
  collectgarbage()
  collectgarbage()
  t.equal(secret.redact("only for a moment"), "only for a moment")
end

test["a secret comes from the environment, a file or a command, and never from the reference"] = function(t)
  local path = t.dir() .. "/token"
  fs.write(path, WORD .. "\r\n\n")
  for _, reference in ipairs { "env:MK_TEST_WORD", "file:" .. path, "command:cat " .. path,
    "command:sh -c 'cat \"$0\"' " .. path } do
    local name = reference:match("^env:(.*)")
    if name == nil then
      local s = secret.fetch(reference, "token")
      t.check(secret.is(s))
      t.equal(secret.redact(WORD), ("*"):rep(#WORD), reference)
    end
  end
  -- What is known of a secret stays known: its run may be told of when it has ended.
  collectgarbage()
  collectgarbage()
  t.equal(secret.redact(WORD), ("*"):rep(#WORD))
  local function refused(code, part, reference)
    local e = t.raises(code, part, secret.fetch, reference, "token")
    t.contains(e.message, "--token")
  end
  refused("usage", "takes env:NAME, file:PATH or command:PROGRAM, never the secret itself", "hunter2")
  refused("usage", "never the secret itself", "env:")
  refused("usage", "the environment has no MK_NO_SUCH", "env:MK_NO_SUCH")
  refused("usage", "there is no file", "file:" .. path .. "x")
  refused("process", "ended with status 3", "command:sh -c 'exit 3'")
  fs.write(path, "\n")
  refused("usage", "the secret is empty", "file:" .. path)
  fs.write(path, ("x"):rep(65537))
  refused("too_big", "cannot read the secret", "file:" .. path)
end

test["a reference that is not understood may be the secret itself, and is not said"] = function(t)
  local _, e = pcall(secret.fetch, WORD, "token")
  t.equal(leaks(e.message), nil)
end

test["a command gets a secret in its environment, and not in its arguments"] = function(t)
  local s = native.new(WORD)
  local done = proc.run { env = { T = s },
    argv = { "sh", "-c", "printf %s \"$T\"; tr '\\0' ' ' </proc/$$/cmdline >&2" } }
  t.equal(done.stdout, WORD)
  t.equal(leaks(done.stderr), nil)
  t.raises("recipe", "must be a list of strings", proc.run, { argv = { "echo", s } })
  t.raises("recipe", "", proc.run, { argv = { "cat" }, input = s })
  for name, value in pairs { ["A=B"] = "x", ["A\0B"] = "x", [""] = "x", A = "x\0y", B = true } do
    t.raises("recipe", "env", proc.run, { argv = { "true" }, env = { [name] = value } })
  end
  t.raises("recipe", "env", proc.run, { argv = { "true" }, env = { [1] = "x" } })
end

--- What a program with such a recipe leaves: its output and all that is in its state.
local function leftovers(t, run, more)
  local dir = t.dir()
  local recipes = dir .. "/dev/recipes/toy"
  fs.make_dirs(recipes)
  -- The library as it is, beside a recipe of the test's.
  proc.run { argv = { "ln", "-s", fs.real((scripts.dev() or ".") .. "/lua"), dir .. "/dev/lua" } }
  fs.write(recipes .. "/one.lua", ([[
    local failure, json, task = require "failure", require "json", require "task"
    local http = require "http"
    return recipe {
      summary = "Toy", example = "moonkeep run toy.one",
      params = { token = { "secret", help = "a secret" }, url = { "string", help = "where" } },
      steps = { { "one", "First" }, { "two", "Second" } },
      run = function(ctx, p)
        -- What a server would send back, or a command say.
        local said = p.token and require("target").open("local:"):exec { argv = { "sh", "-c", "printf %%s \"$T\"" },
          env = { T = p.token }, reads = true }.stdout
        %s
      end }]]):format(run))
  local argv = { fs.real("/proc/self/exe"), "--dev", dir .. "/dev", "run", "toy.one", "--state", dir .. "/state",
    "--token", "env:T" }
  for _, word in ipairs(more or {}) do
    argv[#argv + 1] = word
  end
  local done = proc.run { argv = argv, env = { T = WORD } }
  local journal = proc.run { argv = { "sh", "-c", "cat \"$0\"/runs/*", dir .. "/state" } }
  t.check(#journal.stdout > 100, done.stderr)
  return done, journal.stdout
end

test["neither output nor journal of a run hold a secret, in any form"] = function(t)
  local runs = {
    ["a value"] = "return ctx:step('one', function() return { [said] = said, list = { said } } end)",
    ["a result"] = "ctx:step('one', function() end) return { said, require('digest').base64('x' .. said) }",
    ["an error"] = "ctx:step('one', function() error('it said ' .. said) end)",
    ["a structured error"] = [[ctx:step('one', function()
      failure.raise('http', said, { hint = said, http = 401 }) end)]],
    ["a warning"] = "ctx:step('one', function() ctx:warn(said) ctx:say('%s', said) end)",
    ["a cleanup"] = "ctx:cleanup(said, function() error(said) end) ctx:step('one', function() end)",
    ["an undo"] = [[ctx:compensate(said, { said }, function() error(said) end)
      ctx:step('one', function() error('x') end)]],
    ["a key"] = "ctx:step('one', said, function() end) ctx:step('two', said, function() error('x') end)",
    ["a question"] = "ctx:confirm(said) ctx:step('one', function() end)",
    ["a recorded value"] = "ctx:recorded(said, function() return said end) ctx:step('one', function() end)",
    ["a task"] = "ctx:step('one', function() task.each({ said }, 1, error) end)",
    ["a global"] = "local x = _G[said]",
    ["a name of a step"] = "ctx:step(said, function() end)",
    ["a path"] = "ctx:step('one', function() require('target').open('local:'):list('/' .. said) end)",
    ["a header"] = [[ctx:step('one', function()
      http.client('http://127.0.0.1:9', { token = p.token }):get_json('/' .. said) end)]],
    ["the secret itself"] = "ctx:step('one', function() return { p.token } end)",
  }
  for name, text in pairs(runs) do
    for _, more in ipairs { { "--yes" }, { "--yes", "--json" }, { "--yes", "-v" }, { "--log-format", "json" } } do
      local done, journal = leftovers(t, text, more)
      t.equal(leaks(done.stdout), nil, name .. ": output")
      t.equal(leaks(done.stderr), nil, name .. ": errors")
      t.equal(leaks(journal), nil, name .. ": journal")
    end
  end
end

test["only the reference of a secret is journalled"] = function(t)
  local _, journal = leftovers(t, "ctx:step('one', function() end)")
  t.contains(journal, "\"token\":\"env:T\"")
end

return test
