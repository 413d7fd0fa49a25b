--- XML as object stores speak it: elements and text, without attributes and
--- namespaces on the way in.
---
--- An element is a table {name, text, children...}: `text` is what stands
--- directly in it, joined, and children are 1 to #element.

local failure = require "failure"
local native = require "_xml"

local xml = {}

--- Parse a whole document.  Raises "invalid" with the line, "too_big".
--- @param text string
--- @return table the root element
function xml.parse(text)
  return native.parse(text)
end

--- The first child of that name, or nil.
function xml.first(element, name)
  for _, child in ipairs(element or {}) do
    if child.name == name then
      return child
    end
  end
end

--- Go through the children of that name: `for child in xml.each(element, "Key") do`.
function xml.each(element, name)
  local at = 0
  return function()
    repeat
      at = at + 1
    until element == nil or element[at] == nil or element[at].name == name
    return element and element[at]
  end
end

--- The element by a path of names below another, "Error/Code", or nil.
function xml.at(element, path)
  for name in path:gmatch("[^/]+") do
    element = xml.first(element, name)
  end
  return element
end

--- The text of the element at a path, or nil when there is no such element.
function xml.text(element, path)
  local found = xml.at(element, path)
  return found and found.text
end

--- Text with what XML gives a meaning escaped.
function xml.escape(text)
  return native.escape(text)
end

local function check_name(name)
  if type(name) ~= "string" or not name:match("^[%a_][%w_.-]*$") then
    failure.raise("recipe", ("%s is no name of an XML element"):format(tostring(name)))
  end
  return name
end

local function write(parts, element)
  if type(element) ~= "table" then
    parts[#parts + 1] = xml.escape(tostring(element))
    return
  end
  local name, attributes = check_name(element[1]), {}
  for key, value in pairs(element) do
    if type(key) == "string" then
      attributes[#attributes + 1] = (" %s=\"%s\""):format(check_name(key), xml.escape(tostring(value)))
    end
  end
  table.sort(attributes)
  parts[#parts + 1] = "<" .. name .. table.concat(attributes) .. ">"
  for index = 2, #element do
    write(parts, element[index])
  end
  parts[#parts + 1] = "</" .. name .. ">"
end

--- A document: {"Delete", {"Object", {"Key", "a&b"}}} is
--- `<Delete><Object><Key>a&amp;b</Key></Object></Delete>` behind an XML declaration.
--- Named fields are attributes; what is no table is text.
--- @param element table
--- @return string
function xml.document(element)
  local parts = { '<?xml version="1.0" encoding="UTF-8"?>\n' }
  write(parts, element)
  return table.concat(parts)
end

return xml
