local failure = require "failure"
local lifecycle = require "store.s3_lifecycle"
local s3 = require "store.s3"
local s3_call = require "store.s3_call"

--- Our rules have ids that begin so.
local RULE = "moonkeep-"

--- Ask something of the bucket, or change it: true and the value; false and a warning where
--- the server does not know such a thing, or these credentials may not.
local function try(ctx, what, fn, ...)
  local ok, value = pcall(fn, ...)
  if ok then
    return true, value
  elseif failure.is(value, "unsupported") or failure.is(value, "permission") then
    ctx:warn(failure.prefix(value, what .. " is left as it is"))
    return false
  end
  error(value, 0)
end

--- The rules that were asked for.
local function wanted_rules(p, prefix)
  local rules = {}
  local function add(name, fields)
    fields.id, fields.enabled, fields.prefix = RULE .. name .. (prefix ~= "" and "-" .. prefix or ""), true, prefix
    rules[#rules + 1] = fields
  end
  if p.abort_days > 0 then
    add("abort", { abort_days = p.abort_days })
  end
  if p.archive_days then
    add("archive", { above = lifecycle.ABOVE_MANIFESTS,
      transitions = { { days = p.archive_days, class = p.archive_class } } })
  end
  if p.noncurrent_days then
    add("noncurrent", { noncurrent_days = p.noncurrent_days })
  end
  return rules
end

--- Refuse rules that would take backups away, tell of those that might.
local function judge(ctx, p, rules, prefix)
  local bad = {}
  for _, conflict in ipairs(lifecycle.conflicts(rules, prefix, p.keep_days)) do
    if conflict.bad then
      bad[#bad + 1] = conflict.text
    else
      ctx:warn(conflict.text)
    end
  end
  if #bad > 0 then
    failure.raise("refused", ("the bucket of \"%s\" is no place for backups: %s"):format(p.store.place,
      table.concat(bad, "; ")), { hint = "change that rule, give it another prefix, or use another bucket" })
  end
end

--- Write rules, and see whether the server keeps them as they are: one that drops a
--- condition would apply its rule to all.
local function write_rules(store, rules, before)
  lifecycle.write(store, rules, "clear up unfinished uploads, and what else was asked for")
  local after, at = lifecycle.read(store), {}
  for _, rule in ipairs(after) do
    at[rule.id] = rule
  end
  for _, rule in ipairs(rules) do
    if not rule.element and not (at[rule.id] and lifecycle.same(at[rule.id], rule)) then
      lifecycle.write(store, before, "as it was")
      failure.raise("unsupported", ("the server does not keep lifecycle rule \"%s\" as it was written: "
        .. "the rules are as they were"):format(rule.id))
    end
  end
end

return recipe {
  summary = "Prepare a bucket of S3 for backups",
  description = [[
Makes the bucket when it is missing, and sets what is asked for and is not so
yet: versioning, encryption, lifecycle rules.  Unfinished uploads are cleared up
after --abort-days.  A transition to an archive is only made for objects larger than
any manifest can be, so that backups can still be listed.  Rules of others stay,
but a rule that would remove backups before --keep-days, or archive manifests, makes
it refuse.]],
  mirrors = "aws s3 mb; aws s3api put-bucket-versioning, -encryption, -lifecycle-configuration",
  tags = { "s3", "safe" },
  params = {
    store = { "store", required = true, env = "MOONKEEP_STORE", help = "s3://BUCKET/PREFIX" },
    versioning = { "string", choices = { "enabled", "suspended" }, help = "keep what is overwritten and removed" },
    encryption = { "string", choices = { "AES256", "aws:kms", "aws:kms:dsse" },
      help = "how what is written is encrypted by default" },
    kms_key = { "string", help = "the key in KMS; without it, the account's default key" },
    object_lock = { "boolean", default = false, help = "make a new bucket so that objects can be locked" },
    abort_days = { "integer", default = 7, range = { 0, 3650 },
      help = "clear up uploads that were not completed for so many days; 0: leave the rules alone" },
    archive_days = { "integer", range = { 0, 36500 },
      help = "move artifacts above 64 MiB to --archive-class after so many days" },
    archive_class = { "string", default = "GLACIER", help = "STANDARD_IA, GLACIER_IR, GLACIER, DEEP_ARCHIVE, ..." },
    noncurrent_days = { "integer", range = { 1, 36500 },
      help = "remove versions that were overwritten or removed so many days ago" },
    keep_days = { "integer", range = { 1, 36500 }, help = "how long each backup is to be kept at least" },
  },
  steps = {
    { "look", "Look at the bucket" },
    { "bucket", "Make the bucket" },
    { "versioning", "Set versioning" },
    { "encryption", "Set encryption" },
    { "lifecycle", "Set lifecycle rules" },
  },
  example = "moonkeep run s3.prepare --store 's3://backups/prod?region=eu-central-1' --versioning enabled",

  run = function(ctx, p)
    local bucket, prefix = s3_call.of(p.store)
    if p.kms_key and (p.encryption or ""):sub(1, 7) ~= "aws:kms" then
      failure.raise("usage", "--kms-key goes with --encryption aws:kms")
    end
    local ours = wanted_rules(p, prefix)
    local found = ctx:step("look", function()
      local result = { exists = s3.exists(p.store), lifecycle = true, rules = 0 }
      if result.exists and (#ours > 0 or p.keep_days) then
        local rules
        result.lifecycle, rules = try(ctx, "lifecycle", lifecycle.read, p.store)
        result.rules = rules and #rules or 0
        judge(ctx, p, rules or {}, prefix)
      end
      return result
    end)

    local changed = {}
    if not found.exists then
      ctx:step("bucket", function()
        s3.create(p.store, { object_lock = p.object_lock, why = "it does not exist" })
      end)
      changed[#changed + 1] = "bucket"
    end

    --- Set what is not so yet.
    local function set(name, wanted, current, write)
      if wanted == nil then
        return
      end
      local done = ctx:step(name, function()
        local known, before = true, nil
        if found.exists or not ctx:planning() then
          known, before = try(ctx, name, current)
        end
        if not known or before == wanted then
          return { changed = false }
        elseif ctx:planning() then
          ctx:will("set the " .. name .. " of", p.store.place, wanted)
          return { changed = true }
        end
        return { changed = try(ctx, name, write) }
      end)
      if done.changed then
        changed[#changed + 1] = name
      end
    end

    set("versioning", p.versioning, function()
      return s3.versioning(p.store)
    end, function()
      s3.set_versioning(p.store, p.versioning, "asked for")
    end)
    set("encryption", p.encryption and p.encryption .. (p.kms_key and " " .. p.kms_key or ""), function()
      local now = s3.encryption(p.store)
      return now and now.algorithm .. (now.key and " " .. now.key or "")
    end, function()
      s3.set_encryption(p.store, p.encryption, p.kms_key, "asked for")
    end)

    if #ours > 0 and found.lifecycle then
      local done = ctx:step("lifecycle", function()
        local known, before = true, {}
        if found.exists or not ctx:planning() then
          known, before = try(ctx, "lifecycle", lifecycle.read, p.store)
        end
        if not known then
          return { changed = false }
        end
        local rules, differs = lifecycle.merge(before, ours)
        judge(ctx, p, rules, prefix)
        if ctx:planning() then
          for _, rule in ipairs(differs and ours or {}) do
            ctx:will("set the lifecycle rule", rule.id, p.store.place)
          end
        elseif differs then
          write_rules(p.store, rules, before)
        end
        return { changed = differs }
      end)
      if done.changed then
        changed[#changed + 1] = "lifecycle"
      end
    end

    return { bucket = bucket, prefix = prefix ~= "" and prefix or nil,
      changed = #changed > 0 and table.concat(changed, ", ") or "nothing" }
  end,
}
