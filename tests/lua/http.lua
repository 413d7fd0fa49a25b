--- HTTP requests from Lua, against a server that plays a script.

local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local fs = require "_fs"
local http = require "http"
local plan = require "recipe.plan"
local proc = require "_proc"
local secret = require "_secret"
local spawn = require("_task").spawn
local task = require "task"

local test = {}

--- Let fn(base URL) talk to a server with that script, which must have been
--- played to its end.
local function with_server(t, script, fn)
  local dir = t.dir()
  local server = fs.real("/proc/self/exe"):match("^(.*)/") .. "/servers/http_script"
  fs.write(dir .. "/script", script)
  local serving = spawn(proc.run, { argv = { "sh", "-c", "exec \"$0\" --time 30 \"$1\" >\"$2\"", server,
    dir .. "/script", dir .. "/port" } })
  local port = task.wait_until("the server", 10000, function()
    t.check(not serving:ended(), "the server ended")
    return (fs.read(dir .. "/port", 100) or ""):match("^port (%d+)\n")
  end, 10)
  local results = table.pack(pcall(fn, "http://127.0.0.1:" .. port))
  if not results[1] then
    serving:cancel()
    serving:wait()
    error(results[2], 0)
  end
  local _, done = serving:wait()
  t.equal({ done.status, done.stderr }, { 0, "" })
end

test["a query is encoded and sorted, and holds nothing that has no text"] = function(t)
  t.equal(http.query(nil), "")
  t.equal(http.query {}, "")
  t.equal(http.query { b = "x y", a = { "1", "&=" }, c = 7, d = true }, "?a=%26%3D&a=1&b=x%20y&c=7&d=true")
  t.raises("recipe", "a handle or a secret cannot be part of a URL", http.query, { a = secret.new("word") })
  t.raises("recipe", "a function cannot be part of a URL", http.query, { a = { error } })
end

test["answers come back, of any status"] = function(t)
  with_server(t, [[
expect GET /api/x?a=1
expect-header X-Mine: yes
answer 200 application/json {"a":[1]}
expect POST /api/y
expect-body text
answer 503 text/plain later
]], function(base)
    local client = http.client(base .. "/api//", { headers = { ["X-Mine"] = "yes" } })
    t.equal(client:get_json("/x", { query = { a = 1 } }), { a = { 1 } })
    local answer = client:request("POST", "/y", { body = "text" })
    t.equal({ answer.status, answer.body, answer.headers["content-type"] }, { 503, "later", "text/plain" })
    local e = t.raises("http", "what: the server answered 503 (later)", http.check, answer, "what")
    t.equal({ e.http, e.retryable }, { 503, true })
  end)
end

