--- What lua/store/azure.lua and azure_policy.lua do on servers; tests/cli/azure_lua.sh runs it.
--- STORE: a store on Azurite, whose container is there.  ARM: a Resource Manager that
--- plays a script.

local effect = require "effect"
local azure = require "store.azure"
local os_ = require "_os"
local plan = require "recipe.plan"
local policy = require "store.azure_policy"
local store = require "store"

local test = {}

local URL, ARM = os_.getenv("STORE"), os_.getenv("ARM")

if URL then
  test["a container is made once"] = function(t)
    local it = store.open((URL:gsub("^(azure://[^/]+/[^/?]+)[^?]*", "%1-2")))
    t.equal(azure.container(it), nil)
    t.equal(azure.create_container(it), true)
    t.equal(azure.create_container(it), false)
    t.check(azure.container(it).etag)
    t.equal(azure.container(it).access, nil)
    it:call { method = "DELETE", query = { restype = "container" } }
  end

  test["tags are set and read"] = function(t)
    local it = store.open(URL)
    it:put("a b/tagged", "text")
    t.equal(azure.tags(it, "a b/tagged"), {})
    azure.set_tags(it, "a b/tagged", { team = "a + b", ["x:y"] = "z" })
    t.equal(azure.tags(it, "a b/tagged"), { team = "a + b", ["x:y"] = "z" })
    azure.set_tags(it, "a b/tagged", {})
    t.equal(azure.tags(it, "a b/tagged"), {})
    t.raises("recipe", "is no tag of a blob", azure.set_tags, it, "a b/tagged", { ["<"] = "x" })
    t.raises("recipe", "is no tag of a blob", azure.set_tags, it, "a b/tagged", { x = 7 })
    local many = {}
    for index = 1, 11 do
      many["t" .. index] = "x"
    end
    t.raises("recipe", "at most 10 tags, not 11", azure.set_tags, it, "a b/tagged", many)
    t.raises("not_found", "there is no such blob", azure.tags, it, "nothing")
  end

  test["blobs go into the archive and come back"] = function(t)
    local it = store.open(URL)
    it:put("warm", "text")
    it:put("old", "text")
    azure.set_tier(it, "warm", "cool")
    t.equal(azure.tier(it, "warm"), { tier = "cool" })
    azure.set_tier(it, "old", "archive")
    t.equal(azure.tier(it, "old").tier, "archive")
    t.equal(it:stat("old").archived, true)
    t.raises("archived", "the blob lies in the archive", it.get, it, "old", 100)
    local keys = azure.rehydrate(it, { "warm", "old" }, { priority = "high" })
    t.equal(keys, { "old" })
    local looks = 0
    azure.wait_rehydrated(it, keys, { limit_ms = 20000, look_ms = 50, tell = function()
      looks = looks + 1
    end })
    t.check(looks > 0)
    t.equal(it:get("old", 100), "text")
    t.raises("recipe", "is no tier", azure.set_tier, it, "warm", "lukewarm")
    t.raises("recipe", "is no priority", azure.set_tier, it, "warm", "hot", { priority = "soon" })
  end

  test["a plan changes nothing"] = function(t)
    local it = store.open(URL)
    it:put("planned", "text")
    local planned = plan.new()
    local ok = pcall(effect.with, { plan = planned }, azure.set_tier, it, "planned", "archive", { why = "a reason" })
    t.check(not ok)
    t.equal(azure.tier(it, "planned").tier, "hot")
  end
end

if ARM then
  local account = { subscription = "sub-1", resource_group = "group", name = "account", endpoint = ARM }
  local mine = policy.build { { name = "mine", prefixes = { "backups/" }, cool_after = 30 } }

  test["a policy is merged and applied, with a token"] = function(t)
    local whole = policy.apply(account, mine)
    t.equal({ #whole.rules, whole.rules[1].name, whole.rules[2].name }, { 2, "theirs", "mine" })
    t.equal(policy.current(account), nil)
    local e = t.raises("http", "cannot read the lifecycle policy of the account \"account\"", policy.current, account)
    t.check(e.hint:find("Storage Account Contributor", 1, true))
    t.check(not e.message:find("tok-1", 1, true))
  end

  test["what threatens backups is not applied"] = function(t)
    local bad = policy.build { { name = "bad", archive_after = 1 } }
    t.raises("refused", "rule \"bad\": it moves what lies below \"backups/\"", policy.apply, account, bad,
      { prefix = "backups/" })
  end

  test["a token is not sent in clear text, nor to a path of somebody's choice"] = function(t)
    t.raises("usage", "over https only", policy.current,
      { subscription = "s", resource_group = "g", name = "a", endpoint = "http://example.com" })
    t.raises("recipe", "has a name", policy.current, { subscription = "s", resource_group = "g", name = "a/../b" })
    t.raises("recipe", "has a subscription", policy.current, { resource_group = "g", name = "a" })
  end
end

return test
