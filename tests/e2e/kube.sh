#!/usr/bin/env bash
# The module kube on a real cluster, beside what kubectl says of it.
# timeout: 600
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/kube_lua.sh
. "$(dirname "$0")/../harness/kube_lua.sh"

all_functions() {
        make_namespace
        kube_cases ""
}

# Each kind by each of its names leads to the group and version that kubectl takes.
kinds() {
        make_namespace
        kubectl api-resources --no-headers --verbs=list -o wide >kinds
        kubectl api-resources --no-headers --verbs=list -o name >names
        # NAME [SHORTNAMES] APIVERSION NAMESPACED KIND VERBS
        awk '{ at = ($3 == "true" || $3 == "false") ? 2 : 3; print $1, $at, $(at + 2), (at == 3 ? $2 : "-") }' kinds >table
        kube_do "
  local lines = {}
  for line in require('_fs').read('$PWD/table', 1000000):gmatch('[^\n]+') do
    local plural, version, kind = line:match('^(%S+) (%S+) (%S+)')
    local group = version:match('^(.*)/') or ''
    local found = cluster:resource(group ~= '' and plural .. '.' .. group or plural .. '/v1')
    lines[#lines + 1] = ('%s %s %s'):format(found.plural, found:api_version(), found.kind)
  end
  return table.concat(lines, '\n')"
        jq -r . <<<"$SAID" >ours
        # An older version of a group may be listed, too: kubectl takes the first.
        awk '{ print $1, $2, $3 }' table >theirs
        diff theirs ours
        check test "$(wc -l <ours)" -gt 25
        # Bare and short names are those of the first group that kubectl finds.
        local name typed
        for name in po deploy sts ds rs cm svc sa ns no pv pvc ing hpa cj crd events jobs roles sc pdb; do
                typed=$(kubectl get "$name" -A -v=6 2>&1 | grep -oE 'GET https?://[^ ?]+' | tail -n 1 | sed -E 's#GET https?://[^/]*##')
                kube_do "return cluster:resource('$name'):path()"
                check_equal "$name $(jq -r . <<<"$SAID")" "$name $typed"
        done
}

# listed KIND: what kubectl lists, in all namespaces.
listed() {
        kubectl get "$1" -A -o json | jq -r '.items[].metadata | "\(.namespace) \(.name) \(.uid)"' | sort
}

lists() {
        local kind
        make_namespace
        for kind in pods nodes namespaces services clusterroles deployments.apps serviceaccounts; do
                listed "$kind" >before
                kube_do "
  local lines = {}
  cluster:each('$kind', { all = true, limit = 3 }, function(object)
    local meta = object.metadata
    lines[#lines + 1] = ('%s %s %s'):format(meta.namespace or 'null', meta.name, meta.uid)
  end)
  return json.array(lines)"
                jq -r '.[]' <<<"$SAID" | sort >ours
                # Others may come and go meanwhile.
                listed "$kind" >behind
                check_equal "$(comm -23 <(comm -12 before behind) ours)" ""
                check_equal "$(comm -13 <(sort -u before behind) ours | grep -F "$NAMESPACE")" ""
                check_equal "$(uniq -d ours)" ""
        done
}

# The same value by the same path.
paths() {
        local path
        make_namespace
        start_pod one '"app": "x", "a.b/c": "d"'
        while IFS= read -r path; do
                kube_do "
  local paths = require 'kube.jsonpath'
  local parts = {}
  for _, value in ipairs(paths.values(paths.parse([==[$path]==]), cluster:get('pod', 'one'))) do
    parts[#parts + 1] = paths.text(value)
  end
  return table.concat(parts, ' ')"
                check_equal "$path $(jq -r . <<<"$SAID")" "$path $(kube get pod one -o "jsonpath=$path")"
        done <<'END'
{.status.phase}
{.metadata.labels.app}
{.metadata.labels['a\.b/c']}
{.metadata.labels.a\.b/c}
{.spec.containers[0].name}
{.spec.containers[-1].command[0]}
{.spec.containers[*].name}
{.status.conditions[?(@.type=="Ready")].status}
{.status.conditions[?(@.status=="True")].type}
{.status.conditions[*].type}
{.spec.terminationGracePeriodSeconds}
{.status.containerStatuses[0].ready}
{.status.containerStatuses[0].restartCount}
{.spec.nodeSelector}
END
}

deployment() {
        cat <<END
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "$1"}, "spec": {"replicas": 1,
 "selector": {"matchLabels": {"app": "$1"}}, "template": {"metadata": {"labels": {"app": "$1"}},
  "spec": {"terminationGracePeriodSeconds": 0${3:+, $3}, "containers": [{"name": "main", "image": "$E2E_IMAGE",
   "imagePullPolicy": "$E2E_PULL", "command": $2}]}}}}
END
}

# The kubelet may have no log of a container that it has just replaced.
last_words() {
        kube_do 'return cluster:logs((cluster:list("pod", { selector = "app=crash" }))[1].metadata.name, { previous = true })'
        [ "$SAID" = '"last words\n"' ]
}

# Why a rollout does not end is in its error, long before its time is over.
troubles() {
        make_namespace
        deployment crash '["sh", "-c", "echo last words; exit 3"]' | kube create -f -
        deployment lost '["sleep", "1000"]' '"nodeSelector": {"no/such": "node"}' | kube create -f -
        deployment image '["sleep", "1000"]' | sed "s#\"$E2E_IMAGE\"#\"registry.invalid/nonesuch\"#" | kube create -f -
        deployment command '["/no/such/program"]' | kube create -f -
        kube_refused 'cluster:rollout_status("deploy", "lost", { patience_ms = 1000, limit_ms = 60000 })'
        said "error timeout: deployment.apps \"lost\" in namespace \"$NAMESPACE\" does not come up (context" \
            "finds no node: " "nodes are available" "0 of 1 replicas are available"
        kube_refused 'cluster:rollout_status("deploy", "image", { patience_ms = 1000, limit_ms = 60000 })'
        said 'container "main": ' Image "describe pod image-"
        kube_refused 'cluster:rollout_status("deploy", "crash", { patience_ms = 1000, limit_ms = 60000 })'
        said 'container "main": CrashLoopBackOff' "it ended with status 3" "its last words: kubectl -n $NAMESPACE logs crash-"
        kube_refused 'cluster:rollout_status("deploy", "command", { patience_ms = 1000, limit_ms = 60000 })'
        said 'container "main": ' "/no/such/program"
        wait_for 60 last_words
        # A pod that was in trouble is no reason against what replaces it.
        kube patch deployment crash --type=json \
            -p '[{"op": "replace", "path": "/spec/template/spec/containers/0/command", "value": ["sleep", "1000"]}]'
        kube_do 'return cluster:rollout_status("deploy", "crash", { patience_ms = 1000, limit_ms = 60000 }).status.availableReplicas'
        check_equal "$SAID" 1
        check kube rollout status deployment/crash --timeout=1s
        kube_refused 'cluster:wait("deploy", "lost", { condition = "Available", limit_ms = 1000 })'
        said "to have the condition Available: Available is False (MinimumReplicasUnavailable"
        kube_do 'local pod = (cluster:list("pod", { selector = "app=lost" }))[1]
  for _, event in ipairs(cluster:events(pod)) do if event.reason == "FailedScheduling" then return event.type end end'
        check_equal "$SAID" '"Warning"'
}

workload() {
        cat <<END
{"apiVersion": "apps/v1", "kind": "$1", "metadata": {"name": "$2"}, "spec": {${3:+$3, }
 "selector": {"matchLabels": {"app": "$2"}}, "template": {"metadata": {"labels": {"app": "$2"}},
  "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": "$E2E_IMAGE",
   "imagePullPolicy": "$E2E_PULL", "command": ["sh", "-c", "while :; do sleep 1; done"]}]}}}}
