# shellcheck shell=bash disable=SC2154 # sourced by stores, which sets dir and host
# Processes of the stores.  run/STORE.TAG records each as "PID START_TIME", and
# only by that record is one ever stopped: pids are used again.

# start_time PID: field 22 of its stat (the name, field 2, may hold anything); fails for a zombie.
start_time() {
        local stat
        { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
        # shellcheck disable=SC2086 # fields
        set -- ${stat##*) }
        [ "$1" != Z ] && [ "$1" != X ] && echo "${20}"
}

# is_alive RECORD: the recorded process, and no later one of that number, runs.
is_alive() {
        local pid since
        { read -r pid since <"$1"; } 2>/dev/null || return 1
        [ "$(start_time "$pid")" = "$since" ]
}

none_runs() {
        local record
        for record in "$dir"/run/*.*; do
                ! is_alive "$record" || return 1
        done
}

# launch STORE.TAG COMMAND...: in the background, unless it runs already, with
# nothing of our environment; its log is log/STORE.TAG.
launch() {
        local tag=$1 log=$dir/log/$1 tries
        shift
        ! is_alive "$dir/run/$tag" || return 0
        rm -f "$dir/run/$tag"
        [ ! -e "$log" ] || mv -f "$log" "$log.old"
        # The process writes its own record before it becomes the server, so that
        # a launch cut short at any point leaves none that is not recorded.
        # shellcheck disable=SC2016 # for the inner shell
        env -i PATH="$PATH" HOME="$dir" LC_ALL=C.UTF-8 setsid -f bash -c '
                stat=$(</proc/$$/stat)
                fields=(${stat##*) })
                echo "$$ ${fields[19]}" >"$0.new" && mv "$0.new" "$0" && exec "$@"
        ' "$dir/run/$tag" "$@" </dev/null >"$log" 2>&1 9>&-
        for ((tries = 0; tries < 500; tries++)); do
                [ ! -e "$dir/run/$tag" ] || return 0
                sleep 0.02
        done
        give_up "$tag" "did not start"
}

# end_process RECORD: end it, by force after 8 s, and wait for its end.
end_process() {
        local pid tries
        read -r pid _ <"$1" || return 0
        for ((tries = 0; tries < 320; tries++)); do
                is_alive "$1" || break
                # setsid made it the leader of a group: its children go with it.
                case $tries in
                0) kill -TERM -- "-$pid" 2>/dev/null || : ;;
                160) kill -KILL -- "-$pid" 2>/dev/null || : ;;
                esac
                sleep 0.05
        done
        ! is_alive "$1" || fail "process $pid (${1##*/}) does not end"
        rm -f "$1"
}

# stop_store NAME: its processes, the last one first.
stop_store() {
        local record
        rm -f "$dir/env/$1"
        for record in $(printf '%s\n' "$dir/run/$1".* | sort -r); do
                [ ! -e "$record" ] || end_process "$record"
        done
}

# give_up STORE.TAG TEXT: end this attempt with the last words of its log.
give_up() {
        echo "stores: $1 $2; the end of \"$dir/log/$1\":" >&2
        tail -n 15 "$dir/log/$1" >&2 || :
        exit 1
}

# step STORE.TAG COMMAND...: in the foreground, into the same log.
step() {
        local tag=$1
        shift
        "$@" >>"$dir/log/$tag" 2>&1 || give_up "$tag" "cannot be set up (status $? of $1)"
}

# wait_until STORE.TAG SECONDS COMMAND...: until it succeeds, while the process lives.
wait_until() {
        local tag=$1 limit=$2 deadline=$((SECONDS + $2))
        shift 2
        until "$@"; do
                is_alive "$dir/run/$tag" || give_up "$tag" "has ended"
                [ $SECONDS -lt $deadline ] || give_up "$tag" "is not ready after $limit s"
                sleep 0.1
        done
        # What answered may be somebody else's.
        is_alive "$dir/run/$tag" || give_up "$tag" "has ended"
}

# answers_http PORT, answers_https PORT
answers_http() {
        local status
        {
                printf 'GET / HTTP/1.0\r\n\r\n' >&3 && read -r -t 10 status <&3
        } 3<>"/dev/tcp/$host/$1" 2>/dev/null || return 1
        [[ $status == HTTP/1.* ]]
}

answers_https() {
        timeout 10 openssl s_client -connect "$host:$1" -CAfile "$dir/tls/ca.crt" \
            -verify_return_error -verify_ip "$host" </dev/null >/dev/null 2>&1
}
