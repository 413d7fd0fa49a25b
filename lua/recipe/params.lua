--- Parameters of recipes: their types, where values come from, and how a text
--- becomes a value.

local failure = require "failure"
local os_ = require "_os"
local words = require "words"

local params = {}

--- Names that mean the same everywhere, and so cannot be a recipe's own
--- (`store` and `target` can, with the type of that name).
local RESERVED = {
  plan = true, yes = true, json = true, state = true, site = true, verbose = true, quiet = true,
  help = true, dev = true, log_format = true, with_changes = true,
}

local UNITS = { ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }
local SIZES = { [""] = 1, k = 1 << 10, m = 1 << 20, g = 1 << 30, t = 1 << 40 }

local function bad(text, ...)
  failure.raise("usage", text:format(...))
end

--- The whole number that digits say, times a unit; nil when there is none that fits.
local function whole(digits, unit)
  local value = digits and digits:match("^-?%d+$") and math.tointeger(tonumber(digits))
  if value == nil or unit == nil or math.abs(value) > math.maxinteger // unit then
    return nil
  end
  return value * unit
end

--- The types.  parse(text) -> plain value that can be journalled; open(value)
--- -> what the recipe sees, where that is something else.
local TYPES = {
  string = { parse = function(text) return text end },
  path = {
    parse = function(text)
      if text == "" or text:find("\0", 1, true) then
        bad("a path must not be empty")
      end
      return text
    end,
  },
  url = {
    parse = function(text)
      local url = require("_url").parse(text)
      if url.scheme ~= "http" and url.scheme ~= "https" then
        bad("\"%s\" is no http or https URL", text)
      elseif url.has_password then
        bad("a URL must not hold a password")
      end
      return text
    end,
  },
  integer = {
    parse = function(text)
      local value = whole(text, 1)
      if value == nil then
        bad("\"%s\" is no whole number", text)
      end
      return value
    end,
  },
  boolean = {
    parse = function(text)
      local values = { ["true"] = true, yes = true, ["1"] = true,
        ["false"] = false, no = false, ["0"] = false }
      if values[text] == nil then
        bad("\"%s\" is neither true nor false", text)
      end
      return values[text]
    end,
  },
  duration = {
    parse = function(text)
      local number, unit = text:match("^(%d+)(%a*)$")
      local value = whole(number, UNITS[unit])
      if value == nil then
        bad("\"%s\" is no duration such as 30s, 5m or 1h", text)
      end
      return value
    end,
    text = function(value)
      for _, unit in ipairs { "d", "h", "m", "s" } do
        if value % UNITS[unit] == 0 then
          return value // UNITS[unit] .. unit
        end
      end
      return value .. "ms"
    end,
  },
  size = {
    parse = function(text)
      local number, unit = text:lower():match("^(%d+)%s*([kmgt]?)i?b?$")
      local value = whole(number, SIZES[unit])
      if value == nil then
        bad("\"%s\" is no size such as 512KiB, 64MiB or 2GiB", text)
      end
      return value
    end,
  },
  time = {
    parse = function(text)
      return require("clock").parse(text)
    end,
    text = function(value)
      return require("clock").iso(value)
    end,
  },
  owner = {
    parse = function(text)
      return require("owner").parse(text)
    end,
    text = function(value)
      return value.uid .. ":" .. value.gid
    end,
  },
  service = {
    parse = function(text)
      return text
    end,
    open_list = function(list)
      return require("service").open(list)
    end,
    list = true,
  },
  target = {
    parse = function(text)
      require("target").check(text)
      return text
    end,
    open = function(text)
      return require("target").open(text)
    end,
  },
  store = {
    parse = function(text)
      require("store").check(text)
      return text
    end,
    open = function(text)
      return require("store").open(text)
    end,
  },
  backup = { parse = function(text) return require("backup.name").parse(text) and text end },
  secret = {
    parse = function(text) return text end,
    open = function(reference, name)
      return require("secret").fetch(reference, name)
    end,
  },
}

--- The fields of a parameter's specification.
local SPEC = { required = "boolean", default = "any", env = "string", help = "string",
  range = "table", choices = "table", list = "boolean" }

--- "skip_head" as it is typed: "skip-head".
function params.option(name)
  return (name:gsub("_", "-"))
end