test["an error says what was asked, and what was answered"] = function(t)
  local long = ("y"):rep(500)
  with_server(t, ([[
always GET /missing
answer 404 text/html <h1>no</h1>  such   page
always GET /long
answer 400 text/plain %s
always GET /text
answer 200 text/plain no json
always GET /elsewhere
answer-raw "HTTP/1.1 302 Found\r\nLocation: /missing\r\nContent-Length: 0\r\n\r\n"
expect GET /end
answer 200 text/plain
]]):format(long), function(base)
    local client = http.client(base)
    t.raises("http", ("GET %s/missing: the server answered 404 (<h1>no</h1> such page)"):format(base),
      client.get_json, client, "/missing")
    local e = t.raises("http", "yyy...)", client.get_json, client, "/long")
    t.check(#e.message < 300)
    t.equal(e.retryable, false)
    t.raises("invalid", "GET " .. base .. "/text", client.get_json, client, "/text")
    -- A redirect is an answer, not an order.
    t.raises("http", "answered 302", client.get_json, client, "/elsewhere")
    client:request("GET", "/end")
  end)
end

test["an answer that is cut, endless, too big or silent is an error"] = function(t)
  with_server(t, [[
always GET /cut
answer-raw "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much"
close
always GET /endless
endless
always GET /silent
stall 20
expect GET /end
answer 200 text/plain
]], function(base)
    local client = http.client(base, { stall_ms = 200, answer_max = 65536 })
    local ok, e = pcall(client.request, client, "GET", "/cut")
    t.check(not ok and (e.code == "truncated" or e.code == "network"), e and e.code)
    t.raises("too_big", "", client.request, client, "GET", "/endless")
    t.raises("timeout", base .. "/silent", client.request, client, "GET", "/silent")
    client:request("GET", "/end")
  end)
end

test["where nothing answers the hint says where to look"] = function(t)
  local client = http.client("http://127.0.0.1:1")
  local e = t.raises("network", "GET http://127.0.0.1:1/x", client.request, client, "GET", "/x")
  t.contains(e.hint, "does the server run")
end

test["a token goes into its header, and into no error"] = function(t)
  with_server(t, [[
expect GET /x
expect-header Authorization: Bearer open-sesame
answer 401 text/plain who is open-sesame?
]], function(base)
    local client = http.client(base, { token = secret.new("open-sesame") })
    local ok, e = pcall(client.get_json, client, "/x")
    t.equal({ ok, e.http }, { false, 401 })
    -- What the server echoes is redacted on its way out.
    t.equal(require("secret").redact(e.message):find("open-sesame", 1, true), nil)
  end)
  t.raises("recipe", "has no value", function()
    http.client("http://127.0.0.1:1", { token = "a plain string" }):request("GET", "/")
  end)
end

test["requests run beside each other, and end with a cancel"] = function(t)
  with_server(t, [[
always GET /slow
stall 0.3
answer 200 text/plain slow
always GET /silent
stall 20
expect GET /end
answer 200 text/plain
]], function(base)
    local client = http.client(base)
    local began = clock.mono()
    local answers = task.each({ 1, 2, 3, 4, 5, 6 }, 6, function()
      return client:request("GET", "/slow").body
    end)
    t.equal(answers, { "slow", "slow", "slow", "slow", "slow", "slow" })
    t.check(clock.mono() - began < 1500, "one after the other")
    began = clock.mono()
    local handle = spawn(client.request, client, "GET", "/silent")
    task.sleep(50)
    handle:cancel()
    local ok, e = handle:wait()
    t.equal({ ok, failure.of(e).code }, { false, "cancelled" })
    t.check(clock.mono() - began < 5000)
    client:request("GET", "/end")
  end)
end

test["what changes the server is not sent in a plan, nor between steps"] = function(t)
  local client = http.client("http://127.0.0.1:1")
  local listed = plan.new(function() end)
  local ok, e = pcall(effect.with, { plan = listed }, client.post_json, client, "/x", "create it")
  t.check(not ok and e == effect.plan_end)
  t.equal(listed.entries, { { kind = "change", verb = "POST", object = "http://127.0.0.1:1/x", why = "create it" } })
  t.raises("recipe", "cannot POST http://127.0.0.1:1/x between steps", effect.with, {}, client.post_json, client,
    "/x", "create it")
end

test["arguments of other types are refused"] = function(t)
  local native = require "_http"
  for _, bad in ipairs { {}, { url = 7 }, { url = "http://127.0.0.1:1/", headers = { "x" } },
    { url = "http://127.0.0.1:1/", headers = { a = {} } }, { url = "http://127.0.0.1:1/", headers = "x" },
    { url = "ftp://127.0.0.1/" }, { url = "http://127.0.0.1:1/", method = "G T" },
    { url = "http://127.0.0.1:1/", headers = { ["a\r\nb"] = "c" } },
    { url = "http://127.0.0.1:1/", headers = { a = "b\r\nc: d" } },
    { url = "http://127.0.0.1:1/", headers = { a = { "x", "no secret" } } } } do
    local ok, e = pcall(native.request, bad)
    t.equal(ok, false)
    t.check(failure.of(e).code ~= "network", "it was sent: " .. failure.of(e).message)
  end
end

return test
