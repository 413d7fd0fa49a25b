#!/usr/bin/env bash
# What the other scenarios on a cluster stand on: a namespace of one's own with a pod in it.
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"

a_pod_runs() {
        make_namespace
        start_pod one '"app": "x"'
        check_equal "$(kube get pods -l app=x -o name)" pod/one
        check_equal "$(kube logs one)" started
        check_equal "$(kube exec one -- echo hello)" hello
}

scenario "a pod runs in a namespace of the scenario's own" a_pod_runs
