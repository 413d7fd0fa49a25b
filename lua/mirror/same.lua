--- Are an object and its copy the same?  docs/design/mirror.md has the rules and
--- why they hold.

local ledger = require "mirror.ledger"

local same = {}

--- Does the store's ETag name the content, whoever wrote it?
local function names_content(store)
  return store.place:match("^s3:") ~= nil
end

--- The rules for a pair of stores.
--- @param book table the ledger
function same.new(from, to, book)
  return { comparable = names_content(from) and names_content(to), book = book }
end

local function is_plain(etag)
  return etag ~= nil and #etag == 32 and not etag:find("[^0-9a-f]")
end

--- What two listings, and the ledger, say of a pair.
--- @return string "same", "differs" or "unknown", and for people why it differs
function same.judge(rules, source, target)
  if source.size ~= target.size then
    return "differs", "of another size"
  elseif source.size == 0 then
    return "same"
  elseif rules.comparable and source.etag and source.etag == target.etag then
    return "same"
  end
  local note = rules.book:find(source.key)
  if note and note.size == source.size then
    local at_source = note.source == ledger.identity(source)
    if at_source and note.target == ledger.identity(target) then
      return "same"
    end
    return "differs", at_source and "changed in the target" or "changed"
  elseif rules.comparable and is_plain(source.etag) and is_plain(target.etag) then
    return "differs", "of another content"
  end
  return "unknown", "not known to be the same"
end

return same
