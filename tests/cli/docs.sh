#!/usr/bin/env bash
# The generated pages: made by the program, compared by scripts/gen-docs --check.
. "$(dirname "$0")/../harness/lib.sh"

# A tree of the scenario's own, of which gen-docs makes the pages.
tree() {
        mkdir -p tree/scripts tree/docs
        cp "$ROOT/scripts/gen-docs" tree/scripts/
        cp -r "$ROOT/lua" "$ROOT/recipes" tree/
        cp -r "$ROOT/docs/man" tree/docs/
        export MOONKEEP
}

made_and_compared() {
        tree
        check_status 0 tree/scripts/gen-docs
        for file in reference/recipes.md reference/errors.md reference/lua.md; do
                check test -s "tree/docs/$file"
        done
        check_contains tree/docs/reference/recipes.md "## prometheus.backup"
        check_contains tree/docs/reference/errors.md "| \`corrupt\` | 5 |"
        check_contains tree/docs/reference/lua.md "ctx:step(id, key, fn)"
        check_contains tree/docs/man/moonkeep.1 ".SH EXIT STATUS"
        check_status 0 tree/scripts/gen-docs --check
        # Making them twice changes nothing.
        cp -r tree/docs before
        check_status 0 tree/scripts/gen-docs
        check_same_tree before tree/docs
}

difference_is_found() {
        tree
        check_status 0 tree/scripts/gen-docs
        echo "more" >>tree/docs/reference/errors.md
        check_status 1 tree/scripts/gen-docs --check
        check_says "docs/reference/errors.md is not what scripts/gen-docs makes"
        sed -i 's/^\.B 130$/.B 131/' tree/docs/man/moonkeep.1
        check_status 1 tree/scripts/gen-docs --check
        check_says "docs/man/moonkeep.1 is not what scripts/gen-docs makes"
}

annotations_are_demanded() {
        tree
        printf -- '--- A module.\nlocal bare = {}\n\nfunction bare.open(path)\n  return path\nend\n\nreturn bare\n' \
            >tree/lua/bare.lua
        check_status 2 tree/scripts/gen-docs
        check_says "lua/bare.lua:4: bare.open has no annotation"
}

broken_recipe_is_told() {
        tree
        echo 'return recipe { summary = "x" }' >tree/recipes/common/broken.lua
        check_status 2 tree/scripts/gen-docs
        check_says "recipes/common/broken.lua: field"
}

manual_reads() {
        needs man groff
        tree
        check_status 0 tree/scripts/gen-docs
        check_status 0 man --warnings=all -l tree/docs/man/moonkeep.1
        check_equal "$(wc -c <"$SCRATCH/stderr")" 0
}

scenario "pages are made, and the same when made again" made_and_compared
scenario "a page that differs is found" difference_is_found
scenario "a public function without an annotation is refused" annotations_are_demanded
scenario "a recipe that cannot be loaded is told" broken_recipe_is_told
scenario "the manual page has no warnings" manual_reads
