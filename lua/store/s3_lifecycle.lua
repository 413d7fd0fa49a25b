--- Lifecycle rules of a bucket of S3: reading, making, changing ours among others', and
--- whether they fight the retention of backups.
---
--- A rule is a table: id, enabled, prefix, tags (name = value), above and below (object
--- sizes, exclusive, in bytes), expire_days, expire_date, expire_markers, noncurrent_days,
--- noncurrent_keep, abort_days, transitions (list of {days, date, class}),
--- noncurrent_transitions (list of {days, class}).  What a rule has beyond that is kept.

local failure = require "failure"
local manifest = require "backup.manifest"
local s3_call = require "store.s3_call"
local words = require "words"
local xml = require "xml"

local lifecycle = {}

local QUERY = { lifecycle = "" }
local ROOT = "LifecycleConfiguration"
local RULES_MAX = 1000

--- A transition of objects above this size never touches a manifest: none is larger.
lifecycle.ABOVE_MANIFESTS = manifest.MAX

--- Classes out of which objects have to be brought back before they can be read.
local ARCHIVES = { GLACIER = true, DEEP_ARCHIVE = true }

local function transitions(rule, name, days)
  local list = {}
  for one in xml.each(rule, name) do
    table.insert(list, { days = s3_call.number(one, days), date = xml.text(one, "Date"),
      class = xml.text(one, "StorageClass") })
  end
  return #list > 0 and list or nil
end

local function parse_rule(rule)
  local filter = xml.at(rule, "Filter/And") or xml.first(rule, "Filter")
  local tags
  for tag in xml.each(filter, "Tag") do
    tags = tags or {}
    tags[xml.text(tag, "Key") or ""] = xml.text(tag, "Value") or ""
  end
  return {
    id = xml.text(rule, "ID") or "", enabled = xml.text(rule, "Status") == "Enabled",
    prefix = xml.text(filter, "Prefix") or xml.text(rule, "Prefix") or "", tags = tags,
    above = s3_call.number(filter, "ObjectSizeGreaterThan"), below = s3_call.number(filter, "ObjectSizeLessThan"),
    expire_days = s3_call.number(rule, "Expiration/Days"), expire_date = xml.text(rule, "Expiration/Date"),
    expire_markers = xml.text(rule, "Expiration/ExpiredObjectDeleteMarker") == "true" or nil,
    noncurrent_days = s3_call.number(rule, "NoncurrentVersionExpiration/NoncurrentDays"),
    noncurrent_keep = s3_call.number(rule, "NoncurrentVersionExpiration/NewerNoncurrentVersions"),
    abort_days = s3_call.number(rule, "AbortIncompleteMultipartUpload/DaysAfterInitiation"),
    transitions = transitions(rule, "Transition", "Days"),
    noncurrent_transitions = transitions(rule, "NoncurrentVersionTransition", "NoncurrentDays"),
    element = rule,
  }
end

