#!/usr/bin/env bash
# Runs: killed, cancelled, resumed, rolled back, planned, reported, with a
# recipe that replaces a directory as a restore does.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/toy.sh"

goes_well() {
        toys
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/area"
        for text in "[1/3] Move the old data aside" "[2/3] Write the new data" "[3/3] Finish" \
            "cleaned up: remove the mark" "data     $PWD/area/data" "Done in"; do
                check_contains "$SCRATCH/stdout" "$text"
        done
        check_equal "$(wc -c <"$SCRATCH/stderr")" 0
        # Without a terminal there are no control characters.
        check_not grep -q $'[\033\r]' "$SCRATCH/stdout"
        replaced
}

fails() {
        toys
        check_status 2 "${MK[@]}" run toy.swap --dir "$PWD/area" --fail
        check_contains "$SCRATCH/stderr" 'moonkeep: step "finish": the disk said no'
        check_contains "$SCRATCH/stdout" "undone: put the old data back"
        check_contains "$SCRATCH/stdout" "Next: moonkeep run toy.swap --dir $PWD/area --fail"
        check_lacks "$SCRATCH/stderr" "swap.lua"
        untouched
        check_status 2 "${MK[@]}" run toy.swap --dir "$PWD/area" --fail -v
        check grep -qE '^  +recipes/toy/swap.lua:[0-9]+: in ' "$SCRATCH/stderr"
        check_status 4 "${MK[@]}" resume latest
        check_says "there is nothing to resume"
        check_status 4 "${MK[@]}" rollback latest
        check_says "there is nothing to roll back"
}

json_outcome() {
        toys
        check_status 2 "${MK[@]}" run toy.swap --dir "$PWD/area" --fail --json
        for text in '"status": "failed"' '"exit": 2' '"step": "finish"' '"undone": true' '"recipe": "toy.swap"'; do
                check_contains "$SCRATCH/stdout" "$text"
        done
        check_equal "$(head -c 1 "$SCRATCH/stdout")" "{"
        check_equal "$(tail -n 1 "$SCRATCH/stdout")" "}"
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/area" --json -v
        check_contains "$SCRATCH/stdout" '"status": "ok"'
        check_contains "$SCRATCH/stderr" "[1/3] Move the old data aside"
        check_lacks "$SCRATCH/stdout" "[1/3]"
}

cannot_be_undone() {
        toys
        touch area/stuck
        check_status 2 "${MK[@]}" run toy.swap --dir "$PWD/area" --fail --stuck
        check_contains "$SCRATCH/stderr" "could not put the old data back: it is stuck"
        check_contains "$SCRATCH/stdout" "NOT everything could be undone"
        check_contains "$SCRATCH/stdout" "Next: moonkeep rollback "
        check_equal "$(cat area/data/value)" new
        check_status 0 "${MK[@]}" runs
        check_says "failed, not undone"
        check_status 1 "${MK[@]}" rollback latest
        check_says "it is stuck"
        rm area/stuck
        check_status 0 "${MK[@]}" rollback latest
        check_says "Rolled back in"
        untouched
}

killed_then_resumed() {
        toys
        hold_and_kill
        check_status 0 "${MK[@]}" runs
        check_says "interrupted"
        check_status 0 "${MK[@]}" resume latest
        check_contains "$SCRATCH/stdout" "done before"
        replaced
        # The step that was killed ran again, the one that was done did not.
        check_equal "$(cat area/count)" xx
        check_equal "$(status_of_last)" ok
        check_status 4 "${MK[@]}" resume latest
}

killed_then_adopted() {
        toys
        hold_and_kill
        touch area/adopt
        check_status 0 "${MK[@]}" resume latest --json
        check_contains "$SCRATCH/stdout" '"adopted": true'
        check_equal "$(cat area/count)" x
}

killed_then_rolled_back() {
        toys
        hold_and_kill
        check_status 0 "${MK[@]}" rollback latest
        check_says "undone: put the old data back"
        untouched
        check_equal "$(status_of_last)" "rolled back"
        check_status 4 "${MK[@]}" rollback latest
}

