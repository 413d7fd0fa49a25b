--- Text for people: escaping what comes from outside, columns, widths.

local os_ = require "_os"

local text = {}

local NAMES = { [9] = "\\t", [10] = "\\n", [13] = "\\r" }

--- Characters that change how a line is shown instead of being shown: C0 and
--- C1 controls, line separators, marks and overrides of the writing direction.
local function is_control(code)
  return code < 0x20 or (code >= 0x7f and code <= 0x9f) or code == 0x61c or code == 0xfeff
    or (code >= 0x200e and code <= 0x200f) or (code >= 0x2028 and code <= 0x202e)
    or (code >= 0x2066 and code <= 0x2069)
end

local function escape_char(char)
  local code = utf8.codepoint(char)
  if not is_control(code) then
    return nil
  end
  return NAMES[code] or (code < 0x80 and ("\\x%02x"):format(code) or ("\\u{%x}"):format(code))
end

--- The text with everything escaped that would act on a terminal instead of
--- being shown, and with bytes that are no UTF-8 as \xNN.
--- @param value any
--- @return string one line
function text.safe(value)
  local s = tostring(value)
  if not s:find("[%c\127-\255]") then
    return s
  end
  return (require("words").valid(s):gsub(utf8.charpattern, escape_char))
end

--- How many columns a safe text takes.
function text.width(s)
  return utf8.len(s) or #s
end

--- The text cut to so many columns, with "..." where something was cut.
function text.clip(s, columns)
  if text.width(s) <= columns then
    return s
  elseif columns <= 3 then
    return ("..."):sub(1, math.max(columns, 0))
  end
  local stop = utf8.offset(s, columns - 2) or #s + 1
  return s:sub(1, stop - 1) .. "..."
end

--- Rows of cells in aligned columns, two spaces apart.
--- @param rows table list of lists of safe texts
--- @param indent? string in front of each line
--- @return string lines, each ended
function text.columns(rows, indent)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for col, cell in ipairs(row) do
      widths[col] = math.max(widths[col] or 0, text.width(cell))
    end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for col, cell in ipairs(row) do
      cells[col] = cell .. (" "):rep(widths[col] - text.width(cell))
    end
    lines[#lines + 1] = (indent or "") .. table.concat(cells, "  "):gsub(" +$", "") .. "\n"
  end
  return table.concat(lines)
end

--- A paragraph broken at spaces.
--- @param indent string in front of each line
function text.wrap(paragraph, indent, columns)
  local lines, line = {}, nil
  for word in paragraph:gmatch("%S+") do
    if line and text.width(line) + 1 + text.width(word) > columns - #indent then
      lines[#lines + 1] = indent .. line .. "\n"
      line = word
    else
      line = line and line .. " " .. word or word
    end
  end
  if line then
    lines[#lines + 1] = indent .. line .. "\n"
  end
  return table.concat(lines)
end

--- May a descriptor get control characters?
function text.is_terminal(fd)
  return os_.is_terminal(fd) and os_.getenv("TERM") ~= "dumb"
end

--- May a descriptor get colours (https://no-color.org)?
function text.has_colour(fd)
  local no = os_.getenv("NO_COLOR")
  return text.is_terminal(fd) and (no == nil or no == "")
end

--- Write to standard output.  Raises when that is gone.
function text.out(s)
  os_.write(1, s)
end

--- Write to standard error.  A standard error that is gone is nobody's concern.
function text.err(s)
  pcall(os_.write, 2, s)
end

return text