END
}

images() {
        kube get pods -l "app=$1" -o json | jq -r '.items[].metadata | "\(.name) \(.annotations["kubectl.kubernetes.io/restartedAt"] != null)"' | sort | xargs
}

# Update strategies that leave pods as they are do not make a rollout endless.
strategies() {
        make_namespace
        workload StatefulSet part '"replicas": 3, "serviceName": "part", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}' | kube create -f -
        workload StatefulSet ondelete '"replicas": 1, "serviceName": "ondelete", "updateStrategy": {"type": "OnDelete"}' | kube create -f -
        workload DaemonSet each | kube create -f -
        kube_do 'for _, name in ipairs { "part", "ondelete" } do cluster:rollout_status("sts", name, { limit_ms = 90000 }) end
  cluster:rollout_status("ds", "each", { limit_ms = 60000 })
  cluster:restart("sts", "part")
  cluster:restart("sts", "ondelete")
  cluster:restart("ds", "each")
  for _, name in ipairs { "part", "ondelete" } do cluster:rollout_status("sts", name, { limit_ms = 90000 }) end
  cluster:rollout_status("ds", "each", { limit_ms = 60000 })'
        check_equal "$SAID" null
        check_equal "$(images part)" "part-0 false part-1 false part-2 true"
        check_equal "$(images ondelete)" "ondelete-0 false"
        check kube rollout status statefulset/part --timeout=1s
        check kube rollout status daemonset/each --timeout=1s
        check_not grep -q false <(images each)
}

