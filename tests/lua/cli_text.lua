local json = require "json"
local live = require "cli.live"
local text = require "cli.text"
local values = require "cli.values"

local test = {}

test["what acts on a terminal is escaped"] = function(t)
  t.equal(text.safe("plain \u{e4}\u{1f319}"), "plain \u{e4}\u{1f319}")
  t.equal(text.safe("a\27[2J\r\n\tb\127\0"), "a\\x1b[2J\\r\\n\\tb\\x7f\\x00")
  t.equal(text.safe("\u{9b}2J\u{85}"), "\\u{9b}2J\\u{85}")
  t.equal(text.safe("gpj\u{202e}.exe\u{2066}\u{200f}"), "gpj\\u{202e}.exe\\u{2066}\\u{200f}")
  t.equal(text.safe("\xff\u{e4}\xc3"), "\\xff\u{e4}\\xc3")
  t.equal(text.safe(12), "12")
end

test["a text is cut to a width in characters"] = function(t)
  t.equal(text.clip("abcdef", 6), "abcdef")
  t.equal(text.clip("abcdefg", 6), "abc...")
  t.equal(text.clip("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", 4), "\u{e4}...")
  t.equal(text.clip("abcdef", 2), "..")
  t.equal(text.clip("abcdef", 0), "")
end

test["columns are aligned by characters, without trailing spaces"] = function(t)
  t.equal(text.columns({ { "a", "b" }, { "\u{e4}\u{e4}", "c" } }, "  "), "  a   b\n  \u{e4}\u{e4}  c\n")
  t.equal(text.columns({ { "a", "" } }), "a\n")
  t.equal(text.columns({}), "")
end

test["paragraphs are broken at spaces"] = function(t)
  t.equal(text.wrap("one two  three\nfour", "  ", 11), "  one two\n  three\n  four\n")
  t.equal(text.wrap("averylongword x", "", 4), "averylongword\nx\n")
  t.equal(text.wrap("", "", 4), "")
end

test["results are lines of names and values, in units where the name says so"] = function(t)
  t.equal(values.lines({ bytes = 2048, took_ms = 1500, file_bytes = 12, list = { 1, 2 }, flag = false,
    nothing = json.null }),
    "bytes       2.0 KiB (2048)\nfile bytes  12 B\nflag        false\nlist        1, 2\n"
      .. "nothing     -\ntook ms     1.5 s\n")
  t.equal(values.lines({ a = { b = { c = 1 } } }), "a\n  b\n    c  1\n")
  t.equal(values.lines({ blocks = { { name = "x", n = 1 } } }), "blocks\n  x\n    n     1\n    name  x\n")
  t.equal(values.lines({ list = { "a: 1, 2", "b" }, none = {} }), "list  a: 1, 2\n      b\nnone  -\n")
  local long = ("x"):rep(50)
  t.equal(values.lines({ list = { long, long } }), ("list  %s\n      %s\n"):format(long, long))
  t.equal(values.lines("text"), "text\n")
end

test["long lists and texts are cut"] = function(t)
  local list = {}
  for index = 1, 50 do
    list[index] = index
  end
  t.contains(values.lines({ list = list }), "20, ... (50 in all)")
  t.check(#values.lines({ text = ("x"):rep(5000) }) < 300)
  t.equal(values.short({ a = "\27" }, 40), '{"a":"\\u001b"}')
  t.equal(values.short(nil, 10), "")
  t.equal(values.short(("x"):rep(20), 10), "xxxxxxx...")
end

test["progress is bytes, rate and what is left"] = function(t)
  t.equal(live.describe { bytes = 0, total = 0 }, "")
  t.equal(live.describe { bytes = 1024, total = 0 }, "1.0 KiB")
  t.equal(live.describe { bytes = 1024, total = 4096, rate = 1024.0 },
    "1.0 KiB of 4.0 KiB, 1.0 KiB/s, 3.0 s left")
  t.equal(live.describe { bytes = 4096, total = 4096, rate = 0 }, "4.0 KiB of 4.0 KiB")
  t.equal(live.describe { bytes = 5000, total = 4096, rate = 1000 }, "4.9 KiB of 4.0 KiB, 1000 B/s")
end

test["a live line leaves nothing behind"] = function(t)
  local shown = {}
  local one = live.start(function(s) shown[#shown + 1] = s end, true, function() return 20 end)
  local progress = require("stream").progress(1000000)
  one:watch(progress)
  require("task").sleep(300)
  t.equal(one:stop(), "")
  t.check(#shown >= 2)
  t.contains(shown[1], "\r\27[K")
  t.check(text.width((shown[1]:gsub("\r\27%[K", ""))) <= 19)
  t.equal(shown[#shown], "\r\27[K")
end

test["a rate is that of what goes on, also when something is begun anew or watched twice"] = function(t)
  local one = live.start(function() end, false, function() return 80 end)
  local bytes = 0
  local counter = { get = function() return bytes, 0, 0 end }
  one:watch(counter)
  bytes = 1000000
  one.measured = one.measured - 1000
  local rate = one:measure().rate
  t.check(rate > 500000 and rate < 1500000, tostring(rate))
  bytes = 10
  one.measured = one.measured - 1000
  t.equal(one:measure().rate, rate)
  t.equal(one:measure().bytes, 10)
  -- Each turn of a step shows the counter of all: it goes on.
  bytes = 2000000
  one:watch(counter)
  t.equal(one.counter.bytes, 10)
  t.contains(one:stop(), "1.9 MiB")
end

return test
