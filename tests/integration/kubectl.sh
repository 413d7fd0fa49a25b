#!/usr/bin/env bash
# The API server of the tests (tests/servers/kube_api) against the real kubectl: what
# kubectl does not understand, the real server would not have said.  KUBECTL names
# another one than that of the PATH; it has to be 1.28 or newer, and for commands in pods
# 1.31 or newer, which runs them over WebSocket.
# timeout: 300

# shellcheck source=tests/harness/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube.sh"

OLDEST_MINOR=28
OLDEST_MINOR_EXEC=31

# begin [OPTION...]: a server, and a kubectl that talks to it.
begin() {
        find_kubectl
        kube_start "$@"
        k wait --for=condition=Ready pod --all -A --timeout=30s
}

# find_kubectl [MINOR]: one of that minor version at least.
# shellcheck disable=SC2120 # mostly any will do
find_kubectl() {
        local minor oldest=${1:-$OLDEST_MINOR}
        needs jq
        KUBECTL=${KUBECTL:-$(command -v kubectl || :)}
        [ -n "$KUBECTL" ] || skip "needs kubectl"
        minor=$("$KUBECTL" version --client -o json 2>/dev/null | jq -r '.clientVersion.minor // empty' | tr -dc 0-9)
        [ "${minor:-0}" -ge "$oldest" ] || skip "needs a kubectl from 1.$oldest on"
}

k() {
        timeout 60 "$KUBECTL" "$@"
}

km() {
        k -n monitoring "$@"
}

# said WANT COMMAND...: that is all that it prints.
said() {
        local want=$1 got
        shift
        got=$("$@") || check_failed "status $? of: $*"
        check_equal "$got" "$want"
}

discovery() {
        begin
        check_status 0 k version -o json
        check_equal "$(jq -r .serverVersion.gitVersion "$SCRATCH/stdout")" v1.32.0
        check_status 0 k api-resources --no-headers
        check_contains "$SCRATCH/stdout" StatefulSet
        check_contains "$SCRATCH/stdout" VolumeSnapshot
        said "statefulset.apps/prometheus" km get sts -o name
        said "statefulset.apps/prometheus" km get statefulsets.v1.apps prometheus -o name
        check_status 0 k get vs -A
        check_status 1 k get nosuchkind
        check_says 'the server doesn'"'"'t have a resource type "nosuchkind"'
}

more_types() {
        cat >"$SCRATCH/objects" <<'JSON'
{"types": [{"group": "postgresql.cnpg.io", "version": "v1", "plural": "clusters", "kind": "Cluster",
            "shortNames": ["pgc"], "status": true}],
 "objects": [{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "a", "namespace": "x"}}]}
JSON
        find_kubectl
        kube_start --objects "$SCRATCH/objects"
        said cluster.postgresql.cnpg.io/a k -n x get pgc -o name
        check k -n x patch pgc a --type=merge --subresource=status -p '{"status":{"phase":"ok"}}'
        said ok k -n x get pgc a -o 'jsonpath={.status.phase}'
}

listing() {
        local name
        begin
        for name in one two three four five; do
                check k create configmap "$name" --from-literal="a=$name" >/dev/null
        done
        check k label configmap one two tier=front >/dev/null
        check k label configmap three tier=back >/dev/null
        said "one two" k get cm -l tier=front -o 'jsonpath={.items[*].metadata.name}'
        said "three" k get cm -l 'tier,tier!=front' -o 'jsonpath={.items[*].metadata.name}'
        said "one three two" k get cm -l 'tier in (front, back)' -o 'jsonpath={.items[*].metadata.name}'
        said "five four" k get cm -l '!tier' -o 'jsonpath={.items[*].metadata.name}'
        said "five four three" k get cm -l 'tier notin (front)' -o 'jsonpath={.items[*].metadata.name}'
        said "four" k get cm --field-selector metadata.name=four -o 'jsonpath={.items[*].metadata.name}'
        said "prometheus-0" km get pods --field-selector status.phase=Running,spec.nodeName=node-1 \
            -l app=prometheus -o 'jsonpath={.items[*].metadata.name}'
        check_status 1 k get pods --field-selector spec.nonsense=1
        check_says "field label not supported: spec.nonsense"
        said 5 sh -c "'$KUBECTL' get cm --chunk-size=2 -o name | wc -l"
        check_equal "$(kube_asked GET '/api/v1/namespaces/default/configmaps\?.*limit=2.*')" 3
        check_status 0 k get pods -A
        check_contains "$SCRATCH/stdout" "1/1     Running"
}

watching() {
        begin
        k get cm -w --output-watch-events -o json >"$SCRATCH/seen" &
        defer kill $!
        wait_for 20 grep -q '^GET /api/v1/namespaces/default/configmaps.*watch=true' "$KUBE_LOG"
        check k create cm a --from-literal=x=1
        check k label cm a y=1
        check k delete cm a
        wait_for 20 grep -q '"type":"DELETED"' "$SCRATCH/seen"
        check_equal "$(jq -r .type "$SCRATCH/seen" | xargs)" "ADDED MODIFIED DELETED"
}

