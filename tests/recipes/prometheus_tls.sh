#!/usr/bin/env bash
# A Prometheus that is reached over TLS: timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/prometheus.sh
. "$(dirname "$0")/../harness/prometheus.sh"

# tls_front in front of the running server; PROMETHEUS_URL leads through it.
start_tls() {
        local port
        "$OUT/servers/tls_front" --ca "$SCRATCH/ca.pem" "${PROMETHEUS_URL##*:}" >"$SCRATCH/front" &
        defer kill $!
        wait_for 10 grep -q port "$SCRATCH/front"
        port=$(sed 's/port //' "$SCRATCH/front")
        PROMETHEUS_URL=https://127.0.0.1:$port
}

a_given_authority_is_trusted() {
        new_server
        run_server
        start_tls
        check_status 0 backup --ca-file "$SCRATCH/ca.pem"
        check_status 0 moonkeep backups --store "$STORE"
        check_says prometheus/main
        digests "$DATA" >"$SCRATCH/before"
        check_status 0 restore --ca-file "$SCRATCH/ca.pem"
        check diff "$SCRATCH/before" "$SCRATCH/at_start"
}

an_unknown_authority_is_refused() {
        new_server
        run_server
        start_tls
        check_status 1 backup
        check_says "cannot GET \"$PROMETHEUS_URL/api/v1/status/buildinfo\""
        check_says "certificate"
        check_says "--ca-file"
        check test ! -e "$STORE"
        check_status 1 backup --ca-file "$SCRATCH/none.pem"
        check_says none.pem
}

scenario "a Prometheus whose certificate a given authority signed" a_given_authority_is_trusted
scenario "a certificate of an unknown authority is refused" an_unknown_authority_is_refused
