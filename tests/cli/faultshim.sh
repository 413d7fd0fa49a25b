#!/usr/bin/env bash
# The library that breaks the n-th call (tests/harness/faultshim.c), tried on
# programs whose calls are known.
. "$(dirname "$0")/../harness/lib.sh"

counts_calls() {
        check_status 0 with_fault "EXE=dd ACTION=count LOG=$SCRATCH/log" \
            dd if=/dev/zero of=file bs=10 count=3 conv=fsync
        check_contains "$SCRATCH/log" "1 open $PWD/file"
        check_contains "$SCRATCH/log" "4 write $PWD/file"
        check_contains "$SCRATCH/log" "5 fsync $PWD/file"
        check_equal "$(wc -l <"$SCRATCH/log")" 5
}

pipes_do_not_count() {
        check_status 0 with_fault "EXE=dd ACTION=kill AT=1" dd if=/dev/zero bs=10 count=3
        check_equal "$(stat -c %s "$SCRATCH/stdout")" 30
        dd if=/dev/zero bs=10 count=3 status=none | with_fault "EXE=dd ACTION=kill AT=1" dd bs=10 status=none | cat >copy
        check_equal "$(stat -c %s copy)" 30
}

kills_before() {
        check_status 137 with_fault "EXE=dd ACTION=kill AT=3 WHEN=before" dd if=/dev/zero of=file bs=10 count=3
        check_equal "$(stat -c %s file)" 10
}

kills_after() {
        check_status 137 with_fault "EXE=dd ACTION=kill AT=3 WHEN=after" dd if=/dev/zero of=file bs=10 count=3
        check_equal "$(stat -c %s file)" 20
}

writes_half() {
        check_status 137 with_fault "EXE=dd ACTION=kill AT=3 WHEN=half" dd if=/dev/zero of=file bs=10 count=3
        check_equal "$(stat -c %s file)" 15
}

full_disk() {
        check_status 1 with_fault "EXE=dd ACTION=error:ENOSPC AT=2" dd if=/dev/zero of=file bs=10 count=3
        check_says "No space left on device"
}

matching_calls() {
        touch one two
        check_status 1 with_fault "EXE=mv ACTION=error:EIO AT=1 FOREVER=1 MATCH=/two$" mv one two
        check_says "Input/output error"
        check_status 0 with_fault "EXE=mv ACTION=error:EIO AT=1 MATCH=/other$" mv one two
        check_status 1 with_fault "EXE=rm ACTION=error:EIO AT=1" rm two
        check test -e two
}

sends_a_signal() {
        check_status 143 with_fault "EXE=dd ACTION=signal:15 AT=3" dd if=/dev/zero of=file bs=10 count=3
        check_equal "$(stat -c %s file)" 10
}

children_are_left_alone() {
        check_status 0 with_fault "EXE=bash ACTION=kill AT=100 LOG=$SCRATCH/log" \
            bash -c 'mkdir a b c; rmdir a b c; : >file'
        check_equal "$(wc -l <"$SCRATCH/log")" 1
}

scenario "calls are counted in order, with their paths" counts_calls
scenario "pipes and the terminal do not count" pipes_do_not_count
scenario "the program dies before the call" kills_before
scenario "the program dies after the call" kills_after
scenario "the program dies in the middle of a write" writes_half
scenario "a full disk" full_disk
scenario "only calls on matching paths are counted" matching_calls
scenario "the program gets a signal at the call" sends_a_signal
scenario "programs that it starts are left alone" children_are_left_alone
