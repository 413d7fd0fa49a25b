local failure = require "failure"
local s3 = require "store.s3"
local s3_call = require "store.s3_call"
local words = require "words"

--- A bucket's ARN.
local function arn(bucket)
  return "arn:aws:s3:::" .. bucket
end

local function shown(found)
  local list = {}
  for index, rule in ipairs(found and found.rules or {}) do
    list[index] = ("%s: %s to %s%s%s"):format(rule.id or "?", rule.prefix == "" and "all" or rule.prefix,
      rule.bucket or "?", rule.class and " as " .. rule.class or "", rule.enabled and "" or " (off)")
  end
  return list
end

return recipe {
  summary = "Show or set the replication of a bucket of S3 to another",
  description = [[
Without --to, shows how the bucket is replicated.  With it, checks that both buckets keep
versions, which replication needs, and sets a rule that replicates the store's prefix:
new objects only; what is there already is common.mirror's.  Removals are not replicated
unless --deletes says so: a replica that forgets what the source forgets is no backup.
Where others have made rules, it refuses: they may say more than is understood here.]],
  mirrors = "mc admin bucket remote add; mc replicate add",
  tags = { "s3", "safe" },
  params = {
    store = { "store", required = true, env = "MOONKEEP_STORE", help = "the source: s3://BUCKET/PREFIX" },
    to = { "store", help = "the target: s3://BUCKET of the same provider" },
    role = { "string", help = "ARN of the role that the server takes to replicate" },
    class = { "string", help = "storage class in the target" },
    deletes = { "boolean", default = false, help = "replicate removals, too" },
  },
  steps = {
    { "look", "Look at both buckets" },
    { "set", "Set the replication" },
  },
  example = "moonkeep run s3.replication --store s3://backups --to s3://backups-copy --role arn:aws:iam::1:role/r",

  run = function(ctx, p)
    local bucket, prefix = s3_call.of(p.store)
    local target = p.to and s3_call.of(p.to)
    if p.to and not p.role then
      failure.raise("usage", "--to needs --role: whose rights replicate")
    end
    local found = ctx:step("look", function()
      local result = { replication = s3.replication(p.store) }
      for _, side in ipairs { p.store, p.to } do
        if p.to and s3.versioning(side) ~= "enabled" then
          failure.raise("refused", ("the bucket of \"%s\" keeps no versions, which replication needs"):format(
            side.place), { hint = "moonkeep run s3.prepare --versioning enabled --store " .. words.quote(side.url) })
        end
      end
      return result
    end)
    if p.to == nil then
        local list = shown(found.replication)
      return { bucket = bucket, replication = #list > 0 and list or "none" }
    end

    local id = "moonkeep-" .. target .. (prefix ~= "" and "-" .. prefix or "")
    local wanted = { id = id, enabled = true, prefix = prefix, bucket = arn(target), class = p.class,
      deletes = p.deletes }
    local set = ctx:step("set", function()
      local rules, same = {}, false
      for _, rule in ipairs(found.replication and found.replication.rules or {}) do
        if rule.id ~= id then
          rules[#rules + 1] = rule
        else
          same = rule.enabled and rule.prefix == prefix and rule.bucket == wanted.bucket
            and rule.class == wanted.class and rule.deletes == wanted.deletes
            -- Ceph does not tell the role.
            and (found.replication.role == p.role or (found.replication.role or "") == "")
        end
      end
      if #rules > 0 then
        -- What other rules say may be more than we understand.
        failure.raise("refused", ("\"%s\" has %d other replication rules, which would be written anew"):format(
          p.store.place, #rules), { hint = "add this one by hand, with the tool that made those" })
      end
      if not same then
        s3.set_replication(p.store, p.role, { wanted }, "asked for")
      end
      return { changed = not same }
    end)
    return { bucket = bucket, to = target, prefix = prefix ~= "" and prefix or nil,
      changed = set.changed and "replication" or "nothing" }
  end,
}