under_way() {
        toys
        hold
        check_status 0 "${MK[@]}" runs
        check_says "running"
        check_status 4 "${MK[@]}" resume latest
        check_says "is still under way"
        check_status 4 "${MK[@]}" rollback latest
        check_says "is still under way"
        rm area/hold
        end_of
        check_equal "$END" 0
        replaced
}

# cancelled SIGNAL: undone, said so, exit 130.
cancelled() {
        toys
        hold
        local began=$SECONDS
        kill -"$1" "$RUN_PID"
        end_of
        check_equal "$END" 130
        check test $((SECONDS - began)) -lt 10
        check_contains "$SCRATCH/run.err" 'moonkeep: step "fill": cancelled'
        check_contains "$SCRATCH/run.out" "undone: put the old data back"
        check_contains "$SCRATCH/run.out" "cleaned up: remove the mark"
        check_contains "$SCRATCH/run.out" "Cancelled in"
        rm area/hold
        untouched
        check_equal "$(status_of_last)" cancelled
}

# Bash starts what it puts in the background with SIGINT ignored, and moonkeep
# keeps what was ignored; env restores it.
interrupted() {
        toys
        MK=(env --default-signal=INT "${MK[@]}")
        hold
        kill -INT "$RUN_PID"
        end_of
        check_equal "$END" 130
        check_contains "$SCRATCH/run.out" "undone: put the old data back"
        # Nobody has a key to press.
        check_lacks "$SCRATCH/run.out" "Ctrl-C"
        rm area/hold
        untouched
}

interrupted_twice() {
        toys
        MK=(env --default-signal=INT "${MK[@]}")
        # The undoing hangs until it is ended.
        sed -i 's|if p.stuck and .*|if p.stuck then task.sleep(60000)|; s|error("it is stuck", 0)||' \
            dev/recipes/toy/swap.lua
        hold --stuck
        kill -INT "$RUN_PID"
        wait_for 10 grep -q "Undoing what was done" "$SCRATCH/run.out"
        local began=$SECONDS
        kill -INT "$RUN_PID"
        end_of
        check_equal "$END" 130
        check test $((SECONDS - began)) -lt 5
        check_equal "$(status_of_last)" interrupted
        # What a second Ctrl-C left behind, rollback undoes.
        rm area/hold
        sed -i 's|task.sleep(60000)|task.sleep(1)|' dev/recipes/toy/swap.lua
        check_status 4 "${MK[@]}" rollback latest
        check_says "the recipe toy.swap changed since it began"
        check_status 0 "${MK[@]}" rollback latest --with-changes
        untouched
}

plans() {
        toys
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/area" --plan
        for text in "would move" "when it fails: put the old data back" "at the end: remove the mark" \
            "Nothing was changed. A run would make"; do
                check_contains "$SCRATCH/stdout" "$text"
        done
        untouched
        check_equal "$("${MK[@]}" runs --json)" "[]"
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/area" --plan --json
        check_contains "$SCRATCH/stdout" '"status": "planned"'
        check_contains "$SCRATCH/stdout" '"complete": true'
}

# wrong_recipe LUA: the body of run() for the toy.
wrong_recipe() {
        mkdir -p dev/recipes/toy
        cat >dev/recipes/toy/wrong.lua <<EOF
return recipe {
  summary = "Wrong", steps = { { "one", "First" } }, example = "moonkeep run toy.wrong",
  params = { target = { "target", default = "local:", help = "where" } },
  run = function(ctx, p)
    $1
  end,
}
EOF
        check_status 2 "${MK[@]}" run toy.wrong
}

wrong_in_the_run() {
        toys
        wrong_recipe 'ctx:step("one", function() return require("stream").from_string("x") end)'
        check_says 'the result of step "one": value is a handle'
        wrong_recipe 'ctx:step("one", function() return { fn = function() end } end)'
        check_says 'the result of step "one": value.fn is a function'
        wrong_recipe 'ctx:step("one", function() return 0 / 0 end)'
        check_says 'the result of step "one": value is not a finite number'
        wrong_recipe "p.target:write('$PWD/area/stray', 'x')"
        check_says "between steps"
        check_not test -e area/stray
        wrong_recipe 'ctx:step("onne", function() end)'
        check_says 'step "onne" is not declared (did you mean "one"?)'
        wrong_recipe 'return nothing.here'
        check_says '"nothing" is not declared'
        wrong_recipe 'table.sort({ 2, 1 }, function(a, b) ctx:step("one", function() require("task").sleep(1) end) return a < b end)'
        check_says "cannot wait here"
}

