#!/usr/bin/env bash
# What the program is started with: descriptors.
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/toy.sh
. "$(dirname "$0")/../harness/toy.sh"

# What is printed must not end up in a file that took the place of an output.
closed_descriptors() {
        toys
        "${MK[@]}" run toy.swap --dir "$PWD/area" -v <&- >&- 2>&-
        replaced
        check "${MK[@]}" runs >&-
        check_status 0 "${MK[@]}" runs --json
        check_says '"ok"'
        check_status 0 "${MK[@]}" report latest
        check_not grep -rv '^{' "$SCRATCH"/state --include='*.jsonl'
}

scenario "closed standard descriptors are no files of ours" closed_descriptors
