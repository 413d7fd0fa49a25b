local check = require "backup.check"
local failure = require "failure"
local key = require "backup.key"
local blocks = require "prometheus._blocks"
local questions = require "prometheus._questions"
local server = require "prometheus._server"
local shelf = require "backup.shelf"
local stream = require "stream"
local swap = require "swap"
local task = require "task"

--- How often the extraction of a part is tried when the connection breaks.
local TRIES = 3

--- How long the server may take to answer again after the old data was put back.
local ANSWERS_MS = 60000

--- How many of the names in the data directory are asked whom they belong to.
local ASKED = 20

--- Whom what is in the directory belongs to, when that is one user: a volume's own
--- directory may be root's, while a server that is somebody else writes in it.
local function owner_of_content(target, dir)
  local owner
  for index, name in ipairs(target:list(dir)) do
    local found = index <= ASKED and not name:match("^%.moonkeep") and name ~= "lost+found"
      and target:stat(dir .. "/" .. name)
    if found then
      if owner and owner.uid ~= found.uid then
        return nil
      end
      owner = owner or { uid = found.uid, gid = found.gid }
    end
  end
  return owner
end

--- Who the restored files will belong to: as asked, else as the directory is (as what is
--- in it, where the directory is root's), else as it was when the backup was made.
local function decide_owner(p, dir, book)
  local there = p.target:stat(dir, true)
  local recorded = book.content.owner or {}
  local within = there and there.type == "dir" and there.uid == 0 and owner_of_content(p.target, dir)
  local owner = p.owner or within or there or recorded
  local us = p.target:identity()
  if owner.uid == nil or (not p.owner and not us.root and us.is_server) then
    owner = us
  elseif not us.root and (owner.uid ~= us.uid) then
    failure.raise("permission", ("the files in \"%s\" belong to user %d, and only root can give them to it")
      :format(dir, owner.uid), { hint = "run as root or as that user, or say --owner" })
  end
  return { uid = owner.uid, gid = owner.gid, mode = there and there.mode or tonumber(recorded.mode or "0755", 8),
    ours = not us.root }
end

--- A step that changes nothing more, in a plan.
local function nothing()
  return {}
end

return recipe {
  summary = "Restore a Prometheus server from a backup",
  description = [[
Extracts the backup beside the data, checks every restored block on disk, and
only then stops the server, moves the old data aside, puts the blocks where
Prometheus reads them, with the right owner, and starts it again.  It is judged
by the blocks and by its answers to the questions that were recorded when the
backup was made, never by /-/healthy.  When anything fails, the old data is put
back and the server is as it was.]],
  mirrors = "restore-tsdb.sh",
  rto = "1h",
  tags = { "restore", "prometheus", "destructive" },
  params = server.with({ "target", "store", "url", "token", "ca_file", "stall", "encrypt_key" }, {
    backup = { "backup", default = "prometheus/main/latest-verified",
      help = "SYSTEM/INSTANCE/TIME, latest or latest-verified" },
    data_dir = { "path", help = "where Prometheus keeps its data; default: where it was" },
    service = { "service", help = "systemd:UNIT, or stop=COMMAND start=COMMAND [running=COMMAND]; "
      .. "for a pod: workload, sts/NAME or deploy/NAME; without it the server must be stopped, and is left so" },
    owner = { "owner", help = "USER[:GROUP] of the restored files; default: that of the data directory" },
    streams = { "integer", default = 1, range = { 1, 16 },
      help = "parts of the database that are extracted at once, where the backup has several" },
    config_dir = { "path", help = "extract the saved configuration below this directory, too" },
    ready = { "duration", default = "10m", help = "how long Prometheus may take to be ready" },
    keep_old = { "boolean", default = true, help = "keep the old data beside the new" },
  }),
  steps = {
    { "choose", "Choose the backup" },
    { "prepare", "Make room beside the data" },
    { "extract", "Extract the backup", plan = function(ctx, _, done, name)
      ctx:will("extract", ("%s of %s"):format(name, done.choose.name), "beside the data")
      return {}
    end },
    { "check", "Check every restored block on disk", plan = nothing },
    { "stop", "Stop Prometheus" },
    { "exchange", "Move the old data aside and the blocks in", plan = function(ctx, _, done)
      ctx:will("move", "what is in " .. done.choose.dir, "aside, to be put back when anything fails")
      ctx:will("move", "the restored blocks", "to where Prometheus reads them")
      return {}
    end },
    { "start", "Start Prometheus" },
    { "ask", "Ask it what was recorded", plan = nothing },
    { "config", "Extract the configuration", plan = function(ctx, p)
      ctx:will("extract", "config.tar.gz", "below " .. p.config_dir)
      return {}
    end },
    { "finish", "Clear up", plan = nothing, final = true },
  },
  example = "moonkeep run prometheus.restore --store ./backups --service systemd:prometheus",

  run = function(ctx, p)
    local prom = server.new(p)
    local function answers()
      return prom:answers()
    end

    local chosen = ctx:step("choose", function()
      local entry = shelf.find(p.store, p.backup)
      local book = shelf.manifest(p.store, entry)
      if entry.bad then
        ctx:warn(("the backup %s is not good; what is restored of it is checked (%s)"):format(entry.name,
          entry.bad))
      end
      check.backup(p.store, entry.prefix, book, "present")
      key.check(book.artifacts, p.encrypt_key, entry.name)
      local dir = p.data_dir or book.content.data_dir
      p.target:check_absolute(dir, "--data-dir")
      local running
      if p.service then
        running = p.service:is_running(p.target, answers)
      elseif prom:answers() then
        failure.raise("refused", ("Prometheus answers at %s, and there is no --service to stop it with"):format(p.url),
          { hint = "stop it yourself, or say how: --service systemd:UNIT; for a pod --service workload" })
      end
      p.target:forewarn(dir)
      if p.config_dir then
        p.target:forewarn(p.config_dir)
      end
      return { name = entry.name, prefix = entry.prefix, bytes = entry.bytes, dir = dir,
        absent = p.target:stat(dir, true) == nil,
        running = running or false, owner = decide_owner(p, dir, book) }
    end)
    local book = shelf.manifest(p.store, chosen)
    local place = swap.new(p.target, chosen.dir, ctx.run)

    ctx:confirm(("Replace the data in \"%s\" by the backup %s?"):format(
      p.target:describe(chosen.dir), chosen.name))

    ctx:compensate("remove the staged data", {}, function()
      return place:undo(chosen.absent)
    end)
    ctx:step("prepare", function()
      place:prepare({ service = p.service and p.service:plain(), was_running = chosen.running,
        absent = chosen.absent }, blocks.needed_bytes(book), chosen.owner)
      return {}
    end)

    local artifacts, names, stored = blocks.artifacts(book), {}, 0
    for index, artifact in ipairs(artifacts) do
      names[index], stored = artifact.name, stored + artifact.bytes
    end
    local tally = stream.tally(#names, stored)
    ctx:steps("extract", names, p.streams, function(name, index)
      ctx:watch(tally)
      return task.again(TRIES, function()
        place:restage(artifacts[index].roots)
        check.read(p.store, chosen.prefix, artifacts[index], { progress = tally:part(name), key = p.encrypt_key },
          function(source)
            p.target:tar_in(place:staging(), source, { owner = not chosen.owner.ours and chosen.owner or nil })
          end)
        return {}
      end, function(e)
        ctx:say("%s once more: %s", artifacts[index].name, e.message)
      end)
    end)

    ctx:step("check", function()
      local restored = p.target:check_tsdb(place:staging())
      blocks.compare(restored, book.content.blocks, "the restored data")
      return { blocks = #restored }
    end)

    if p.service then
      ctx:compensate("put the old data back, and the server as it was", { running = chosen.running }, function(was)
        p.service:halt_surely(p.target, "put the old data back", answers)
        place:undo()
        if was.running then
          p.service:launch(p.target, "it ran before", answers)
          task.wait_until(("Prometheus at %s to answer again"):format(p.url), ANSWERS_MS, answers)
        end
      end)
      ctx:step("stop", function()
        p.service:halt(p.target, "its data is exchanged", answers)
        return {}
      end)
    end

    local exchanged = ctx:step("exchange", function()
      return place:exchange()
    end)

    local asked = {}
    if p.service then
      ctx:step("start", function()
        place:check_exchanged()
        p.service:launch(p.target, "its data is restored", answers)
        return {}
      end)
      asked = ctx:step("ask", function()
        prom:wait_ready(p.ready, p.service.running and function()
          return p.service:is_running(p.target)
        end)
        return { questions = questions.ask(prom, book.content.questions) }
      end)
    end

    if p.config_dir then
      ctx:step("config", function()
        p.target:make_dirs(p.config_dir, 448, "extract the configuration")
        check.read(p.store, chosen.prefix, shelf.artifact(book, "config.tar.gz"), { key = p.encrypt_key },
          function(source)
            p.target:tar_in(p.config_dir, source, {})
          end)
        return {}
      end)
    end

    local kept = ctx:step("finish", function()
      local ok, old = pcall(place.finish, place, p.keep_old)
      if not ok then
        ctx:warn(failure.prefix(old, "the data is restored, but what is left beside it could not be cleared up"))
        return {}
      end
      if p.keep_old and exchanged.old > 0 and old == nil then
        place:check_exchanged()
      end
      return { old_data = old }
    end)

    return {
      backup = chosen.name, data_dir = chosen.dir, blocks = #book.content.blocks,
      samples = book.content.samples, from = book.content.from, to = book.content.to,
      questions = asked.questions, old_data = kept.old_data, started = p.service ~= nil,
      config_dir = p.config_dir,
    }
  end,
}
