local clock = require "clock"
local failure = require "failure"
local lifecycle = require "store.s3_lifecycle"
local s3 = require "store.s3"
local s3_call = require "store.s3_call"
local uploads = require "store.s3_uploads"
local words = require "words"

--- How many prefixes and uploads are told one by one.
local SHOWN = 50

--- What fn says, or why it cannot be known.
local function ask(fn, ...)
  local ok, value = pcall(fn, ...)
  if ok then
    return value == nil and "none" or value
  elseif failure.is(value, "unsupported") then
    return "not known to the server"
  elseif failure.is(value, "permission") then
    return "not to be asked with these credentials"
  end
  error(value, 0)
end

--- Objects, bytes and backups, in all and by the first two parts of their keys.
local function count(store)
  local all = { objects = 0, bytes = 0, backups = 0, archived = 0 }
  local by, order = {}, {}
  for entry in store:each("") do
    local name = entry.key:match("^[^/]+/[^/]+/") or entry.key:match("^[^/]+/") or "(top)"
    local one = by[name]
    if one == nil then
      one = { prefix = words.valid(name), objects = 0, bytes = 0, backups = 0, archived = 0 }
      by[name], order[#order + 1] = one, one
    end
    local is_backup = entry.key:match("/%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ[%w-]*/manifest%.json$")
    for _, sum in ipairs { all, one } do
      sum.objects, sum.bytes = sum.objects + 1, sum.bytes + entry.size
      sum.backups = sum.backups + (is_backup and 1 or 0)
      sum.archived = sum.archived + (entry.archived and 1 or 0)
    end
  end
  return all, order
end

local function rule_text(rule)
  local parts = {}
  local function add(text, ...)
    parts[#parts + 1] = text:format(...)
  end
  if rule.expire_days then
    add("removes after %d days", rule.expire_days)
  end
  if rule.expire_date then
    add("removes on %s", rule.expire_date)
  end
  if rule.noncurrent_days then
    add("removes old versions after %d days", rule.noncurrent_days)
  end
  if rule.abort_days then
    add("clears up unfinished uploads after %d days", rule.abort_days)
  end
  for _, one in ipairs(rule.transitions or {}) do
    add("moves to %s after %s days", one.class, tostring(one.days or one.date))
  end
  return ("%s%s: %s"):format(rule.prefix == "" and "all" or rule.prefix, rule.enabled and "" or " (off)",
    #parts > 0 and table.concat(parts, ", ") or "something else")
end

return recipe {
  summary = "Show what is in an S3 store, and how its bucket is set up",
  description = [[
Counts objects, bytes and backups, lists uploads that were begun and not completed with
their age and size, and shows versioning, encryption, lifecycle rules, object lock and
replication.  What the credentials may not ask, or the server does not know, is
said and does not fail.  With --abort-older-than, uploads that are older are given up.]],
  tags = { "s3", "safe" },
  params = {
    store = { "store", required = true, env = "MOONKEEP_STORE", help = "s3://BUCKET/PREFIX" },
    keep_days = { "integer", range = { 1, 36500 },
      help = "how long each backup is to be kept at least: lifecycle rules are compared with it" },
    abort_older_than = { "duration", help = "give up unfinished uploads that are older, such as 7d" },
  },
  steps = {
    { "bucket", "Look at the bucket" },
    { "objects", "Count what is there" },
    { "uploads", "Look for unfinished uploads" },
    { "abort", "Give up old uploads" },
  },
  example = "moonkeep run s3.status --store 's3://backups/prod?region=eu-central-1'",

  run = function(ctx, p)
    local bucket, prefix = s3_call.of(p.store)

    local set = ctx:step("bucket", function()
      local rules = ask(lifecycle.read, p.store)
      local texts, conflicts = rules, {}
      if type(rules) == "table" then
        texts = {}
        for index, rule in ipairs(rules) do
          texts[index] = rule_text(rule)
        end
        texts = #texts > 0 and texts or "none"
        conflicts = lifecycle.conflicts(rules, prefix, p.keep_days)
      end
      local lock, encryption = ask(s3.object_lock, p.store), ask(s3.encryption, p.store)
      local replication = ask(s3.replication, p.store)
      if type(lock) == "table" then
        lock = lock.mode and ("%s, %d %s"):format(lock.mode, lock.days or lock.years, lock.days and "days" or "years")
          or "possible, without a default"
      end
      if type(encryption) == "table" then
        encryption = encryption.algorithm .. (encryption.key and " " .. encryption.key or "")
      end
      if type(replication) == "table" then
        local to = {}
        for index, rule in ipairs(replication.rules) do
          to[index] = ("%s to %s%s"):format(rule.prefix == "" and "all" or rule.prefix, rule.bucket,
            rule.enabled and "" or " (off)")
        end
        replication = to
      end
      return { location = ask(s3.location, p.store), versioning = ask(s3.versioning, p.store),
        encryption = encryption, object_lock = lock, replication = replication, lifecycle = texts,
        conflicts = conflicts }
    end)
    for _, conflict in ipairs(set.conflicts) do
      ctx:warn(conflict.text)
    end

    local there = ctx:step("objects", function()
      local all, order = count(p.store)
      return { all = all, by = table.move(order, 1, math.min(#order, SHOWN), 1, {}), prefixes = #order }
    end)

    local unfinished = ctx:step("uploads", function()
      local list = ask(uploads.list, p.store)
      if type(list) ~= "table" then
        return { count = list, shown = {} }
      end
      local shown = {}
      for index = 1, math.min(#list, SHOWN) do
        local one = list[index]
        local bytes = ask(uploads.bytes, p.store, one)
        shown[index] = { key = words.valid(one.key), id = one.id, begun = one.began and clock.iso(one.began),
          age = one.age and words.duration(one.age), bytes = bytes }
      end
      return { count = #list, shown = shown }
    end)

    local aborted = 0
    if p.abort_older_than and math.type(unfinished.count) == "integer" and unfinished.count > 0 then
      aborted = ctx:step("abort", function()
        local done = 0
        for _, one in ipairs((uploads.list(p.store))) do
          if one.age and one.age >= p.abort_older_than then
            uploads.abort(p.store, one, one.age and words.duration(one.age) .. " old")
            done = done + 1
          end
        end
        return { aborted = done }
      end).aborted
    end

    local by = {}
    for index, one in ipairs(there.by) do
      by[index] = ("%s %d %s, %s%s%s"):format(one.prefix, one.objects,
        one.objects == 1 and "object" or "objects", words.bytes(one.bytes),
        one.backups > 0 and (", %d %s"):format(one.backups, one.backups == 1 and "backup" or "backups") or "",
        one.archived > 0 and (", %d archived"):format(one.archived) or "")
    end
    local waiting = {}
    for index, one in ipairs(unfinished.shown) do
      waiting[index] = ("%s: begun %s ago, %s"):format(one.key, one.age or "?",
        math.type(one.bytes) == "integer" and words.bytes(one.bytes) or tostring(one.bytes))
    end
    return {
      bucket = bucket, prefix = prefix ~= "" and prefix or nil, location = set.location,
      versioning = set.versioning, encryption = set.encryption, object_lock = set.object_lock,
      replication = set.replication, lifecycle = set.lifecycle, objects = there.all.objects,
      bytes = there.all.bytes, backups = there.all.backups,
      archived = there.all.archived > 0 and there.all.archived or nil, by_prefix = by,
      unfinished = unfinished.count, uploads = #waiting > 0 and waiting or nil,
      aborted = p.abort_older_than and aborted or nil,
    }
  end,
}
