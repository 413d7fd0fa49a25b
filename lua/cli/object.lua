--- What the words KEY, PREFIX and FILE of `moonkeep store` mean.  A key is one of the
--- store of --store, or stands in the URL of an object; no key begins like a URL.

local digest = require "digest"
local failure = require "failure"
local fs = require "_fs"
local store = require "store"
local words = require "words"

local object = {}

local function is_url(word)
  return word:match("^%a[%w+.-]*://") ~= nil
end

--- The last part of a path or key.
local function base(path)
  return path:match("([^/]+)/*$")
end

--- A URL in the place of a key says which store: --store says it twice.
local function only(call, word)
  if not call.filled.store then
    failure.raise("usage", ("two stores are named, \"%s\" and \"%s\""):format(call.options.store, word),
      { hint = "leave out --store, or give what is in it without its URL" })
  end
end

--- "s3://bucket/a", "b?region=x" of "s3://bucket/a/b?region=x"; a "/" at the end stays.
local function split(url)
  local place, options = url:match("^([^?]*)(.*)$")
  local parent, key = place:match("^(.*[^/:])/+([^/]+/?)$")
  if parent == nil then
    failure.raise("usage", ("\"%s\" names a store, and no object in it"):format(url),
      { hint = "write s3://BUCKET/KEY or azure://ACCOUNT/CONTAINER/KEY, or a KEY and --store STORE" })
  end
  return parent .. options, digest.url_decode(key)
end

--- The store and the key that a word names.
--- @return table store
--- @return string key
function object.of(call, word)
  if not is_url(word) then
    return store.open(call.options.store), word
  end
  only(call, word)
  local url, key = split(word)
  return store.open(url), key
end

--- The store that is given as a word of its own, or by --store.
--- @return table store
function object.store(call, word)
  if word ~= nil then
    only(call, word)
  end
  return store.open(word or call.options.store)
end

--- The store and the prefix of a listing; a folder may be named without its "/".
--- @return table store
--- @return string prefix
function object.below(call, word)
  if word ~= nil and is_url(word) then
    return object.store(call, word), ""
  end
  local prefix = word or ""
  if prefix ~= "" and prefix:sub(-1) ~= "/" then
    prefix = prefix .. "/"
  end
  return store.open(call.options.store), prefix
end

--- The one object of that name, where a listing below it found nothing; or nil.
--- @return table|nil as listed
function object.one(call, word)
  if word == nil or word:sub(-1) == "/" or (is_url(word) and not pcall(split, word)) then
    return nil
  end
  local from, key = object.of(call, word)
  local found = from:stat(key)
  if found then
    found.key = key
  end
  return found
end

--- The command for the same key, as it is typed.
--- @param verb string "put" or "get"
--- @param ending? string of the key
local function command(call, verb, ending)
  local key = call.args[1]
  if ending then
    key = key:gsub("/+$", "") .. ending
  end
  local store_option = call.filled.store and "" or "--store " .. words.quote(call.options.store) .. " "
  return ("moonkeep store %s %s%s"):format(verb, store_option, words.quote(key))
end

--- What is put: its size and what else changes when somebody writes to it.
--- @return table|nil nil: standard input
function object.source(call)
  local file = call.args[2]
  if file == nil or file == "-" then
    return nil
  end
  local found = fs.stat(file, true)
  if found and found.type ~= "file" then
    local is_dir, shown = found.type == "dir", words.quote(file)
    failure.raise("invalid", ("cannot put \"%s\": it is %s"):format(file,
      is_dir and "a directory" or "no regular file"),
      { hint = is_dir and ("an archive of it is put by: tar -c %s | %s"):format(shown,
          command(call, "put", ".tar"))
        or ("what comes out of it is put by: %s < %s"):format(command(call, "put"), shown) })
  end
  return found or { size = 0 }
end

--- Raises when the file is not what it was before it was read.
function object.unchanged(call, before)
  local file = call.args[2]
  local now = fs.stat(file, true) or {}
  for _, what in ipairs { "size", "mtime", "ino", "dev" } do
    if now[what] ~= before[what] then
      failure.raise("invalid", ("cannot put \"%s\": it was changed while it was read"):format(file),
        { hint = ("put it again when nobody writes to it; as it is, it is put by: %s < %s"):format(
          command(call, "put"), words.quote(file)) })
    end
  end
end

--- The key for a file that is put: in a folder, under its own name.
function object.key(key, file)
  if key:sub(-1) == "/" and key ~= "/" and file and file ~= "-" then
    return key .. (base(file) or "")
  end
  return key
end

--- The file for what is got: in a directory, under its own name.
--- @return string|nil nil: standard output
function object.file(call, key)
  local file = call.args[2]
  if file == nil or file == "-" then
    return nil
  end
  local found = fs.stat(file, true)
  if found and found.type == "dir" then
    return (file:gsub("/+$", "")) .. "/" .. (base(key) or "")
  elseif found and found.type ~= "file" then
    failure.raise("invalid", ("cannot get \"%s\" into \"%s\": it is no regular file"):format(key, file),
      { hint = ("%s > %s"):format(command(call, "get"), words.quote(file)) })
  end
  return file
end

return object
