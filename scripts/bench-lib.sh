# shellcheck shell=bash disable=SC2154 # sourced: dir and work are of the script
# Measuring, for scripts/bench-*: commands in turn, medians, ratios.
#
# Before it is sourced: dir (on the disk to be measured) and work (scratch below it).

fail() {
        echo "bench: $*" >&2
        exit 1
}

has() {
        command -v "$1" >/dev/null
}

# build_measure: the program that reads the clock and the kernel's account.
build_measure() {
        "${CC:-cc}" -O2 -std=gnu11 -o "$dir/measure" tests/bench/measure.c
}

# measure NAME COMMAND...: once; figures into $work/NAME.
measure() {
        local name=$1
        shift
        sync
        "$dir/measure" "$work/$name" "$@" >"$work/log" 2>&1 || {
                tail -n 20 "$work/log" >&2
                fail "$name: status $? of: $*"
        }
}

# in_turn COUNT LABEL OURS PEER: the functions OURS and PEER (or ""), COUNT times;
# prints the row.  Each function first removes what it will make.
in_turn() {
        local count=$1 label=$2 ours=$3 peer=$4 run
        rm -f "$work/$ours"
        for ((run = 0; run < count; run++)); do
                "$ours" "$ours"
                [ -n "$peer" ] || continue
                "$peer" "$peer"
        done
        row "$label" "$ours" "$peer"
}

# median NAME COLUMN: of the figures in $work/NAME.
median() {
        sort -n -k "$2,$2" "$work/$1" | awk -v column="$2" '
            { values[NR] = $column }
            END { print (values[int((NR + 1) / 2)] + values[int(NR / 2) + 1]) / 2 }'
}

heading() {
        printf '%-34s %9s %9s %9s   %9s %9s %9s   %6s %6s\n' "" "wall" "CPU" "peak MiB" "wall" "CPU" "peak MiB" \
            "wall" "CPU"
}

# row LABEL OURS [PEER]
row() {
        local figures
        figures="$(median "$2" 1) $(median "$2" 2) $(median "$2" 3)"
        [ -z "${3:-}" ] || figures+=" $(median "$3" 1) $(median "$3" 2) $(median "$3" 3)"
        # shellcheck disable=SC2086 # numbers
        printf '%s\n' "$1" $figures | awk '
            function seconds(us) { return us < 100000 ? sprintf("%.1f ms", us / 1000) : sprintf("%.2f s", us / 1e6) }
            { value[NR] = $0 }
            END {
                printf "%-34s %9s %9s %9.1f   ", value[1], seconds(value[2]), seconds(value[3]), value[4] / 1024
                if (NR < 5) {
                        print "        -"
                        exit
                }
                printf "%9s %9s %9.1f   %6.2f %6.2f\n", seconds(value[5]), seconds(value[6]), value[7] / 1024,
                    value[2] / value[5], value[3] / value[6]
            }'
}
