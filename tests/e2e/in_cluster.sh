#!/usr/bin/env bash
# moonkeep in the cluster, as a CronJob with a service account: the manifests of the guide as they
# stand there, an image without a shell, backups and journals in a store that outlives the pods.
# timeout: 600
# stores: radosgw
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_prometheus.sh
. "$(dirname "$0")/../harness/e2e_prometheus.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"
# shellcheck source=tests/harness/image.sh
. "$(dirname "$0")/../harness/image.sh"
# shellcheck source=tests/harness/page.sh
. "$(dirname "$0")/../harness/page.sh"
# shellcheck source=tests/harness/e2e_job.sh
. "$(dirname "$0")/../harness/e2e_job.sh"

# snapshots: how many lie in the server's data.
snapshots() {
        kube exec prometheus-0 -- sh -c "ls $DATA/snapshots 2>/dev/null | wc -l"
}

# runs INSTANCE: how its runs ended, as their journals tell outside.
runs() {
        "$MOONKEEP" runs --state "$STATE" --json | jq -r --arg instance "$1" \
            '[.[] | select(.params.instance == $instance)] | sort_by(.run) | map(.status) | join(" ")'
}

# instance NAME [JQ]: what makes the job back up under this instance, once.
instance() {
        echo ".spec.backoffLimit = 0 | .spec.template.spec.containers[0].args += [\"--instance\", \"$1\"]${2:+ | $2}"
}

# killed: as by the kernel, for want of memory, when the copy is under way.  Its lock outlives it.
killed() {
        local uid pid
        job killed "$(instance killed)"
        wait_for 90 says killed "[6/9]"
        uid=$(kube get pods -l job-name=killed -o jsonpath='{.items[0].metadata.uid}')
        while IFS=/ read -r _ _ pid _; do
                [ "$(cat "/proc/$pid/comm")" != moonkeep ] || break
        done < <(grep -lsF "$uid" /proc/[0-9]*/cgroup)
        kill -KILL "$pid"
        KILLED_AT=$SECONDS
        job_ends killed Failed 60
        check_equal "$(exits killed)" 137
        wait_for 60 nothing_runs_on
        job soon "$(instance killed)"
        job_ends soon Failed 60
        check_equal "$(exits soon)" 4
        check says soon "prometheus/killed is in use by run"
        check says soon "its lock is free 120 s after its last renewal"
}

# nothing_runs_on: in the server's pod nothing of ours does.
nothing_runs_on() {
        ! kube exec prometheus-0 -- sh -c 'grep -l "[m]oonkeep" /proc/[0-9]*/cmdline'
}

# The one of the next night does its work beside what was left, which is then taken back.
taken_back() {
        local run left=$((KILLED_AT + 121 - SECONDS))
        [ $left -le 0 ] || sleep $left
        job next "$(instance killed)"
        job_ends next Complete 60
        check_equal "$(runs killed)" "interrupted failed ok"
        check_equal "$(snapshots)" 1
        run=$("$MOONKEEP" runs --state "$STATE" --json | jq -r '.[] | select(.status == "interrupted") | .run')
        job undo ".spec.template.spec.containers[0].args = [\"rollback\", \"$run\"]"
        job_ends undo Complete 60
        check says undo "Rolled back"
        check_equal "$(runs killed)" "rolled back failed ok"
        check_equal "$(snapshots)" 0
        check_equal "$("$MOONKEEP" backups --store "$STORE" --json prometheus/killed | jq -c 'map(.bad)')" '[null]'
}

# A drain tells the pod to end: it undoes, and the job's next pod, which may begin meanwhile, does it again.
told_to_end() {
        job drained "$(instance drained ".spec.backoffLimit = 6")"
        wait_for 90 says drained "[6/9]"
        kube logs -f job/drained >drained.log &
        kube delete pod -l job-name=drained >/dev/null
        wait $!
        check_contains drained.log "undone: remove the incomplete backup from the store"
        check_contains drained.log "Cancelled in"
        job_ends drained Complete 90
        check grep -qxE 'cancelled( failed)* ok' <(runs drained)
}

# Without the right to act in pods.
forbidden() {
        rights few 'if .kind == "Role" then .rules |= map(select(.resources != ["pods/exec"])) else . end'
        job forbidden "$(instance forbidden '.spec.template.spec.serviceAccountName = "few"')"
        job_ends forbidden Failed 90
        check_equal "$(exits forbidden)" 1
        kube logs job/forbidden >forbidden.log
        check_equal "$(grep '^moonkeep: ' forbidden.log | grep -vc '^moonkeep: warning: ')" 1
        check_contains forbidden.log "may not"
        check_contains forbidden.log "pods/exec"
        # For kubectl describe.
        check_contains <(kube get pods -l job-name=forbidden \
            -o jsonpath='{.items[0].status.containerStatuses[0].state.terminated.message}') "pods/exec"
        check no_helper
        check_equal "$("$MOONKEEP" store list --store "$STORE" --all | grep -c /forbidden/2)" 0
}

from_outside() {
        check_equal "$(runs main)" ok
        check_status 0 "$MOONKEEP" verify --store "$STORE" --state "$STATE" --encrypt-key file:backup.key prometheus/main/latest
        check_status 0 restore --encrypt-key file:backup.key
        as_before 1
}

in_the_cluster() {
        need_image E2E_PROMETHEUS_IMAGE
        make_prometheus "$E2E_PROMETHEUS_IMAGE"
        make_image
        store_for_pods 'PUT */prometheus/killed/*/tsdb* first:1 stall 600 head' \
            'PUT */prometheus/drained/*/tsdb* first:1 stall 600 head'
        STATE=${STORE/some\/prefix/state}
        rights
        cron_job
        killed
        kube create job --from=cronjob/moonkeep-prometheus by-hand >/dev/null
        job_ends by-hand Complete 90
        check says by-hand "Done in"
        kube logs job/by-hand >by-hand.log
        check_no_secret by-hand.log
        told_to_end
        forbidden
        taken_back
        from_outside
        check_not grep -q "$(cat backup.key)" ./*.log
}

scenario "a CronJob backs up; killed, drained or without rights it leaves nothing that is not told" in_the_cluster
