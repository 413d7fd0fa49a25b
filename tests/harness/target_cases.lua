--- What every kind of target promises; tests/cli/target_lua.sh runs it on each kind.
--- TARGET is the target ("process:" is this machine as a far host), TARGET_DIR a
--- directory there that may be filled; default: one of this machine.

local far = require "_far"
local failure = require "failure"
local fs = require "_fs"
local json = require "json"
local os_ = require "_os"
local remote = require "target.remote"
local stream = require "stream"
local target = require "target"
local task = require "task"

local TARGET = os_.getenv("TARGET")

local MIB = 1024 * 1024

--- Names that break what does not take care.
local ODD = { "with space", "new\nline", "üñí", "bad\xff\xfe", "-dash", "--", "it's \"quoted\" $HOME `x` \\", "*",
  " lead", "trail ", "tab\there", "[a]", "%s", "~", "#c", ("n"):rep(200) }

local function sh(at, dir, script)
  local result = at:exec { argv = { "/bin/sh", "-c", script }, cwd = dir }
  if result.status ~= 0 then
    error(("status %d: %s"):format(result.status, result.stderr), 0)
  end
  return result.stdout
end

--- The names that a tar holds, sorted, and it itself.
local function read_tar(t, source)
  local bytes = stream.read_all(source, 128 * MIB)
  local path = t.dir() .. "/catalog"
  local sink = stream.to_file(path)
  local catalog = stream.catalog(sink)
  stream.drain(stream.tar_scan(stream.from_string(bytes), catalog))
  stream.commit(sink)
  local names = {}
  for line in fs.read(path, 64 * MIB):gmatch("[^\n]+") do
    local entry = json.decode(line)
    names[#names + 1] = entry.name or ("b64:" .. entry.name_b64)
  end
  table.sort(names)
  return names, bytes
end

local all = {}

function all.commands_get_arguments_environment_directory_and_input(t, at, dir)
  local script = "printf '%s|%s|%s|' \"$1\" \"$X\" \"$PWD\"; cat; echo e >&2; exit 7"
  local result = at:exec { argv = { "/bin/sh", "-c", script, "sh", "a b\n" },
    env = { X = "it's" }, cwd = dir, input = "in\0put" }
  t.equal(result.status, 7)
  t.equal(result.stdout, "a b\n|it's|" .. dir .. "|in\0put")
  t.equal(result.stderr, "e\n")
  t.equal(at:exec { argv = { "cat" } }.stdout, "")
  t.equal(at:exec { argv = { "/bin/sh", "-c", "kill -9 $$" } }.status, 137)
  t.raises("not_found", "no-such-program", at.exec, at, { argv = { "no-such-program" } })
  t.raises("too_big", "", at.exec, at, { argv = { "/bin/sh", "-c", "printf 123456" }, output_max = 5 })
  t.raises("timeout", "", at.exec, at, { argv = { "sleep", "600" }, stall_ms = 300 })
end

function all.secrets_reach_a_command(t, at)
  local secret = require("_secret").new("s3cr'et\nline")
  t.equal(at:exec { argv = { "/bin/sh", "-c", "printf %s \"$S\"" }, env = { S = secret } }.stdout, "s3cr'et\nline")
end

function all.files_of_odd_names_are_written_looked_at_listed_and_read(t, at, dir)
  local want = {}
  for index, name in ipairs(ODD) do
    local path = dir .. "/" .. name
    t.equal(at:stat(path), nil)
    t.equal(at:read(path, 10), nil)
    at:write(path, name .. "\0\n", { mode = 416 })
    t.equal(at:read(path, 1000), name .. "\0\n")
    local stat = at:stat(path)
    t.equal({ stat.type, stat.size, stat.mode }, { "file", #name + 2, 416 })
    t.equal(at:real(path), path)
    want[index] = name
  end
  table.sort(want)
  t.equal(at:list(dir), want)
  for _, name in ipairs(ODD) do
    at:rename(dir .. "/" .. name, dir .. "/" .. name .. ".x")
    at:chmod(dir .. "/" .. name .. ".x", 256)
    t.equal(at:stat(dir .. "/" .. name .. ".x").mode, 256)
    at:remove_tree(dir .. "/" .. name .. ".x")
  end
  t.equal(at:list(dir), {})
end

function all.writing_is_whole_or_not_at_all(t, at, dir)
  local path = dir .. "/f"
  at:write(path, "")
  t.equal(at:read(path, 0), "")
  t.equal(at:stat(path).mode, 384)
  at:write(path, "two")
  t.raises("exists", "", at.write, at, path, "three", { exclusive = true })
  t.equal(at:read(path, 3), "two")
  t.raises("too_big", "more than 2 bytes", at.read, at, path, 2)
  t.raises("not_found", "", at.write, at, dir .. "/no/f", "x")
  at:write(dir .. "/new", "x", { exclusive = true })
  at:make_dirs(dir .. "/d")
  t.check(not pcall(at.write, at, dir .. "/d", "x"))
  t.equal(at:list(dir), { "d", "f", "new" })
  local large = ("0123456789abcdef"):rep(MIB // 4)
  at:write(path, large)
  t.equal(at:read(path, 4 * MIB) == large, true)
end

function all.looking_tells_what_there_is(t, at, dir)
  sh(at, dir, "mkdir d; ln -s d link; ln -s nowhere dangling; echo x >f; ln f g; mkfifo pipe; touch -d @1500000000 f")
  t.equal(at:stat(dir .. "/d").type, "dir")
  t.equal(at:stat(dir .. "/link").type, "symlink")
  t.equal(at:stat(dir .. "/link", true).type, "dir")
  t.equal(at:stat(dir .. "/dangling").type, "symlink")
  t.equal(at:stat(dir .. "/dangling", true), nil)
  t.equal(at:stat(dir .. "/pipe").type, "other")
  t.equal(at:stat(dir .. "/f/below"), nil)
  t.equal(at:stat(dir .. "/f").mtime, 1500000000000)
  t.equal(at:stat(dir .. "/f").links, 2)
  t.equal(at:stat(dir .. "/f").ino, at:stat(dir .. "/g").ino)
  t.equal(at:stat(dir .. "/f").dev, at:stat(dir).dev)
  t.equal(at:stat(dir .. "/f").uid, at:identity().uid)
  t.equal(at:real(dir .. "/link"), dir .. "/d")
  t.equal(at:real(dir .. "/dangling"), nil)
  t.equal(at:read(dir .. "/dangling", 10), nil)
  t.raises("not_found", "", at.list, at, dir .. "/none")
  t.raises("not_found", "", at.list, at, dir .. "/f")
  t.raises("invalid", "", at.read, at, dir .. "/d", 10)
  t.check(at:free(dir) > 0)
  t.raises("not_found", "", at.free, at, dir .. "/none")
  t.contains(at:describe("/x/y"), "/x/y")
  at:check_absolute("/x", "--dir")
  t.raises("usage", "--dir must be an absolute path", at.check_absolute, at, "x", "--dir")
end

function all.directories_are_made_moved_and_removed(t, at, dir)
  at:make_dirs(dir .. "/a/b/c", 493)
  at:make_dirs(dir .. "/a/b/c", 448)
  t.equal(at:stat(dir .. "/a/b/c").mode, 493)
  at:make_dirs(dir .. "/p/")
  t.equal(at:stat(dir .. "/p").mode, 448)
  at:write(dir .. "/f", "x")
  local ok, e = pcall(at.make_dirs, at, dir .. "/f/g")
  t.check(not ok and (e.code == "exists" or e.code == "not_found"), e)
  at:rename(dir .. "/a", dir .. "/z")
  t.equal(at:list(dir .. "/z"), { "b" })
  t.raises("exists", "", at.rename, at, dir .. "/z", dir .. "/p")
  t.raises("exists", "", at.rename, at, dir .. "/f", dir .. "/p")
  t.raises("not_found", "", at.rename, at, dir .. "/none", dir .. "/q")
  t.raises("not_found", "", at.rename, at, dir .. "/f", dir .. "/no/q")
  sh(at, dir, "ln -s ../f z/out; chmod 500 z/b")
  at:remove_tree(dir .. "/z")
  at:remove_tree(dir .. "/z")
  t.equal(at:list(dir), { "f", "p" })
end

function all.owners_are_given_by_root(t, at, dir)
  if not at:identity().root then
    return
  end
  at:write(dir .. "/f", "x")
  sh(at, dir, "ln -s f link")
  at:chown(dir .. "/f", { uid = 12345, gid = 54321 })
  t.equal({ at:stat(dir .. "/f").uid, at:stat(dir .. "/f").gid }, { 12345, 54321 })
  at:chown(dir .. "/link", { uid = 7, gid = 8 })
  t.equal({ at:stat(dir .. "/link").uid, at:stat(dir .. "/f").uid }, { 7, 12345 })
  t.raises("not_found", "", at.chown, at, dir .. "/none", { uid = 1, gid = 1 })
  at:make_dirs(dir .. "/to", 493)
  at:tar_in(dir .. "/to", at:tar_out(dir, { names = { "f", "link" } }), { owner = { uid = 99, gid = 98 } })
  t.equal({ at:stat(dir .. "/to/f").uid, at:stat(dir .. "/to/link").gid, at:stat(dir .. "/to").uid }, { 99, 98, 0 })
end

--- A tree with what is odd in it.
local function make_tree(at, dir)
  at:make_dirs(dir .. "/tree/sub/deep", 493)
  for _, name in ipairs(ODD) do
    at:write(dir .. "/tree/" .. name, name)
  end
  sh(at, dir .. "/tree", [[
    : >empty; ln sub/../empty sub/hard; ln -s empty link; ln -s ../empty sub/up; chmod 751 sub/deep
    dd if=/dev/zero of=hole bs=1 count=1 seek=3000000 2>/dev/null
    dd if=/dev/urandom of=random bs=65536 count=5 2>/dev/null
    chmod 604 random; touch -d @1400000000 random sub/deep sub]])
end

function all.a_tree_comes_back_as_it_was(t, at, dir)
  make_tree(at, dir)
  at:make_dirs(dir .. "/back", 448)
  local names, bytes = read_tar(t, at:tar_out(dir .. "/tree"))
  t.equal(#names, #ODD + 8)
  for _, name in ipairs(names) do
    t.check(name:sub(1, 2) ~= "./" and name ~= ".", name)
  end
  at:tar_in(dir .. "/back", stream.from_string(bytes), {})
  sh(at, dir, "diff -r --no-dereference tree back 2>&1 || diff -r tree back")
  for _, name in ipairs { "random", "sub/deep", "sub", "empty" } do
    local was, is = at:stat(dir .. "/tree/" .. name), at:stat(dir .. "/back/" .. name)
    t.equal({ is.type, is.size, is.mode }, { was.type, was.size, was.mode }, name)
    -- busybox puts files into a directory behind its time.
    if name ~= "sub" then
      t.equal(is.mtime // 1000, was.mtime // 1000, name)
    end
  end
  t.equal(at:stat(dir .. "/back/empty").ino, at:stat(dir .. "/back/sub/hard").ino)
  t.equal(at:stat(dir .. "/back").mode, 448)
  t.raises("exists", "", at.tar_in, at, dir .. "/back", stream.from_string(bytes), {})
  t.raises("not_found", "", at.tar_in, at, dir .. "/none", stream.from_string(bytes), {})
end

function all.a_tar_is_of_chosen_names(t, at, dir)
  make_tree(at, dir)
  local tree = dir .. "/tree"
  t.equal((read_tar(t, at:tar_out(tree, { names = { "-dash", "new\nline", "sub/deep", "link" } }))),
    { "-dash", "link", "new\nline", "sub/deep" })
  local ok, e = pcall(function() return read_tar(t, at:tar_out(tree, { names = { "no" } })) end)
  t.check(not ok and e.code == "not_found", e)
  -- A link that is followed is the file.
  at:make_dirs(dir .. "/back", 448)
  sh(at, tree, "echo text >real; ln -s real alias")
  at:tar_in(dir .. "/back", at:tar_out(tree, { names = { "alias" }, follow_names = true }), {})
  t.equal(at:stat(dir .. "/back/alias").type, "file")
  t.equal(at:read(dir .. "/back/alias", 100), "text\n")
  ok, e = pcall(function() return read_tar(t, at:tar_out(dir .. "/none")) end)
  t.check(not ok and e.code == "not_found", e)
end

function all.set_id_bits_are_not_given_away(t, at, dir)
  sh(at, dir, "mkdir in back in/d; echo x >in/f; chmod 6755 in/f; chmod 2755 in/d; chmod 711 back")
  at:tar_in(dir .. "/back", at:tar_out(dir .. "/in"), {})
  t.equal({ at:stat(dir .. "/back/f").mode, at:stat(dir .. "/back/d").mode, at:stat(dir .. "/back").mode },
    { 493, 493, 457 })
end

function all.a_tar_that_leads_out_is_refused(t, at, dir)
  sh(at, dir, "mkdir in back; ln -s ../../.. in/out")
  t.raises("corrupt", "leads out of the directory", at.tar_in, at, dir .. "/back", at:tar_out(dir .. "/in"), {})
  sh(at, dir, "rm -r in; mkdir in; mkfifo in/pipe")
  local ok, e = pcall(function() return read_tar(t, at:tar_out(dir .. "/in")) end)
  t.check(not ok and e.code == "unsupported", e)
end

function all.a_cut_tar_is_no_success(t, at, dir)
  make_tree(at, dir)
  local _, bytes = read_tar(t, at:tar_out(dir .. "/tree"))
  at:make_dirs(dir .. "/back", 448)
  t.raises("truncated", "", at.tar_in, at, dir .. "/back", stream.from_string(bytes:sub(1, #bytes // 2)), {})
end

function all.many_small_files_go_out_and_in(t, at, dir)
  sh(at, dir, "mkdir many back; cd many; i=0; while [ $i -lt 10000 ]; do echo $i >f$i; i=$((i + 1)); done")
  t.equal(#at:list(dir .. "/many"), 10000)
  local progress = stream.progress()
  local source = at:tar_out(dir .. "/many", { progress = progress })
  at:tar_in(dir .. "/back", source, {})
  t.equal(#at:list(dir .. "/back"), 10000)
  t.equal(at:read(dir .. "/back/f9999", 100), "9999\n")
  t.check(select(3, progress:get()) > 0)
  at:remove_tree(dir .. "/many")
  at:remove_tree(dir .. "/back")
end

function all.a_large_file_goes_out_and_in(t, at, dir)
  sh(at, dir, "mkdir one back; dd if=/dev/urandom of=one/large bs=1048576 count=64 2>/dev/null")
  at:tar_in(dir .. "/back", at:tar_out(dir .. "/one"), {})
  sh(at, dir, "cmp one/large back/large")
end

function all.tasks_do_not_wait_for_one_another(t, at, dir)
  local seen = {}
  at:write(dir .. "/f", "x")
  task.each({ 1, 2, 3, 4, 5, 6 }, 6, function(index)
    for _ = 1, 10 do
      seen[index] = at:stat(dir .. "/f").size
    end
  end)
  t.equal(seen, { 1, 1, 1, 1, 1, 1 })
end

function all.a_cancelled_command_ends(t, at)
  local running = task.spawn(function() return at:exec { argv = { "sleep", "600" } } end)
  task.sleep(300)
  running:cancel()
  local ok, e = running:wait()
  t.check(not ok and failure.is(e, "cancelled"), e)
end

--- The target, and a directory there that is empty.
local function open(t)
  local at = TARGET == "process:" and remote.new { host = far.process_host(), url = TARGET } or target.open(TARGET)
  local base = os_.getenv("TARGET_DIR") or t.dir()
  local dir = base .. "/cases"
  at:remove_tree(dir)
  at:make_dirs(dir, 493)
  return at, at:real(dir)
end

local test = {}

for name, fn in pairs(all) do
  test[name:gsub("_", " ")] = function(t)
    local at, dir = open(t)
    fn(t, at, dir)
    at:remove_tree(dir)
    if at.close then
      at:close()
    end
  end
end

return test
