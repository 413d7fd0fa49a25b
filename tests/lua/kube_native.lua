--- The native module _kube: requests to an API server, lines without end, and
--- connections to pods, against servers that play scripts, and one that plays Kubernetes.

local failure = require "failure"
local fs = require "_fs"
local json = require "json"
local kube = require "_kube"
local proc = require "_proc"
local spawn = require("_task").spawn
local task = require "task"

local test = {}

local SERVERS = fs.real("/proc/self/exe"):match("^(.*)/") .. "/servers/"

--- Let fn(port) talk to a server of the tests, which is ended then.
local function with_server(t, argv, fn)
  local dir = t.dir()
  local words = { "sh", "-c", 'exec "$@" >"$0/port"', dir }
  for _, word in ipairs(argv) do
    words[#words + 1] = word
  end
  local serving = spawn(proc.run, { argv = words })
  local port = task.wait_until("the server", 10000, function()
    t.check(not serving:ended(), "the server ended")
    return (fs.read(dir .. "/port", 100) or ""):match("^port (%d+)\n")
  end, 10)
  local results = table.pack(pcall(fn, port))
  serving:cancel()
  serving:wait()
  if not results[1] then
    error(results[2], 0)
  end
end

--- A client of 127.0.0.1:PORT with these fields of its user.
local function open(t, port, user, prefix)
  local path = t.dir() .. "/config"
  fs.write(path, json.encode {
    ["current-context"] = "c",
    contexts = { { name = "c", context = { cluster = "k", user = "u", namespace = "n" } } },
    clusters = { { name = "k", cluster = { server = "http://127.0.0.1:" .. port .. (prefix or "") } } },
    users = { { name = "u", user = user } },
  })
  return kube.open { kubeconfig = path }, path
end

--- with_server of a script of http_script.
local function with_script(t, script, fn)
  local dir = t.dir()
  fs.write(dir .. "/script", script)
  with_server(t, { SERVERS .. "http_script", "--time", "30", dir .. "/script" }, fn)
end

local function raises(t, code, text, fn, ...)
  local ok, e = pcall(fn, ...)
  t.check(not ok, "it did not fail")
  e = failure.of(e)
  t.equal(e.code, code)
  t.check(e.message:find(text, 1, true), e.message)
  return e
end

test["a client says where it leads and who it is"] = function(t)
  local client, path = open(t, 1, { token = "hidden-token" }, "/k8s/clusters/x/")
  t.equal(json.encode(client:info()),
    json.encode { server = "http://127.0.0.1:1/k8s/clusters/x", context = "c", user = "u", namespace = "n" })
  raises(t, "not_found", "no such context", kube.open, { kubeconfig = path, context = "z" })
  raises(t, "recipe", "path", client.request, client, {})
end

test["a request carries the token, and any status is an answer"] = function(t)
  with_script(t, [[
expect POST /p/api/v1/x?a=b
expect-header Authorization: Bearer hidden-token
expect-header Content-Type: application/json
expect-body {}
answer 404 application/json {"message":"nope"}
]], function(port)
    local client = open(t, port, { token = "hidden-token" }, "/p")
    local answer = client:request { method = "POST", path = "/api/v1/x?a=b", body = "{}",
      headers = { ["Content-Type"] = "application/json" } }
    t.equal(answer.status, 404)
    local e = raises(t, "not_found", "cannot get x: nope", kube.check, "cannot get x", answer)
    t.equal(e.http, 404)
  end)
end

--- A plugin whose n-th run gives the token hidden-N.
local function plugin(t)
  local dir = t.dir()
  local path = dir .. "/plugin"
  fs.write(path, ([[#!/bin/sh
echo >>%s/runs
echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",'
echo '"status":{"token":"hidden-'$(wc -l <%s/runs)'"}}'
]]):format(dir, dir))
  return { exec = { apiVersion = "client.authentication.k8s.io/v1", command = "sh", args = { path },
    interactiveMode = "Never" } }
end

test["a 401 is tried once more with what a plugin says then"] = function(t)
  with_script(t, [[
expect GET /a
expect-header Authorization: Bearer hidden-1
answer 401 text/plain no
expect GET /a
expect-header Authorization: Bearer hidden-2
answer 200 text/plain yes
expect GET /b
expect-header Authorization: Bearer hidden-2
answer 200 text/plain again
]], function(port)
    local client = open(t, port, plugin(t))
    t.equal(client:request { path = "/a" }.body, "yes")
    t.equal(client:request { path = "/b" }.body, "again")
  end)
end

test["a 401 that stays is the answer"] = function(t)
  with_script(t, [[
expect GET /a
answer 401 text/plain no
expect GET /a
answer 401 text/plain no
expect GET /b
answer 401 text/plain no
]], function(port)
    t.equal(open(t, port, plugin(t)):request { path = "/a" }.status, 401)
    t.equal(open(t, port, { token = "hidden" }):request { path = "/b" }.status, 401)
  end)
end

test["a plugin that fails is an error of the request"] = function(t)
  local client = open(t, 1, { exec = { apiVersion = "client.authentication.k8s.io/v1", command = "false" } })
  raises(t, "credentials", '"false" ended with status 1', client.request, client, { path = "/" })
  raises(t, "credentials", '"false" ended with status 1', client.follow, client, { path = "/" })
end

--- All that lines gives until its end, joined by "|".
local function all(lines)
  local got = {}
  repeat
    local line = lines:next()
    got[#got + 1] = line
  until not line
  return table.concat(got, "|")
end

test["lines come one by one, with or without a break at the end"] = function(t)
  with_script(t, [[
expect GET /log
answer 200 text/plain x
expect GET /lines
answer-raw "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na\nbb\n\r\n4\r\n\ncc \r\n"
answer-raw "1\r\nd\r\n0\r\n\r\n"
]], function(port)
    local client = open(t, port, { token = "hidden" })
    t.equal(all(client:follow { path = "/log" }), "x")
    t.equal(all(client:follow { path = "/lines" }), "a|bb||cc d")
  end)
end

test["lines are there before the answer has an end, and a wait may end without one"] = function(t)
  with_script(t, [[
expect GET /watch
answer-raw "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
stall 0.3
answer-raw "5\r\none\nt\r\n"
stall 0.2
answer-raw "3\r\nwo\n\r\n"
wait-close
]], function(port)
    local lines <close> = open(t, port, { token = "hidden" }):follow { path = "/watch" }
    local line, why = lines:next(0)
    t.equal(tostring(line) .. why, "nilwaiting")
    t.equal(lines:next(5000), "one")
    t.equal(lines:next(), "two")
    line, why = lines:next(10)
    t.equal(tostring(line) .. why, "nilwaiting")
    lines:close()
    line, why = lines:next(10)
    t.equal(tostring(line) .. why, "nilended")
  end)
end

test["lines that nobody closes end with the program"] = function(t)
  with_script(t, [[
expect GET /w
answer-raw "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n"
wait-close
]], function(port)
    local lines = open(t, port, { token = "hidden" }):follow { path = "/w" }
    t.equal(lines:next(), "a")
    t.kept = lines
  end)
end

test["a task that waits is woken when the lines are closed"] = function(t)
  with_script(t, [[
expect GET /w
answer-raw "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
wait-close
]], function(port)
    local lines = open(t, port, { token = "hidden" }):follow { path = "/w" }
    local waiting = spawn(function()
      return lines:next()
    end)
    task.sleep(20)
    lines:close()
    local ok, line, why = waiting:wait()
    t.check(ok and line == nil and why == "ended", "it was not woken")
  end)
end

test["an answer that breaks off raises behind its last line"] = function(t)
  with_script(t, [[
expect GET /watch
answer-raw "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\nt\r\n"
close
]], function(port)
    local lines = open(t, port, { token = "hidden" }):follow { path = "/watch" }
    t.equal(lines:next(), "one")
    raises(t, "truncated", "", lines.next, lines)
    raises(t, "truncated", "", lines.next, lines)
  end)
end

test["lines that are refused raise, after one more try of a 401"] = function(t)
  with_script(t, [[
expect GET /w
answer 401 text/plain no
expect GET /w
answer 410 application/json {"message":"too old","reason":"Expired"}
]], function(port)
    local client = open(t, port, plugin(t))
    local e = raises(t, "changed", "too old", client.follow, client, { path = "/w" })
    t.equal(e.http, 410)
  end)
end

test["a line has a bound"] = function(t)
  with_script(t, [[
expect GET /w
answer 200 text/plain 0123456789
]], function(port)
    local lines = open(t, port, { token = "hidden" }):follow { path = "/w", line_max = 5 }
    raises(t, "too_big", "longer than 5 bytes", lines.next, lines)
  end)
end

--- A file of count lines, each its number and 100 bytes.
local function many_lines(t, count, width)
  local path, lines = t.dir() .. "/lines", {}
  for index = 1, count do
    lines[index] = index .. ("x"):rep(width) .. "\n"
  end
  fs.write(path, table.concat(lines))
  return path
end

--- How much memory this process has at the moment, in bytes.
local function resident()
  return tonumber(fs.read("/proc/self/statm", 100):match("^%d+ (%d+)")) * 4096
end

test["lines that nobody reads wait at the server, for longer than a stall, and all come"] = function(t)
  local path = many_lines(t, 50000, 1000)
  collectgarbage()
  with_script(t, "expect GET /w\nanswer-file 200 text/plain " .. path .. "\n", function(port)
    local before = resident()
    local lines <close> = open(t, port, { token = "hidden" }):follow { path = "/w", stall_ms = 2000 }
    t.equal(lines:next(), "1" .. ("x"):rep(1000))
    task.sleep(4000)
    t.check(resident() - before < 30 * 1024 * 1024, "all of it was taken in")
    for index = 2, 50000 do
      t.check(lines:next() == index .. ("x"):rep(1000), "a line is missing")
    end
    t.equal(lines:next(), nil)
  end)
end

test["a server that says nothing after a pause has stalled"] = function(t)
  local lines_each, pieces = 4096, 24
  local script = { "expect GET /w",
    ([[answer-raw "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"]]):format(pieces * lines_each * 128 + 1) }
  local piece = "answer-raw \"" .. (("x"):rep(127) .. "\\n"):rep(lines_each) .. "\""
  for _ = 1, pieces do
    script[#script + 1] = piece
  end
  script[#script + 1] = "wait-close\n"
  with_script(t, table.concat(script, "\n"), function(port)
    local lines <close> = open(t, port, { token = "hidden" }):follow { path = "/w", stall_ms = 2000 }
    task.sleep(4000)
    for _ = 1, pieces * lines_each do
      t.check(#lines:next() == 127)
    end
    raises(t, "timeout", "no progress for 2.000 s", lines.next, lines)
  end)
end

test["long lines are read through a pause"] = function(t)
  local path = t.dir() .. "/long"
  local long = ("y"):rep(7 * 1024 * 1024)
  fs.write(path, long .. "\n" .. long .. "\n" .. long .. "\n")
  with_script(t, "expect GET /w\nanswer-file 200 text/plain " .. path .. "\n", function(port)
    local lines <close> = open(t, port, { token = "hidden" }):follow { path = "/w", line_max = 8 * 1024 * 1024 - 1 }
    task.sleep(500)
    for _ = 1, 3 do
      t.check(lines:next() == long, "it is not the line")
    end
    t.equal(lines:next(), nil)
  end)
end

test["lines that wait are closed and cancelled as others"] = function(t)
  local path = many_lines(t, 200000, 100)
  with_script(t, "always GET /w\nanswer-file 200 text/plain " .. path .. "\nforever\n", function(port)
    local client = open(t, port, { token = "hidden" })
    local lines = client:follow { path = "/w" }
    task.sleep(300)
    lines:close()
    local _, why = lines:next()
    t.equal(why, "ended")
    local reading = spawn(function()
      local other <close> = client:follow { path = "/w" }
      task.sleep(60000)
      return other
    end)
    task.sleep(300)
    reading:cancel()
    t.check(not reading:wait(), "it was not cancelled")
  end)
end

test["a cancel ends a wait for a line"] = function(t)
  with_script(t, [[
expect GET /w
answer-raw "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
wait-close
]], function(port)
    local lines <close> = open(t, port, { token = "hidden" }):follow { path = "/w" }
    local waiting = spawn(function()
      return lines:next()
    end)
    task.sleep(50)
    waiting:cancel()
    local ok, e = waiting:wait()
    t.check(not ok and failure.of(e).code == "cancelled", "it was not cancelled")
  end)
end

--- With the test's API server, and a server that plays script in the pod default/box at port 8080.
local function with_pod(t, script, fn)
  local dir = t.dir()
  with_script(t, script, function(inner)
    fs.write(dir .. "/objects", json.encode { start_ms = 1, objects = { { apiVersion = "v1", kind = "Pod",
      metadata = { name = "box", namespace = "default", annotations = { ["test/port-8080"] = inner } },
      spec = { containers = { { name = "main", image = "x" } } } } } })
    with_server(t, { SERVERS .. "kube_api",
      "--time", "30", "--root", dir, "--objects", dir .. "/objects" }, function(port)
      local client = open(t, port, { token = "hidden" })
      task.wait_until("the pod", 10000, function()
        return client:request { path = "/api/v1/namespaces/default/pods/box" }.body:find('"Running"', 1, true)
      end, 10)
      fn(client, inner)
    end)
  end)
end

local BIG = ("x"):rep(300000)

test["a request goes through a port-forward"] = function(t)
  with_pod(t, ([[
expect POST /big
expect-body %s
answer 200 text/plain %s
]]):format(BIG, BIG), function(client)
    local answer = kube.request_forwarded { client = client, ns = "default", pod = "box", port = 8080,
      method = "POST", url = "http://localhost:8080/big", body = BIG, stall_ms = 10000 }
    t.equal(answer.status, 200)
    t.check(answer.body == BIG, "another body")
  end)
end

test["a port-forward that is refused says why"] = function(t)
  with_pod(t, "forever\n", function(client)
    local function get(pod, port)
      return kube.request_forwarded { client = client, ns = "default", pod = pod, port = port,
        url = "http://localhost/", stall_ms = 10000 }
    end
    raises(t, "network", "port 81 of pod default/box: ", get, "box", 81)
    raises(t, "not_found", "cannot connect to port 81 of pod default/none: ", get, "none", 81)
    raises(t, "recipe", "no port", get, "box", 0)
  end)
end

test["a request goes through a command of a far host"] = function(t)
  with_pod(t, ([[
expect GET /
answer 200 text/plain %s
]]):format(BIG), function(client, inner)
    local host = kube.pod_host(client, "default", "box", "main")
    t.equal(host:label(), "pod default/box (container main)")
    local bash = ('exec 3<>/dev/tcp/127.0.0.1/%s; cat <&3 & cat >&3; wait'):format(inner)
    local answer = kube.request_by_command { host = host, argv = { "bash", "-c", bash },
      url = "http://localhost/", stall_ms = 10000 }
    t.check(answer.body == BIG, "another body")
    raises(t, "not_found", "executable file not found", kube.request_by_command, { host = host,
      argv = { "no-such-nc" }, url = "http://localhost/", stall_ms = 10000 })
    raises(t, "network", "ended with status 7: gone", kube.request_by_command, { host = host,
      argv = { "sh", "-c", "echo gone >&2; exit 7" }, url = "http://localhost/", stall_ms = 10000 })
  end)
end

return test
