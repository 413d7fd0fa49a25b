--- The commands: what they are called, what they take, which file does them.
--- Help, the manual page and the parser come from this table.

local commands = {}

--- Options that every command takes.  value: what it is called in help; an
--- option without is a switch.
commands.globals = {
  { name = "state", value = "DIR", help = "keep the journals of runs below DIR" },
  { name = "json", help = "print one JSON document on standard output, and nothing else there" },
  { name = "log_format", value = "FORMAT", choices = { "text", "json" },
    help = "messages on standard error as text, or as a JSON object a line" },
  { name = "verbose", short = "v", help = "say more: requests, commands; with an error, where it came from" },
  { name = "quiet", short = "q", help = "print warnings and errors only" },
  { name = "dev", value = "DIR", help = "take the Lua code and recipes from DIR, not from the program" },
  { name = "help", short = "h", help = "show help for the command or the recipe" },
}

local PLAN = { name = "plan", help = "list the changes instead of making them" }
local YES = { name = "yes", help = "confirm everything that would be asked" }
local CHANGES = { name = "with_changes",
  help = "go on although recipe or library changed since the run began" }
local STORE = { name = "store", value = "STORE", env = "MOONKEEP_STORE", default = "./backups",
  help = "where the backups are (see `moonkeep help stores`)" }

