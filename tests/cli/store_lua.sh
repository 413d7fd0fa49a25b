#!/usr/bin/env bash
# What the Lua side promises of stores, on each kind: tests/harness/store_cases.lua.
# stores: radosgw swift azurite
# timeout: 600
# begins early
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

cases() {
        make_store "$1"
        EXCLUDES=$2 "$MOONKEEP" _test "$ROOT/tests/harness/store_cases.lua" || check_failed "see above"
}

scenario "directory: in Lua" cases directory yes
scenario "radosgw: in Lua" cases radosgw yes
scenario "swift: in Lua" cases swift no
scenario "azurite: in Lua" cases azurite yes
