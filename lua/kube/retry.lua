--- When a request to an API server is sent again, and how long to wait before that.
---
--- What changes the cluster is repeated only where it is certain that nothing was
--- done: the server was too busy to look at it (429), or was not reached.

local clock = require "clock"
local failure = require "failure"

local retry = {}

--- Pauses grow from the first to the longest; after limit_ms the last answer counts.
retry.PACE = { first_ms = 200, longest_ms = 8000, limit_ms = 60000 }

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9,
  Oct = 10, Nov = 11, Dec = 12 }

--- Milliseconds of the date of HTTP, or nil.
local function http_date(text)
  local day, month, year, time = text:match("^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
  if day == nil or MONTHS[month] == nil then
    return nil
  end
  local ok, ms = pcall(clock.parse, ("%s-%02d-%sT%sZ"):format(year, MONTHS[month], day, time))
  return ok and ms or nil
end

--- What Retry-After of an answer asks for, in milliseconds, or nil.  A date is
--- taken by the server's own clock where it tells it.
function retry.asked_ms(answer)
  local text = answer.headers["retry-after"]
  if text == nil then
    return nil
  end
  local seconds = text:match("^%s*(%d+)%s*$")
  if seconds then
    return math.tointeger(math.min(tonumber(seconds), 1000000)) * 1000
  end
  local at = http_date(text)
  local now = http_date(answer.headers["date"] or "") or clock.now()
  return at and math.max(at - now, 0) or nil
end

--- A part of the pause is chance, so that many clients do not come back at once.
local function spread(ms)
  return ms // 2 + math.random(0, ms - ms // 2)
end

--- The pause before the try after the given number of them.
function retry.pause_ms(pace, tries)
  local ms = math.min(pace.first_ms << math.min(tries - 1, 20), pace.longest_ms)
  return spread(ms)
end

--- Would the same request, sent again, do no harm and possibly better?
--- @param answer table|nil of any status
--- @param e? table the error instead of an answer
--- @param repeats boolean may it be done twice: it reads, or is a dry run
function retry.makes_sense(answer, e, repeats)
  if answer then
    local status = answer.status
    return status == 429 or repeats and (status == 502 or status == 503 or status == 504
      or status == 500 and answer.headers["retry-after"] ~= nil)
  elseif not failure.is(e) then
    return false
  end
  if e.code == "network" and (e.message:find("cannot connect to ", 1, true)
    or e.message:find(" broke in the TLS handshake", 1, true)) then
    return true
  end
  return repeats and (e.code == "network" or e.code == "truncated" or e.code == "timeout")
end

local Pauses = {}
Pauses.__index = Pauses

--- What is left of the time for one request.
function retry.begin(pace)
  return setmetatable({ pace = pace, tries = 0, ends = clock.mono() + pace.limit_ms }, Pauses)
end

--- How long to wait before the next try; nil: it would be too late.
--- @param asked_ms? integer what the server asks for
--- @return integer|nil
function Pauses:next_ms(asked_ms)
  self.tries = self.tries + 1
  local ms = retry.pause_ms(self.pace, self.tries)
  if asked_ms then
    ms = asked_ms + ms // 4
  end
  return clock.mono() + ms <= self.ends and ms or nil
end

return retry
