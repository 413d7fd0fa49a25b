--- What a store can do, found out by doing it: each feature in a scratch folder
--- that is removed afterwards.

local clock = require "clock"
local digest = require "digest"
local exclusion = require "store.exclusion"
local failure = require "failure"
local json = require "json"
local os_ = require "_os"
local stream = require "stream"
local task = require "task"
local verdict = require "store.verdict"

local probe = {}

--- What is to be known before.
probe.COSTS = "writes about 20 small objects and one of 20 MiB in a folder of its own below "
  .. verdict.FOLDER .. ", with some 100 requests; all is removed at the end, but for the verdict."

local SMALL = ("moonkeep probe\n"):rep(64)
local MIB = 1024 * 1024
local LARGE_MIB = 20

--- How many write the same key at once.
local RACERS = 8

--- Names that clients and servers get wrong; the last one is long.
local ODD = { "a b", "a+b", "a%2Fb", "\u{fc}\u{65e5}", "a&b=c?d#e", "it's \"(1)!*\"", "~a;,@:$", "a..b",
  ".a", "A", (("x"):rep(200) .. "/"):rep(4) .. "x" }

local function wrong(why, ...)
  failure.raise("unverified", why:format(...))
end

--- Text of that many MiB, no two of which are the same.
local function large()
  local parts = {}
  for index = 1, LARGE_MIB do
    local block = digest.sha256(tostring(index)) .. digest.sha256("moonkeep" .. index)
    parts[index] = block:rep(MIB // #block)
  end
  return table.concat(parts)
end

local function read_back(self, key, want)
  local got = self.store:get(key, #want + 1)
  if got ~= want then
    wrong("what was written is not what is read: %s", got == nil and "nothing is there"
      or ("%d bytes instead of %d, or others"):format(#got, #want))
  end
end

local function keys_below(self, prefix)
  local found = {}
  for entry in self.store:each(prefix) do
    found[entry.key] = entry
  end
  return found
end

--- The features, in the order in which they are tried.  try(self) returns the
--- answer (nil: yes) and raises why it is no; needed: without it nothing works;
--- follows: what it means for the user when the answer is another than yes.
local FEATURES = {
  { name = "write", text = "writes and reads back", needed = true, try = function(self)
    self.store:put(self.prefix .. "small", SMALL)
    read_back(self, self.prefix .. "small", SMALL)
  end },
  { name = "empty", text = "empty objects", needed = true, try = function(self)
    self.store:put(self.prefix .. "empty", "")
    read_back(self, self.prefix .. "empty", "")
  end },
  { name = "stat", text = "size and time of an object", needed = true, try = function(self)
    local found = self.store:stat(self.prefix .. "small")
    if found == nil or found.size ~= #SMALL then
      wrong("it says %s bytes instead of %d", found and found.size or "no", #SMALL)
    elseif math.abs(found.mtime - clock.now()) > 15 * 60000 then
      wrong("its clock and this one differ by more than 15 minutes")
    elseif self.store:stat(self.prefix .. "none") ~= nil then
      wrong("it knows an object that is not there")
    end
  end },
  { name = "list", text = "lists, also what was written just now", needed = true,
    follows = "locks and the list of backups cannot be relied on", try = function(self)
      for index = 1, 3 do
        local key = ("%slist/%d"):format(self.prefix, index)
        self.store:put(key, SMALL:sub(1, index))
        local entry = keys_below(self, self.prefix .. "list/")[key]
        if entry == nil or entry.size ~= index then
          wrong("\"%s\" is not listed as it was written", key)
        end
      end
      local folded = self.store:list(self.prefix, true)
      if folded[2] == nil or folded[2].key ~= self.prefix .. "list/" then
        wrong("folders are not folded")
      end
    end },
  { name = "ranges", text = "reads parts of an object", needed = true, try = function(self)
    local got = stream.read_all(self.store:read(self.prefix .. "small", 100, 50), MIB)
    if got ~= SMALL:sub(101, 150) then
      wrong("other bytes than those asked for")
    end
  end },
  { name = "overwrite", text = "overwrites, and reads what is new", needed = true, try = function(self)
    for index = 1, 3 do
      local text = ("%d %s"):format(index, SMALL)
      self.store:put(self.prefix .. "small", text)
      read_back(self, self.prefix .. "small", text)
    end
  end },
  { name = "parts", text = "uploads in parts", needed = true, try = function(self)
    local key, sum = self.prefix .. "large", stream.new_digest()
    do
      local sink <close> = self.store:create(key, { digest = sum })
      stream.copy(stream.from_string(self.large), sink)
      if self.store:stat(key) ~= nil then
        wrong("an upload is visible before it is complete")
      end
      stream.commit(sink)
    end
    local source <close> = stream.expect(self.store:read(key), sum:result())
    stream.drain(source)
  end },
  { name = "abort", text = "drops an upload that is not completed",
    follows = "a lifecycle rule of the bucket has to remove incomplete uploads, which cost",
    try = function(self)
      local key = self.prefix .. "dropped"
      do
        local sink <close> = self.store:create(key)
        stream.copy(stream.from_string(self.large), sink)
      end
      if self.store:stat(key) ~= nil then
        wrong("it is visible although it was not completed")
      end
      local left = self.store:sweep(self.prefix)
      if left > 0 then
        wrong("%d of its parts or uploads were left over, and removed by a sweep", left)
      end
    end },
  { name = "create_only", text = "create-only writes",
    follows = "two runs at once are not kept apart, and a backup's folder carries its run's id",
    try = function(self)
      return exclusion.try(self.store, self.prefix .. "create-only")
    end },
  { name = "create_only_race", text = "create-only writes, several at once", after = "create_only",
    follows = "two runs at once are not kept apart, and a backup's folder carries its run's id",
    try = function(self)
      local list, won = {}, 0
      for index = 1, RACERS do
        list[index] = index
      end
      task.each(list, RACERS, function(index)
        local ok, e = pcall(self.store.put, self.store, self.prefix .. "race", tostring(index),
          { exclusive = true })
        if ok then
          won = won + 1
        elseif not failure.is(e, "exists") then
          error(e, 0)
        end
      end)
      if won ~= 1 then
        wrong("%d of %d succeeded", won, RACERS)
      end
    end },
  { name = "odd_keys", text = "keys of any characters",
    follows = "names of systems and instances are plain, so backups are not concerned", try = function(self)
      for _, odd in ipairs(ODD) do
        local key = self.prefix .. "odd/" .. odd
        self.store:put(key, odd)
        read_back(self, key, odd)
      end
      local found = keys_below(self, self.prefix .. "odd/")
      for _, odd in ipairs(ODD) do
        if found[self.prefix .. "odd/" .. odd] == nil then
          wrong("\"%s\" is not listed as it was written", odd)
        end
      end
    end },
  { name = "remove", text = "removes",
    follows = "what is not wanted any more has to be removed by somebody else", try = function(self)
      self.store:remove(self.prefix .. "small")
      if self.store:stat(self.prefix .. "small") ~= nil
        or keys_below(self, self.prefix)[self.prefix .. "small"] then
        wrong("what was removed is still there")
      end
      self.store:remove(self.prefix .. "small")
    end },
}

--- What a failure says about a feature.
local function judge(e)
  if e.code == "permission" then
    return "denied"
  elseif e.code == "cancelled" or e.code == "credentials" or e.code == "network" or e.code == "tls"
    or e.code == "timeout" then
    error(e, 0)
  end
  return "no"
end

local function try(self, feature)
  local said = { name = feature.name, text = feature.text, answer = "yes" }
  local ok, answer = pcall(feature.try, self)
  if ok then
    said.answer = answer or "yes"
  else
    local e = failure.of(answer)
    if feature.name == "write" and e.code ~= "unverified" then
      error(e, 0) -- There is nothing to be said of a store that cannot be reached.
    end
    said.answer, said.why = judge(e), e.message
  end
  if said.answer ~= "yes" then
    said.follows = said.why and feature.follows and said.why .. "; " .. feature.follows
      or said.why or feature.follows
  end
  return said
end

--- What the server calls itself, or nil.
local function server_of(store)
  local queries = { s3 = { ["list-type"] = "2", ["max-keys"] = "1" },
    azure = { restype = "container", comp = "list", maxresults = "1" } }
  local query = queries[store.url:match("^(%w+)://")]
  local ok, answer = pcall(store.call, store, { method = "GET", query = query or {}, max = MIB })
  return ok and answer.headers.server or nil
end

--- Try everything, keep the verdict in the store, and return it.
--- @param tell? function(feature) called as each is known: {name, text, answer, why, follows}
--- @return table {store, verdict = "usable", "limited" or "unusable", exclusive, features, server, ms}
function probe.run(store, tell)
  local self = { store = store, prefix = verdict.FOLDER .. "probe-" .. os_.random_id(12) .. "/", large = large() }
  local began = clock.mono()
  local features, answers, result = json.array {}, {}, "usable"
  local ok, e = pcall(function()
    for _, feature in ipairs(FEATURES) do
      if feature.after == nil or answers[feature.after] == "yes" then
        local said = try(self, feature)
        answers[said.name] = said.answer
        features[#features + 1] = said
        if said.answer ~= "yes" then
          result = (feature.needed or result == "unusable") and "unusable" or "limited"
        end
        if tell then
          tell(said)
        end
      end
    end
  end)
  local removed, why = pcall(store.remove_all, store, self.prefix, "it was for the probe only")
  if not ok then
    error(e, 0)
  elseif not removed and answers.remove == "yes" then
    error(failure.prefix(why, ("cannot remove the probe's folder \"%s\""):format(self.prefix)), 0)
  end
  local exclusive = store.can.exclusive
    or (answers.create_only == "yes" and answers.create_only_race == "yes")
  local kept = { exclusive = exclusive, features = answers, server = server_of(store) }
  if store.can.probe then
    verdict.write(store, kept)
  end
  return { store = store.place, verdict = result, exclusive = exclusive, features = features,
    server = kept.server, ms = clock.mono() - began }
end

return probe