--- The rules of the bucket; none, when it has no lifecycle.
--- @return table list of rules
function lifecycle.read(store)
  local document = s3_call.read(store, "lifecycle", { query = QUERY }, ROOT)
  local rules = {}
  for rule in xml.each(document, "Rule") do
    rules[#rules + 1] = parse_rule(rule)
  end
  return rules
end

local function filter_of(rule)
  local conditions = { "And" }
  local function add(name, value)
    if value ~= nil then
      conditions[#conditions + 1] = { name, value }
    end
  end
  add("Prefix", rule.prefix ~= "" and rule.prefix or nil)
  add("ObjectSizeGreaterThan", rule.above)
  add("ObjectSizeLessThan", rule.below)
  local names = {}
  for name in pairs(rule.tags or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    conditions[#conditions + 1] = { "Tag", { "Key", name }, { "Value", rule.tags[name] } }
  end
  if #conditions > 2 then
    return { "Filter", conditions }
  end
  return { "Filter", conditions[2] or { "Prefix", "" } }
end

--- A rule as xml.document writes it: as it was read, or made of its fields.
local function element(rule)
  if rule.element then
    return s3_call.element(rule.element)
  end
  local made = { "Rule", { "ID", rule.id }, filter_of(rule), { "Status", rule.enabled and "Enabled" or "Disabled" } }
  local function add(name, ...)
    local fields = { name }
    for _, field in ipairs { ... } do
      if field[2] ~= nil then
        fields[#fields + 1] = field
      end
    end
    if #fields > 1 then
      made[#made + 1] = fields
    end
  end
  for _, one in ipairs(rule.transitions or {}) do
    add("Transition", { "Days", one.days }, { "Date", one.date }, { "StorageClass", one.class })
  end
  add("Expiration", { "Days", rule.expire_days }, { "Date", rule.expire_date },
    { "ExpiredObjectDeleteMarker", rule.expire_markers and "true" or nil })
  for _, one in ipairs(rule.noncurrent_transitions or {}) do
    add("NoncurrentVersionTransition", { "NoncurrentDays", one.days }, { "StorageClass", one.class })
  end
  add("NoncurrentVersionExpiration", { "NoncurrentDays", rule.noncurrent_days },
    { "NewerNoncurrentVersions", rule.noncurrent_keep })
  add("AbortIncompleteMultipartUpload", { "DaysAfterInitiation", rule.abort_days })
  return made
end

local function is_days(value, least)
  return value == nil or math.type(value) == "integer" and value >= least
end

local function check_rule(rule)
  local function bad(why)
    failure.raise("recipe", ("lifecycle rule \"%s\": %s"):format(tostring(rule.id), why))
  end
  if type(rule.id) ~= "string" or rule.id == "" or #rule.id > 255 then
    bad("an id has 1 to 255 characters")
  elseif not (is_days(rule.expire_days, 1) and is_days(rule.noncurrent_days, 1) and is_days(rule.abort_days, 1)) then
    bad("days are whole numbers from 1 on")
  end
  for _, one in ipairs(rule.transitions or {}) do
    if not is_days(one.days, 0) or type(one.class) ~= "string" then
      bad("a transition has days and a class")
    elseif (rule.above or 0) < lifecycle.ABOVE_MANIFESTS then
      bad(("it would move manifests, too: say above = %d"):format(lifecycle.ABOVE_MANIFESTS))
    end
  end
  if rule.abort_days and (rule.above or rule.below or rule.tags) then
    bad("unfinished uploads have neither size nor tags")
  end
end

--- Write these rules, and no others: those that were read stand as they were, with what
--- of them is not known here.  Without any, the lifecycle is removed.
--- @param rules table list
--- @param why? string for the plan
function lifecycle.write(store, rules, why)
  if #rules == 0 then
    s3_call.remove(store, "lifecycle", { query = QUERY, root = ROOT, why = why })
    return
  elseif #rules > RULES_MAX then
    failure.raise("recipe", ("a lifecycle has at most %d rules, not %d"):format(RULES_MAX, #rules))
  end
  local document, ids = { ROOT }, {}
  for index, rule in ipairs(rules) do
    if not rule.element then
      check_rule(rule)
    end
    if ids[rule.id] then
      failure.raise("recipe", ("two lifecycle rules have the id \"%s\""):format(rule.id))
    end
    ids[rule.id] = rule.id ~= ""
    document[index + 1] = element(rule)
  end
  s3_call.write(store, "lifecycle", { query = QUERY, root = ROOT, document = document, why = why })
end

--- Are two lists of transitions the same?
local function same_transitions(one, other)
  one, other = one or {}, other or {}
  for index = 1, math.max(#one, #other) do
    local x, y = one[index] or {}, other[index] or {}
    if x.days ~= y.days or x.class ~= y.class or x.date ~= y.date then
      return false
    end
  end
  return true
end

--- Say two rules the same?
function lifecycle.same(one, other)
  for _, field in ipairs { "id", "enabled", "prefix", "above", "below", "expire_days", "expire_date",
    "expire_markers", "noncurrent_days", "noncurrent_keep", "abort_days" } do
    if one[field] ~= other[field] then
      return false
    end
  end
  return next(one.tags or {}) == nil and next(other.tags or {}) == nil
    and same_transitions(one.transitions, other.transitions)
    and same_transitions(one.noncurrent_transitions, other.noncurrent_transitions)
end

--- The rules with ours in the place of those of their ids: a new list, and whether it differs.
--- @param rules table as read
--- @param ours table list
--- @return table rules
--- @return boolean
function lifecycle.merge(rules, ours)
  local merged, at, changed = {}, {}, false
  for index, rule in ipairs(rules) do
    merged[index], at[rule.id] = rule, index
  end
  for _, rule in ipairs(ours) do
    local index = at[rule.id]
    if index == nil or not lifecycle.same(merged[index], rule) then
      merged[index or #merged + 1], changed = rule, true
    end
  end
  return merged, changed
end

local function overlaps(one, other)
  return one:sub(1, #other) == other or other:sub(1, #one) == one
end

--- What rules would do to backups below a prefix of the bucket.
--- @param rules table list
--- @param prefix string of the bucket, "" or with a "/" at its end
--- @param keep_days? integer how long each backup is to be kept at least
--- @return table list of {rule (its id), bad = true: backups would be lost or not readable, text}
function lifecycle.conflicts(rules, prefix, keep_days)
  local found = {}
  local function add(rule, bad, text, ...)
    table.insert(found, { rule = rule.id, bad = bad, text = ("lifecycle rule \"%s\" "):format(rule.id)
      .. text:format(...) })
  end
  for _, rule in ipairs(rules) do
    if rule.enabled and overlaps(rule.prefix, prefix) then
      if rule.expire_date then
        add(rule, true, "removes all objects on %s, whatever their age", rule.expire_date)
      elseif rule.expire_days and keep_days and rule.expire_days < keep_days then
        add(rule, true, "removes objects after %d days, backups are to be kept for %d", rule.expire_days, keep_days)
      elseif rule.expire_days then
        add(rule, false, "removes objects after %d days, also when there is no newer backup", rule.expire_days)
      end
      for _, one in ipairs(rule.transitions or {}) do
        if ARCHIVES[one.class] and (rule.above or 0) < lifecycle.ABOVE_MANIFESTS then
          add(rule, true, "archives manifests, too (%s after %s days): nothing could be listed or verified",
            one.class, tostring(one.days or one.date))
        elseif ARCHIVES[one.class] then
          add(rule, false, "archives objects above %s (%s after %s days): restores wait for hours",
            words.bytes(rule.above), one.class, tostring(one.days or one.date))
        end
      end
    end
  end
  return found
end

return lifecycle
