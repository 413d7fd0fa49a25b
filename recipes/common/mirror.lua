local clock = require "clock"
local failure = require "failure"
local lock = require "store.lock"
local mirror = require "mirror"
local stream = require "stream"
local task = require "task"
local words = require "words"

--- How many differences a plan shows one by one.
local SHOWN = 200

--- The longest pause after a round that failed, milliseconds.
local PAUSE_MAX = 10 * 60000

--- Copying that did nothing.
local function nothing()
  return { copied = 0, bytes = 0, by_server = 0, equal = 0, failed = 0, archived = 0, gone = 0, withheld = 0 }
end

--- What a plan says of a comparison.
local function show(ctx, found, verb, total, what)
  local shown = 0
  for _, change in ipairs(found.changes) do
    if change.verb == verb then
      ctx:will(verb, change.key, change.why)
      shown = shown + 1
    end
  end
  if total > shown then
    ctx:will(verb, ("and %s more"):format(words.count(total - shown)), what)
  end
end

local function objects(number)
  return number == 1 and "1 object" or words.count(number) .. " objects"
end

--- What a round of copying did, as one sentence.
local function told(done, removed, ms)
  local parts = { ("%s copied (%s)"):format(objects(done.copied), words.bytes(done.bytes)) }
  local function add(count, text)
    if count > 0 then
      parts[#parts + 1] = ("%s %s"):format(words.count(count), text)
    end
  end
  add(removed, "removed")
  add(done.failed, "failed")
  add(done.archived, "archived and left out")
  add(done.withheld, "manifests held back")
  add(done.gone, "gone meanwhile")
  return ("%s, of %s in %s"):format(table.concat(parts, ", "), objects(done.objects), words.duration(ms))
end

--- Go on after what could not be copied, telling of each.
local function warn(ctx, done)
  for _, failed in ipairs(done.failures) do
    ctx:warn(failed.error)
  end
  if done.failed > #done.failures then
    ctx:warn(("%d more objects cannot be copied"):format(done.failed - #done.failures))
  end
  if done.archived > 0 then
    ctx:warn(("%s of the source in an archive: left out until brought back")
      :format(done.archived == 1 and "1 object lies" or words.count(done.archived) .. " objects lie"))
  end
  for _, kept in ipairs(done.keeping) do
    ctx:warn(("\"%s\" is left as it is in the target: %s"):format(kept.key, kept.why))
  end
  if done.kept > #done.keeping then
    ctx:warn(("%d more objects are left as they are in the target"):format(done.kept - #done.keeping))
  end
end

--- Copy, and remove when that is asked for and all was copied.
local function round(m, p)
  local done = m:copy()
  local removed = 0
  if p.remove and done.remove > 0 and done.failed + done.archived == 0 then
    m:guard(done, p.max_remove)
    removed = m:remove(done.remove)
  end
  return done, removed
end

--- Copy again and again, until the run is cancelled.
local function follow(ctx, m, p)
  local pause, number = p.interval, 1
  while true do
    task.sleep(pause)
    number = number + 1
    local began = clock.mono()
    local ok, done, removed = pcall(round, m, p)
    if ok then
      ctx:say("round %d: %s", number, told(done, removed, clock.mono() - began))
      for _, failed in ipairs(done.failures) do
        ctx:say("%s", failed.error.message)
      end
      pause = p.interval
    else
      local e = failure.of(done)
      if e.code == "cancelled" or e.code == "locked" or e.code == "recipe" or e.code == "internal" then
        error(e, 0)
      end
      pause = math.min(2 * pause, math.max(PAUSE_MAX, p.interval))
      ctx:say("round %d failed, the next one is in %s: %s", number, words.duration(pause), e.message)
    end
  end
end

return recipe {
  summary = "Make a store as another one is: copy what is missing or differs",
  description = [[
Lists both stores side by side, copies what the target lacks or has otherwise,
many objects at once, within one service on the server.  A backup's manifest is
copied last.  Nothing is removed unless --remove says so; then only after all
was copied, and never more than --max-remove percent.  Locks stay where they
are, and a verification counts only in the store where it was made.

With --watch the run goes on, compares every --interval, and ends when it is
told to (SIGTERM).

A mirror is no backup of its own: what is overwritten in the source is
overwritten in the target.  Versioning of the target is the answer to that.]],
  mirrors = "mc mirror, mc mirror --watch",
  rpo = "15m",
  tags = { "mirror", "safe" },
  params = {
    from = { "store", required = true, env = "MOONKEEP_FROM", help = "the source" },
    to = { "store", required = true, env = "MOONKEEP_TO", help = "the target" },
    prefix = { "string", default = "", help = "mirror only what is below this" },
    exclude = { "string", list = true, help = "a prefix to be left alone on both sides" },
    remove = { "boolean", default = false, help = "remove what the source has no more" },
    max_remove = { "integer", default = 10, range = { 0, 100 },
      help = "remove at most so many percent of the target's objects, else nothing" },
    check = { "string", default = "quick", choices = { "quick", "digest" },
      help = "quick: by what listings and earlier copies say; digest: read both ends" },
    watch = { "boolean", default = false, help = "go on, and copy what changes" },
    interval = { "duration", default = "60s", help = "pause between rounds of --watch" },
    parallel = { "integer", default = 32, range = { 1, 64 },
      help = "how many small objects are copied at once; a large one counts as one for each 8 MiB, at most as 8" },
  },
  steps = {
    { "lock", "Lock the target" },
    { "compare", "Compare the two stores" },
    { "copy", "Copy what is missing or differs", plan = function(ctx, _, done)
      local found = done.compare
      show(ctx, found, "copy", found.copy, words.bytes(found.copy_bytes))
      show(ctx, found, "check", found.check, "compare the contents")
      return nothing()
    end },
    { "remove", "Remove what the source has no more", plan = function(ctx, _, done)
      show(ctx, done.compare, "remove", done.compare.remove)
      return { removed = done.compare.remove }
    end },
    { "watch", "Follow the source", plan = function() return {} end },
  },
  example = "moonkeep run common.mirror --from ./backups --to /mnt/second/backups",

  run = function(ctx, p)
    local progress = stream.progress()
    local m = mirror.new { from = p.from, to = p.to, prefix = p.prefix, exclude = p.exclude,
      deep = p.check == "digest", room = p.parallel, progress = progress }
    local hold = lock.new(p.to, "mirror", ctx.run)

    --- Call a function while the lock is kept.
    local function locked(fn, ...)
      if ctx:planning() then
        return fn(...)
      end
      return hold:held(fn, ...)
    end

    ctx:cleanup("release the lock on the target", function()
      hold:release()
    end)
    ctx:step("lock", function()
      return { number = hold:acquire() }
    end)
    -- A resumed run has taken the lock before.
    m.interrupted = hold.number == nil or hold.took_over

    local found = ctx:step("compare", function()
      local changes = {}
      local result = locked(m.compare, m, ctx:planning() and function(verb, key, why)
        if #changes < SHOWN then
          changes[#changes + 1] = { verb = verb, key = words.valid(key), why = why }
        end
      end or nil)
      result.changes = ctx:planning() and changes or nil
      return result
    end)

    local done = nothing()
    if found.copy + found.check + found.learned + found.archived + found.kept > 0 then
      done = ctx:step("copy", function()
        ctx:watch(progress)
        local began = clock.mono()
        local result = locked(m.copy, m, found.copy)
        warn(ctx, result)
        result.ms = clock.mono() - began
        result.failures, result.keeping = nil, nil
        return result
      end)
    end

    local removed = 0
    if p.remove and found.remove > 0 then
      m:guard(found, p.max_remove)
      if done.failed + done.archived > 0 then
        ctx:warn("nothing is removed, because not all could be copied")
      else
        removed = ctx:step("remove", function()
          return { removed = locked(m.remove, m, found.remove) }
        end).removed
      end
    end

    if p.watch then
      ctx:step("watch", function()
        locked(follow, ctx, m, p)
      end)
    end

    local function unless_zero(count)
      return count > 0 and count or nil
    end
    return {
      from = p.from.url, to = p.to.url, objects = found.objects, object_bytes = found.bytes,
      same = found.objects - (found.copy + found.check + found.archived) + (done.equal or 0),
      copied = done.copied, bytes = done.bytes, removed = removed, failed = done.failed,
      by_server = unless_zero(done.by_server), kept = unless_zero(found.kept),
      archived = unless_zero(done.archived), gone = unless_zero(done.gone),
      held_back = unless_zero(done.withheld),
    }
  end,
}
