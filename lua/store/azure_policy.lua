--- Lifecycle policies of an Azure storage account.
---
--- They belong to the account, not to a container, and are no matter of the Blob
--- service: they are built and looked at here, printed as JSON for
--- `az storage account management-policy create --policy`, or applied through the
--- Resource Manager with the identity of the environment.

local effect = require "effect"
local failure = require "failure"
local http = require "http"
local json = require "json"

local policy = {}

local RULES_MAX = 100
local PREFIXES_MAX = 10
local API_VERSION = "2023-01-01"
local MANAGEMENT = "https://management.azure.com"

--- Actions, from the warmest on; a blob that was there for less is charged for the rest.
local ACTIONS = {
  { field = "cool_after", action = "tierToCool", text = "cool", least = 30 },
  { field = "cold_after", action = "tierToCold", text = "cold", least = 90 },
  { field = "archive_after", action = "tierToArchive", text = "archive", least = 180 },
  { field = "delete_after", action = "delete", text = "delete" },
}

local function check_days(rule, field)
  local days = rule[field]
  if days ~= nil and (math.type(days) ~= "integer" or days < 0 or days > 36500) then
    failure.raise("recipe", ("%s of the rule \"%s\" is no number of days: %s"):format(field, rule.name,
      tostring(days)))
  end
  return days
end

