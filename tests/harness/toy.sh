# shellcheck shell=bash
# A toy recipe that replaces a directory as a restore does, and what the
# scenarios about runs do with it.  Source it after lib.sh.

# toys: a directory for --dev with toy.swap, and data to replace.
toys() {
        mkdir -p dev/recipes/toy area/data
        ln -sfn "$ROOT/lua" dev/lua
        MK=("$MOONKEEP" --dev dev)
        echo old >area/data/value
        cat >dev/recipes/toy/swap.lua <<'EOF'
local task = require "task"

return recipe {
  summary = "Replace a directory",
  params = {
    target = { "target", default = "local:", help = "where" },
    dir = { "path", required = true, help = "the directory around the data" },
    fail = { "boolean", default = false, help = "fail in the end" },
    stuck = { "boolean", default = false, help = "let an undo fail while the file stuck is there" },
  },
  steps = {
    { "aside", "Move the old data aside" },
    { "fill", "Write the new data", check = function(_, p)
      return p.target:stat(p.dir .. "/adopt") and { adopted = true } or nil
    end },
    { "finish", "Finish" },
  },
  example = "moonkeep run toy.swap --dir /tmp/area",
  run = function(ctx, p)
    local t, data, old = p.target, p.dir .. "/data", p.dir .. "/old"
    ctx:cleanup("remove the mark", function() t:remove_tree(p.dir .. "/mark") end)
    ctx:compensate("put the old data back", { data = data, old = old }, function(args)
      if p.stuck and t:stat(p.dir .. "/stuck") then
        error("it is stuck", 0)
      end
      if t:stat(args.old) then
        t:remove_tree(args.data)
        t:rename(args.old, args.data)
      end
    end)
    ctx:step("aside", function()
      t:write(p.dir .. "/mark", "x")
      t:rename(data, old)
      return { old = old }
    end)
    local filled = ctx:step("fill", function()
      t:write(p.dir .. "/count", (t:read(p.dir .. "/count", 100) or "") .. "x")
      t:make_dirs(data)
      t:write(data .. "/value", "new\n")
      task.wait_until("the hold to go", 60000, function() return t:stat(p.dir .. "/hold") == nil end, 20)
      return { adopted = false }
    end)
    ctx:step("finish", function()
      if p.fail then
        error("the disk said no", 0)
      end
    end)
    return { data = data, adopted = filled.adopted }
  end,
}
EOF
}

# hold [OPTION...]: start toy.swap in the background and let it wait in its second step.
# shellcheck disable=SC2120 # options are for some scenarios
hold() {
        touch area/hold
        "${MK[@]}" run toy.swap --dir "$PWD/area" "$@" >"$SCRATCH/run.out" 2>"$SCRATCH/run.err" &
        RUN_PID=$!
        defer kill -KILL "$RUN_PID"
        wait_for 20 grep -qs new area/data/value
}

# end_of: the status of the background run.
end_of() {
        END=0
        wait "$RUN_PID" || END=$?
}

# hold_and_kill: leave a run that died in its second step.
hold_and_kill() {
        hold
        kill -KILL "$RUN_PID"
        end_of 2>/dev/null
        check_equal "$END" 137
        rm area/hold
}

untouched() {
        check_equal "$(cat area/data/value)" old
        check_not test -e area/old
        check_not test -e area/mark
}

replaced() {
        check_equal "$(cat area/data/value)" new
        check_equal "$(cat area/old/value)" old
        check_not test -e area/mark
}

status_of_last() {
        "${MK[@]}" runs --json | sed -nE 's/^ *"status": "(.*)",?$/\1/p' | tail -n 1
}
