--- The interface of targets (machine.lua) over a far host: a pod, a host over SSH.
---
--- Small questions go to shells that wait there, one for each task that asks at
--- the same time.  What they need: a POSIX shell, and stat, df, readlink, mv, rm,
--- mkdir, chown, chmod, cat, sync of busybox or GNU.  Names are any bytes but NUL.

local clock = require "clock"
local effect = require "effect"
local failure = require "failure"
local far = require "_far"
local native_stream = require "_stream"
local tar = require "_tar"

local remote = {}

local Remote = {}
Remote.__index = Remote

--- The class, for targets that add to it (`http` at least).
remote.class = Remote

--- No sign of life for so long ends a connection.
local STALL_MS = 120000
remote.STALL_MS = STALL_MS

--- A shell that waited longer may have lost its connection on the way.
local IDLE_MS = 120000

--- Shells that are kept for the next question.
local IDLE_MAX = 4

--- Where an answer is text of ours.
local ANSWER_MAX = 64 * 1024 * 1024

--- The words of tools, by what they end with, and what a target would have said.
local WORDS = {
  { "No such file or directory", "not_found" },
  { "Not a directory", "not_found" },
  { "File exists", "exists" },
  { "Permission denied", "permission" },
  { "Operation not permitted", "permission" },
  { "Read%-only file system", "permission" },
  { "No space left on device", "full" },
  { "Disk quota exceeded", "full" },
  { "Is a directory", "invalid" },
}

