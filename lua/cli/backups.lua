--- moonkeep backups, show

local json = require "json"
local shelf = require "backup.shelf"
local store = require "store"
local text = require "cli.text"
local values = require "cli.values"
local words = require "words"

local backups = {}

--- What is to be known of an entry besides its name and size.
local function state_of(entry)
  if entry.bad then
    return "BAD: " .. text.safe(entry.bad)
  end
  local said = entry.verified
    and ("verified (%s) %s"):format(text.safe(entry.verified.level), text.safe(entry.verified.time))
    or "not verified"
  return said .. (entry.key and ", encrypted with " .. text.safe(entry.key) or "")
    .. (entry.partial and ", partial" or "") .. (entry.archived and ", archived" or "")
end

local function plain(entry)
  return { name = entry.name, system = entry.system, instance = entry.instance,
    time = entry.time, bytes = entry.bytes, artifacts = entry.artifacts, run = entry.run,
    verified = entry.verified, bad = entry.bad, partial = entry.partial,
    archived = entry.archived, key = entry.key }
end

--- List the backups in a store.
function backups.backups(call)
  local filter = call.args[1] and require("backup.name").parse(call.args[1]) or nil
  local from = store.open(call.options.store)
  local list = shelf.list(from, filter)
  if call.options.json then
    local rows = json.array {}
    for index, entry in ipairs(list) do
      rows[index] = plain(entry)
    end
    text.out(json.encode(rows, 2) .. "\n")
    return 0
  elseif #list == 0 then
    if not call.options.quiet then
      text.out(("There are no backups%s in \"%s\"\n"):format(
        call.args[1] and " of " .. text.safe(call.args[1]) or "", text.safe(from.url)))
    end
    return 0
  end
  local rows = { { "BACKUP", "SIZE", "STATE" } }
  for _, entry in ipairs(list) do
    rows[#rows + 1] = { text.safe(entry.name), words.bytes(entry.bytes), state_of(entry) }
  end
  text.out(text.columns(rows))
  return 0
end

--- A manifest without the lists of digests, which are of use to programs only.
local function for_people(book)
  local copy = {}
  for name, value in pairs(book) do
    copy[name] = value
  end
  copy.artifacts = {}
  for index, artifact in ipairs(book.artifacts) do
    local short = {}
    for name, value in pairs(artifact) do
      if name == "parts" then
        short.parts = #value
      else
        short[name] = value
      end
    end
    copy.artifacts[index] = short
  end
  return copy
end

--- Show what a backup holds.
function backups.show(call)
  local from = store.open(call.options.store)
  local entry = shelf.find(from, call.args[1])
  local book = shelf.manifest(from, entry)
  local verifications = shelf.verifications(from, entry)
  if call.options.json then
    local document = plain(entry)
    document.manifest, document.verifications = book, json.array(verifications)
    text.out(json.encode(document, 2) .. "\n")
    return 0
  end
  local rows = { { "Backup", text.safe(entry.name) }, { "Store", text.safe(from.url) },
    { "Size", words.bytes(entry.bytes) }, { "State", state_of(entry) } }
  if entry.key then
    rows[#rows + 1] = { "Encrypted", "OpenPGP, with key " .. text.safe(entry.key) }
  end
  text.out(text.columns(rows))
  text.out("\nManifest\n" .. values.lines(for_people(book), "  "))
  for _, record in ipairs(verifications) do
    text.out("\nVerification\n" .. values.lines(record, "  "))
  end
  return 0
end

return backups
