--- The part of JSONPath with which one value of an object is named, as kubectl
--- writes it: {.status.phase}, .status.conditions[?(@.type=="Ready")].status,
--- .spec.containers[0].image, .metadata.annotations['a.b/c'] or \.-escaped, [*].

local failure = require "failure"
local json = require "json"

local jsonpath = {}

local TEXT_MAX = 1024

local function refuse(text, at, why)
  failure.raise("recipe", ("the path \"%s\" is not understood at character %d: %s"):format(text, at, why))
end

--- A quoted text at a place; the place behind it.
local function quoted(text, at)
  local quote, parts = text:sub(at, at), {}
  local here = at + 1
  while here <= #text do
    local char = text:sub(here, here)
    if char == quote then
      return table.concat(parts), here + 1
    elseif char == "\\" and here < #text then
      here = here + 1
      char = text:sub(here, here)
    end
    parts[#parts + 1] = char
    here = here + 1
  end
  refuse(text, at, "the quote is not closed")
end

--- A name behind a dot; a backslash takes the meaning from what follows.
local function name_at(text, at)
  local parts, here = {}, at
  while here <= #text do
    local char = text:sub(here, here)
    if char == "\\" and here < #text then
      here = here + 1
      char = text:sub(here, here)
    elseif not char:match("[%w_/-]") then
      break
    end
    parts[#parts + 1] = char
    here = here + 1
  end
  if #parts == 0 then
    refuse(text, at, "a name is missing")
  end
  return table.concat(parts), here
end

local function literal(text, at)
  local char = text:sub(at, at)
  if char == "\"" or char == "'" then
    return quoted(text, at)
  end
  local word = text:match("^[^%s)]+", at)
  if word == "true" or word == "false" then
    return word == "true", at + #word
  elseif word and tonumber(word) then
    return tonumber(word), at + #word
  end
  refuse(text, at, "a text in quotes, a number, true or false is missing")
end

local parse_steps

--- [?(@.path OP literal)], from behind the "[".
local function filter(text, at)
  local begin = text:match("^%?%(%s*@()", at)
  if begin == nil then
    refuse(text, at, "a filter is written ?(@.name==\"value\")")
  end
  local steps, here = parse_steps(text, begin, true)
  local op, behind = text:match("^%s*([=!<>]=?)%s*()", here)
  if op == nil then
    local done = text:match("^%s*%)%]()", here)
    if done == nil then
      refuse(text, here, "a filter ends in )]")
    end
    return { filter = steps }, done
  elseif op == "=" or op == "!" then
    refuse(text, here, "this is no comparison")
  end
  local value, after = literal(text, behind)
  local done = text:match("^%s*%)%]()", after)
  if done == nil then
    refuse(text, after, "a filter ends in )]")
  end
  return { filter = steps, op = op, value = value }, done
end

local function bracket(text, at)
  local char = text:sub(at, at)
  if char == "?" then
    return filter(text, at)
  elseif char == "'" or char == "\"" then
    local name, behind = quoted(text, at)
    if text:sub(behind, behind) ~= "]" then
      refuse(text, behind, "] is missing")
    end
    return { name = name }, behind + 1
  end
  local number, behind = text:match("^(%-?%d+)%]()", at)
  if number and #number < 10 then
    return { index = math.tointeger(tonumber(number)) }, behind
  elseif text:sub(at, at + 1) == "*]" then
    return { all = true }, at + 2
  end
  refuse(text, at, "in [] stand a number, *, a name in quotes or a filter")
end

--- Steps from a place on, up to the text's end or, in a filter, to what is none.
function parse_steps(text, at, in_filter)
  local steps = {}
  while at <= #text do
    local char = text:sub(at, at)
    if char == "." and text:sub(at + 1, at + 1) == "*" then
      steps[#steps + 1], at = { all = true }, at + 2
    elseif char == "." then
      local name
      name, at = name_at(text, at + 1)
      steps[#steps + 1] = { name = name }
    elseif char == "[" then
      steps[#steps + 1], at = bracket(text, at + 1)
    elseif in_filter then
      break
    else
      refuse(text, at, "a step begins with . or [")
    end
  end
  return steps, at
end

--- Read a path; raises "recipe".
--- @return table the steps, for jsonpath.values
function jsonpath.parse(text)
  if type(text) ~= "string" or #text > TEXT_MAX then
    failure.raise("recipe", ("a path is a text of at most %d bytes"):format(TEXT_MAX))
  end
  local inner = text:match("^%s*{(.*)}%s*$") or text
  inner = inner:gsub("^%s*%$", ""):gsub("^%s+", ""):gsub("%s+$", "")
  if inner:match("^[%w_]") then
    inner = "." .. inner
  end
  local steps = parse_steps(inner, 1, false)
  if #steps == 0 then
    failure.raise("recipe", "a path is empty")
  end
  return steps
end

local function compare(op, a, b)
  if op == "==" then
    return a == b
  elseif op == "!=" then
    return a ~= b
  elseif type(a) ~= type(b) or type(a) ~= "number" and type(a) ~= "string" then
    return false
  end
  return op == "<" and a < b or op == "<=" and a <= b or op == ">" and a > b or op == ">=" and a >= b
end

--- The members of a list or an object; those of an object in the order of their names.
local function members(value)
  if #value > 0 then
    return value
  end
  local names, list = {}, {}
  for name in pairs(value) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for index, name in ipairs(names) do
    list[index] = value[name]
  end
  return list
end

local function take(step, value, out)
  if type(value) ~= "table" then
    return
  elseif step.name then
    out[#out + 1] = value[step.name]
  elseif step.index then
    out[#out + 1] = value[step.index < 0 and #value + step.index + 1 or step.index + 1]
  elseif step.all then
    for _, one in ipairs(members(value)) do
      out[#out + 1] = one
    end
  else
    for _, one in ipairs(value) do
      local found = jsonpath.values(step.filter, one)
      if step.op == nil and #found > 0 or step.op and #found == 1 and compare(step.op, found[1], step.value) then
        out[#out + 1] = one
      end
    end
  end
end

--- What a path leads to, in order; nothing where it leads nowhere or to null.
--- @param steps table of jsonpath.parse
--- @return table list
function jsonpath.values(steps, value)
  local found = { value }
  for _, step in ipairs(steps) do
    local out = {}
    for _, one in ipairs(found) do
      take(step, one, out)
    end
    found = out
  end
  local list = {}
  for _, one in ipairs(found) do
    if one ~= json.null then
      list[#list + 1] = one
    end
  end
  return list
end

--- A value as kubectl prints it: texts bare, tables as JSON.
function jsonpath.text(value)
  return type(value) == "table" and json.encode(value) or tostring(value)
end

return jsonpath
