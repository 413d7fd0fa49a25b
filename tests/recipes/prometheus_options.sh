#!/usr/bin/env bash
# What the parameters of the Prometheus recipes promise, on a real server.
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/prometheus.sh
. "$(dirname "$0")/../harness/prometheus.sh"

a_plan_changes_nothing() {
        new_server
        run_server
        check_status 0 backup --plan
        check_says "would POST"
        check test ! -e "$STORE"
        check test ! -e "$STATE/runs"
        check test ! -e "$DATA/snapshots"
        check backup
        "$prometheus" stop "$HOME_DIR"
        cp -a "$DATA" "$SCRATCH/before"
        check_status 0 restore --plan
        check_says "would move"
        check_same_tree "$SCRATCH/before" "$DATA"
}

a_systemd_unit_is_stopped_and_started() {
        new_server
        run_server
        check backup
        # What systemctl is told, and what it does for this one unit.
        mkdir "$SCRATCH/bin"
        cat >"$SCRATCH/bin/systemctl" <<SH
#!/bin/sh
echo "\$*" >>"$SCRATCH/told"
case \$* in
"stop -- prometheus.service") exec "$prometheus" stop "$HOME_DIR" ;;
"start -- prometheus.service") exec "$prometheus" start "$HOME_DIR" ;;
"is-active --quiet -- prometheus.service") exec "$prometheus" running "$HOME_DIR" ;;
esac
echo "Unit not found" >&2
exit 5
SH
        chmod 755 "$SCRATCH/bin/systemctl"
        PATH=$SCRATCH/bin:$PATH
        service=(--service systemd:prometheus.service)
        check_status 0 restore
        check grep -qx "stop -- prometheus.service" "$SCRATCH/told"
        check grep -qx "start -- prometheus.service" "$SCRATCH/told"
        check is_running

        service=(--service systemd:other.service)
        check_status 1 restore
        check_says "Unit not found"
        check is_running
        nothing_left

        service=(--service "systemd:--help")
        check_status 1 restore
        service=(--service "systemd:a b")
        check_status 2 restore
        check_says "no unit of systemd"
        service=(--service "stop=only this")
        check_status 2 restore
        check_says "stop=COMMAND and start=COMMAND"
}

verbose_shows_what_is_asked() {
        new_server
        run_server
        check_status 0 backup -v
        check_contains "$SCRATCH/stderr" "GET $PROMETHEUS_URL/api/v1/status/buildinfo: 200, "
        check_status 0 backup --log-format json -v
        check grep -qE '^\{.*"level": ?"debug".*buildinfo: 200' "$SCRATCH/stderr"
        check_not grep -qvE '^\{.*\}$' "$SCRATCH/stderr"
        check_status 0 backup
        check_lacks "$SCRATCH/stderr" "buildinfo"
}

a_stopped_server_needs_no_service() {
        new_server
        run_server
        check backup
        service=()
        check_status 4 restore
        check_says "there is no --service to stop it with"
        "$prometheus" stop "$HOME_DIR"
        digests "$DATA" >"$SCRATCH/before"
        rm -rf "${DATA:?}"/*
        check_status 0 restore
        check_not is_running
        check diff "$SCRATCH/before" <(digests "$DATA")
}

the_old_data_is_kept_or_not() {
        new_server
        run_server
        check backup
        check_status 0 restore
        check compgen -G "$DATA/.moonkeep-old-*/wal" >/dev/null
        rm -rf "$DATA"/.moonkeep-old-*
        check_status 0 restore --no-keep-old
        check_not compgen -G "$DATA/.moonkeep-*" >/dev/null
        nothing_left
}

the_configuration_comes_back_on_request() {
        new_server
        run_server
        check backup
        check_status 0 restore --config-dir "$SCRATCH/config"
        check diff -r "$HOME_DIR/etc" "$SCRATCH/config$HOME_DIR/etc"
        # It is never put over something.
        check_status 1 restore --config-dir "$SCRATCH/config"
        check_says "exists"
        check is_running
        nothing_left
}

the_files_belong_to_whom_they_should() {
        needs_root
        new_server
        run_server
        check backup
        "$prometheus" stop "$HOME_DIR"
        # As the directory is.
        chown 65534:65534 "$DATA"
        service=()
        check_status 0 restore
        check_equal "$(find "$DATA" -path '*/01*' ! -path '*/.moonkeep*' -printf '%U:%G\n' | sort -u)" 65534:65534
        # As asked.
        check_status 0 restore --owner 12345:23456
        check_equal "$(find "$DATA" -path '*/01*' ! -path '*/.moonkeep*' -printf '%U:%G\n' | sort -u)" 12345:23456
        check_status 2 restore --owner nobody-of-that-name
        check_says "no user"
}

probes_are_recorded_and_asked_again() {
        new_server
        run_server
        check backup --probe 'count(up)' --probe 'sum(demo_queue_length)'
        check grep -q 'sum(demo_queue_length)' "$STORE"/prometheus/main/*/manifest.json
        check_status 0 restore
        check_status 1 backup --probe 'this is no query('
        check_says "parse error"
        nothing_left
}

instances_are_apart() {
        new_server
        run_server
        check backup --instance a
        check backup --instance b
        check_status 0 moonkeep backups --store "$STORE"
        check_says prometheus/a/
        check_says prometheus/b/
        check_status 2 backup --instance ../x
        check_status 2 backup --instance ""
}

several_streams_are_several_artifacts() {
        new_server
        run_server
        digests "$DATA" >"$SCRATCH/before"
        check backup --streams 3
        check test -e "$STORE"/prometheus/main/*/tsdb-1.tar.zst -a -e "$STORE"/prometheus/main/*/tsdb-3.tar.zst
        check_not compgen -G "$STORE/prometheus/main/*/tsdb.tar.zst"
        check_status 0 "$MOONKEEP" run prometheus.verify --store "$STORE" --state "$STATE"
        rm -rf "${DATA:?}"/01*
        check_status 0 restore --streams 2
        check diff "$SCRATCH/before" <(digests "$DATA" | grep -F -f <(cut -d' ' -f3 "$SCRATCH/before"))
        nothing_left

        # More than there are blocks.
        check backup --streams 16 --instance many
        check_not compgen -G "$STORE/prometheus/many/*/tsdb-16.tar.zst"
        check_status 2 backup --streams 17
}

scenario "a plan changes nothing" a_plan_changes_nothing
scenario "a systemd unit is stopped and started" a_systemd_unit_is_stopped_and_started
scenario "verbose shows what is asked" verbose_shows_what_is_asked
scenario "a stopped server needs no service" a_stopped_server_needs_no_service
scenario "the old data is kept, or not" the_old_data_is_kept_or_not
scenario "the configuration comes back on request, over nothing" the_configuration_comes_back_on_request
scenario "the files belong to whom they should" the_files_belong_to_whom_they_should
scenario "probes are recorded and asked again" probes_are_recorded_and_asked_again
scenario "instances are apart" instances_are_apart
scenario "several streams are several artifacts" several_streams_are_several_artifacts
