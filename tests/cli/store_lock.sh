#!/usr/bin/env bash
# Two runs, one instance of a backup in an object store: who holds the lock, who
# must stop, and what is left of the dead.
# stores: radosgw swift
# timeout: 600
# begins early
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

# toys: toy.backup, which says in the file `at` how far it is, and waits there
# until the file `go` is there.
toys() {
        mkdir -p dev/recipes/toy data
        ln -sfn "$ROOT/lua" dev/lua
        MK=("$MOONKEEP" --dev dev)
        head -c 1000000 /dev/urandom >data/value
        cat >dev/recipes/toy/backup.lua <<'EOF'
local backup = require "backup"
local clock = require "clock"
local task = require "task"

return recipe {
  summary = "Back a directory up, slowly",
  params = {
    target = { "target", default = "local:", help = "where" },
    store = { "store", required = true, help = "where to" },
    dir = { "path", required = true, help = "what is around it all" },
    name = { "string", default = "first", help = "of the files that tell and wait" },
  },
  steps = { { "begin", "Take the lock" }, { "wait", "Wait" }, { "copy", "Copy it" }, { "publish", "Publish it" } },
  example = "moonkeep run toy.backup --store ./s --dir /tmp/x",
  run = function(ctx, p)
    local b = backup.new(ctx, p.store, "toy", "main")
    local t = p.target
    ctx:cleanup("give the lock back", function() b:release() end)
    local held = ctx:step("begin", function() return b:acquire() end)
    b:begin(held)
    ctx:step("wait", function()
      t:write(p.dir .. "/" .. p.name .. ".at", "here\n")
      local began = clock.mono()
      while not t:stat(p.dir .. "/" .. p.name .. ".go") and clock.mono() - began < 60000 do
        task.sleep(50)
      end
    end)
    local artifacts = ctx:step("copy", function()
      return { b:put_tar("data.tar.zst", t:tar_out(p.dir .. "/data")) }
    end)
    return ctx:step("publish", function()
      local book = b:manifest { artifacts = artifacts, recipe = "toy.backup", target = "local:" }
      return b:publish(book, b:read_back(book))
    end)
  end,
}
EOF
}

# begin NAME: start a backup in the background, until it waits; PID is its process.
begin() {
        "${MK[@]}" run toy.backup --store "$STORE" --dir "$PWD" --name "$1" -v >"$1.out" 2>&1 &
        PID=$!
        wait_for 30 test -e "$1.at" || {
                cat "$1.out"
                check_failed "$1 did not begin"
        }
}

# ends STATUS NAME PID
ends() {
        local status=0
        wait "$3" || status=$?
        [ $status -eq "$1" ] || {
                cat "$2.out"
                check_failed "$2 ended with $status, not $1"
        }
}

back_up() {
        "${MK[@]}" run toy.backup --store "$STORE" --dir "$PWD" --name "$1"
}

manifests() {
        "$MOONKEEP" store list --store "$STORE" --all -q | grep -c 'manifest\.json$' || :
}

held() {
        make_store "$1"
        toys
        touch second.go
        begin first
        check_status 4 back_up second
        check_says "toy/main is in use by run"
        touch first.go
        ends 0 first "$PID"
        check_status 0 back_up second
        check_equal "$(manifests)" 2
        "$MOONKEEP" store list --store "$STORE" --all -q locks >keys
        check_equal "$(wc -l <keys)" 1
        check_status 0 "$MOONKEEP" verify --store "$STORE" toy/main/latest
        check_no_secret "$SCRATCH"
}

# kill -9: on this host everybody sees that it is gone, and its run can go on.
dead_holder() {
        make_store "$1"
        toys
        begin first
        kill -9 "$PID"
        wait "$PID" 2>/dev/null || :
        touch first.go second.go
        check_status 0 back_up second
        # It was taken over from the dead run, which does not rise again,
        check_status 4 "${MK[@]}" resume "$(sed -nE '1s/.* run //p' first.out)"
        check_says "was taken over by run"
        check_equal "$(manifests)" 1
        # unless it still is the last to hold the lock.
        rm first.at first.go
        begin first
        kill -9 "$PID"
        wait "$PID" 2>/dev/null || :
        touch first.go
        check_status 0 "${MK[@]}" resume "$(sed -nE '1s/.* run //p' first.out)"
        check_equal "$(manifests)" 2
}

# Somebody else took the lock over, who is not seen from here.
lost_lock() {
        make_store "$1"
        toys
        begin first
        printf '{"run":"20261121T000000-other","host":"elsewhere","pid":1,"renewed":%s000}' "$(date +%s)" >record
        check "$MOONKEEP" store put --store "$STORE" locks/toy/main/00000007 record
        touch first.go
        ends 4 first "$PID"
        check grep -q "taken over by run 20261121T000000-other: this run must stop" first.out
        check_equal "$(manifests)" 0
        # What is the other's stays.
        check "$MOONKEEP" store get --store "$STORE" locks/toy/main/00000007
        check_status 4 back_up second
        check_says "in use by run 20261121T000000-other on elsewhere"
}

# No conditions: it is said once, the folder carries the run, and a look again helps.
without_conditions() {
        make_store swift
        toys
        touch second.go
        begin first
        check_status 4 back_up second
        touch first.go
        ends 0 first "$PID"
        check_equal "$(grep -c "knows no create-only writes" first.out)" 1
        check_status 0 back_up third.go
        check_says "warning: the store"
        "$MOONKEEP" store list --store "$STORE" --all -q >keys
        check grep -qE 'toy/main/[0-9]{8}T[0-9]{6}Z-[a-z0-9]+/manifest.json' keys
        check grep -q '\.moonkeep/probe\.json' keys
}

# --plan finds out nothing by writing.
planned() {
        make_store "$1"
        toys
        check_status 3 "${MK[@]}" run toy.backup --store "$STORE" --dir "$PWD" --plan
        check_says "would write"
        check_equal "$("$MOONKEEP" store list --store "$STORE" --all -q)" ""
}

scenario "radosgw: a lock is held by one run" held radosgw
scenario "radosgw: of a dead run the lock is free" dead_holder radosgw
scenario "radosgw: a run that lost its lock stops" lost_lock radosgw
scenario "radosgw: a plan writes nothing" planned radosgw
scenario "swift: without conditions" without_conditions
