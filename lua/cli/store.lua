--- moonkeep store probe, list, put, get, remove

local clock = require "clock"
local failure = require "failure"
local json = require "json"
local live = require "cli.live"
local object = require "cli.object"
local os_ = require "_os"
local stream = require "stream"
local text = require "cli.text"
local words = require "words"

local commands = {}

--- How many lines are written at once.
local LINES = 500

--- Is progress shown?
local function is_watched(call)
  return text.is_terminal(2) and not call.options.quiet and call.options.log_format ~= "json"
end

--- Call fn(progress) with a live line on standard error, where that is a terminal.
local function watched(call, total, fn)
  local progress = stream.progress(total)
  local line
  if is_watched(call) then
    line = live.start(text.err, true, function() return os_.columns(2) end)
    line:watch(progress)
  end
  local results = table.pack(pcall(fn, progress))
  if line then
    line:stop()
  end
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Copies that take less time, in ms, have no rate worth to be told.
local RATED_MS = 500

local function rate(bytes, ms)
  return ms >= RATED_MS and (", %s/s"):format(words.bytes(math.floor(bytes / ms * 1000))) or ""
end

--- Tell what was copied.
--- @param told table key, store; file, of what was got
local function copied(call, said, told, bytes, began)
  local ms = clock.mono() - began
  if call.options.json then
    text.out(json.encode({ key = words.valid(told.key), store = told.store,
      file = told.file and words.valid(told.file), bytes = bytes, ms = ms, exit = 0 }, 2) .. "\n")
  elseif not call.options.quiet then
    text.out(("%s: %s in %s%s\n"):format(text.safe(said), words.bytes(bytes), words.duration(ms),
      rate(bytes, ms)))
  end
  return 0
end

--- Copy the file, or standard input, to a key.
--- @param before table|nil of object.source
--- @return integer bytes
local function put_once(call, to, key, before)
  local source <close> = before and stream.from_file(call.args[2]) or stream.from_stdin()
  local sink <close> = to:create(key, { resume = before ~= nil })
  return watched(call, before and before.size or 0, function(progress)
    local counted <close> = stream.counted(source, progress)
    local count = stream.copy(counted, sink, progress)
    if before then
      object.unchanged(call, before)
    end
    stream.commit(sink)
    return count
  end)
end

--- Copy a file, or standard input, into a store.
function commands.put(call)
  local file = call.args[2]
  local before = object.source(call)
  local to, key = object.of(call, call.args[1])
  key = object.key(key, file)
  if before == nil and text.is_terminal(0) and not call.options.quiet then
    text.err("moonkeep: reads the terminal, until Ctrl-D\n")
  end
  local began = clock.mono()
  local ok, bytes = pcall(put_once, call, to, key, before)
  if not ok then
    local e = failure.of(bytes)
    if before == nil or e.code ~= "io" or not e.retryable then
      error(e, 0)
    end
    -- The interrupted upload was of a longer file: it is gone now, and this one begins anew.
    bytes = put_once(call, to, key, before)
  end
  return copied(call, ("put %s into %s"):format(key, to.place), { key = key, store = to.place },
    bytes, began)
end

--- Copy an object to a file, or to standard output.
function commands.get(call)
  local from, key = object.of(call, call.args[1])
  local file = object.file(call, key)
  if call.options.json and not file then
    failure.raise("usage", "the object itself goes to standard output, where --json would be",
      { hint = "name a file: moonkeep store get KEY FILE --json" })
  end
  local began = clock.mono()
  local source <close> = from:read(key)
  local sink <close> = file and stream.to_file(file) or stream.to_stdout()
  local found = is_watched(call) and from:stat(key)
  local bytes = watched(call, found and found.size or 0, function(progress)
    local counted <close> = stream.counted(source, progress)
    local count = stream.copy(counted, sink, progress)
    stream.commit(sink)
    return count
  end)
  return file and copied(call, ("got %s into %s"):format(key, file),
    { key = key, store = from.place, file = file }, bytes, began) or 0
end

local function row(entry)
  if entry.size == nil then
    return ("%-24s %16s  %s\n"):format("", "", text.safe(entry.key))
  end
  return ("%-24s %16d  %s%s\n"):format(clock.iso(entry.mtime), entry.size, text.safe(entry.key),
    entry.archived and "  (archived)" or "")
