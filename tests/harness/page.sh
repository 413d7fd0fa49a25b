# shellcheck shell=bash
# What a page shows, for tests that run it as it stands there.  Source it after lib.sh.

# block FILE HEADING LANGUAGE: the fenced blocks of that language in a section.
block() {
        awk -v heading="$2" -v fence="\`\`\`$3" '
            /^## / { inside = ($0 == "## " heading) }
            inside && $0 == fence { code = 1; next }
            /^```/ { code = 0 }
            code' "$1"
}