--- Check the parameters that a recipe declares.
function params.check_specs(file, specs)
  for name, spec in pairs(specs) do
    local function wrong(text, ...)
      failure.raise("recipe", ("%s: parameter \"%s\": %s"):format(file, tostring(name),
        text:format(...)))
    end
    if type(name) ~= "string" or not name:match("^[a-z][a-z0-9_]*$") then
      wrong("a name is lower-case letters, digits and underscores")
    elseif RESERVED[name] then
      wrong("the name has a meaning of its own everywhere")
    elseif type(spec) ~= "table" or TYPES[spec[1]] == nil then
      local names = {}
      for type_name in pairs(TYPES) do
        names[#names + 1] = type_name
      end
      table.sort(names)
      local typed = type(spec) == "table" and tostring(spec[1]) or ""
      wrong("unknown type \"%s\"%s", typed, words.did_you_mean(typed, names))
    elseif (name == "target" or name == "store") and spec[1] ~= name then
      wrong("must have the type of its name")
    end
    for field, value in pairs(spec) do
      if field ~= 1 and SPEC[field] == nil then
        wrong("unknown field \"%s\"", tostring(field))
      elseif field ~= 1 and SPEC[field] ~= "any" and type(value) ~= SPEC[field] then
        wrong("field \"%s\" must be a %s", field, SPEC[field])
      end
    end
    if spec.help == nil then
      wrong("help is missing")
    end
  end
end

--- Does the parameter take several values?
function params.is_list(spec)
  return spec.list or TYPES[spec[1]].list or false
end

local function parse_one(name, spec, text, where)
  if utf8.len(text) == nil then
    bad("%s: \"%s\" is not UTF-8", where, words.valid(text))
  end
  local ok, value = pcall(TYPES[spec[1]].parse, text)
  if not ok then
    error(failure.prefix(value, where), 0)
  end
  if spec.range and (value < spec.range[1] or value > spec.range[2]) then
    bad("%s: %s is not between %s and %s", where, text, spec.range[1], spec.range[2])
  end
  if spec.choices then
    for _, choice in ipairs(spec.choices) do
      if value == choice then
        return value
      end
    end
    bad("%s: \"%s\" is none of %s", where, text, table.concat(spec.choices, ", "))
  end
  return value
end

--- Make plain values of what was given: a table of option name -> list of texts.
--- Values come from the command line, else from the parameter's environment
--- variable, else from its default.
--- @return table values, table origins (name -> "command line", "environment NAME", "default")
function params.parse(id, specs, given)
  local values, origins, names = {}, {}, {}
  for name in pairs(specs) do
    names[#names + 1] = name
  end
  table.sort(names)
  for option in pairs(given) do
    if specs[option] == nil then
      local options = {}
      for _, name in ipairs(names) do
        options[#options + 1] = params.option(name)
      end
      local typed = params.option(option)
      failure.raise("usage", ("%s has no parameter --%s%s"):format(id, typed,
        words.did_you_mean(typed, options)), { hint = "`moonkeep help " .. id .. "` shows them" })
    end
  end
  for _, name in ipairs(names) do
    local spec = specs[name]
    local texts, origin = given[name], "command line"
    local where = "--" .. params.option(name)
    if texts == nil and spec.env then
      local text = os_.getenv(spec.env)
      if text ~= nil and text ~= "" then
        -- Of a secret, the reference to it: values are journalled.
        text = spec[1] == "secret" and "env:" .. spec.env or text
        texts, origin, where = { text }, "environment " .. spec.env, spec.env
      end
    end
    if texts == nil and spec.default ~= nil then
      origin = "default"
      if type(spec.default) == "string" then
        texts = { spec.default }
      else
        values[name] = spec.default
      end
    end
    if texts ~= nil and params.is_list(spec) then
      values[name] = {}
      for index, text in ipairs(texts) do
        values[name][index] = parse_one(name, spec, text, where)
      end
    elseif texts ~= nil then
      if #texts > 1 then
        bad("%s is given %d times, but takes one value", where, #texts)
      end
      values[name] = parse_one(name, spec, texts[1], where)
    elseif spec.required and values[name] == nil then
      failure.raise("usage", ("%s needs --%s (%s)"):format(id, params.option(name), spec.help),
        { hint = "`moonkeep help " .. id .. "` shows all parameters" })
    end
    if values[name] ~= nil then
      origins[name] = origin
    end
  end
  return values, origins
end

--- The texts that would be typed for a value, a list.
function params.texts(spec, value)
  local text = TYPES[spec[1]].text or tostring
  if not params.is_list(spec) then
    return { text(value) }
  end
  local texts = {}
  for index, one in ipairs(value) do
    texts[index] = text(one)
  end
  return texts
end

--- Values as they would be typed, for people: "10m", not 600000.
--- @param specs table of a recipe that may not be the one that the values were for
--- @param values table
function params.typed(specs, values)
  local shown = {}
  for name, value in pairs(values) do
    local ok, texts = pcall(params.texts, specs[name], value)
    shown[name] = ok and (#texts == 1 and texts[1] or texts) or value
  end
  return shown
end

--- Is the value what the parameter is without being given?
function params.is_default(spec, value)
  if spec.default == nil then
    return params.is_list(spec) and #value == 0
  elseif type(spec.default) ~= "string" then
    return value == spec.default
  end
  local ok, default = pcall(TYPES[spec[1]].parse, spec.default)
  if params.is_list(spec) then
    return ok and #value == 1 and value[1] == default
  end
  return ok and value == default
end

--- What the recipe sees: targets, stores, services and secrets opened.
function params.open(specs, values)
  local opened = {}
  for name, value in pairs(values) do
    local kind = TYPES[specs[name][1]]
    if kind.open_list then
      opened[name] = kind.open_list(value)
    elseif kind.open and params.is_list(specs[name]) then
      opened[name] = {}
      for index, one in ipairs(value) do
        opened[name][index] = kind.open(one, params.option(name))
      end
    elseif kind.open then
      opened[name] = kind.open(value, params.option(name))
    else
      opened[name] = value
    end
  end
  return opened
end

return params
