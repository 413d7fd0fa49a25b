local check = require "backup.check"
local key = require "backup.key"
local shelf = require "backup.shelf"

return recipe {
  summary = "Read any backup back and compare it with its manifest",
  description = [[
Reads every byte of a backup of any system, compares it with the digests of the
manifest and walks the archives to their end.  What the system itself would
say of the content is for that system's own verify recipe.]],
  tags = { "verify", "safe" },
  params = {
    store = { "store", default = "./backups", env = "MOONKEEP_STORE", help = "where backups are kept" },
    backup = { "backup", required = true, help = "SYSTEM/INSTANCE/TIME, latest or latest-verified" },
    level = { "string", default = "digest", choices = { "present", "digest" },
      help = "present: sizes; digest: every byte" },
    encrypt_key = key.param,
  },
  steps = {
    { "choose", "Find the backup" },
    { "verify", "Read it back", plan = function(ctx)
      ctx:will("write", "a verification record", "what was found is kept beside the backup")
      return {}
    end },
  },
  example = "moonkeep run common.verify --store ./backups --backup prometheus/main/latest",

  run = function(ctx, p)
    local entry = ctx:step("choose", function()
      return shelf.find(p.store, p.backup)
    end)
    local checked = ctx:step("verify", function()
      return check.verify(ctx, p.store, entry, p.level, nil, p.encrypt_key)
    end)
    checked.backup, checked.level = entry.name, p.level
    return checked
  end,
}
