--- TSDB blocks: on the target, in a manifest, and whether they are the same.

local clock = require "clock"
local failure = require "failure"
local json = require "json"
local key = require "backup.key"
local shelf = require "backup.shelf"
local tsdb = require "tsdb"

local blocks = {}

--- Bound on a block's meta.json.
local META_MAX = 64 * 1024 * 1024

local ULID = "^" .. ("[0-9A-HJKMNP-TV-Z]"):rep(26) .. "$"

--- The blocks in a directory, from their meta.json: list of {ulid, min_time,
--- max_time, samples}, by time.
function blocks.on_target(target, dir)
  local found = {}
  for _, name in ipairs(target:list(dir)) do
    if name:match(ULID) then
      local path = ("%s/%s/meta.json"):format(dir, name)
      local text = target:read(path, META_MAX)
      if text == nil then
        failure.raise("corrupt", ("\"%s\" is missing"):format(path))
      end
      local meta = failure.during(("cannot read \"%s\""):format(path), json.decode, text)
      if type(meta) ~= "table" or math.type(meta.minTime) ~= "integer" or math.type(meta.maxTime) ~= "integer" then
        failure.raise("corrupt", ("\"%s\" does not say which time its block is of"):format(path))
      end
      found[#found + 1] = { ulid = name, min_time = meta.minTime, max_time = meta.maxTime,
        samples = type(meta.stats) == "table" and meta.stats.numSamples or 0 }
    end
  end
  table.sort(found, function(a, b)
    return a.min_time < b.min_time or (a.min_time == b.min_time and a.ulid < b.ulid)
  end)
  return found
end

--- The artifacts of a backup's database: one tar, or several parts of it.
function blocks.artifacts(book)
  local found = shelf.tars(book, "tsdb")
  if #found == 0 then
    failure.raise("corrupt", "the backup has no database: there is no artifact \"tsdb.tar.zst\"")
  end
  return found
end

--- How many bytes a backup's database takes on disk.
function blocks.needed_bytes(book)
  local sum = 0
  for _, artifact in ipairs(blocks.artifacts(book)) do
    sum = sum + artifact.file_bytes
  end
  return sum
end

--- Divide blocks into parts that are copied at once: about as many samples in each.
--- @param list table of blocks.on_target
--- @param count integer
--- @return table list of {name, ulids}; ulids nil: everything, in one part
function blocks.divide(list, count)
  count = math.min(count, #list)
  if count <= 1 then
    return { { name = "tsdb.tar.zst" } }
  end
  local parts = {}
  for index = 1, count do
    parts[index] = { name = ("tsdb-%d.tar.zst"):format(index), ulids = json.array {}, samples = 0 }
  end
  local order = table.move(list, 1, #list, 1, {})
  table.sort(order, function(a, b)
    return a.samples > b.samples or (a.samples == b.samples and a.ulid < b.ulid)
  end)
  for _, block in ipairs(order) do
    local least = parts[1]
    for _, part in ipairs(parts) do
      least = part.samples < least.samples and part or least
    end
    table.insert(least.ulids, block.ulid)
    least.samples = least.samples + block.samples
  end
  for _, part in ipairs(parts) do
    table.sort(part.ulids)
  end
  return parts
end

--- Blocks of several lists as one, by time.
function blocks.join(lists)
  local all = {}
  for _, list in ipairs(lists) do
    table.move(list, 1, #list, #all + 1, all)
  end
  table.sort(all, function(a, b)
    return a.min_time < b.min_time or (a.min_time == b.min_time and a.ulid < b.ulid)
  end)
  return all
end

--- Checks of the database's artifacts while they are read.
--- @return table artifact name -> watcher
--- @return function finish() -> blocks; raises "corrupt" for the first defect
function blocks.watch(book)
  local watchers, order = {}, {}
  for index, artifact in ipairs(blocks.artifacts(book)) do
    order[index] = tsdb.check()
    watchers[key.plain_name(artifact)] = order[index]
  end
  return watchers, function()
    local lists = {}
    for index, check in ipairs(order) do
      lists[index] = check:finish()
    end
    return blocks.join(lists)
  end
end

--- What of the checked blocks goes into the manifest.
--- @param list table of tsdb.check
function blocks.describe(list)
  local sum = { blocks = json.array {}, samples = 0, series = 0, chunks = 0 }
  for index, block in ipairs(list) do
    sum.blocks[index] = block
    sum.samples = sum.samples + block.samples
    sum.chunks = sum.chunks + block.chunks
    sum.series = math.max(sum.series, block.series)
  end
  if #list > 0 then
    sum.from = clock.iso(list[1].min_time)
    sum.to = list[1].max_time
    for _, block in ipairs(list) do
      sum.to = math.max(sum.to, block.max_time)
    end
    sum.to = clock.iso(sum.to)
  end
  return sum
end

--- Do blocks that were read equal those of the manifest?  Raises "unverified"
--- naming the first difference.
--- @param where string for the message
function blocks.compare(list, recorded, where)
  local by_ulid = {}
  for _, block in ipairs(list) do
    by_ulid[block.ulid] = block
  end
  for _, wanted in ipairs(recorded) do
    local block = by_ulid[wanted.ulid]
    if block == nil then
      failure.raise("unverified", ("%s lacks block %s"):format(where, wanted.ulid))
    end
    for _, field in ipairs { "meta_sha256", "tombstones_sha256", "samples", "series", "chunks",
      "tombstones", "bytes", "min_time", "max_time" } do
      if block[field] ~= wanted[field] then
        failure.raise("unverified", ("%s: block %s has %s %s instead of %s"):format(where, wanted.ulid,
          field, tostring(block[field]), tostring(wanted[field])))
      end
    end
  end
  if #list ~= #recorded then
    failure.raise("unverified", ("%s has %d blocks instead of %d"):format(where, #list, #recorded))
  end
end

return blocks
