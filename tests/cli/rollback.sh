#!/usr/bin/env bash
# A restore whose journal is lost is undone by the record beside the data.
. "$(dirname "$0")/../harness/lib.sh"

# killed_restore: a run that replaced area/data and died before its end; the
# service that it stopped is a file, running.
killed_restore() {
        mkdir -p dev/recipes/toy area/data
        ln -sfn "$ROOT/lua" dev/lua
        MK=("$MOONKEEP" --dev dev)
        echo old >area/data/value
        touch running
        cat >dev/recipes/toy/restore.lua <<'EOF'
local swap = require "swap"
local task = require "task"

return recipe {
  summary = "Replace a directory's content",
  params = {
    target = { "target", default = "local:", help = "where" },
    dir = { "path", required = true, help = "the data" },
    service = { "service", required = true, help = "what to stop" },
  },
  steps = { { "prepare", "Make the place" }, { "exchange", "Exchange the data" }, { "wait", "Wait" } },
  example = "moonkeep run toy.restore --dir /tmp/data",
  run = function(ctx, p)
    local place = swap.new(p.target, p.dir, ctx.run)
    ctx:step("prepare", function()
      place:prepare({ service = p.service:plain(), was_running = true }, 4096)
      place:restage()
      p.target:write(place:staging() .. "/value", "new\n")
    end)
    ctx:step("exchange", function()
      p.service:halt(p.target, "its data is replaced")
      place:exchange()
    end)
    ctx:step("wait", function() task.sleep(60000) end)
  end,
}
EOF
        "${MK[@]}" run toy.restore --dir "$PWD/area/data" --service "stop=rm -f $PWD/running" \
            --service "start=touch $PWD/running" --service "running=test -e $PWD/running" \
            >"$SCRATCH/run.out" 2>&1 &
        local pid=$!
        defer kill -KILL "$pid"
        wait_for 20 grep -qsF '[3/3] Wait' "$SCRATCH/run.out"
        kill -KILL "$pid"
        wait "$pid" 2>/dev/null || true
        check_equal "$(cat area/data/value)" new
        check_not test -e running
}

without_a_journal() {
        killed_restore
        rm -rf "$SCRATCH/state"
        check_status 0 "${MK[@]}" rollback --target local: --dir "$PWD/area/data"
        check_says "Rolled back $PWD/area/data"
        check_equal "$(cat area/data/value)" old
        check test -e running
        check_equal "$(find area/data -mindepth 1 | wc -l)" 1
        # Once is enough.
        check_status 1 "${MK[@]}" rollback --target local: --dir "$PWD/area/data"
        check_says "nothing was left half-way"
        check_equal "$(cat area/data/value)" old
}

as_json() {
        killed_restore
        check_status 0 "${MK[@]}" rollback --target local: --dir "$PWD/area/data" --json
        check_contains "$SCRATCH/stdout" '"status": "rolled back"'
        check_contains "$SCRATCH/stdout" '"restarted": true'
}

wrong_uses() {
        check_status 2 "$MOONKEEP" rollback
        check_says "rollback takes a run, or --target and --dir together"
        check_status 2 "$MOONKEEP" rollback --target local:
        check_status 2 "$MOONKEEP" rollback --dir /tmp
        check_status 2 "$MOONKEEP" rollback latest --target local: --dir /tmp
        check_status 2 "$MOONKEEP" rollback --target here --dir /tmp
        check_says '"here" is no target'
        run "$MOONKEEP" rollback --target local: --dir relative
        check test "$STATUS" -ne 0
        check_status 1 "$MOONKEEP" rollback --target local: --dir "$PWD/none"
        check_status 1 "$MOONKEEP" rollback latest
        check_says "there is no run \"latest\""
}

scenario "a restore is undone without its journal, and the server runs again" without_a_journal
scenario "what a rollback by the record did, as JSON" as_json
scenario "rollback wants a run, or a target and a directory" wrong_uses
