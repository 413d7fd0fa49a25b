#!/usr/bin/env bash
# The Prometheus recipes against a pod without a shell, by way of a helper pod.
# timeout: 600
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_prometheus.sh
. "$(dirname "$0")/../harness/e2e_prometheus.sh"

without_a_shell() {
        need_image E2E_DISTROLESS_IMAGE
        make_prometheus "$E2E_DISTROLESS_IMAGE"
        check_status 1 backup
        check_says "has no shell in container prometheus"
        check_says "helper=IMAGE"
        check_equal "$(kube get pods -l moonkeep.dev/run -o name)" ""
        POD="$POD?helper=$E2E_IMAGE"
        check_status 0 backup -v
        check_says "acting through the helper pod"
        as_before 1
        check_status 0 restore
        as_before 1
        # An emptyDir is the pod's own.
        check_status 1 restore --data-dir /prometheus/scratch
        check_says 'lies in an emptyDir'
        as_before 1
}

scenario "a pod without a shell is reached by a helper pod, which goes" without_a_shell