# A user with few rights: what is missing is told at once, and how it is granted.
few_rights() {
        local token
        make_namespace
        start_pod one
        kube create serviceaccount few
        kube create role few --verb=get,list --resource=pods
        kube create rolebinding few --role=few --serviceaccount="$NAMESPACE:few"
        token=$(kube create token few --duration=1h)
        kubectl config view --raw --minify -o json | jq --arg token "$token" '.users[0].user = {token: $token}' >few.json
        chmod 600 few.json
        export KUBECONFIG=$PWD/few.json
        check_equal "$(kube auth can-i get pods) $(kube auth can-i delete pods)" "yes no"
        kube_do 'return json.array { (cluster:can("get", "pod")), (cluster:can("delete", "pod")), (cluster:can("get", "pod", { subresource = "log" })) }'
        check_equal "$SAID" '[true,false,false]'
        kube_refused 'cluster:preflight { { "get", "pod" }, { "create", "pod", subresource = "exec" }, { "patch", "sts" } }'
        said "error permission: " "create pods/exec in namespace \"$NAMESPACE\"" "patch statefulsets.apps in namespace" \
            '{apiGroups: ["apps"], resources: [statefulsets], verbs: [patch]}'
        kube_refused 'cluster:delete("pod", "one")'
        said "error permission: cannot delete pod \"one\" in namespace \"$NAMESPACE\" (context" \
            "kubectl -n $NAMESPACE create role NAME --verb=delete --resource=pods"
        # May list, may not watch.
        kube_do 'return cluster:wait("pod", "one", { condition = "Ready", limit_ms = 30000 }).metadata.name'
        check_equal "$SAID" '"one"'
        kube_refused 'cluster:wait("pod", "one", { condition = "Initialized=False", limit_ms = 1500 })'
        said "error timeout: " "Initialized is True"
        kube_do 'return cluster:identity().by'
        check_not test "$SAID" = '"namespace kube-system"'
        kube_refused 'cluster:raw { path = "/version" } cluster:list("nodes")'
        said "cannot list nodes (context" "kubectl create clusterrole NAME --verb=list --resource=nodes"
}

# In a plan the server refuses what it would refuse.
dry_runs() {
        make_namespace
        kube_do 'local plan = require("recipe.plan").new(function() end)
  require("effect").with({ plan = plan }, function()
    cluster:create { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "x" } }
    cluster:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "mk-e2e-never" } }
    cluster:create({ apiVersion = "v1", kind = "ConfigMap", metadata = { name = "x" } }, { namespace = "mk-e2e-never" })
  end)
  return #plan.entries'
        check_equal "$SAID" 3
        check_equal "$(kubectl get namespace mk-e2e-never --ignore-not-found -o name)$(kube get configmap x --ignore-not-found -o name)" ""
        kube_refused 'require("effect").with({ plan = require("recipe.plan").new(function() end) }, function()
    cluster:create { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "Not_Valid" } }
  end)'
        said "error invalid: as a dry run: cannot create configmap \"Not_Valid\""
}

# A Secret that the server refuses is not shown.
secrets() {
        make_namespace
        kube_refused 'cluster:create { apiVersion = "v1", kind = "Secret", metadata = { name = "x" }, data = { word = "hunter2 hunter2" } }'
        said 'cannot create secret "x"'
        case $SAID in
        *hunter2*) check_failed "$SAID" ;;
        esac
        kube_refused 'cluster:create { apiVersion = "v1", kind = "Secret", metadata = { name = "x" }, data = { ["not valid"] = "aHVudGVyMg==" } }'
        case $SAID in
        *aHVu*) check_failed "$SAID" ;;
        esac
        kube create secret generic y --from-literal=word=hunter2
        kube_refused 'cluster:wait("secret", "y", { path = ".data.word", value = "c2VzYW1l", limit_ms = 300 })'
        case $SAID in
        *aHVu* | *c2Vz*) check_failed "$SAID" ;;
        esac
}

scenario "every function keeps its promise" all_functions
scenario "kinds are those that kubectl takes" kinds
scenario "lists hold what kubectl lists, page by page" lists
scenario "paths lead where kubectl's lead" paths
scenario "a rollout that gets nowhere says why, early" troubles
scenario "update strategies are judged as kubectl does" strategies
scenario "a user with few rights is told all that is missing" few_rights
scenario "a plan asks the server, and changes nothing" dry_runs
scenario "a Secret is in no message" secrets
