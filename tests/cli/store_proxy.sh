#!/usr/bin/env bash
# Object stores behind a proxy: through it, past it, and what is said when it says no.
# stores: radosgw azurite
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY

# start_proxy [OPTION...]: PROXY is its host and port, $SCRATCH/work/passed its log.
start_proxy() {
        "$OUT/servers/connect_proxy" --log passed "$@" >proxy &
        defer kill $!
        wait_for 10 test -s proxy
        PROXY=127.0.0.1:$(awk '{ print $2 }' proxy)
        : >passed
}

store() {
        local verb=$1
        shift
        "$MOONKEEP" store "$verb" --store "$STORE" "$@"
}

copies() {
        head -c 20000000 /dev/urandom >large
        check_status 0 store put a/large large
        check_status 0 store get a/large back
        check cmp large back
        check_status 0 store list --all
        check_status 0 store remove a/ --yes
}

through() {
        # It is needed until the bucket is gone.
        start_proxy
        make_store "$@"
        export http_proxy=http://$PROXY https_proxy=http://$PROXY
        copies
        if [ "${2:-}" = https ]; then
                check_contains passed "CONNECT ${STORE_ENDPOINT#https://} 200"
                # The proxy sees no more than that.
                check_equal "$(grep -vc CONNECT passed)" 0
        else
                check_contains passed "PUT $STORE_ENDPOINT/"
        fi
}

past() {
        make_store radosgw
        start_proxy
        export http_proxy=http://$PROXY NO_PROXY=example.org,127.0.0.1
        check_status 0 store list
        check_equal "$(wc -c <passed)" 0
}

with_password() {
        local scheme
        make_store radosgw "$@"
        scheme=${STORE_ENDPOINT%%:*}_proxy
        start_proxy --user 'joe:pass%word:1'
        export "$scheme=http://$PROXY"
        check_status 1 store list
        check_says "the proxy wants a user and a password"
        check_lacks "$SCRATCH/stderr" "tried"
        export "$scheme=http://joe:wrong-word@$PROXY"
        check_status 1 store list -v
        check_says "the proxy wants a user and a password"
        check_lacks "$SCRATCH/stderr" "wrong-word"
        export "$scheme=http://joe:pass%25word%3A1@$PROXY"
        check_status 0 store list -v
        check_lacks "$SCRATCH/stderr" "pass%"
        check_lacks "$SCRATCH/stderr" "word"
        unset "$scheme"
}

refuses() {
        make_store radosgw https
        start_proxy
        STORE="s3://bucket?endpoint=https://example.org:$(free_port)&attempts=2"
        export https_proxy=http://$PROXY
        check_status 1 store list
        check_says "tried 2 times"
        check_says "the proxy does not connect us (HTTP 502)"
        check_says "no_proxy"
        export https_proxy=http://127.0.0.1:1
        check_status 1 store list
        check_says "cannot connect to the proxy 127.0.0.1:1: Connection refused"
        export https_proxy=http://no-such-host.invalid:1
        check_status 1 store list
        check_says "resolve proxy"
        export https_proxy=nonsense://joe:secret-word@127.0.0.1:1
        check_status 1 store list -v
        check_says "the URL of the proxy is not understood"
        check_lacks "$SCRATCH/stderr" "secret-word"
        unset https_proxy
}

scenario "radosgw: through a proxy" through radosgw
scenario "radosgw: through a proxy, https" through radosgw https
scenario "azurite: through a proxy" through azurite
scenario "a host that needs none" past
scenario "a proxy with a password" with_password
scenario "a proxy with a password, https" with_password https
scenario "a proxy that is not there or does not connect" refuses
