--- XML read and written.

local xml = require "xml"

local test = {}

local ANSWER = [[<?xml version="1.0"?>
<DeleteResult xmlns="http://example.com/"><Deleted><Key>a&amp;b</Key></Deleted>
<Error><Key>c</Key><Code>AccessDenied</Code></Error><Deleted><Key>d</Key></Deleted></DeleteResult>]]

test["elements are found by name and path, in order"] = function(t)
  local root = xml.parse(ANSWER)
  t.equal({ root.name, #root }, { "DeleteResult", 3 })
  t.equal(xml.text(root, "Error/Code"), "AccessDenied")
  t.equal(xml.text(root, "Error/Message"), nil)
  t.equal(xml.text(root, "None/Code"), nil)
  t.equal(xml.text(root, "Deleted/Key"), "a&b")
  local keys = {}
  for deleted in xml.each(root, "Deleted") do
    keys[#keys + 1] = xml.text(deleted, "Key")
  end
  t.equal(keys, { "a&b", "d" })
  t.equal(xml.first(root, "None"), nil)
  for _ in xml.each(nil, "None") do
    t.check(false)
  end
end

test["what is no XML is refused"] = function(t)
  for _, text in ipairs { "", "<a>", "<a></b>", "text", "<a/><b/>", "<!DOCTYPE a []><a/>", "<a>\0</a>" } do
    t.raises("invalid", "", xml.parse, text)
  end
  t.raises("too_big", "", xml.parse, ("<a>"):rep(200) .. ("</a>"):rep(200))
end

test["what is written reads back as it was"] = function(t)
  local odd = "a&b <c> \"d\" 'e' \u{fc}\r\n\t]]>"
  local text = xml.document { "Delete", xmlns = "http://example.com/?a&b", { "Quiet", true },
    { "Object", { "Key", odd } }, { "Object", { "Key", "" } }, { "N", 7 } }
  t.contains(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Delete xmlns=\"http://example.com/?a&amp;b\">")
  local root = xml.parse(text)
  t.equal(xml.text(root, "Object/Key"), odd)
  t.equal({ xml.text(root, "Quiet"), xml.text(root, "N"), #root }, { "true", "7", 4 })
end

test["what is no name or no text is not written"] = function(t)
  for _, element in ipairs { {}, { "a b" }, { 1 }, { "a", ["b c"] = "d" }, { "a", { {} } } } do
    t.raises("recipe", "", xml.document, element)
  end
  t.raises("invalid", "", xml.document, { "a", "b\0" })
end

return test
