#!/usr/bin/env bash
# The module kube against the tests' own API server: each function, and what servers and
# the connections to them do wrong.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_lua.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube_lua.sh"

# begin [RULE...]: a server with these faults, and a namespace.
begin() {
        export NAMESPACE=shop
        printf '%s\n' "$@" >"$SCRATCH/faults"
        kube_start --faults "$SCRATCH/faults"
        kube_do 'cluster:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "shop" } }'
        check_equal "$SAID" null
}

map() {
        echo "{ apiVersion = 'v1', kind = 'ConfigMap', metadata = { name = '$1', labels = { made = 'here' } }, data = { a = '1' } }"
}

all_functions() {
        begin
        kube_cases ""
}

# The same while each byte comes by itself, and over TLS with a certificate of our own.
slowly() {
        begin "* */configmaps* every trickle"
        kube_cases objects
        kube_cases fields
        kube_cases happens
}

over_tls() {
        export NAMESPACE=shop
        kube_start_tls --token sesame
        kube_do 'cluster:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "shop" } }'
        check_equal "$SAID" null
        kube_cases objects
        kube_cases happens
        sed -i 's/sesame/other/' "$KUBECONFIG"
        kube_refused 'return cluster:get("cm", "x")'
        said "error credentials: "
}

# Reads outlive a server that is busy or breaks off; changes are not made twice.
reads_again() {
        local fault
        for fault in "status 429 TooManyRequests Retry-After: 1" "status 503 ServiceUnavailable" "status 504 Timeout" \
                "close head" "reset head" "close answer-head" "close answer-body:20"; do
                begin "GET */configmaps/x* first:2 $fault"
                kube_do "cluster:create($(map x)) return cluster:get('cm', 'x').data.a"
                check_equal "$fault: $SAID" "$fault: \"1\""
                check_equal "$fault: $(kube_asked GET '/api/v1/namespaces/shop/configmaps/x')" "$fault: 3"
                kill "$KUBE_PID"
        done
}

changes_once() {
        begin "PATCH */configmaps/busy* first:2 status 429 TooManyRequests Retry-After: 0" \
            "PATCH */configmaps/done* every close done" "PATCH */configmaps/away* every status 503 ServiceUnavailable" \
            "DELETE */configmaps/done* every reset done" "POST */configmaps* nth:5 close done"
        kube_do "for _, name in ipairs { 'busy', 'done', 'away', 'x' } do
    local object = $(map x)
    object.metadata.name = name
    cluster:create(object)
  end
  return cluster:patch('cm', 'busy', { data = { a = '2' } }).data.a"
        check_equal "$SAID" '"2"'
        check_equal "$(kube_asked PATCH '.*/busy.*')" 3
        kube_refused "cluster:patch('cm', 'done', { data = { a = '2' } })"
        said 'cannot patch configmap "done" in namespace "shop" (context "test")'
        check_equal "$(kube_asked PATCH '.*/done.*')" 1
        kube_do "return cluster:get('cm', 'done').data.a"
        check_equal "$SAID" '"2"'
        kube_refused "cluster:patch('cm', 'away', { data = { a = '2' } })"
        check_equal "$(kube_asked PATCH '.*/away.*')" 1
        kube_refused "cluster:delete('cm', 'done')"
        check_equal "$(kube_asked DELETE '.*/done.*')" 1
        kube_refused "cluster:create($(map new))"
        check_equal "$(kube_asked POST '/api/v1/namespaces/shop/configmaps.*')" 5
}

