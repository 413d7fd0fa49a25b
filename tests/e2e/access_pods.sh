#!/usr/bin/env bash
# Which pod, and which container of it, on a real cluster: by workload, by labels, by number;
# and one that its workload replaces in the middle of a run.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_streams.sh
. "$(dirname "$0")/../harness/e2e_streams.sh"
# shellcheck source=tests/harness/e2e_access.sh
. "$(dirname "$0")/../harness/e2e_access.sh"

# container NAME: one that sleeps.
container() {
        echo "{\"name\": \"$1\", \"image\": \"$E2E_IMAGE\", \"imagePullPolicy\": \"$E2E_PULL\", \"env\": [{\"name\": \"WHO\",
            \"value\": \"$1\"}], \"command\": [\"sh\", \"-c\", \"trap 'exit 0' TERM; while :; do sleep 1; done\"]}"
}

# workload KIND NAME CONTAINERS [SPEC [ANNOTATIONS]]: its pods have the label app=NAME.
workload() {
        kube create -f - >/dev/null <<END
{"apiVersion": "apps/v1", "kind": "$1", "metadata": {"name": "$2"}, "spec": {${4:+$4, }
 "selector": {"matchLabels": {"app": "$2"}}, "template": {"metadata": {"labels": {"app": "$2"}, "annotations": {${5:-}}},
  "spec": {"terminationGracePeriodSeconds": 1, "containers": [$3]}}}}
END
}

# ask TARGET: POD/CONTAINER that a command ran in.
ask() {
        check_status 0 "${MK[@]}" run toy.who --target "$1" --json
        jq -r .result.who "$SCRATCH/stdout"
}

# says TARGET TEXT...: one error, with these.
says() {
        local text
        check_status "$1" "${MK[@]}" run toy.who --target "$2"
        one_error
        for text in "${@:3}"; do
                check_says "$text"
        done
}

begin() {
        make_namespace
        stream_recipes
        recipe_two
        cat >dev/recipes/toy/who.lua <<'END'
return recipe {
  summary = "Where does a command run?",
  params = { target = { "target", required = true, help = "where" } },
  steps = { { "ask", "Ask" } },
  example = "moonkeep run toy.who --target local:",
  run = function(ctx, p)
    return { who = ctx:step("ask", function()
      return (p.target:exec { argv = { "sh", "-c", "echo $(hostname)/$WHO" } }.stdout:gsub("%s+$", ""))
    end) }
  end,
}
END
}

names() {
        kube get pods -l "app=$1" -o name --sort-by=.metadata.name | sed 's|^pod/||'
}

found() {
        local all
        begin
        workload Deployment web "$(container main), $(container side)" '"replicas": 2'
        workload StatefulSet db "$(container main)" '"replicas": 2, "serviceName": "db", "podManagementPolicy": "Parallel"'
        workload DaemonSet each "$(container main), $(container side)" '' \
            '"kubectl.kubernetes.io/default-container": "side"'
        kube rollout status deploy/web --timeout=120s >/dev/null
        kube rollout status sts/db --timeout=120s >/dev/null
        kube rollout status ds/each --timeout=120s >/dev/null
        mapfile -t all < <(names web)
        says 2 "pod://$NAMESPACE/deploy/web" "has 2 pods: ${all[0]} (running, ready), ${all[1]} (running, ready)"
        says 2 "pod://$NAMESPACE/deploy/web?replica=0" "has the containers main, side" "container="
        says 1 "pod://$NAMESPACE/deploy/web?replica=0&container=none" 'no container "none"' "there are main, side"
        says 1 "pod://$NAMESPACE/deploy/web?replica=2&container=main" "has no replica 2"
        check_equal "$(ask "pod://$NAMESPACE/deploy/web?replica=1&container=main")" "${all[1]}/main"
        check_equal "$(ask "pod://$NAMESPACE?selector=app=web&replica=0&container=side")" "${all[0]}/side"
        says 2 "pod://$NAMESPACE?selector=app%20in%20(web)" "has 2 pods"
        says 1 "pod://$NAMESPACE?selector=app=none" "there is no pod for"
        says 2 "pod://$NAMESPACE/sts/db" "has 2 pods: db-0 (running, ready), db-1 (running, ready)"
        says 1 "pod://$NAMESPACE/sts/db?replica=2" "there is no replica 2" "numbers 0 to 1"
        check_equal "$(ask "pod://$NAMESPACE/sts/db?replica=1")" db-1/main
        check_equal "$(ask "pod://$NAMESPACE/db-0")" db-0/main
        says 1 "pod://$NAMESPACE/deploy/wed" "there is no deployment wed" "the deployment web"
        # One for each node; its default container.
        mapfile -t all < <(names each)
        check_equal "$(ask "pod://$NAMESPACE/ds/each?replica=0")" "${all[0]}/side"
}


# Between two steps the Deployment makes another pod.  (Without any grace the old one would run on for a
# moment when it is gone from the API.)
replaced() {
        local before after
        begin
        workload Deployment web "$(container main)" '"replicas": 1'
        kube rollout status deploy/web --timeout=120s >/dev/null
        before=$(names web)
        two_begins "pod://$NAMESPACE/deploy/web" /etc --file "$PWD/go-on" --json
        wait_for 60 test -e go-on.waiting
        kube delete pod "$before" >/dev/null
        touch go-on
        two_ends 0
        after=$(jq -r '.result.pods[1]' "$SCRATCH/stdout")
        check_equal "$(jq -r '.result.pods[0]' "$SCRATCH/stdout")" "$before"
        check test "$after" != "$before"
        check_equal "$(names web)" "$after"
        check_status 0 "$MOONKEEP" verify --store "$STORE" bench/main/latest
}

scenario "pods are found by their workload, their labels and their number" found
scenario "a pod that its Deployment replaces between two steps is found again" replaced
