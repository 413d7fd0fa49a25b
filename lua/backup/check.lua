--- Reading a backup back: artifacts compared with their digests, tars walked to
--- their end; and the record of it.

local clock = require "clock"
local failure = require "failure"
local json = require "json"
local shelf = require "backup.shelf"
local stream = require "stream"
local words = require "words"

local check = {}

--- A source over an artifact's content: every byte compared with the manifest's
--- digests on the way, decompressed, a tar proven to its end.
--- @param artifact table of the manifest
--- @param options? table progress, watcher, other (see stream.tar_scan)
function check.source(store, prefix, artifact, options)
  options = options or {}
  local source = store:read(prefix .. artifact.name)
  if options.progress then
    source = stream.counted(source, options.progress)
  end
  source = stream.expect(source, artifact)
  source = stream.decompress(source, artifact.codec)
  if artifact.format == "tar" then
    source = stream.tar_scan(source, options.watcher, options.other)
  end
  return source
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
--- @param book table the manifest
--- @param level string "present", "digest" or "content"
--- @param options? table watchers (artifact name -> watcher, for "content"), progress
--- @return table {artifacts, bytes, content_bytes}
function check.backup(store, prefix, book, level, options)
  options = options or {}
  local archived = stat_all(store, prefix, book)
  if archived and level ~= "present" then
    failure.raise("archived", ("artifact \"%s%s\" lies in an archive"):format(prefix, archived),
      { hint = "bring it back first, or check sizes alone: --level present" })
  end
  local sum = { artifacts = #book.artifacts, bytes = 0, content_bytes = 0 }
  for _, artifact in ipairs(book.artifacts) do
    sum.bytes = sum.bytes + artifact.bytes
    if level ~= "present" then
      local watcher = level == "content" and options.watchers and options.watchers[artifact.name] or nil
      local content = failure.during(("artifact \"%s%s\""):format(prefix, artifact.name), function()
        local source <close> = check.source(store, prefix, artifact,
          { progress = options.progress, watcher = watcher })
        return stream.drain(source)
      end)
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
  local key = ("%sverifications/%s-%s.json"):format(prefix, clock.compact(now), record.run)
  store:put(key, json.encode(record, 2) .. "\n", { why = "record what was checked" })
  return key
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
--- @return table checked
function check.verify(ctx, store, entry, level, content)
  local progress = ctx:watch(stream.progress(entry.bytes))
  local ok, result = pcall(function()
    local book = shelf.manifest(store, entry)
    local watchers, finish
    if content and level == "content" then
      watchers, finish = content(book)
    end
    local sum = check.backup(store, entry.prefix, book, level,
      { watchers = watchers, progress = progress })
    for name, fact in pairs(finish and finish() or {}) do
      sum[name] = fact
    end
    return sum
  end)
  if ok then
    check.record(store, entry.prefix, { level = level, result = "good", checked = result, run = ctx.run })
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
