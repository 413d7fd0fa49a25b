--- A backup in the making: its lock, its artifacts, its manifest.
---
--- A backup is a folder SYSTEM/INSTANCE/TIME/ in a store; it exists from the
--- moment when its manifest.json, written last, is there.

local check = require "backup.check"
local clock = require "clock"
local failure = require "failure"
local key = require "backup.key"
local lock = require "store.lock"
local manifest = require "backup.manifest"
local name = require "backup.name"
local shelf = require "backup.shelf"
local stream = require "stream"
local task = require "task"

local backup = {}

local Backup = {}
Backup.__index = Backup

--- A backup to be made.
--- @param ctx table
--- @param store table
--- @param system string "prometheus"
--- @param instance string "main"
--- @param secret? table the key to encrypt artifacts with
function backup.new(ctx, store, system, instance, secret)
  if not name.is_part(instance) then
    failure.raise("usage", ("\"%s\" is no instance's name: letters, digits, '.', '_' and '-'"):format(instance))
  end
  -- A key that is none is told of before anything is done.
  key.described(secret)
  return setmetatable({
    ctx = ctx, store = store, system = system, instance = instance, key = secret,
    lock = lock.new(store, system .. "/" .. instance, ctx.run),
  }, Backup)
end

--- The time of the newest backup of the instance, or nil.
local function newest_time(self)
  local ok, others = pcall(shelf.list, self.store, { system = self.system, instance = self.instance })
  if not ok and not failure.is(others, "not_found") then
    error(others, 0)
  end
  return ok and #others > 0 and others[#others].time or nil
end

