#!/usr/bin/env bash
# The Prometheus of the tests (tests/servers/prometheus) keeps its promises;
# recipes call its start and stop as the commands of a service.
. "$(dirname "$0")/../harness/lib.sh"
server=$ROOT/tests/servers/prometheus

history_and_restart() {
        check "$server" generate p 6 20 60
        check_equal "$(find p/data -name meta.json | wc -l)" 3
        check_equal "$(grep -h numSamples p/data/*/meta.json | tr -dc '0-9\n' | sort -u)" 2400
        start_prometheus p
        local url=$PROMETHEUS_URL
        check "$server" running p
        check_equal "$("$server" start p)" "$url"
        check "$server" stop p
        check_not "$server" running p
        check "$server" stop p
        check_equal "$("$server" start p --no-admin)" "$url"
        check "$server" kill p
        check_not "$server" running p
        check_equal "$("$server" start p)" "$url"
}

no_pipe_is_held() {
        defer "$server" stop p
        # cat would wait for the server's end.
        check timeout 30 bash -c "'$server' start p | cat >url"
        check_contains url http://127.0.0.1:
}

broken_configuration() {
        mkdir -p p/etc
        echo 'nonsense: [' >p/etc/prometheus.yml
        check_status 1 "$server" start p
        check_says "did not get ready"
        check_not "$server" running p
}

a_recycled_pid_is_somebody_else() {
        mkdir -p p/run
        sleep 60 &
        defer kill $!
        echo "$! 1" >p/run/pid
        check_not "$server" running p
        check "$server" stop p
        check kill -0 $!
}

scenario "a server with history keeps its address over restarts" history_and_restart
scenario "a started server holds no pipe of its caller" no_pipe_is_held
scenario "a server that cannot start is told with its last words" broken_configuration
scenario "a recorded process that is another one by now is left alone" a_recycled_pid_is_somebody_else