writing() {
        begin
        printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: "1", b: "1"}\n' >c.yaml
        said "configmap/c created" k apply -f c.yaml
        said "configmap/c unchanged" k apply -f c.yaml
        printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: "2"}\n' >c.yaml
        said "configmap/c configured (server dry run)" k apply -f c.yaml --dry-run=server
        said '{"a":"1","b":"1"}' k get cm c -o 'jsonpath={.data}'
        said "configmap/c configured" k apply -f c.yaml
        said '{"a":"2"}' k get cm c -o 'jsonpath={.data}'
        said "configmap/c patched" k patch cm c --type=json -p '[{"op":"test","path":"/data/a","value":"2"},{"op":"add","path":"/data/z","value":"9"}]'
        check_status 1 k patch cm c --type=json -p '[{"op":"remove","path":"/data/none"}]'
        check k patch cm c --type=merge -p '{"data":{"a":null}}'
        said '{"z":"9"}' k get cm c -o 'jsonpath={.data}'
        check_status 1 k create cm c
        check_says "already exists"
        check_status 1 k create cm No_Name
        check_says "is invalid"
        check_status 1 k -n nowhere create cm c
        check_says 'namespaces "nowhere" not found'
        k get cm c -o json | jq '.metadata.resourceVersion = "1"' >old.json
        check_status 1 k replace -f old.json
        check_says "the object has been modified"
        said 'configmap "c" deleted' k delete cm c
        check_status 1 k delete cm c
        check_says "not found"
}

server_side_apply() {
        begin
        printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {a: "1", b: "1"}\n' >s.yaml
        said "configmap/s serverside-applied" k apply --server-side --field-manager=one -f s.yaml
        printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {a: "2"}\n' >t.yaml
        check_status 1 k apply --server-side --field-manager=two -f t.yaml
        check_says 'Apply failed with 1 conflict: conflict with "one" using v1: .data.a'
        check k apply --server-side --force-conflicts --field-manager=two -f t.yaml
        said '{"a":"2","b":"1"}' k get cm s -o 'jsonpath={.data}'
        # What its manager no longer applies goes; what is another's by now stays.
        printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {c: "1"}\n' >s.yaml
        check k apply --server-side --field-manager=one -f s.yaml
        said '{"a":"2","c":"1"}' k get cm s -o 'jsonpath={.data}'
}

workloads() {
        local before
        begin
        said "statefulset.apps/prometheus scaled" km scale sts prometheus --replicas=0
        check km wait --for=delete pod/prometheus-0 --timeout=20s
        check km wait --for=jsonpath='{.status.replicas}'=0 sts/prometheus --timeout=20s
        check km scale sts prometheus --replicas=2
        check km rollout status sts prometheus --timeout=20s
        said "prometheus-0 prometheus-1" km get pods -l app=prometheus -o 'jsonpath={.items[*].metadata.name}'
        said "2 2 2" km get sts prometheus -o 'jsonpath={.status.replicas} {.status.readyReplicas} {.status.updatedReplicas}'
        before=$(km get pod prometheus-0 -o 'jsonpath={.metadata.uid}')
        check km rollout restart sts prometheus
        check km rollout status sts prometheus --timeout=20s
        check test "$(km get pod prometheus-0 -o 'jsonpath={.metadata.uid}')" != "$before"
        before=$(km get pods -l app=web -o name)
        check km rollout restart deploy web
        check km rollout status deploy web --timeout=20s
        check km wait --for=jsonpath='{.status.replicas}'=2 deploy/web --timeout=20s
        check test "$(km get pods -l app=web -o name)" != "$before"
        check km scale deploy web --replicas=0
        check km wait --for=delete pod -l app=web --timeout=20s
        check km delete sts prometheus --cascade=orphan
        check km get pod prometheus-0
        check km get pvc data-prometheus-0
        check k create ns other
        check k -n other run p --image=x
        check k -n other wait --for=condition=Ready pod/p --timeout=20s
        check k delete ns other
        check_status 1 k get ns other
        check_status 0 km get events --field-selector involvedObject.name=prometheus
        check_says SuccessfulCreate
}

claims() {
        begin
        said Bound km get pvc data-prometheus-0 -o 'jsonpath={.status.phase}'
        check km delete pvc data-prometheus-0 --wait=false
        check km get pvc data-prometheus-0
        said kubernetes.io/pvc-protection km get pvc data-prometheus-0 -o 'jsonpath={.metadata.finalizers[*]}'
        check km scale sts prometheus --replicas=0
        check km wait --for=delete pvc/data-prometheus-0 --timeout=20s
        check_status 1 km get pvc data-prometheus-0
}