local function build_rule(rule)
  if type(rule.name) ~= "string" then
    failure.raise("recipe", "a rule of a lifecycle policy has a name")
  end
  local base, actions = {}, {}
  for _, known in ipairs(ACTIONS) do
    local days = check_days(rule, known.field)
    if days then
      base[known.action] = { daysAfterModificationGreaterThan = days }
      actions.baseBlob = base
    end
  end
  local old = check_days(rule, "old_versions_after")
  if old then
    actions.version = { delete = { daysAfterCreationGreaterThan = old } }
    actions.snapshot = { delete = { daysAfterCreationGreaterThan = old } }
  end
  local prefixes = json.array {}
  for _, prefix in ipairs(rule.prefixes or {}) do
    prefixes[#prefixes + 1] = prefix
  end
  return { enabled = true, name = rule.name, type = "Lifecycle", definition = { actions = actions,
    filters = { blobTypes = json.array { "blockBlob" }, prefixMatch = #prefixes > 0 and prefixes or nil } } }
end

--- A policy as Azure has it.
--- @param rules table list of {name (letters and digits), prefixes = {"CONTAINER/PREFIX", ...},
---   cool_after, cold_after, archive_after, delete_after: days after the last change;
---   old_versions_after: days after which older versions and snapshots are deleted}
--- @return table {rules = {...}}, for policy.lint, policy.text and policy.apply
function policy.build(rules)
  local list = json.array {}
  for index, rule in ipairs(rules) do
    list[index] = build_rule(rule)
  end
  return { rules = list }
end

--- The policy as JSON, for reading and for `az`.
function policy.text(value)
  return json.encode(value, 2)
end

--- "CONTAINER/PREFIX/", where a store of azure:// lies, as rules name it.
function policy.prefix_of(store)
  local container, prefix = store.place:match("^azure://[^/]+/([^/?]+)/?([^?]*)")
  if container == nil then
    failure.raise("usage", ("\"%s\" is no store of Azure"):format(store.place))
  end
  prefix = require("_digest").url_decode(prefix)
  return container .. "/" .. (prefix ~= "" and prefix .. "/" or "")
end

local function at(value, ...)
  for _, name in ipairs { ... } do
    if type(value) ~= "table" then
      return nil
    end
    value = value[name]
  end
  if value ~= json.null then
    return value
  end
end

local function list_at(...)
  local found = at(...)
  return type(found) == "table" and found or {}
end

local function days_of(action)
  for _, name in ipairs { "daysAfterModificationGreaterThan", "daysAfterCreationGreaterThan",
    "daysAfterLastAccessTimeGreaterThan" } do
    local days = at(action, name)
    if type(days) == "number" then
      return days
    end
  end
end

--- Do two prefixes have names in common?
local function overlap(one, two)
  local len = math.min(#one, #two)
  return one:sub(1, len) == two:sub(1, len)
end

local function rule_meets(rule, prefix)
  local prefixes = list_at(rule, "definition", "filters", "prefixMatch")
  for _, one in ipairs(prefixes) do
    if type(one) == "string" and overlap(one, prefix) then
      return true
    end
  end
  return #prefixes == 0
end

local function rules_meet(one, two)
  local prefixes = list_at(two, "definition", "filters", "prefixMatch")
  for _, prefix in ipairs(prefixes) do
    if type(prefix) == "string" and rule_meets(one, prefix) then
      return true
    end
  end
  return #prefixes == 0
end

local function lint_form(rule, name, say)
  if not name:match("^%w+$") or #name > 256 then
    say("error", "a rule's name has 1 to 256 letters and digits")
  end
  if at(rule, "type") ~= "Lifecycle" then
    say("error", "its type is not \"Lifecycle\"")
  end
  local types = list_at(rule, "definition", "filters", "blobTypes")
  if #types == 0 then
    say("error", "it does not say which types of blobs it is for (blobTypes)")
  end
  local prefixes = list_at(rule, "definition", "filters", "prefixMatch")
  if #prefixes > PREFIXES_MAX then
    say("error", ("it has %d prefixes, and %d are the most"):format(#prefixes, PREFIXES_MAX))
  end
  for _, prefix in ipairs(prefixes) do
    if type(prefix) ~= "string" or not prefix:match("^[%l%d$][%l%d-]*") then
      say("error", ("the prefix \"%s\" does not begin with the name of a container"):format(tostring(prefix)))
    end
  end
end

local function lint_actions(rule, say)
  local actions = list_at(rule, "definition", "actions")
  if next(actions) == nil then
    say("error", "it does nothing")
  end
  local before
  for _, known in ipairs(ACTIONS) do
    local action = at(actions, "baseBlob", known.action)
    local days = days_of(action)
    if action and not days then
      say("error", ("%s does not say after how many days"):format(known.action))
    elseif days then
      if before and days <= before.days then
        say("error", ("it would %s after %d days what it moves to %s after %d"):format(known.text == "delete"
          and "delete" or "move to " .. known.text, days, before.text, before.days))
      elseif before and before.least and days - before.days < before.least then
        say("warning", ("blobs are charged for %d days in the tier \"%s\", and leave it after %d"):format(
          before.least, before.text, days - before.days))
      end
      before = { days = days, text = known.text, least = known.least }
    end
  end
end

local function lint_store(rule, options, say)
  if at(rule, "enabled") == false or not options.prefix or not rule_meets(rule, options.prefix) then
    return
  end
  local base = list_at(rule, "definition", "actions", "baseBlob")
  local by_tags = #list_at(rule, "definition", "filters", "blobIndexMatch") > 0
  local level = by_tags and "warning" or "error"
  if at(base, "tierToArchive") then
    say(level, ("it moves what lies below \"%s\" to the archive, manifests and locks, too: they have to be "
      .. "read at any time"):format(options.prefix))
  end
  local days = days_of(at(base, "delete"))
  if days and options.keep_days and days <= options.keep_days then
    say(level, ("it deletes what lies below \"%s\" after %d days, and backups are kept for %d"):format(
      options.prefix, days, options.keep_days))
  elseif days then
    say("warning", ("it deletes what lies below \"%s\" after %d days, also when there is no newer backup: "
      .. "leave that to the retention of backups"):format(options.prefix, days))
  end
end

--- What is wrong with a policy, or dangerous for the backups in a store.
--- @param value table as policy.build, policy.current or json.decode give it
--- @param options? table prefix = policy.prefix_of(store); keep_days: how long backups are kept
--- @return table list of {level = "error" or "warning", rule, text}
function policy.lint(value, options)
  local found, names = {}, {}
  local rules = list_at(value, "rules")
  if #rules > RULES_MAX then
    found[1] = { level = "error", rule = "", text = ("it has %d rules, and %d are the most"):format(#rules, RULES_MAX) }
  end
  for index, rule in ipairs(rules) do
    local name = tostring(at(rule, "name") or "")
    local function say(level, text)
      found[#found + 1] = { level = level, rule = name, text = text }
    end
    if names[name] then
      say("error", "another rule has that name")
    end
    names[name] = true
    lint_form(rule, name, say)
    lint_actions(rule, say)
    lint_store(rule, options or {}, say)
    for other = 1, index - 1 do
      if rules_meet(rule, rules[other]) then
        say("warning", ("it is for blobs that the rule \"%s\" is for, too: of several actions the cheapest is "
          .. "done, and deleting is the cheapest"):format(tostring(at(rules[other], "name"))))
      end
    end
  end
  return found
end

--- An account in the Resource Manager.
--- @param account table subscription, resource_group, name; endpoint (default "https://management.azure.com")
local function resource(account)
  for _, field in ipairs { "subscription", "resource_group", "name" } do
    local value = account[field]
    if type(value) ~= "string" or not value:match("^[%w._()-]+$") then
      failure.raise("recipe", ("an account has a %s, and \"%s\" is none"):format(field, tostring(value)))
    end
  end
  local endpoint = (account.endpoint or MANAGEMENT):gsub("/+$", "")
  if not endpoint:match("^https://") and not endpoint:match("^http://127%.0%.0%.1:%d+$") then
    failure.raise("usage", "the Resource Manager is reached over https only: a token is not sent in clear text")
  end
  local path = ("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Storage/storageAccounts/%s"
    .. "/managementPolicies/default"):format(account.subscription, account.resource_group, account.name)
  local client = http.client(endpoint, { token = require("_azure").token(endpoint), stall_ms = 60000 })
  return client, path
end

local HINTS = {
  [401] = "the token is not for this subscription: is it the right tenant?",
  [403] = "the identity needs the role \"Storage Account Contributor\" on the account",
  [404] = "is there such an account in that resource group?",
}

local function ask(client, path, account, method, body)
  local what = ("cannot %s the lifecycle policy of the account \"%s\""):format(method == "GET" and "read"
    or "write", account.name)
  local answer = client:request(method, path, { query = { ["api-version"] = API_VERSION }, body = body,
    headers = { ["Content-Type"] = body and "application/json" or nil } })
  if answer.status >= 200 and answer.status < 300 then
    return failure.during(what, json.decode, answer.body)
  end
  local ok, said = pcall(json.decode, answer.body)
  local code = ok and at(said, "error", "code")
  if method == "GET" and answer.status == 404 and code == "ManagementPolicyNotFound" then
    return nil
  end
  local ok_check, e = pcall(http.check, answer, what)
  assert(not ok_check)
  e.hint = HINTS[answer.status]
  error(e, 0)
end

--- The policy that an account has.
--- @param account table subscription, resource_group, name
--- @return table|nil {rules = {...}}, or nil when there is none
function policy.current(account)
  local client, path = resource(account)
  local answer = ask(client, path, account, "GET")
  return answer and at(answer, "properties", "policy") or nil
end

--- Rules of `value` instead of those of the same name; the others stay: a policy is the
--- account's, and others rely on it.
function policy.merge(current, value)
  local rules, places = json.array {}, {}
  for _, from in ipairs { list_at(current, "rules"), list_at(value, "rules") } do
    for _, rule in ipairs(from) do
      local place = places[rule.name] or #rules + 1
      rules[place] = rule
      places[rule.name] = place
    end
  end
  return { rules = rules }
end

--- Put rules into the policy of an account, instead of those of the same names.
--- Raises "refused" when policy.lint finds errors in what would come of it.
--- @param account table subscription, resource_group, name
--- @param value table as policy.build gives it
--- @param options? table prefix, keep_days: as for policy.lint; why = for the plan
--- @return table the whole policy, as the account has it then
function policy.apply(account, value, options)
  options = options or {}
  local client, path = resource(account)
  local answer = ask(client, path, account, "GET")
  local merged = policy.merge(answer and at(answer, "properties", "policy"), value)
  for _, finding in ipairs(policy.lint(merged, options)) do
    if finding.level == "error" then
      failure.raise("refused", ("cannot write the lifecycle policy of the account \"%s\": rule \"%s\": %s"):format(
        account.name, finding.rule, finding.text))
    end
  end
  if not effect.change("write the lifecycle policy of", ("the account \"%s\""):format(account.name), options.why) then
    return merged
  end
  local made = ask(client, path, account, "PUT", json.encode { properties = { policy = merged } })
  return at(made, "properties", "policy") or merged
end

return policy
