--- Lifecycle policies of Azure: built and looked at; applying them is in tests/cli/azure_lua.sh.

local json = require "json"
local policy = require "store.azure_policy"
local store = require "store"

local test = {}

--- "level rule: text" of each finding, one a line.
local function findings(value, options)
  local lines = {}
  for index, one in ipairs(policy.lint(value, options)) do
    lines[index] = ("%s %s: %s"):format(one.level, one.rule, one.text)
  end
  return table.concat(lines, "\n")
end

local function says(t, value, options, ...)
  local text = findings(value, options)
  for _, part in ipairs { ... } do
    t.check(text:find(part, 1, true), ("\"%s\" is not in\n%s"):format(part, text))
  end
end

test["a policy is what Azure has"] = function(t)
  local value = policy.build {
    { name = "old", prefixes = { "backups/prod/" }, cool_after = 30, cold_after = 60, archive_after = 150,
      delete_after = 400, old_versions_after = 30 },
    { name = "all", delete_after = 1000 },
  }
  t.equal(value.rules[1].definition.filters, { blobTypes = { "blockBlob" }, prefixMatch = { "backups/prod/" } })
  t.equal(value.rules[1].definition.actions.baseBlob, {
    tierToCool = { daysAfterModificationGreaterThan = 30 },
    tierToCold = { daysAfterModificationGreaterThan = 60 },
    tierToArchive = { daysAfterModificationGreaterThan = 150 },
    delete = { daysAfterModificationGreaterThan = 400 } })
  t.equal(value.rules[1].definition.actions.version.delete.daysAfterCreationGreaterThan, 30)
  t.equal({ value.rules[2].enabled, value.rules[2].type, value.rules[2].name }, { true, "Lifecycle", "all" })
  t.equal(value.rules[2].definition.filters.prefixMatch, nil)
  t.equal(json.decode(policy.text(value)), json.decode(json.encode(value)))
end

test["what is no rule is refused"] = function(t)
  t.raises("recipe", "has a name", policy.build, { {} })
  t.raises("recipe", "cool_after of the rule \"a\" is no number of days: soon", policy.build,
    { { name = "a", cool_after = "soon" } })
  t.raises("recipe", "no number of days: -1", policy.build, { { name = "a", delete_after = -1 } })
end

test["the place of a store is the prefix of rules"] = function(t)
  t.equal(policy.prefix_of { place = "azure://account/backups" }, "backups/")
  t.equal(policy.prefix_of { place = "azure://account/backups/a%20b/c?endpoint=http://h" }, "backups/a b/c/")
  t.raises("usage", "is no store of Azure", policy.prefix_of, store.open(t.dir()))
end

test["a good policy has no findings"] = function(t)
  local value = policy.build { { name = "tiers", prefixes = { "backups/" }, cool_after = 30 },
    { name = "logs", prefixes = { "logs/" }, delete_after = 10 } }
  t.equal(findings(value, { prefix = "backups/prod/", keep_days = 365 }), "")
  t.equal(findings({ rules = {} }), "")
end

test["the form is looked at"] = function(t)
  local value = policy.build { { name = "a-b", prefixes = { "/x" }, delete_after = 1 }, { name = "same" },
    { name = "same", cool_after = 1 } }
  says(t, value, nil, "error a-b: a rule's name has 1 to 256 letters and digits",
    "error a-b: the prefix \"/x\" does not begin with the name of a container",
    "error same: it does nothing", "error same: another rule has that name")
  local many = {}
  for index = 1, 11 do
    many[index] = "c/" .. index
  end
  says(t, policy.build { { name = "a", prefixes = many, cool_after = 1 } }, nil, "it has 11 prefixes, and 10")
  -- Of another hand: nothing is taken for granted.
  says(t, { rules = { { name = 7, definition = { actions = { baseBlob = { delete = {} } } } } } }, nil,
    "its type is not \"Lifecycle\"", "(blobTypes)", "delete does not say after how many days")
  says(t, { rules = { "text", json.null } }, nil, "error : it does nothing")
end

test["the order of ages is looked at"] = function(t)
  says(t, policy.build { { name = "a", cool_after = 60, archive_after = 30 } }, nil,
    "error a: it would move to archive after 30 days what it moves to cool after 60")
  says(t, policy.build { { name = "a", archive_after = 60, delete_after = 60 } }, nil,
    "error a: it would delete after 60 days what it moves to archive after 60")
  says(t, policy.build { { name = "a", archive_after = 60, delete_after = 90 } }, nil,
    "warning a: blobs are charged for 180 days in the tier \"archive\", and leave it after 30")
end

test["what threatens backups is told"] = function(t)
  local options = { prefix = "backups/prod/", keep_days = 90 }
  says(t, policy.build { { name = "a", prefixes = { "backups/" }, archive_after = 30 } }, options,
    "error a: it moves what lies below \"backups/prod/\" to the archive, manifests and locks, too")
  says(t, policy.build { { name = "a", prefixes = { "backups/prod/x/" }, delete_after = 90 } }, options,
    "error a: it deletes what lies below \"backups/prod/\" after 90 days, and backups are kept for 90")
  says(t, policy.build { { name = "a", delete_after = 400 } }, options,
    "warning a: it deletes what lies below \"backups/prod/\" after 400 days, also when there is no newer backup")
  local off = policy.build { { name = "a", delete_after = 1 } }
  off.rules[1].enabled = false
  t.equal(findings(off, options), "")
  t.equal(findings(policy.build { { name = "a", prefixes = { "backups/test/" }, delete_after = 1 } }, options), "")
  -- A rule for blobs with certain tags need not meet ours.
  local tagged = policy.build { { name = "a", archive_after = 30 } }
  tagged.rules[1].definition.filters.blobIndexMatch = { { name = "kind", op = "==", value = "data" } }
  says(t, tagged, options, "warning a: it moves")
end

test["rules for the same blobs are told"] = function(t)
  says(t, policy.build { { name = "a", prefixes = { "backups/" }, cool_after = 1 },
    { name = "b", prefixes = { "backups/x" }, delete_after = 2 } }, nil,
    "warning b: it is for blobs that the rule \"a\" is for, too")
end

test["rules are put in place of those of the same name"] = function(t)
  local mine = policy.build { { name = "b", cool_after = 1 }, { name = "c", cool_after = 2 } }
  local merged = policy.merge(policy.build { { name = "a", cool_after = 7 }, { name = "b", cool_after = 8 } }, mine)
  local got = {}
  for index, rule in ipairs(merged.rules) do
    got[index] = rule.name .. rule.definition.actions.baseBlob.tierToCool.daysAfterModificationGreaterThan
  end
  t.equal(got, { "a7", "b1", "c2" })
  t.equal(policy.merge(nil, mine), mine)
end

return test
