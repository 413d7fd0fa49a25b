#!/usr/bin/env bash
# What is typed wrongly is told with what was probably meant; help, version.
. "$(dirname "$0")/../harness/lib.sh"

# toys: a directory for --dev with recipes of the scenario's own below recipes/toy/.
toys() {
        mkdir -p dev/recipes/toy
        ln -sfn "$ROOT/lua" dev/lua
        MK=("$MOONKEEP" --dev dev)
}

# toy NAME: a recipe from standard input.
toy() {
        cat >"dev/recipes/toy/$1.lua"
}

# options_toy: a recipe with a parameter of each kind, which returns what it got.
options_toy() {
        toy options <<'EOF'
return recipe {
  summary = "Return the parameters",
  params = {
    skip_head = { "boolean", default = false, help = "skip the head" },
    count = { "integer", default = 1, range = { 1, 9 }, env = "TOY_COUNT", help = "how many" },
    wait = { "duration", default = "5s", help = "how long" },
    kind = { "string", choices = { "red", "green" }, default = "red", help = "which" },
    word = { "string", list = true, help = "what to say" },
    token = { "secret", help = "a token" },
  },
  steps = { { "only", "Do it" } },
  example = "moonkeep run toy.options",
  run = function(ctx, p)
    ctx:step("only", function() end)
    return { skip_head = p.skip_head, count = p.count, wait = p.wait, kind = p.kind, word = p.word }
  end,
}
EOF
}

