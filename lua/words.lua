--- Words: splitting a command line, and finding what was probably meant.

local failure = require "failure"

local words = {}

--- Split a command into words as a shell would, with quotes and backslashes
--- but nothing else: no variables, no globs, no pipes.
--- @return table list of words
function words.split(text)
  local list, word, quote = {}, nil, nil
  local at = 1
  while at <= #text do
    local char = text:sub(at, at)
    if quote then
      if char == quote then
        quote = nil
      elseif char == "\\" and quote == '"' and text:sub(at + 1, at + 1):match('["\\$`]') then
        at = at + 1
        word = word .. text:sub(at, at)
      else
        word = word .. char
      end
    elseif char:match("%s") then
      if word then
        list[#list + 1] = word
        word = nil
      end
    elseif char == "'" or char == '"' then
      quote = char
      word = word or ""
    elseif char == "\\" and at < #text then
      at = at + 1
      word = (word or "") .. text:sub(at, at)
    else
      word = (word or "") .. char
    end
    at = at + 1
  end
  if quote then
    failure.raise("usage", ("a quote is not closed in: %s"):format(text))
  end
  if word then
    list[#list + 1] = word
  end
  if #list == 0 then
    failure.raise("usage", "a command is empty")
  end
  return list
end

--- The text as one word of a shell, for commands that are shown.
function words.quote(text)
  return text:match("^[%w%-_./:=@,+]+$") and text or "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Words as a command line of a shell, for commands that are shown.
function words.command(argv)
  local quoted = {}
  for index, word in ipairs(argv) do
    quoted[index] = words.quote(word)
  end
  return table.concat(quoted, " ")
end

--- How many letters must be changed, added or dropped to make b of a.
local function distance(a, b)
  local row = {}
  for col = 0, #b do
    row[col] = col
  end
  for line = 1, #a do
    local diagonal = row[0]
    row[0] = line
    for col = 1, #b do
      local above = row[col]
      local change = a:byte(line) == b:byte(col) and 0 or 1
      row[col] = math.min(above + 1, row[col - 1] + 1, diagonal + change)
      diagonal = above
    end
  end
  return row[#b]
end

--- The nearest of the names to what was typed, or nil when none is near.
function words.nearest(typed, names)
  local best, best_distance = nil, math.max(2, #typed // 3) + 1
  for _, name in ipairs(names) do
    local far = distance(typed, name)
    -- "backup" for "prometheus.backup": a part of the name is near, too.
    if #typed >= 3 and name:find(typed, 1, true) then
      far = math.min(far, 1)
    end
    if far < best_distance then
      best, best_distance = name, far
    end
  end
  return best
end

--- " (did you mean "X"?)", or "".
function words.did_you_mean(typed, names)
  local near = words.nearest(typed, names)
  return near and (" (did you mean \"%s\"?)"):format(near) or ""
end

--- The text with each byte that is no UTF-8 written as \xNN, for messages
--- that hold names of files.
function words.valid(text)
  local parts, at = {}, 1
  while at <= #text do
    local valid, wrong = utf8.len(text, at)
    if valid then
      parts[#parts + 1] = text:sub(at)
      break
    end
    parts[#parts + 1] = text:sub(at, wrong - 1)
    parts[#parts + 1] = ("\\x%02x"):format(text:byte(wrong))
    at = wrong + 1
  end
  return table.concat(parts)
end

--- Bytes for people: "1.2 GiB".
function words.bytes(count)
  local units = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" }
  local unit, value = 1, count
  while value >= 1024 and unit < #units do
    value, unit = value / 1024, unit + 1
  end
  return unit == 1 and ("%.0f B"):format(count) or ("%.1f %s"):format(value, units[unit])
end

--- A duration for people: "0.4 s", "12 s", "3 min 20 s", "2 h 5 min".
function words.duration(ms)
  if ms < 9950 then
    return ("%.1f s"):format(ms / 1000)
  end
  local seconds = (ms + 500) // 1000
  if seconds < 60 then
    return ("%.0f s"):format(seconds)
  elseif seconds < 3600 then
    return ("%.0f min %.0f s"):format(seconds // 60, seconds % 60)
  end
  return ("%.0f h %.0f min"):format(seconds // 3600, seconds % 3600 // 60)
end

--- A number with thousands apart: "5 011 200".
function words.count(number)
  local text = ("%.0f"):format(number):reverse():gsub("(%d%d%d)", "%1 "):reverse()
  return (text:gsub("^ ", ""))
end

return words