end

local function json_row(entry)
  return json.encode { key = words.valid(entry.key), bytes = entry.size,
    time = entry.mtime and clock.iso(entry.mtime), etag = entry.etag, archived = entry.archived }
end

--- List what is in a store.
function commands.list(call)
  local from, prefix = object.below(call, call.args[1])
  local as_json = call.options.json
  local lines, count, bytes = {}, 0, 0
  local function add(entry)
    count, bytes = count + 1, bytes + (entry.size or 0)
    lines[#lines + 1] = as_json and (count == 1 and "[\n" or ",\n") .. json_row(entry)
      or row(entry)
    if #lines == LINES then
      text.out(table.concat(lines))
      lines = {}
    end
  end
  for entry in from:each(prefix, not call.options.all) do
    add(entry)
  end
  local one = count == 0 and object.one(call, call.args[1])
  if one then
    add(one)
  end
  lines[#lines + 1] = as_json and (count == 0 and "[]\n" or "\n]\n") or nil
  text.out(table.concat(lines))
  if not as_json and not call.options.quiet then
    text.err(("%s %s, %s\n"):format(words.count(count), count == 1 and "entry" or "entries",
      words.bytes(bytes)))
  end
  return 0
end

--- Ask, or be told before.
local function confirm(call, question)
  if not call.options.yes and not require("cli.ui").new(call.options):ask(question) then
    failure.raise("refused", "not confirmed: " .. question,
      { hint = "give --yes where nobody is there to ask" })
  end
end

--- Remove an object, or all below a prefix.
function commands.remove(call)
  local from, key = object.of(call, call.args[1])
  local count, bytes = 0, 0
  local all = key:sub(-1) == "/"
  if all then
    for entry in from:each(key) do
      count, bytes = count + 1, bytes + entry.size
    end
  else
    local found = from:stat(key)
    count, bytes = found and 1 or 0, found and found.size or 0
  end
  if count == 0 and not all then
    failure.raise("not_found", ("there is no \"%s\" in \"%s\""):format(key, from.place))
  end
  local objects = ("%s %s (%s)"):format(words.count(count), count == 1 and "object" or "objects",
    words.bytes(bytes))
  confirm(call, all and ("remove %s below \"%s\" in \"%s\"?"):format(objects, key, from.place)
    or ("remove \"%s\" (%s) from \"%s\"?"):format(key, words.bytes(bytes), from.place))
  if all then
    from:remove_all(key)
  else
    from:remove(key)
  end
  if call.options.json then
    text.out(json.encode({ key = words.valid(key), store = from.place, removed = count, bytes = bytes,
      exit = 0 }, 2) .. "\n")
  elseif not call.options.quiet then
    text.out(all and ("removed %s below %s\n"):format(objects, text.safe(key))
      or ("removed %s (%s)\n"):format(text.safe(key), words.bytes(bytes)))
  end
  return 0
end

local MARKS = { yes = "yes", no = "NO", ignored = "IGNORED", denied = "DENIED" }

--- Try what a store can do.
function commands.probe(call)
  local options = call.options
  local on = object.store(call, call.args[1])
  local probe = require "store.probe"
  local said = not options.quiet and not options.json
  if said then
    text.out(("Probing %s\n%s"):format(text.safe(on.place), text.wrap(probe.COSTS, "  ", 78)))
  end
  local found = probe.run(on, function(feature)
    if said then
      text.out(("  %-8s %s%s\n"):format(MARKS[feature.answer], text.safe(feature.text),
        feature.follows and ": " .. text.safe(feature.follows) or ""))
    end
  end)
  local statuses = { usable = 0, limited = 3, unusable = 1 }
  if options.json then
    found.exit = statuses[found.verdict]
    text.out(json.encode(found, 2) .. "\n")
  elseif said then
    local names = { usable = "Usable", limited = "Usable, with limits", unusable = "NOT usable" }
    text.out(("%s%s, in %s\n"):format(names[found.verdict],
      found.server and " (" .. text.safe(found.server) .. ")" or "",
      words.duration(found.ms)))
  end
  return statuses[found.verdict]
end

return commands
