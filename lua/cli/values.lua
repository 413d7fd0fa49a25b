--- Plain values (results, parameters, manifests) as aligned lines for people.

local json = require "json"
local text = require "cli.text"
local words = require "words"

local values = {}

--- Most entries of a list, and most characters of one text, that are shown; a list of
--- texts, one of which is longer than that, and which are more than a line, has a line for each.
local LIST_MAX = 20
local TEXT_MAX = 200
local WORD_MAX, LINE_MAX = 20, 80

local function sorted(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function is_list(value)
  return #value > 0 or next(value) == nil
end

--- One value that is no table, as a safe text; bytes and milliseconds, told by
--- their names, in units that people read.
local function scalar(name, value)
  if value == json.null then
    return "-"
  elseif math.type(value) == "integer" and value >= 0 then
    if name:match("bytes$") then
      return value < 1024 and words.bytes(value)
        or ("%s (%d)"):format(words.bytes(value), value)
    elseif name:match("_ms$") or name == "ms" then
      return words.duration(value)
    end
  end
  return text.clip(text.safe(value), TEXT_MAX)
end

--- A list without tables, as the texts of one line or more; nil when it has some.
local function flat(name, list)
  local cells, has_comma, longest = {}, false, 0
  for index, value in ipairs(list) do
    if type(value) == "table" then
      return nil
    elseif index > LIST_MAX then
      cells[#cells + 1] = ("... (%d in all)"):format(#list)
      break
    end
    cells[index] = scalar(name, value)
    has_comma = has_comma or cells[index]:find(", ", 1, true) ~= nil
    longest = math.max(longest, text.width(cells[index]))
  end
  local line = table.concat(cells, ", ")
  if #cells > 1 and (has_comma or (longest > WORD_MAX and text.width(line) > LINE_MAX)) then
    return cells
  end
  return { #cells > 0 and line or "-" }
end

local add

local function add_list(rows, name, list, depth)
  rows[#rows + 1] = { ("  "):rep(depth) .. name, "" }
  for index, value in ipairs(list) do
    if index > LIST_MAX then
      rows[#rows + 1] = { ("  "):rep(depth + 1) .. ("... (%d in all)"):format(#list), "" }
      break
    end
    local label = tostring(index)
    if type(value) == "table" and type(value.name) == "string" then
      label = text.clip(text.safe(value.name), 60)
    end
    add(rows, label, value, depth + 1)
  end
end

function add(rows, name, value, depth)
  local label = name:gsub("_", " ")
  if type(value) ~= "table" then
    rows[#rows + 1] = { ("  "):rep(depth) .. label, scalar(name, value) }
  elseif is_list(value) then
    local lines = flat(name, value)
    for index, line in ipairs(lines or {}) do
      rows[#rows + 1] = { index == 1 and ("  "):rep(depth) .. label or "", line }
    end
    if lines == nil then
      add_list(rows, label, value, depth)
    end
  else
    rows[#rows + 1] = { ("  "):rep(depth) .. label, "" }
    for _, key in ipairs(sorted(value)) do
      add(rows, text.safe(key), value[key], depth + 1)
    end
  end
end

--- Lines "name  value", nested tables indented.
--- @param value any
--- @param indent? string
--- @return string
function values.lines(value, indent)
  local rows = {}
  if type(value) ~= "table" then
    rows[1] = { scalar("", value) }
  elseif is_list(value) then
    add(rows, "result", value, 0)
  else
    for _, key in ipairs(sorted(value)) do
      add(rows, text.safe(key), value[key], 0)
    end
  end
  return text.columns(rows, indent)
end

--- A value on one line, cut to so many characters.
--- @param max integer
function values.short(value, max)
  if value == nil then
    return ""
  elseif type(value) ~= "table" then
    return text.clip(scalar("", value), max)
  end
  return text.clip(text.safe(json.encode(value)), max)
end

return values
