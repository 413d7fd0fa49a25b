--- Reading a backup back: artifacts compared with their digests, tars walked to
--- their end; and the record of it.

local clock = require "clock"
local failure = require "failure"
local json = require "json"
local key = require "backup.key"
local shelf = require "backup.shelf"
local stream = require "stream"
local words = require "words"

local check = {}

--- A source over an artifact as it is stored: every byte compared with the
--- manifest's digests on the way.
local function stored(store, prefix, artifact, progress)
  local source = store:read(prefix .. artifact.name)
  if progress then
    source = stream.counted(source, progress)
  end
  return stream.expect(source, artifact)
end

--- A source over an artifact's content: compared with the digests, decrypted,
--- decompressed, a tar proven to its end.  Raises "key" for one that the key does
--- not open.
--- @param artifact table of the manifest
--- @param options? table key, progress, watcher, other (see stream.tar_scan)
function check.source(store, prefix, artifact, options)
  options = options or {}
  key.check({ artifact }, options.key, prefix:sub(1, -2))
  local source = stored(store, prefix, artifact, options.progress)
  if artifact.encryption then
    source = stream.decrypt(source, options.key)
  end
  source = stream.decompress(source, artifact.codec)
  if artifact.format == "tar" then
    source = stream.tar_scan(source, options.watcher, options.other)
  end
  return source
end

--- What is told of an encrypted artifact whose beginning is damaged; its key is right by its id.
local LOOKS_LIKE_ANOTHER = { key = true, unsupported = true, too_big = true }

--- Read an artifact to its end: reader(source over its content) -> ...
--- @param options? table as check.source
--- @return any of reader
function check.read(store, prefix, artifact, options, reader)
  return failure.during(("artifact \"%s%s\""):format(prefix, artifact.name), function()
    local source <close> = check.source(store, prefix, artifact, options)
    local results = table.pack(pcall(reader, source))
    if results[1] then
      return table.unpack(results, 2, results.n)
    end
    local e = failure.of(results[2])
    if artifact.encryption and LOOKS_LIKE_ANOTHER[e.code] then
      local again <close> = stored(store, prefix, artifact)
      stream.drain(again)
    end
    error(e, 0)
  end)
end

--- Compare presence and sizes.
--- @return string|nil the name of an artifact that lies in an archive
local function stat_all(store, prefix, book)
  local archived
  for _, artifact in ipairs(book.artifacts) do
    local found = store:stat(prefix .. artifact.name)
    if found == nil then
      failure.raise("corrupt", ("artifact \"%s%s\" is missing"):format(prefix, artifact.name))
    elseif found.size ~= artifact.bytes then
      failure.raise("corrupt", ("artifact \"%s%s\" has %d bytes instead of %d"):format(prefix,
        artifact.name, found.size, artifact.bytes))
    end
    archived = archived or found.archived and artifact.name or nil
  end
  return archived
end

--- Check a backup against its manifest.  Raises "corrupt" at the first defect,
--- "archived" for what has to be brought back from an archive before it can be read.
--- "content" needs the key of what is encrypted; "digest" does not look inside without.
--- @param book table the manifest
--- @param level string "present", "digest" or "content"
--- @param options? table watchers (artifact name -> watcher, for "content"), progress, key
--- @return table {artifacts, bytes, content_bytes, unread}: unread is how many artifacts
---   were not looked into, or nil
function check.backup(store, prefix, book, level, options)
  options = options or {}
  local archived = stat_all(store, prefix, book)
  if archived and level ~= "present" then
    failure.raise("archived", ("artifact \"%s%s\" lies in an archive"):format(prefix, archived),
      { hint = "bring it back first, or check sizes alone: --level present" })
  end
  if level == "content" or (level == "digest" and options.key) then
    key.check(book.artifacts, options.key, prefix:sub(1, -2))
  end
  local sum = { artifacts = #book.artifacts, bytes = 0, content_bytes = 0 }
  for _, artifact in ipairs(book.artifacts) do
    sum.bytes = sum.bytes + artifact.bytes
    if level ~= "present" and artifact.encryption and options.key == nil then
      failure.during(("artifact \"%s%s\""):format(prefix, artifact.name), function()
        local source <close> = stored(store, prefix, artifact, options.progress)
        stream.drain(source)
      end)
      sum.unread = (sum.unread or 0) + 1
    elseif level ~= "present" then
      local watcher = level == "content" and options.watchers and options.watchers[key.plain_name(artifact)] or nil
      local content = check.read(store, prefix, artifact,
        { progress = options.progress, watcher = watcher, key = options.key }, stream.drain)
      if artifact.content_bytes and content ~= artifact.content_bytes then
        failure.raise("corrupt", ("artifact \"%s%s\" holds %d bytes instead of %d"):format(prefix,
          artifact.name, content, artifact.content_bytes))
      end
      sum.content_bytes = sum.content_bytes + content
    end
  end
  return sum
end

--- Write the record of a verification beside the manifest.
--- @param record table level, result ("good"|"bad"), checked, error, run
--- @return string its key
function check.record(store, prefix, record)
  local now = clock.now()
  record.format, record.version = "moonkeep-verification", 1
  record.time, record.store = clock.iso(now), store.place
  local name = ("%sverifications/%s-%s.json"):format(prefix, clock.compact(now), record.run)
  store:put(name, json.encode(record, 2) .. "\n", { why = "record what was checked" })
  return name
end

--- Verify a backup, and record the outcome, good or bad; a bad one raises.  Of one
--- that lies in an archive nothing is recorded: it raises "archived".
--- @param ctx table
--- @param store table
--- @param entry table of shelf.find
--- @param level string
--- @param content? function(book) -> watchers, finish: what the system's own check
---   watches (artifact name -> watcher), and finish() -> facts for the record, which
---   raises "corrupt" or "unverified" when they do not agree
--- @param secret? table the key of encrypted artifacts
--- @return table checked
function check.verify(ctx, store, entry, level, content, secret)
  local progress = ctx:watch(stream.progress(entry.bytes))
  local ok, result = pcall(function()
    local book = shelf.manifest(store, entry)
    local watchers, finish
    if content and level == "content" then
      watchers, finish = content(book)
    end
    local sum = check.backup(store, entry.prefix, book, level,
      { watchers = watchers, progress = progress, key = secret })
    for name, fact in pairs(finish and finish() or {}) do
      sum[name] = fact
    end
    return sum
  end)
  if ok then
    check.record(store, entry.prefix, { level = level, result = "good", checked = result, run = ctx.run })
    if result.unread then
      ctx:say("without a key: the stored bytes of %d encrypted artifacts are good, their content was not looked at",
        result.unread)
    end
    return result
  end
  local e = failure.of(result)
  -- Only what was found to be wrong makes a backup bad; not to be able to look does not.
  if e.code == "corrupt" or e.code == "truncated" or e.code == "unverified" then
    check.record(store, entry.prefix, { level = level, result = "bad", error = failure.plain(e), run = ctx.run })
    e = failure.prefix(e, ("the backup %s is not good"):format(entry.name))
    e.code = "corrupt"
    e.hint = e.hint or ("restore from another one: `moonkeep backups --store %s`"):format(words.quote(store.url))
  elseif e.code == "archived" then
    e = failure.prefix(e, ("the backup %s is archived, not checked"):format(entry.name))
  end
  error(e, 0)
end

return check
