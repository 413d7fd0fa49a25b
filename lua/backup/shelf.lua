--- What is in a store: backups, and the verifications beside them.

local failure = require "failure"
local json = require "json"
local keys = require "backup.key"
local manifest = require "backup.manifest"
local name = require "backup.name"
local words = require "words"

local shelf = {}

--- Bound on a verification record, in bytes.
local RECORD_MAX = 4 * 1024 * 1024

--- The levels of verification, from shallow to deep.
shelf.LEVELS = { present = 1, digest = 2, content = 3, restored = 4 }

--- The verification records below a backup's prefix that were made of this
--- store, newest first; an unreadable one counts as none.
function shelf.verifications(store, entry)
  local records = {}
  for _, key in ipairs(entry.records) do
    local ok, record = pcall(json.decode, store:get(key, RECORD_MAX) or "")
    if ok and type(record) == "table" and record.store == store.place and record.level
      and shelf.LEVELS[record.level] then
      record.key = key
      records[#records + 1] = record
    end
  end
  table.sort(records, function(a, b)
    return a.key > b.key
  end)
  return records
end

--- What verifications together say: the deepest good one, and the bad one that
--- still counts.  A bad one is only overruled by a later good one that looked as
--- deeply, and what was good before a bad one is no longer.
--- @param records table newest first
--- @return table|nil good, table|nil bad
function shelf.judge(records)
  local good, overruled
  for _, record in ipairs(records) do
    local level = shelf.LEVELS[record.level]
    local reached = good and shelf.LEVELS[good.level] or 0
    if record.result ~= "good" and level > reached then
      return nil, record
    elseif record.result ~= "good" then
      overruled = true
    elseif not overruled and level > reached then
      good = record
    end
  end
  return good, nil
end

--- Sum up a backup: its manifest's main facts and what its verifications say.
local function describe(store, entry)
  local key = entry.prefix .. manifest.FILE
  local read, text = pcall(store.get, store, key, manifest.MAX)
  if not read and failure.is(text, "archived") then
    entry.archived, entry.bytes = true, entry.stored
    return entry
  elseif not read then
    error(text, 0)
  end
  local ok, value = pcall(manifest.decode, text or "", key)
  if not ok then
    entry.bad = value.message
    entry.bytes = 0
  else
    entry.bytes, entry.artifacts = 0, #value.artifacts
    for _, artifact in ipairs(value.artifacts) do
      entry.bytes = entry.bytes + artifact.bytes
    end
    entry.partial = value.partial or nil
    entry.run, entry.key = value.run, keys.of(value)
  end
  local good, bad = shelf.judge(shelf.verifications(store, entry))
  if good then
    entry.verified = { level = good.level, time = good.time, run = good.run }
  elseif bad then
    entry.bad = entry.bad or ("verification failed: " .. tostring(bad.error and bad.error.message))
  end
  return entry
end

--- All backups below a name's system, instance and time, oldest first.
--- A folder without a manifest is no backup.
--- @param store table
--- @param filter? table {system, instance, time}
--- @return table list of {name, prefix, system, instance, time, bytes, artifacts, verified, bad,
---   partial, archived (some of it has to be brought back from an archive first)}
function shelf.list(store, filter)
  filter = filter or {}
  local prefix = ""
  for _, part in ipairs { filter.system or false, filter.instance or false, filter.time or false } do
    if not part then
      break
    end
    prefix = prefix .. part .. "/"
  end
  local folders, order = {}, {}
  for object in store:each(prefix) do
    local folder, rest = object.key:match("^([^/]+/[^/]+/%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ[%w-]*/)(.+)$")
    if folder and not folder:match("^locks/") then
      if folders[folder] == nil then
        local system, instance, time = folder:match("^([^/]+)/([^/]+)/([^/]+)/$")
        folders[folder] = { prefix = folder, name = folder:sub(1, -2), system = system,
          instance = instance, time = time, records = {}, stored = 0 }
        order[#order + 1] = folders[folder]
      end
      folders[folder].stored = folders[folder].stored + object.size
      folders[folder].archived = folders[folder].archived or object.archived or nil
      if rest == manifest.FILE then
        folders[folder].complete = true
      elseif rest:match("^verifications/[^/]+%.json$") then
        table.insert(folders[folder].records, object.key)
      end
    end
  end
  local found = {}
  for _, entry in ipairs(order) do
    if entry.complete then
      found[#found + 1] = describe(store, entry)
    end
  end
  table.sort(found, function(a, b)
    if a.system ~= b.system then
      return a.system < b.system
    elseif a.instance ~= b.instance then
      return a.instance < b.instance
    end
    return a.time < b.time
  end)
  return found
end

local function none(text, store, why, hint)
  failure.raise("not_found", ("there is no backup \"%s\" in \"%s\"%s"):format(text, store.place, why or ""),
    { hint = hint or ("`moonkeep backups --store %s` lists them"):format(words.quote(store.url)) })
end

--- The backup with that name.  `latest` is the newest that is not known to be
--- bad, `latest-verified` the newest that was found to be good by a verification
--- that read every byte (digest or deeper).  Raises "not_found".
--- @param text string SYSTEM/INSTANCE/TIME, or SYSTEM/INSTANCE for the latest
function shelf.find(store, text)
  local wanted = name.parse(text)
  if wanted.instance == nil then
    failure.raise("usage", ("\"%s\" names no backup: SYSTEM/INSTANCE[/TIME]"):format(text))
  end
  local time = wanted.time or "latest"
  local exact = time ~= "latest" and time ~= "latest-verified"
  local list = shelf.list(store, { system = wanted.system, instance = wanted.instance,
    time = exact and time or nil })
  for index = #list, 1, -1 do
    local entry = list[index]
    local good = not entry.bad
    if time == "latest-verified" then
      good = good and entry.verified and shelf.LEVELS[entry.verified.level] >= shelf.LEVELS.digest
    end
    if exact or good then
      return entry
    end
  end
  local why, hint = "", nil
  if not exact and #list > 0 then
    why = (" (%d there, %s)"):format(#list,
      time == "latest" and "all known to be bad" or "none of them verified here and good")
    if time == "latest-verified" then
      hint = ("verify one here first: moonkeep verify --store %s %s/%s/latest"):format(
        words.quote(store.url), wanted.system, wanted.instance)
    end
  elseif exact then
    local times = {}
    for _, entry in ipairs(shelf.list(store, { system = wanted.system, instance = wanted.instance })) do
      times[#times + 1] = entry.name
    end
    why = words.did_you_mean(text, times)
  end
  none(text, store, why, hint)
end

--- A backup's manifest.  Raises "corrupt" when it was damaged.
function shelf.manifest(store, entry)
  local key = entry.prefix .. manifest.FILE
  local text = store:get(key, manifest.MAX)
  if text == nil then
    none(entry.name, store)
  end
  return manifest.decode(text, key)
end

--- The artifact of that name in a manifest, encrypted or not, or nil.
function shelf.artifact(book, artifact_name)
  for _, artifact in ipairs(book.artifacts) do
    if keys.plain_name(artifact) == artifact_name then
      return artifact
    end
  end
  return nil
end

--- The tars of a manifest that together are STEM: STEM.tar.*, or its parts
--- STEM-1.tar.*, STEM-2.tar.* ..., in that order.
function shelf.tars(book, stem)
  local found = {}
  for _, artifact in ipairs(book.artifacts) do
    local plain = keys.plain_name(artifact)
    if plain:sub(1, #stem) == stem and plain:sub(#stem + 1):match("^%-?%d*%.tar%f[.\0]") then
      found[#found + 1] = artifact
    end
  end
  return found
end

return shelf