--- Take the lock of the instance, and decide the backup's time under it: later
--- than that of any other.  A clock that was set back is refused.
--- @return table {number, time}
function Backup:acquire()
  local number = self.lock:acquire()
  local before = self.lock.before
  if before then
    self.ctx:say("run %s on %s did not end: there, moonkeep rollback %s removes what it left", before.run,
      before.host, before.run)
  end
  local excludes = self.store:excludes()
  if excludes == false then
    self.ctx:caution("the store \"%s\" knows no create-only writes: nothing keeps another run from "
      .. "writing backups of %s/%s at the same time", self.store.place, self.system, self.instance)
  end
  local newest = newest_time(self)
  local time = clock.compact(clock.now())
  if newest and newest:sub(1, #time) == time then
    task.sleep(1000)
    time = clock.compact(clock.now())
  end
  if newest and newest >= time then
    failure.raise("refused", ("the newest backup of %s/%s is of %s, and the clock says %s")
      :format(self.system, self.instance, newest, time),
      { hint = "set the clock right; if that backup is from the future, move its folder away" })
  end
  -- Where the store cannot exclude, no two runs may share a folder.
  if excludes == false then
    time = time .. "-" .. self.ctx.run:match("%w+$")
  end
  return { number = number, time = time }
end

--- Begin the backup of that time; its name is known from here.
--- @param held table of acquire
function Backup:begin(held)
  self.time = held.time
  self.prefix = ("%s/%s/%s/"):format(self.system, self.instance, held.time)
  self.name = self.prefix:sub(1, -2)
end

--- Give the lock back.
--- @return string|nil why there was nothing to give back
function Backup:release()
  return self.lock:release()
end

--- Remove what was written, unless the manifest made it a backup.
--- @return string|nil why it was not removed
function Backup:discard()
  if self.store:stat(self.prefix .. manifest.FILE) == nil then
    self.store:remove_all(self.prefix, "it is no complete backup")
  else
    self.store:sweep(self.prefix)
    return "it is complete, and stays"
  end
end

--- How long another task may take to sweep, milliseconds.
local SWEEP_MS = 10 * 60000

--- Remove what an earlier process of this run was writing when it was killed: once,
--- before anything new is written, since what is being written looks the same.
local function sweep_once(self)
  if self.swept == nil then
    self.swept = false
    self.store:sweep(self.prefix)
    self.swept = true
  elseif not self.swept then
    task.wait_until("the store to be swept", SWEEP_MS, function() return self.swept end, 20)
  end
end

local CODECS = { zst = "zstd", gz = "gzip" }

--- A digest for what is going to be stored: the store's sink fills it, so that
--- a byte is hashed once also where a hash signs it on its way.
local function new_digest(self)
  return stream.new_digest(self.store.can.whole_digest)
end

--- The name of an artifact in the store.
local function stored_name(self, artifact_name)
  return key.stored_name(artifact_name, self.key)
end

--- The artifact that a digest tells of.
local function described(self, digest, artifact_name, codec)
  local artifact = digest:result()
  artifact.name, artifact.codec = stored_name(self, artifact_name), codec
  artifact.encryption = key.described(self.key)
  return artifact
end

--- A sink for an artifact, whose stored bytes are digested.
local function create(self, artifact_name, digest)
  return self.store:create(self.prefix .. stored_name(self, artifact_name), { digest = digest })
end

--- Stream a tar into the store as an artifact, with a catalog of its entries.
--- The name's ending decides the compression: .tar.zst, .tar.gz or .tar.  With
--- a key, both are encrypted, and their names end with .gpg.  Takes the source.
--- @param artifact_name string "tsdb.tar.zst"
--- @param source table
--- @param options? table level, watcher (sees the entries), progress, roots (the names at the
---   tar's top, where it is one of several parts of a whole)
--- @return table list of artifacts for the manifest: the tar and its catalog
function Backup:put_tar(artifact_name, source, options)
  options = options or {}
  local stem, ending = artifact_name:match("^(.-)%.tar%.?(%a*)$")
  local codec = CODECS[ending] or "none"
  local catalog_name = stem .. ".catalog.jsonl"

  local _ <close> = source
  sweep_once(self)
  local digest, catalog_digest = new_digest(self), new_digest(self)
  local catalog_sink <close> = create(self, catalog_name, catalog_digest)
  local sink <close> = create(self, artifact_name, digest)
  if self.key then
    stream.encrypt_sink(catalog_sink, self.key)
  end
  local catalog = stream.catalog(catalog_sink)
  if options.progress then
    source = stream.counted(source, options.progress)
  end
  source = stream.tar_scan(source, catalog, options.watcher)
  source = stream.compress(source, codec, options.level)
  if self.key then
    source = stream.encrypt(source, self.key)
  end
  -- Until it is copied: when it is not, what reads ahead ends before the sinks do.
  local chain <close> = source
  self.lock:held(stream.copy, chain, sink, options.progress)
  stream.commit(catalog_sink)
  stream.commit(sink)

  local artifact = described(self, digest, artifact_name, codec)
  artifact.format, artifact.catalog = "tar", stored_name(self, catalog_name)
  artifact.roots = options.roots
  artifact.entries, artifact.file_bytes = catalog:count()
  return { artifact, described(self, catalog_digest, catalog_name, "none") }
end

--- Store a small text as an artifact.
--- @return table list of artifacts for the manifest
function Backup:put_text(artifact_name, text)
  local digest = new_digest(self)
  if self.key then
    local sink <close> = create(self, artifact_name, digest)
    stream.encrypt_sink(sink, self.key)
    stream.copy(stream.from_string(text), sink)
    stream.commit(sink)
  else
    self.store:put(self.prefix .. artifact_name, text, { digest = digest })
  end
  return { described(self, digest, artifact_name, "none") }
end

--- The manifest of what was put, not yet published.
--- @param fields table artifacts (lists as put_tar returns them), content, target, partial
function Backup:manifest(fields)
  local artifacts = {}
  for _, list in ipairs(fields.artifacts) do
    for _, artifact in ipairs(list) do
      artifacts[#artifacts + 1] = artifact
    end
  end
  return {
    system = self.system, instance = self.instance, time = self.time, run = self.ctx.run,
    recipe = fields.recipe, tool = "moonkeep " .. require("_os").version, target = fields.target,
    artifacts = artifacts, content = fields.content, partial = fields.partial,
  }
end

--- Read back what was put, before the manifest makes it a backup.
--- @param book table of Backup:manifest
--- @param watchers? table artifact name -> watcher of the system's own check; without, the
---   verification that is recorded is "digest" and not "content"
--- @return table {artifacts, bytes, content_bytes, level}
function Backup:read_back(book, watchers, progress)
  local level = watchers and next(watchers) and "content" or "digest"
  local sum = self.lock:held(check.backup, self.store, self.prefix, book, level,
    { watchers = watchers, progress = progress, key = self.key })
  sum.level = level
  return sum
end

--- Publish: the digests for sha256sum, the record of the reading back, the manifest.
--- @param book table of Backup:manifest
--- @param checked table of read_back
function Backup:publish(book, checked)
  self.lock:check()
  self.store:sweep(self.prefix)
  local lines = {}
  for _, artifact in ipairs(book.artifacts) do
    if artifact.sha256 then
      lines[#lines + 1] = ("%s  %s\n"):format(artifact.sha256, artifact.name)
    end
  end
  if #lines > 0 then
    self.store:put(self.prefix .. "SHA256SUMS", table.concat(lines),
      { why = "so that sha256sum -c can check it" })
  end
  local counts = {}
  for fact, value in pairs(checked) do
    counts[fact] = fact ~= "level" and value or nil
  end
  check.record(self.store, self.prefix, { level = checked.level, result = "good", checked = counts,
    run = self.ctx.run })
  -- Nothing comes after the manifest: what it makes a backup is complete.
  local ok, e = pcall(self.store.put, self.store, self.prefix .. manifest.FILE, manifest.encode(book),
    { exclusive = self.store:excludes() ~= false, why = "it makes this a backup" })
  if not ok then
    -- A crash between writing it and saying so: it is there, and it is ours.
    local entry = failure.is(e, "exists") and { prefix = self.prefix, name = self.name }
    if not entry or shelf.manifest(self.store, entry).run ~= self.ctx.run then
      error(e, 0)
    end
  end
  return { name = self.name }
end

return backup
