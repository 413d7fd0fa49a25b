--- The target `local:`: this machine.
---
--- The interface of every target.  Paths are the target's.  What changes
--- something asks effect.change, so that a plan lists it.

local effect = require "effect"
local failure = require "failure"
local fs = require "_fs"
local os_ = require "_os"
local proc = require "_proc"
local tar = require "_tar"

local machine = {}

local Machine = {}
Machine.__index = Machine

--- Is the text this machine?
function machine.check(text)
  if text ~= "local:" then
    failure.raise("usage", ("\"%s\": local: takes nothing behind the colon"):format(text))
  end
end

--- Open this machine as a target; for target.open.
function machine.open(text)
  return setmetatable({ url = text, name = os_.host().name }, Machine)
end

--- Run a command; argv is passed as it is, no shell.
--- @param spec table argv, env (NAME = string or secret), cwd, input, output_max, stall_ms,
---   why (for the plan), reads (true: it changes nothing, so a plan runs it, too)
--- @return table {status, stdout, stderr}
function Machine:exec(spec)
  if not spec.reads then
    effect.change_for_result("run", table.concat(spec.argv, " "), spec.why)
  end
  return proc.run { argv = spec.argv, env = spec.env, cwd = spec.cwd, input = spec.input,
    output_max = spec.output_max, stall_ms = spec.stall_ms }
end

--- @return table|nil {type, size, mode, uid, gid, mtime, dev, ino}; nil when there is nothing
function Machine:stat(path, follow)
  return fs.stat(path, follow or false)
end

--- The names in a directory, sorted.
function Machine:list(path)
  local names = fs.list(path)
  table.sort(names)
  return names
end

--- A small file's bytes, or nil when there is none.
--- @param max integer more bytes raise "too_big"
function Machine:read(path, max)
  return fs.read(path, max)
end

--- Write a small file, atomically.
--- @param options? table {mode, why, exclusive = true: raise "exists" when it is there}
function Machine:write(path, bytes, options)
  options = options or {}
  if effect.change("write", path, options.why) then
    fs.write(path, bytes, options.mode or 384, options.exclusive or false)
  end
end

--- Make a directory and its missing parents; an existing one is fine.
function Machine:make_dirs(path, mode, why)
  if effect.change("make the directory", path, why) then
    fs.make_dirs(path, mode or 448)
  end
end

--- Move; the new name must be free and on the same file system.
function Machine:rename(from, to, why)
  if effect.change("move", ("%s to %s"):format(from, to), why) then
    fs.rename(from, to)
  end
end

--- Remove a path and all below it; a missing one is fine.
function Machine:remove_tree(path, why)
  if effect.change("remove", path, why) then
    fs.remove_tree(path)
  end
end

--- Change the owner of one path.
function Machine:chown(path, owner, why)
  if effect.change("change the owner of", path, why) then
    fs.chown(path, owner.uid, owner.gid)
  end
end

--- Change the mode of one path.
function Machine:chmod(path, mode, why)
  if effect.change("change the mode of", path, why) then
    fs.chmod(path, mode)
  end
end

--- Bytes that we can still write at a path (which must exist).
function Machine:free(path)
  return (fs.space(path))
end

--- Who acts on this target: {uid, gid, root = boolean}; is_server where that is known
--- to be the user that the servers on it run as.
function Machine:identity()
  local process = os_.process()
  return { uid = process.uid, gid = process.gid, root = process.uid == 0 }
end

--- A directory as a tar source.
--- @param path string
--- @param options? table {names = list relative to path, follow_names, progress}
function Machine:tar_out(path, options)
  options = options or {}
  return tar.dir { root = path, names = options.names, follow_names = options.follow_names,
    progress = options.progress }
end

--- Extract a tar source below an existing directory; takes the source.
--- @param options table {owner = {uid, gid}|nil, watcher, other, why}
function Machine:tar_in(path, source, options)
  effect.change_for_result("extract into", path, options.why)
  local owner = options.owner
  tar.extract(source, path, {
    owner = owner and "fixed" or "ours",
    uid = owner and owner.uid, gid = owner and owner.gid,
  }, options.watcher, options.other)
end

--- Check TSDB blocks below a path, in place.
--- @return table blocks, see tsdb.check
function Machine:check_tsdb(path)
  return require("tsdb").check_dir(path)
end

--- An HTTP client for a URL as it is seen from the target.
function Machine:http(url, options)
  return require("http").client(url, options)
end

--- The absolute path without links, or nil when it does not exist.
function Machine:real(path)
  return fs.real(path)
end

--- Warn the operator, once, where what is restored to a directory would not stay: of a
--- container's own file system.  For recipes, before they ask for a confirmation.
--- @param path string which need not exist yet
function Machine:forewarn(path) end

--- What a person types to run a command there.
--- @param argv table
function Machine:command(argv)
  return require("words").command(argv)
end

--- "local:" with a path, for messages.
function Machine:describe(path)
  return path
end

--- Raise "refused" when a path is not absolute.
function Machine:check_absolute(path, what)
  if path:sub(1, 1) ~= "/" then
    failure.raise("usage", ("%s must be an absolute path, not \"%s\""):format(what, path))
  end
end

return machine