--- In the order of `moonkeep help`.
commands.list = {
  { name = "run", module = "cli.run", args = "RECIPE [--PARAM VALUE]...", least = 1, most = 1,
    takes_recipe = true, options = { PLAN, YES }, summary = "run a recipe",
    text = "Runs a recipe with parameters.  Each step is journalled, so that a run that was killed "
      .. "can be resumed or rolled back.  `moonkeep help RECIPE` shows the parameters.  A switch "
      .. "is given as --name or --no-name, a list by repeating the option." },
  { name = "resume", module = "cli.run", args = "RUN", least = 1, most = 1,
    options = { YES, CHANGES }, summary = "go on with a run that was interrupted",
    text = "Goes on with a run whose process was killed or whose machine went down.  Steps that "
      .. "were done are not done again.  RUN is a run's id, the start of one, or `latest`." },
  { name = "rollback", module = "cli.run", args = "RUN | --target TARGET --dir DIR", least = 0,
    most = 1, options = { YES, CHANGES,
      { name = "target", value = "TARGET", help = "where DIR is, when the journal is lost" },
      { name = "dir", value = "DIR", help = "the directory that a restore replaced" } },
    summary = "undo a run that was interrupted",
    text = "Undoes what an interrupted run changed, or finishes an undoing that failed.  Without a "
      .. "journal, --target and --dir undo a restore by the record that lies beside the data "
      .. "which was moved aside." },
  { name = "runs", module = "cli.runs", args = "", least = 0, most = 0, options = {},
    summary = "list the runs",
    text = "Lists the runs of this state directory, the newest last." },
  { name = "report", module = "cli.report", args = "RUN", least = 1, most = 1, options = {},
    summary = "tell the whole story of a run from its journal",
    text = "Shows parameters, steps, warnings, what was undone and how a run ended, after checking "
      .. "that its journal was not changed." },
  { name = "list", module = "cli.list", args = "[--tag TAG]", least = 0, most = 0,
    options = { { name = "tag", value = "TAG", help = "only recipes with that tag" } },
    summary = "list the recipes", text = "Lists the recipes by system." },
  { name = "help", module = "cli.help", args = "[RECIPE | COMMAND | stores | targets | exit-status]", least = 0,
    most = 2, options = {}, summary = "show help for a recipe or a command",
    text = "Shows what a recipe does and which parameters it takes, how a command is used, how a "
      .. "STORE or a TARGET is written, or what the exit statuses mean." },
  { name = "backups", module = "cli.backups", args = "[SYSTEM[/INSTANCE]]", least = 0, most = 1,
    options = { STORE }, summary = "list the backups in a store",
    text = "Lists the backups in a store, all or those of a system or instance." },
  { name = "show", module = "cli.backups", args = "SYSTEM/INSTANCE/TIME", least = 1, most = 1,
    options = { STORE }, summary = "show what a backup holds",
    text = "Shows a backup's manifest.  TIME may be `latest` or `latest-verified`." },
  { name = "verify", module = "cli.verify", args = "SYSTEM/INSTANCE/TIME", least = 1, most = 1,
    options = { STORE, PLAN, YES,
      { name = "level", value = "LEVEL", choices = { "present", "digest", "content" },
        help = "how deeply to look" },
      { name = "encrypt_key", value = "KEY", help = "the key of an encrypted one: env:NAME, file:PATH or "
        .. "command:PROGRAM" } },
    summary = "read a backup back and check it",
    text = "Runs the verification of the backup's system, or the common one, and records the "
      .. "result beside the backup.  TIME may be `latest` or `latest-verified`." },
  { name = "store probe", module = "cli.store", args = "[STORE]", least = 0, most = 1,
    options = { STORE }, summary = "try what a store can do",
    text = "Writes, reads back, lists, reads ranges, uploads in parts, writes on conditions and "
      .. "deletes, in a scratch folder below .moonkeep/ that is removed at the end; says per "
      .. "feature whether the store has it, and what follows.  The verdict is kept in the store, "
      .. "and used: a store that does not honour create-only writes cannot keep two runs apart.  "
      .. "STORE is a URL; without, --store.  Status 0: all is there; 3: usable, with limits; 1: "
      .. "not usable." },
  { name = "store list", module = "cli.store", args = "[PREFIX | URL]", least = 0, most = 1,
    options = { STORE, { name = "all", help = "also what lies in folders, however deep" } },
    summary = "list what is in a store",
    text = "Lists keys with time and size: those directly below PREFIX, with folders folded, or "
      .. "all.  A URL instead says which store, and what in it: "
      .. "moonkeep store list s3://BUCKET/FOLDER" },
  { name = "store put", module = "cli.store", args = "KEY|URL [FILE]", least = 1, most = 2,
    options = { STORE }, summary = "copy a file, or standard input, into a store",
    text = "Writes FILE, or standard input where there is none or it is \"-\", to KEY.  It is "
      .. "there, whole, when the command ends well, and else not at all.  When an upload of FILE "
      .. "was killed, the same command goes on with it where the store can.  A KEY that ends in "
      .. "\"/\" is a folder, in which FILE keeps its name.  A URL names store and key at once: "
      .. "moonkeep store put s3://BUCKET/KEY FILE" },
  { name = "store get", module = "cli.store", args = "KEY|URL [FILE]", least = 1, most = 2,
    options = { STORE }, summary = "copy an object of a store to a file, or to standard output",
    text = "Reads KEY into FILE, which is there, whole, when the command ends well, and else as it "
      .. "was; or to standard output where there is none or it is \"-\": what came out there "
      .. "counts only when the status is 0.  In a directory, the object keeps its name; the file "
      .. "is for its owner only (mode 0600).  A URL names store and key at once: "
      .. "moonkeep store get s3://BUCKET/KEY FILE" },
  { name = "store remove", module = "cli.store", args = "KEY|URL", least = 1, most = 1,
    options = { STORE, YES }, summary = "remove an object of a store, or all below a prefix",
    text = "Removes KEY; where it ends in \"/\", everything below it, and what interrupted uploads "
      .. "left there.  It asks before, or wants --yes.  A URL names store and key at once." },
  { name = "version", module = "cli.version", args = "", least = 0, most = 0, options = {},
    summary = "print the version", text = "Prints the version." },
  { name = "_test", module = "cli.test", args = "FILE [PATTERN]", least = 1, most = 2,
    options = {}, hidden = true },
  { name = "_docs", module = "cli.docs", args = "PAGE [FILE]...", least = 1, most = 1000,
    options = {}, hidden = true },
}

--- Does the word begin commands of two words?
function commands.is_group(word)
  for _, command in ipairs(commands.list) do
    if command.name:match("^(%S+) ") == word then
      return true
    end
  end
  return false
end

--- The command of that name, or nil.
function commands.find(name)
  for _, command in ipairs(commands.list) do
    if command.name == name then
      return command
    end
  end
end

--- The names of those that are shown.
function commands.names()
  local names = {}
  for _, command in ipairs(commands.list) do
    if not command.hidden then
      names[#names + 1] = command.name
    end
  end
  return names
end

return commands