changed_recipe() {
        toys
        hold_and_kill
        sed -i 's/Replace a directory/Replace one directory/' dev/recipes/toy/swap.lua
        check_status 4 "${MK[@]}" resume latest
        check_says "the recipe toy.swap changed since it began"
        check_says "with-changes"
        check_status 4 "${MK[@]}" rollback latest
        check_status 0 "${MK[@]}" resume latest --with-changes
        replaced
}

changed_library() {
        toys
        hold_and_kill
        rm dev/lua
        cp -r "$ROOT/lua" dev/lua
        echo '-- changed' >>dev/lua/words.lua
        check_status 4 "${MK[@]}" resume latest
        check_says "the library of moonkeep changed since it began"
}

damaged_journal() {
        toys
        hold_and_kill
        local file
        file=$(echo "$SCRATCH"/state/moonkeep/runs/*.jsonl)
        cp "$file" good
        sed -i 's/put the old data back/put the old data away/' "$file"
        for command in resume rollback report; do
                check_status 4 "${MK[@]}" $command latest
                check_says "does not fit together at line"
                check_says "hint: it was edited, truncated or damaged"
        done
        check_status 0 "${MK[@]}" runs
        check_says "damaged"
        head -n -1 good >"$file"
        check_status 4 "${MK[@]}" resume latest
        check_says "ends at line"
        # What a crash tore off at the end is dropped.
        { cat good && printf '{"event":"step_d'; } >"$file"
        check_status 0 "${MK[@]}" resume latest
        replaced
}

reports() {
        toys
        hold_and_kill
        check_status 0 "${MK[@]}" resume latest
        check_status 0 "${MK[@]}" report latest
        for text in "Recipe   toy.swap" "Status   ok" "the chain of hashes is whole" "Resumed at" \
            "aside" "clean up: remove the mark: done" "dir     $PWD/area"; do
                check_contains "$SCRATCH/stdout" "$text"
        done
        check_status 0 "${MK[@]}" report latest --json
        for text in '"checked": true' '"what": "resumed"' '"status": "ok"' '"step": "fill"'; do
                check_contains "$SCRATCH/stdout" "$text"
        done
        check_status 1 "${MK[@]}" report nothing
        check_says 'there is no run "nothing"'
}

state_directories() {
        toys
        check_status 0 "${MK[@]}" --state mine run toy.swap --dir "$PWD/area"
        check test -d mine/runs
        check_equal "$(stat -c %a mine/runs)" 700
        check_equal "$("${MK[@]}" runs --json)" "[]"
        check_status 0 env MOONKEEP_STATE=mine "${MK[@]}" runs --json
        check_says "\"dir\": \"$PWD/area\""
        check_status 0 env MOONKEEP_STATE=mine "${MK[@]}" runs
        check_says "toy.swap"
        check_status 2 "${MK[@]}" --state s4://bucket/x runs
        check_says "is no kind of store"
        # The home of somebody whom /etc/passwd does not know, as in a pod.
        check_status 1 env -u XDG_STATE_HOME HOME=/sys/ "${MK[@]}" run toy.swap --dir "$PWD/area"
        check_says 'cannot begin a journal: cannot create the directory "/sys/.local"'
        check_says "MOONKEEP_STATE name a directory that can be written to, or a store"
}

hostile_names() {
        toys
        local name
        name=$'area\033]0;owned\007\nx\u202e'
        mv area "$name"
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/$name" -v
        check_not grep -q $'[\033\007]' "$SCRATCH/stdout" "$SCRATCH/stderr"
        check_says 'area\x1b]0;owned\x07\nx\u{202e}'
        check_status 2 "${MK[@]}" run toy.swap --dir $'/a\xff'
        check_says '--dir: "/a\xff" is not UTF-8'
}

log_lines() {
        toys
        check_status 2 "${MK[@]}" run toy.swap --dir "$PWD/area" --fail --log-format json
        check_equal "$(wc -c <"$SCRATCH/stdout")" 0
        check_equal "$(grep -c '^{.*}$' "$SCRATCH/stderr")" "$(wc -l <"$SCRATCH/stderr")"
        check_contains "$SCRATCH/stderr" '"event":"step_fail"'
        check_contains "$SCRATCH/stderr" '"event":"undo_done"'
        check_contains "$SCRATCH/stderr" '"event":"end"'
}

quiet() {
        toys
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/area" -q
        check_equal "$(cat "$SCRATCH/stdout" "$SCRATCH/stderr" | wc -c)" 0
}

# terminal COMMAND: run it with a terminal; what it showed is in $SCRATCH/tty.
terminal() {
        script -qec "$1" "$SCRATCH/tty" >/dev/null
}

live_line() {
        needs script
        toys
        sed -i 's|task.wait_until(.*|task.sleep(700)|' dev/recipes/toy/swap.lua
        terminal "stty cols 30; NO_COLOR= ${MK[*]} run toy.swap --dir $PWD/area" </dev/null
        check grep -q $'\r\033\\[K      0\\.[0-9] s' "$SCRATCH/tty"
        check grep -q $'\033\\[32m' "$SCRATCH/tty"
        rm -rf area && mkdir -p area/data
        terminal "NO_COLOR=1 ${MK[*]} run toy.swap --dir $PWD/area" </dev/null
        check_not grep -q $'\033\\[32m' "$SCRATCH/tty"
        rm -rf area && mkdir -p area/data
        terminal "TERM=dumb ${MK[*]} run toy.swap --dir $PWD/area" </dev/null
        check_not grep -q $'\033' "$SCRATCH/tty"
}

questions() {
        toys
        sed -i 's|ctx:step("aside"|ctx:confirm("Replace it?") ctx:step("aside"|' dev/recipes/toy/swap.lua
        check_status 4 "${MK[@]}" run toy.swap --dir "$PWD/area"
        check_says "not confirmed: Replace it?"
        check_says "give --yes"
        untouched
        needs script
        check_not terminal "echo n | ${MK[*]} run toy.swap --dir $PWD/area"
        (sleep 1; echo n; sleep 1) | check_not terminal "${MK[*]} run toy.swap --dir $PWD/area"
        check_contains "$SCRATCH/tty" "Replace it? [y/N]"
        untouched
        (sleep 1; echo y; sleep 1) | check terminal "${MK[*]} run toy.swap --dir $PWD/area"
        replaced
        rm -rf area/old
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/area" --yes
}

scenario "a run says its steps, what it made and how long it took" goes_well
scenario "a run that fails is undone, and says so" fails
scenario "the outcome is one JSON document with --json" json_outcome
scenario "what could not be undone is said, and rollback does it later" cannot_be_undone
scenario "a killed run is resumed behind what was done" killed_then_resumed
scenario "a killed step's leftover is taken over by its check" killed_then_adopted
scenario "a killed run is rolled back" killed_then_rolled_back
scenario "a run under way is neither resumed nor rolled back" under_way
scenario "SIGTERM undoes" cancelled TERM
scenario "SIGHUP undoes" cancelled HUP
scenario "Ctrl-C undoes" interrupted
scenario "a second Ctrl-C ends at once, and rollback undoes" interrupted_twice
scenario "a plan changes nothing" plans
scenario "handles, changes outside steps and other wrongs in a run" wrong_in_the_run
scenario "a recipe that changed is not resumed" changed_recipe
scenario "a library that changed is not resumed" changed_library
scenario "a journal that was edited or truncated is refused" damaged_journal
scenario "a report tells the whole story" reports
scenario "journals are where --state or the environment says" state_directories
scenario "hostile names do nothing to the terminal" hostile_names
scenario "messages as JSON lines" log_lines
scenario "quiet says nothing" quiet
scenario "a live line on a terminal" live_line
scenario "a question is asked on a terminal, and refused elsewhere" questions