--- In front of every script: messages that WORDS knows, and what scripts share.
local COMMON = [[
LC_ALL=C; export LC_ALL
no() { printf '%s\n' "$1" >&2; exit 99; }
is() { [ -e "$1" ] || [ -L "$1" ]; }
settle() { sync "$@" 2>/dev/null || sync; }
parent() { case $1 in */*) P=${1%/*}; P=${P:-/} ;; *) P=. ;; esac; }
]]

local STAT = "stat $1 -c '%f %s %u %g %Y %d %i %h' -- \"$2\""

local LIST = [[
[ -d "$1" ] || { is "$1" && no 'Not a directory'; stat -- "$1" >/dev/null || exit 99; }
[ -r "$1" ] && [ -x "$1" ] || no 'Permission denied'
cd -- "$1" || exit 99
for n in * .*; do ! is "$n" || printf '%s\0' "$n"; done
]]

local READ = [[
stat -L -c '%f %s' -- "$1" || exit 99
[ -f "$1" ] || no 'it is no regular file'
[ "$(stat -L -c %s -- "$1")" -gt "$2" ] || cat -- "$1" || exit 98
]]

local MAKE_DIRS = [[
make() {
  [ ! -d "$1" ] || return 0
  parent "$1"
  [ "$P" = "$1" ] || make "$P" "$2" || return
  mkdir -m "$2" -- "$1" 2>/dev/null || [ -d "$1" ] || mkdir -m "$2" -- "$1" || return
  parent "$1"; settle "$P"
}
make "$1" "$2"
]]

local RENAME = [[
is "$1" || no 'No such file or directory'
! is "$2" || no 'File exists'
parent "$2"; to=$P
parent "$1"; from=$P
there=$(stat -c %d -- "$to") || exit 99
[ "$(stat -c %d -- "$1")" = "$there" ] || no 'Invalid cross-device link'
mv -- "$1" "$2" || exit 98
settle "$to"; settle "$from"
]]

--- A tar that was cut off may still put files there while it is being ended.
local REMOVE = [[
is "$1" || exit 0
rm -rf -- "$1" 2>/dev/null || { sleep 1; rm -rf -- "$1"; } || exit 98
! is "$1" || no 'it is still there'
parent "$1"; settle "$P"
]]

local FREE = "[ -d \"$1\" ] || stat -- \"$1\" >/dev/null || exit 99; df -P -k -- \"$1\""

local IDENTITY = [[
if command -v id >/dev/null 2>&1; then id -u; id -g; else
  while read -r a b _; do case $a in Uid:|Gid:) echo "$b" ;; esac; done </proc/self/status
fi
]]

local REAL = "[ -e \"$1\" ] || stat -L -- \"$1\" >/dev/null || exit 99; readlink -f -- \"$1\""

--- A target over a far host.
--- @param fields table host (of a native module), url, name (for messages), proof ("structure"
---   or "digest"), stall_ms
function remote.new(fields)
  return setmetatable({ host = fields.host, url = fields.url, name = fields.name or fields.host:label(),
    proof = fields.proof or "structure", stall_ms = fields.stall_ms or STALL_MS, idle = {} }, Remote)
end

--- A shell that waits, or a new one.
--- @return userdata shell, boolean did it wait?
local function take_shell(self)
  local entry = table.remove(self.idle)
  while entry do
    if clock.mono() - entry.since < IDLE_MS then
      return entry.shell, true
    end
    entry.shell:close()
    entry = table.remove(self.idle)
  end
  return far.shell(self.host, self.stall_ms), false
end

local function give_shell(self, shell)
  if #self.idle >= IDLE_MAX then
    shell:close()
  else
    self.idle[#self.idle + 1] = { shell = shell, since = clock.mono() }
  end
end

--- Run a script there.
--- @param again boolean it changes nothing: try once more when the connection was lost
--- @return table {status, stdout, stderr}
local function ask(self, script, args, again, output_max)
  local shell, waited = take_shell(self)
  local ok, answer = pcall(shell.run, shell, COMMON .. script, args, { output_max = output_max or ANSWER_MAX })
  if ok then
    give_shell(self, shell)
    return answer
  end
  shell:close()
  if again and waited and not failure.is(answer, "cancelled") and not failure.is(answer, "too_big") then
    return ask(self, script, args, again, output_max)
  end
  error(answer, 0)
end

--- What tools said as an error.
local function complain(self, what, path, answer)
  local said = answer.stderr:gsub("%s+$", "")
  local code = "io"
  for _, entry in ipairs(WORDS) do
    if said:find(entry[1] .. "$") then
      code = entry[2]
      said = said:match(entry[1] .. "$")
      break
    end
  end
  if said == "" then
    said = ("status %d"):format(answer.status)
  end
  return failure.new(code, ("cannot %s \"%s\" in %s: %s"):format(what, path, self.name,
    require("words").valid(said:sub(-400))))
end

local function must(self, what, path, script, args, again)
  local answer = ask(self, script, args, again)
  if answer.status ~= 0 then
    error(complain(self, what, path, answer), 0)
  end
  return answer.stdout
end

local function check_path(path)
  if type(path) ~= "string" or path == "" or path:find("\0", 1, true) then
    failure.raise("usage", "a path is not empty, and holds no NUL")
  end
end

--- A shell whose connection surely holds: a command may not be tried twice.
local SURE_MS = 2000

local function sure_shell(self)
  local entry = self.idle[#self.idle]
  if entry and clock.mono() - entry.since < SURE_MS then
    return table.remove(self.idle).shell
  end
end

--- Run a command; argv is passed as it is, no shell interprets it.
--- @param spec table argv, env (NAME = string or secret), cwd, input, output_max, stall_ms,
---   why (for the plan), reads (true: it changes nothing, so a plan runs it, too)
--- @return table {status, stdout, stderr}
function Remote:exec(spec)
  if not spec.reads then
    effect.change_for_result("run", table.concat(spec.argv, " "), spec.why)
  end
  local shell = not spec.bare and sure_shell(self) or nil
  local ok, done = pcall(far.run, self.host, { argv = spec.argv, env = spec.env, cwd = spec.cwd,
    input = spec.input, output_max = spec.output_max, stall_ms = spec.stall_ms, bare = spec.bare, shell = shell })
  if shell then
    if ok then
      give_shell(self, shell)
    else
      shell:close()
    end
  end
  if not ok then
    error(done, 0)
  end
  return done
end

local KINDS = { [0x8] = "file", [0x4] = "dir", [0xa] = "symlink" }

--- @return table|nil {type, size, mode, uid, gid, mtime (whole seconds), dev, ino, links}; nil when
---   there is nothing
function Remote:stat(path, follow)
  check_path(path)
  local answer = ask(self, follow and STAT or STAT:gsub(" %$1", ""), { "-L", path }, true)
  if answer.status ~= 0 then
    local e = complain(self, "look at", path, answer)
    if e.code == "not_found" then
      return nil
    end
    error(e, 0)
  end
  local mode, size, uid, gid, mtime, dev, ino, links =
    answer.stdout:match("^(%x+) (%d+) (%d+) (%d+) (%-?%d+) (%d+) (%d+) (%d+)\n$")
  if mode == nil then
    failure.raise("protocol", ("cannot look at \"%s\" in %s: its stat answers in another form")
      :format(path, self.name))
  end
  mode = tonumber(mode, 16)
  return { type = KINDS[mode >> 12] or "other", size = tonumber(size), mode = mode & 4095,
    uid = tonumber(uid), gid = tonumber(gid), mtime = tonumber(mtime) * 1000, dev = tonumber(dev),
    ino = tonumber(ino), links = tonumber(links) }
end

--- The names in a directory, sorted.
function Remote:list(path)
  check_path(path)
  local names = {}
  for name in must(self, "list", path, LIST, { path }, true):gmatch("([^\0]+)\0") do
    if name ~= "." and name ~= ".." then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

--- How often a file is read that changes meanwhile.
local READ_TRIES = 3

--- A small file's bytes, or nil when there is none.
--- @param max integer more bytes raise "too_big"
function Remote:read(path, max)
  check_path(path)
  for _ = 1, READ_TRIES do
    local answer = ask(self, READ, { path, ("%d"):format(max) }, true, max + 4096)
    if answer.status ~= 0 then
      local e = complain(self, "read", path, answer)
      if e.code == "not_found" then
        return nil
      elseif e.message:find("no regular file$") then
        e.code = "invalid"
      end
      error(e, 0)
    end
    local size, bytes = answer.stdout:match("^%x+ (%d+)\n(.*)$")
    size = tonumber(size)
    if size > max or #bytes > max then
      failure.raise("too_big", ("\"%s\" in %s has more than %d bytes"):format(path, self.name, max))
    end
    -- Files that the kernel makes say 0.
    if #bytes == size or size == 0 then
      return bytes
    end
  end
  failure.raise("io", ("cannot read \"%s\" in %s: it changed while it was read"):format(path, self.name))
end

--- Write a small file, atomically.
--- @param options? table {mode, why, exclusive = true: raise "exists" when it is there}
function Remote:write(path, bytes, options)
  options = options or {}
  check_path(path)
  if effect.change("write", path, options.why) then
    far.file_write(native_stream.mem_source(bytes), self.host, path, { mode = options.mode or 384,
      exclusive = options.exclusive or false, proof = self.proof, stall_ms = self.stall_ms })
  end
end

--- Make a directory and its missing parents; an existing one is fine.
function Remote:make_dirs(path, mode, why)
  check_path(path)
  if effect.change("make the directory", path, why) then
    local clean = path:match("^(.-)/*$")
    must(self, "make the directory", path, MAKE_DIRS, { clean ~= "" and clean or "/", ("%04o"):format(mode or 448) })
  end
end

--- Move; the new name must be free and on the same file system.
function Remote:rename(from, to, why)
  check_path(from)
  check_path(to)
  if effect.change("move", ("%s to %s"):format(from, to), why) then
    must(self, "move", ("%s\" to \"%s"):format(from, to), RENAME, { from, to })
  end
end

--- Remove a path and all below it; a missing one is fine.
function Remote:remove_tree(path, why)
  check_path(path)
  if path:find("^[/.]+$") then
    failure.raise("usage", ("\"%s\" is not removed"):format(path))
  end
  if effect.change("remove", path, why) then
    must(self, "remove", path, REMOVE, { path:match("^(.-)/*$") }, true)
  end
end

--- Change the owner of one path.
function Remote:chown(path, owner, why)
  check_path(path)
  if effect.change("change the owner of", path, why) then
    must(self, "change the owner of", path, "chown -h -- \"$1\" \"$2\"",
      { ("%d:%d"):format(owner.uid, owner.gid), path }, true)
  end
end

--- Change the mode of one path.
function Remote:chmod(path, mode, why)
  check_path(path)
  if effect.change("change the mode of", path, why) then
    must(self, "change the mode of", path, "chmod -- \"$1\" \"$2\"", { ("%04o"):format(mode), path }, true)
  end
end

--- Bytes that we can still write at a path (which must exist).
function Remote:free(path)
  check_path(path)
  local text = must(self, "ask for the free space at", path, FREE, { path }, true)
  local kib = text:match("\n.*%s%d+%s+%d+%s+(%-?%d+)%s+[%d%-]+%%?%s")
  if kib == nil then
    failure.raise("protocol", ("cannot ask for the free space at \"%s\" in %s: its df answers in another form")
      :format(path, self.name))
  end
  return math.max(tonumber(kib), 0) * 1024
end

--- Who acts on this target: {uid, gid, root = boolean}.
function Remote:identity()
  if self.who == nil then
    local uid, gid = must(self, "ask who we are", "id", IDENTITY, {}, true):match("^(%d+)\n(%d+)\n")
    self.who = { uid = tonumber(uid), gid = tonumber(gid), root = tonumber(uid) == 0 }
  end
  return { uid = self.who.uid, gid = self.who.gid, root = self.who.root }
end

--- A directory as a tar source.
--- @param path string
--- @param options? table {names = list relative to path, follow_names, progress}
function Remote:tar_out(path, options)
  options = options or {}
  check_path(path)
  return far.tar_source(self.host, { root = path, names = options.names, follow_names = options.follow_names,
    progress = options.progress, proof = self.proof, stall_ms = self.stall_ms })
end

--- Extract a tar source below an existing directory; takes the source.
--- @param options table {owner = {uid, gid}|nil, watcher, other, why}
function Remote:tar_in(path, source, options)
  check_path(path)
  effect.change_for_result("extract into", path, options.why)
  local owner = options.owner
  far.tar_extract(source, self.host, { dest = path, uid = owner and owner.uid, gid = owner and owner.gid,
    proof = self.proof, stall_ms = self.stall_ms }, options.watcher, options.other)
end

--- Check TSDB blocks below a path: they come here as a tar, and nothing is kept.
--- @return table blocks, see tsdb.check
function Remote:check_tsdb(path)
  local check = require("tsdb").check()
  native_stream.drain(tar.scan(self:tar_out(path), check))
  return check:finish()
end

--- The absolute path without links, or nil when it does not exist.
function Remote:real(path)
  check_path(path)
  local answer = ask(self, REAL, { path }, true)
  if answer.status == 0 then
    return (answer.stdout:gsub("\n$", ""))
  end
  local e = complain(self, "resolve", path, answer)
  if e.code == "not_found" then
    return nil
  end
  error(e, 0)
end

--- What is restored to a host stays there.
function Remote:forewarn(path) end

--- What a person types to run a command there.
--- @param argv table
function Remote:command(argv)
  return require("words").command(argv)
end

--- Where a path is, for messages.
function Remote:describe(path)
  return ("%s:%s"):format(self.name, path)
end

--- Raise "usage" when a path is not absolute.
function Remote:check_absolute(path, what)
  if path:sub(1, 1) ~= "/" then
    failure.raise("usage", ("%s must be an absolute path, not \"%s\""):format(what, path))
  end
end

--- Take a shell that was opened on the host, for the next question.
function Remote:keep(shell)
  give_shell(self, shell)
end

--- End the shells that wait; the target stays usable.
function Remote:close()
  for _, entry in ipairs(self.idle) do
    entry.shell:close()
  end
  self.idle = {}
end

return remote