unknown_command() {
        check_status 2 "$MOONKEEP" rollbak
        check_equal "$(cat "$SCRATCH/stderr")" "moonkeep: there is no command \"rollbak\" (did you mean \"rollback\"?)
  hint: \`moonkeep help\` shows the commands"
        check_equal "$(wc -c <"$SCRATCH/stdout")" 0
        check_status 2 "$MOONKEEP"
        check_says "Commands"
}

unknown_recipe() {
        check_status 2 "$MOONKEEP" run prometheus.bakcup
        check_says "there is no recipe \"prometheus.bakcup\" (did you mean \"prometheus.backup\"?)"
        check_status 2 "$MOONKEEP" help prometheus.bakcup
        check_says "did you mean \"prometheus.backup\"?"
        check_status 2 "$MOONKEEP" help rnu
        check_says "did you mean \"run\"?"
        check_status 2 "$MOONKEEP" run
        check_says "run needs RECIPE"
}

unknown_option() {
        toys && options_toy
        check_status 2 "${MK[@]}" run toy.options --skip-heda
        check_says "toy.options has no parameter --skip-heda (did you mean \"--skip-head\"?)"
        check_status 2 "${MK[@]}" run toy.options --no-count
        check_says "no parameter --no-count"
        check_status 2 "${MK[@]}" run --count 1 toy.options
        check_says "the recipe comes before --count"
        check_status 2 "${MK[@]}" runs --jsno
        check_says "runs has no option --jsno (did you mean \"--json\"?)"
        check_status 2 "${MK[@]}" --store x backups
        check_says "--store comes behind the command"
        check_status 2 "${MK[@]}" resume latest --plan
        check_says "resume has no option --plan"
        check_status 2 "${MK[@]}" runs -x
        check_says "no option -x"
        check_status 2 "${MK[@]}" runs too many
        check_says "runs does not take \"too\""
        check_status 2 "${MK[@]}" --log-format jsn version
        check_says "is text, json, not \"jsn\" (did you mean \"json\"?)"
}

wrong_types() {
        toys && options_toy
        check_status 2 "${MK[@]}" run toy.options --count many
        check_says "--count: \"many\" is no whole number"
        check_status 2 "${MK[@]}" run toy.options --count 10
        check_says "--count: 10 is not between 1 and 9"
        check_status 2 "${MK[@]}" run toy.options --wait 5
        check_says "--wait: \"5\" is no duration such as 30s"
        check_status 2 "${MK[@]}" run toy.options --kind blue
        check_says "--kind: \"blue\" is none of red, green"
        check_status 2 "${MK[@]}" run toy.options --skip-head=perhaps
        check_says "--skip-head: \"perhaps\" is neither true nor false"
        check_status 2 "${MK[@]}" run toy.options --no-skip-head=true
        check_says "--no-skip-head takes no value"
        check_status 2 "${MK[@]}" run toy.options --count 1 --count 2
        check_says "--count is given 2 times"
        check_status 2 "${MK[@]}" run toy.options --count
        check_says "--count needs a value"
        check_status 2 "${MK[@]}" run toy.options --count --yes
        check_says "write --count=--yes if that is the value"
        check_status 2 env TOY_COUNT=x "${MK[@]}" run toy.options
        check_says "TOY_COUNT: \"x\" is no whole number"
        check_status 2 "${MK[@]}" run toy.options --token sesame
        check_says "never the secret itself"
        check_status 2 "$MOONKEEP" run prometheus.backup --target here
        check_says "--target: \"here\" is no target"
        # Nothing of this was a run.
        check_equal "$("${MK[@]}" runs --json)" "[]"
}

switches() {
        toys && options_toy
        check_status 0 "${MK[@]}" run toy.options --json --skip-head --count=3 --wait 2m
        for text in '"skip_head": true' '"count": 3' '"wait": 120000' '"kind": "red"'; do
                check_contains "$SCRATCH/stdout" "$text"
        done
        check_status 0 "${MK[@]}" run toy.options --no-skip-head --json
        check_contains "$SCRATCH/stdout" '"skip_head": false'
        check_status 0 "${MK[@]}" run toy.options --skip-head=false --json
        check_contains "$SCRATCH/stdout" '"skip_head": false'
        check_status 0 env TOY_COUNT=7 "${MK[@]}" run toy.options --json
        check_says '"count": 7'
        check_status 0 env TOY_COUNT=7 "${MK[@]}" run toy.options --json --count 2
        check_says '"count": 2'
}

end_of_options() {
        toys && options_toy
        check_status 2 "${MK[@]}" run toy.options -- --count
        check_says "run does not take \"--count\""
        check_status 1 "${MK[@]}" report -- --json
        check_says "there is no run \"--json\""
}

repeated_list() {
        toys && options_toy
        check_status 0 "${MK[@]}" run toy.options --json --word a --word=b=c --word=--x
        check_equal "$(tr -d ' \n' <"$SCRATCH/stdout" | grep -o '"word":\[[^]]*\]')" '"word":["a","b=c","--x"]'
}

shapes() {
        toys
        toy syntax <<'EOF'
return recipe {
  summary = "Broken",
  run = function(ctx
}
EOF
        check_status 2 "${MK[@]}" run toy.syntax
        check_says "recipes/toy/syntax.lua:4: ')' expected"
        echo 'return { summary = "x" }' | toy plain
        check_status 2 "${MK[@]}" run toy.plain
        check_says "recipes/toy/plain.lua: must end with \`return recipe { ... }\`, but returns a table"
        toy field <<'EOF'
return recipe { summary = "x", exmaple = "x", example = "x", steps = { { "a", "A" } }, run = function() end }
EOF
        check_status 2 "${MK[@]}" run toy.field
        check_says "recipes/toy/field.lua: unknown field \"exmaple\" (did you mean \"example\"?)"
        echo 'oops = 1' | toy global
        check_status 2 "${MK[@]}" run toy.global
        check_says "\"oops\" is not declared"
        printf '\33Lua' | toy binary
        check_status 2 "${MK[@]}" run toy.binary
        check_says "binary"
        echo 'return require "_fs"' | toy native
        check_status 2 "${MK[@]}" run toy.native
        check_says "native module \"_fs\" may only be required below lua/"
        # One broken recipe hides none of the others.
        options_toy
        check_status 0 "${MK[@]}" list
        check_says "toy.options  Return the parameters"
        check_says "toy.syntax   cannot be loaded: recipes/toy/syntax.lua:4:"
}

errors_as_json() {
        check_status 2 "$MOONKEEP" rollbak --json
        # shellcheck disable=SC2016 # the hint is in backquotes
        check_equal "$(tr -d '\n' <"$SCRATCH/stdout" | sed 's/  */ /g')" \
            '{ "error": { "code": "usage", "hint": "`moonkeep help` shows the commands", "message": "there is no command \"rollbak\" (did you mean \"rollback\"?)" }, "exit": 2}'
        check_contains "$SCRATCH/stderr" "moonkeep: there is no command"
        check_status 2 "$MOONKEEP" rollbak --log-format json
        check_contains "$SCRATCH/stderr" '"level":"error"'
        check_equal "$(wc -l <"$SCRATCH/stderr")" 1
}

traceback_with_v_only() {
        check_status 2 "$MOONKEEP" rollbak
        check_lacks "$SCRATCH/stderr" "traceback"
        check_status 2 "$MOONKEEP" -v rollbak
        check_contains "$SCRATCH/stderr" "traceback"
}

help_pages() {
        toys && options_toy
        check_status 0 "$MOONKEEP" help
        for command in run resume rollback runs report list help backups show verify version; do
                check_contains "$SCRATCH/stdout" "  $command"
                check_status 0 "$MOONKEEP" help $command
                check_contains "$SCRATCH/stdout" "moonkeep $command"
                check_status 0 "$MOONKEEP" $command --help
                check_contains "$SCRATCH/stdout" "moonkeep $command"
                check_status 0 "$MOONKEEP" help
        done
        check_lacks "$SCRATCH/stdout" "_test"
        check_status 0 "$MOONKEEP" --help
        check_contains "$SCRATCH/stdout" "Commands"
        check_status 0 "${MK[@]}" help toy.options
        for text in "toy.options - Return the parameters" "--skip-head, --no-skip-head" "--count INTEGER" \
            "environment TOY_COUNT" "one of red, green" "may be repeated" "Do it" "moonkeep run toy.options"; do
                check_contains "$SCRATCH/stdout" "$text"
        done
        check_status 0 "${MK[@]}" run toy.options --help
        check_contains "$SCRATCH/stdout" "toy.options - Return the parameters"
        check_status 0 "${MK[@]}" help toy.options --json
        check_contains "$SCRATCH/stdout" '"option": "--skip-head"'
        check_status 0 "$MOONKEEP" help --json
        check_contains "$SCRATCH/stdout" '"exit_statuses"'
}

exit_statuses() {
        check_status 0 "$MOONKEEP" help exit-status
        for status in 0 1 2 3 4 5 130; do
                check grep -qE "^ *$status  " "$SCRATCH/stdout"
        done
        # Every code of the header is in the table.
        sed -nE 's/^ *X\([A-Z_]+, "([a-z_]+)".*/\1/p' "$ROOT/include/moonkeep/err.h" >codes
        check test "$(wc -l <codes)" -gt 20
        while read -r code; do
                [ "$code" = none ] || check_contains "$SCRATCH/stdout" "$code"
        done <codes
}

# The page of the stores knows every option that the drivers know.
stores() {
        local scheme
        check_status 0 "$MOONKEEP" help stores
        for scheme in s3 azure; do
                sed -n '/url_option known\[\]/,/};/p' "$ROOT/src/store/${scheme}_options.c" |
                    grep -oE '"[a-z_]+"' | tr -d '"' >options
                check test "$(wc -l <options)" -gt 5
                while read -r option; do
                        check_contains "$SCRATCH/stdout" "$option="
                done <options
                check_contains "$SCRATCH/stdout" "$scheme://"
        done
        check_status 0 "$MOONKEEP" help stores --json
        check_says '"form": "./DIR, /DIR, file:/DIR"'
        check_status 2 "$MOONKEEP" help store-s
        check_says 'did you mean "stores"'
}

# The page of the targets knows every option, and shows a Role that is YAML.
targets() {
        check_status 0 "$MOONKEEP" help targets
        for option in container context replica helper proof; do
                check_contains "$SCRATCH/stdout" "$option="
        done
        check_contains "$SCRATCH/stdout" "kind: Role"
        check_status 0 "$MOONKEEP" help targets --json
        check_says '"form": "pod://NAMESPACE/POD"'
        check_status 2 "$MOONKEEP" run prometheus.backup --target 'pod://m/x?contaner=c'
        check_says 'did you mean "container"'
}

version_is_small() {
        check_status 0 "$MOONKEEP" version
        check grep -qE '^moonkeep [0-9]+\.[0-9]+' "$SCRATCH/stdout"
        check_status 0 "$MOONKEEP" version --json
        check_contains "$SCRATCH/stdout" '"version"'
}

closed_output() {
        toys && options_toy
        # A reader that goes away does not end the run.
        "${MK[@]}" run toy.options 2>err | true
        check_equal "$("${MK[@]}" runs --json | grep -c '"status": "ok"')" 1
        # shellcheck disable=SC2016
        check_status 1 bash -c '"$0" help >/dev/full' "$MOONKEEP"
        check_says "No space left on device"
}

scenario "an unknown command is told with the nearest one" unknown_command
scenario "an unknown recipe is told with the nearest one" unknown_recipe
scenario "an unknown option is told with the nearest one, or its place" unknown_option
scenario "a value of a wrong type is refused before anything runs" wrong_types
scenario "values with = and apart, from the environment and the command line" switches
scenario "a repeated option is a list" repeated_list
scenario "two dashes end the options" end_of_options
scenario "a recipe that is wrong is told with file and line" shapes
scenario "an error is one JSON document with --json" errors_as_json
scenario "a traceback is shown with -v only" traceback_with_v_only
scenario "help for every command and recipe" help_pages
scenario "exit statuses are documented" exit_statuses
scenario "how a store is written is documented" stores
scenario "the page of the targets has options and rights" targets
scenario "the version" version_is_small
scenario "standard output that is gone" closed_output