# A server that is not there yet, or away for some time.
comes_back() {
        local port
        begin
        port=${KUBE_URL##*:}
        kill "$KUBE_PID"
        wait "$KUBE_PID" || :
        (
                sleep 1
                exec "$OUT/servers/kube_api" --port "$port" --objects "$KUBE_DIR/objects" --root "$KUBE_ROOT" >"$KUBE_DIR/again"
        ) &
        defer kill $!
        # A change, too: no connection was made.
        kube_do 'cluster:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "shop" } }
  return cluster:get("ns", "shop").metadata.name'
        check_equal "$SAID" '"shop"'
}

stays_away() {
        begin
        kill "$KUBE_PID"
        wait "$KUBE_PID" || :
        kube_do 'cluster.pace = { first_ms = 10, longest_ms = 50, limit_ms = 500 }
  local ok, e = pcall(cluster.get, cluster, "pod", "x")
  return e.code .. ": " .. e.message'
        said "network: cannot list what is served at /api/v1 (context" "tried " "Connection refused"
}

# Answers that are none.
nonsense() {
        begin "GET */configmaps/garbage* every garbage 200" "GET */configmaps/elsewhere* every redirect http://127.0.0.1:1/" \
            "GET */configmaps/broken* every garbage 500" "GET */secrets/x* every garbage 200" \
            "GET */configmaps/denied* every status 403 Forbidden" "GET */configmaps/teapot* every status 418 -"
        kube_refused 'cluster:get("cm", "garbage")'
        said 'error protocol: cannot get configmap "garbage"' "the server's answer is no JSON"
        kube_refused 'cluster:get("cm", "elsewhere")'
        said 'cannot get configmap "elsewhere"'
        kube_refused 'cluster:get("cm", "broken")'
        said 'error http: cannot get configmap "broken"'
        kube_refused 'cluster:get("cm", "denied")'
        said 'error permission: cannot get configmap "denied"' "--verb=get --resource=configmaps"
        kube_refused 'cluster:get("cm", "teapot")'
        said "418"
}

# Pages that the server forgot begin anew.
forgotten_pages() {
        begin "GET */configmaps*continue=* first:2 status 410 Expired"
        kube_do "for index = 1, 7 do
    local object = $(map x)
    object.metadata.name = 'x' .. index
    cluster:create(object)
  end
  local seen = 0
  cluster:each('cm', { limit = 3, selector = 'made=here' }, function() seen = seen + 1 end)
  return json.array { seen, #(cluster:list('cm', { limit = 3, selector = 'made=here' })) }"
        check_equal "$SAID" '[7,7]'
}

# Whatever ends a watch, each change is told once, in its order.
watches() {
        local fault
        for fault in "end events:1" "close events:1" "reset events:2" "close answer-head" "event gone 2" "event twice 1" \
                "status 410 Expired" "status 429 TooManyRequests" "status 503 ServiceUnavailable" "close head"; do
                begin "GET */configmaps*watch=1* first:3 $fault"
                case $fault in
                *gone* | *410*)
                        FORGETS=1 kube_cases happens
                        # A list, a watch, and a list again: all may have happened by then.
                        check test "$(kube_asked GET '.*/configmaps[?].*')" -ge 3
                        ;;
                *)
                        kube_cases happens
                        [ "$fault" = "event twice 1" ] ||
                                check test "$(kube_asked GET '.*/configmaps.*watch=1.*')" -ge 2
                        ;;
                esac
                kill "$KUBE_PID"
        done
        begin "GET */configmaps*watch=1* every event garbage 2"
        kube_refused "local count = 0
  cluster:create($(map x))
  cluster:watch('cm', { synced = function()
    cluster:patch('cm', 'x', { data = { a = '2' } })
    cluster:patch('cm', 'x', { data = { a = '3' } })
  end }, function() count = count + 1 return count > 5 end)"
        said "error protocol: cannot watch configmaps in namespace \"shop\""
}

# A watch that says nothing does not outlast the limit of a wait.
silence() {
        begin "GET */pods*watch=1* every stall 60 events:0" "GET */events* every status 403 Forbidden"
        kube_refused 'cluster:wait("pod", "none", { condition = "Ready", limit_ms = 500 })'
        said 'error timeout: waited 0 s for pod "none" in namespace "shop" (context "test") to have the condition Ready: it does not exist'
}

# Rights that are missing.
denied() {
        export NAMESPACE=monitoring
        { kube_objects | jq -c '. + {deny: [{verb: "watch", resource: "pods"}, {verb: "delete"}, {verb: "get", resource: "namespaces"},
            {verb: "create", resource: "pods", subresource: "exec"}]}'; } >"$SCRATCH/objects"
        kube_start --objects "$SCRATCH/objects"
        kube_do 'return cluster:wait("pod", "prometheus-0", { condition = "Ready", limit_ms = 20000 }).metadata.name'
        check_equal "$SAID" '"prometheus-0"'
        kube_refused 'cluster:preflight { { "get", "pod" }, { "create", "pod", subresource = "exec" }, { "delete", "sts" } }'
        said "error permission: " "create pods/exec in namespace \"monitoring\"; delete statefulsets.apps in namespace \"monitoring\""
        kube_refused 'cluster:delete("pod", "prometheus-0")'
        said 'error permission: cannot delete pod "prometheus-0"' "--verb=delete --resource=pods"
        kube_refused 'require("effect").with({ plan = require("recipe.plan").new(function() end) }, cluster.delete, cluster, "pod", "x")'
        said 'error permission: as a dry run: cannot delete pod "x"'
        kube_do 'return cluster:identity().by'
        check_not test "$SAID" = '"namespace kube-system"'
}

scenario "every function keeps its promise" all_functions
scenario "every byte may come by itself" slowly
scenario "over TLS, with a certificate and a token" over_tls
scenario "a read outlives a server that is busy or breaks off" reads_again
scenario "a change is not made twice" changes_once
scenario "a server that comes back is waited for" comes_back
scenario "a server that stays away is told" stays_away
scenario "answers that are none are told" nonsense
scenario "pages that the server forgot begin anew" forgotten_pages
scenario "whatever ends a watch, each change is told once" watches
scenario "silence does not outlast the limit of a wait" silence
scenario "what is denied is told, or done without" denied
