#!/usr/bin/env bash
# Runs whose journals lie in a store, as for machines that will be gone.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/toy.sh"

in_a_store() {
        toys
        export MOONKEEP_STATE=file:$PWD/shelf
}

# Every event an object of its own; nothing is locked and nothing half-written.
check_settled() {
        check_equal "$(find shelf -name '.moonkeep-tmp-*')" ""
        check grep -q '"released":true' "$(find shelf/locks -type f | LC_ALL=C sort | tail -n 1)"
        # shellcheck disable=SC2031 # it is the scenario's
        check_not test -e "$XDG_STATE_HOME/moonkeep"
}

goes_well() {
        in_a_store
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/area"
        replaced
        check_settled
        check compgen -G "shelf/runs/*/00000001.json" >/dev/null
        check_equal "$(status_of_last)" ok
        check_status 0 "${MK[@]}" report latest
        check_says "the chain of hashes is whole"
}

resumes() {
        in_a_store
        hold_and_kill
        check_equal "$(status_of_last)" interrupted
        check_status 0 "${MK[@]}" resume latest
        replaced
        check_equal "$(status_of_last)" ok
        check_settled
}

rolls_back() {
        in_a_store
        hold_and_kill
        check_status 0 "${MK[@]}" rollback latest
        untouched
        check_settled
}

is_cancelled() {
        in_a_store
        hold
        kill -TERM "$RUN_PID"
        end_of
        check_equal "$END" 130
        rm area/hold
        untouched
        check_equal "$(status_of_last)" cancelled
        check_settled
}

lives_once() {
        in_a_store
        hold
        check_equal "$(status_of_last)" running
        check_status 4 "${MK[@]}" resume latest
        check_says "is in use by"
        rm area/hold
        end_of
        check_equal "$END" 0
}

is_damaged() {
        in_a_store
        check_status 0 "${MK[@]}" run toy.swap --dir "$PWD/area"
        local event
        event=$(find shelf/runs -name 00000003.json)
        sed -i 's/"event"/"tneve"/' "$event"
        check_equal "$(status_of_last)" damaged
        check_status 4 "${MK[@]}" report latest
        check_says "does not fit together at line 4"
        rm "$event"
        check_status 4 "${MK[@]}" report latest
}

scenario "a run with its journal in a store" goes_well
scenario "it is resumed after kill -9" resumes
scenario "it is rolled back after kill -9" rolls_back
scenario "it is cancelled, undone, and unlocked" is_cancelled
scenario "two processes do not go on with the same run" lives_once
scenario "a changed or missing event is found" is_damaged
