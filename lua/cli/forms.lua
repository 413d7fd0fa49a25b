--- How something is written, for people and for programs: sections of forms, each
--- with its meaning: list of {heading, rows of {form, meaning}}.

local json = require "json"
local text = require "cli.text"

local forms = {}

--- As text, an empty line in front of each section.
function forms.text(sections)
  local parts = {}
  for index, section in ipairs(sections) do
    parts[index] = ("\n%s\n%s"):format(section[1], text.columns(section[2], "  "))
  end
  return table.concat(parts)
end

--- As JSON: list of {heading, forms = list of {form, meaning}}.
function forms.document(sections)
  local list = json.array {}
  for index, section in ipairs(sections) do
    local rows = json.array {}
    for at, row in ipairs(section[2]) do
      rows[at] = { form = row[1], meaning = row[2] }
    end
    list[index] = { heading = section[1], forms = rows }
  end
  return list
end

return forms