permissions() {
        cat >"$SCRATCH/objects" <<'JSON'
{"deny": [{"verb": "create", "resource": "pods", "subresource": "exec"}, {"verb": "delete", "resource": "secrets"}]}
JSON
        find_kubectl
        kube_start --objects "$SCRATCH/objects"
        said yes k auth can-i get pods
        check_status 1 k auth can-i create pods --subresource=exec
        check_status 1 k auth can-i delete secrets
        check_status 1 k delete secret s
        check_says 'secrets "s" is forbidden'
        # Over plain HTTP, kubectl sends no token.
        kube_start_tls --token right
        check k get ns
        sed -i 's/right/wrong/' "$KUBECONFIG"
        check_status 1 k get ns
        check_says "must be logged in to the server"
}

over_tls() {
        find_kubectl $OLDEST_MINOR_EXEC
        kube_start_tls --protocols v5
        check k wait --for=condition=Ready pod/box --timeout=20s
        said hello k exec box -- echo hello
        sed -i '/client-certificate/d' "$KUBECONFIG"
        check_status 1 k get ns
}

logs() {
        begin
        mkdir -p "$KUBE_ROOT/default/box"
        seq 1 1000 >"$KUBE_ROOT/default/box/log"
        said 1000 sh -c "'$KUBECTL' logs box | wc -l"
        said "999
1000" k logs box --tail=2
        check_status 1 k -n monitoring logs deploy/web -c none
        check_says "container none is not valid"
        k logs box -f --tail=0 >"$SCRATCH/followed" &
        defer kill $!
        wait_for 20 grep -q '^GET .*box/log.*follow=true' "$KUBE_LOG"
        echo more >>"$KUBE_ROOT/default/box/log"
        wait_for 20 grep -q more "$SCRATCH/followed"
}

commands() {
        find_kubectl $OLDEST_MINOR_EXEC
        begin
        said hello k exec box -- echo hello
        check_equal "$(kube_asked GET '.*/exec.*')" 1
        check_status 7 k exec box -- sh -c 'echo out; echo err >&2; exit 7'
        check_equal "$(cat "$SCRATCH/stdout")" out
        check_contains "$SCRATCH/stderr" err
        check_contains "$SCRATCH/stderr" "command terminated with exit code 7"
        check_status 137 k exec box -- sh -c 'kill -9 $$'
        check_status 1 k exec box -- nosuch
        check_says 'exec: "nosuch": executable file not found in '
        said abc sh -c "echo abc | '$KUBECTL' exec -i box -- cat"
        said "$KUBE_ROOT/default/box" k exec box -- pwd
        # More than any buffer on the way, both ways.
        head -c 30000000 /dev/urandom >big
        k exec -i box -- cat <big >back
        check cmp big back
        check_status 1 k exec nosuch -- true
        check_says 'pods "nosuch" not found'
        said both km exec deploy/web -c side -- echo both
}

files() {
        find_kubectl $OLDEST_MINOR_EXEC
        begin
        mkdir -p from/sub
        head -c 3000000 /dev/urandom >from/sub/big
        echo small >from/small
        check k cp from "box:$KUBE_ROOT/default/box/to"
        check cmp from/sub/big "$KUBE_ROOT/default/box/to/sub/big"
        check k cp "box:$KUBE_ROOT/default/box/to" back
        check diff -r from back
}

ports() {
        local port
        begin
        port=$(free_port)
        needs python3
        echo served >index.html
        python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1 &
        defer kill $!
        wait_for 20 sh -c "grep -qi ':$(printf %04X "$port") ' /proc/net/tcp"
        check k annotate pod box "test/port-9090=$port" >/dev/null
        said served k get --raw /api/v1/namespaces/default/pods/box:9090/proxy/index.html
        check_status 1 k get --raw /api/v1/namespaces/default/pods/box:1/proxy/
        check_says "connection refused"
        skip "the proxy works; kubectl forwards ports over SPDY only, which is not spoken here"
}

# The reason for proofs of one's own: what kubectl makes of a server that dies or lies.
lies() {
        find_kubectl $OLDEST_MINOR_EXEC
        begin --faults "$SCRATCH/faults"
        check_status 0 k exec box -- head -c 1000000 /dev/zero
        check_equal "$(wc -c <"$SCRATCH/stdout")" 300000
}

start_lying() {
        echo "GET */exec* every success stdout:300000" >"$SCRATCH/faults"
        lies
}

scenario "kubectl finds the resources of the server" discovery
scenario "types of the objects file are resources" more_types
scenario "kubectl lists by labels, fields and pages" listing
scenario "kubectl watches" watching
scenario "kubectl applies, patches, replaces and deletes" writing
scenario "kubectl applies server-side, with conflicts" server_side_apply
scenario "kubectl scales, restarts and deletes workloads" workloads
scenario "a claim stays as long as a pod uses it" claims
scenario "what is forbidden is forbidden" permissions
scenario "kubectl talks to it over TLS with a client certificate" over_tls
scenario "kubectl reads logs" logs
scenario "kubectl runs commands" commands
scenario "kubectl copies files both ways" files
scenario "kubectl reaches the ports of pods" ports
scenario "kubectl believes a lying server" start_lying
