local words = require "words"

local test = {}

test["a command is split as a shell would"] = function(t)
  t.equal(words.split("systemctl stop x"), { "systemctl", "stop", "x" })
  t.equal(words.split("  a   b\t"), { "a", "b" })
  t.equal(words.split([[sh -c 'a "b" $c' "d \"e\" \x" f\ g]]),
    { "sh", "-c", 'a "b" $c', 'd "e" \\x', "f g" })
  t.equal(words.split([[a '' ""]]), { "a", "", "" })
  t.equal(words.split([[a"b"'c'd]]), { "abcd" })
end

test["nothing but quotes is understood in a command"] = function(t)
  t.equal(words.split("a $B `c` *.d | e"), { "a", "$B", "`c`", "*.d", "|", "e" })
end

test["an open quote or an empty command is refused"] = function(t)
  t.raises("usage", "a quote is not closed", words.split, "a 'b")
  t.raises("usage", "a quote is not closed", words.split, 'a "b\\"')
  t.raises("usage", "empty", words.split, "   ")
end

test["the nearest name is found, and a far one is not"] = function(t)
  local names = { "backups", "rollback", "report", "run", "runs" }
  t.equal(words.nearest("rollbak", names), "rollback")
  t.equal(words.nearest("reprot", names), "report")
  t.equal(words.nearest("xyzxyzxyz", names), nil)
  t.equal(words.nearest("backup", { "prometheus.verify", "prometheus.backup" }), "prometheus.backup")
  t.equal(words.nearest("", {}), nil)
end

test["what was probably meant is asked"] = function(t)
  t.equal(words.did_you_mean("rnu", { "run" }), " (did you mean \"run\"?)")
  t.equal(words.did_you_mean("something", { "run" }), "")
end

test["bytes are said in units"] = function(t)
  t.equal(words.bytes(0), "0 B")
  t.equal(words.bytes(1023), "1023 B")
  t.equal(words.bytes(1024), "1.0 KiB")
  t.equal(words.bytes(1288490188), "1.2 GiB")
  t.equal(words.bytes(math.maxinteger), "8192.0 PiB")
end

test["durations are said in units"] = function(t)
  t.equal(words.duration(0), "0.0 s")
  t.equal(words.duration(9940), "9.9 s")
  t.equal(words.duration(12000), "12 s")
  t.equal(words.duration(200000), "3 min 20 s")
  t.equal(words.duration(61234), "1 min 1 s")
  t.equal(words.duration(59600), "1 min 0 s")
  t.equal(words.duration(200000.7), "3 min 20 s")
  t.equal(words.duration(7500000), "2 h 5 min")
  t.equal(words.duration(3600000.5), "1 h 0 min")
end

test["counts have thousands apart"] = function(t)
  t.equal(words.count(0), "0")
  t.equal(words.count(999), "999")
  t.equal(words.count(1000), "1 000")
  t.equal(words.count(5011200), "5 011 200")
end

test["bytes that are no UTF-8 are written out"] = function(t)
  t.equal(words.valid("plain \u{e4}\n"), "plain \u{e4}\n")
  t.equal(words.valid("a\xffb\xc3"), "a\\xffb\\xc3")
  t.equal(words.valid("\xed\xa0\x80"), "\\xed\\xa0\\x80")
  t.equal(words.valid(""), "")
end

return test
