#!/usr/bin/env bash
# What a kubeconfig, or a pod's service account, says of the way to a cluster: for requests
# and for commands in pods, over real connections.
# shellcheck source=tests/harness/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/lib.sh"
# shellcheck source=tests/harness/kube.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube.sh"
# shellcheck source=tests/harness/kube_pod.sh
. "$(dirname "${BASH_SOURCE[0]}")/../harness/kube_pod.sh"

# begin [OPTION...]: a server that wants a token, behind TLS with the options; PORT.
begin() {
        kube_start --token sesame
        "$OUT/servers/tls_front" --ca "$KUBE_DIR/ca.pem" --clients "$KUBE_DIR" --log "$SCRATCH/handshakes" "$@" \
            "${KUBE_URL##*:}" >"$KUBE_DIR/front" &
        defer kill $!
        PORT=$(kube_port "$KUBE_DIR/front")
        pod_program
}

# proxy [OPTION...]: one that companies have; PROXY, and what it was asked for in proxied.
proxy() {
        "$OUT/servers/connect_proxy" --log "$SCRATCH/proxied" "$@" >"$SCRATCH/proxy" &
        defer kill $!
        PROXY=http://127.0.0.1:$(kube_port "$SCRATCH/proxy")
}

# works: a request, and a command in a pod.
works() {
        check_status 0 "${MK[@]}" run bench.exec --target pod://default/box
        check test "$(kube_asked GET '.*/exec.*')" -gt 0
}

fails() {
        check_status 1 "${MK[@]}" run bench.exec --target pod://default/box
        one_error
        check_says "$1"
}

base64_of() {
        base64 -w 0 <"$1"
}

# All of it as data in one file, which may be anywhere.
data_in_the_file() {
        begin --require yes
        kube_write_config "$KUBECONFIG" "https://127.0.0.1:$PORT" \
            ", certificate-authority-data: $(base64_of "$KUBE_DIR/ca.pem")" \
            "client-certificate-data: $(base64_of "$KUBE_DIR/one.pem"), client-key-data: $(base64_of "$KUBE_DIR/one.key"), token: sesame"
        works
        check_equal "$(sort -u "$SCRATCH/handshakes")" "- one"
        kube_write_config "$KUBECONFIG" "https://127.0.0.1:$PORT" \
            ", certificate-authority-data: $(base64_of "$KUBE_DIR/ca.pem")" "token: sesame"
        fails "certificate"
}

# Clusters, users and contexts from three files.
merged_files() {
        begin
        cat >contexts <<YAML
apiVersion: v1
kind: Config
contexts: [{name: a, context: {cluster: nowhere, user: me}}, {name: b, context: {cluster: here, user: me}}]
current-context: a
YAML
        mkdir clusters users
        cp "$KUBE_DIR/ca.pem" clusters/
        cat >clusters/config <<YAML
clusters:
- {name: here, cluster: {server: "https://127.0.0.1:$PORT", certificate-authority: ca.pem}}
- {name: nowhere, cluster: {server: "https://127.0.0.1:$(free_port)", certificate-authority: ca.pem}}
YAML
        echo sesame >users/token
        echo 'users: [{name: me, user: {tokenFile: token}}, {name: other, user: {token: nothing}}]' >users/config
        export KUBECONFIG=$PWD/contexts:$PWD/missing:$PWD/clusters/config:$PWD/users/config
        check_status 0 "${MK[@]}" run bench.exec --target 'pod://default/box?context=b'
        ! command -v kubectl >/dev/null || check_status 0 kubectl --context b get pod box
}

server_name() {
        local ca=", certificate-authority: \"$SCRATCH/ca.pem\""
        begin --name DNS:api.example
        cp "$KUBE_DIR/ca.pem" "$SCRATCH/ca.pem"
        kube_write_config "$KUBECONFIG" "https://127.0.0.1:$PORT" "$ca, tls-server-name: api.example" "token: sesame"
        works
        check_equal "$(sort -u "$SCRATCH/handshakes")" "api.example -"
        kube_write_config "$KUBECONFIG" "https://127.0.0.1:$PORT" "$ca" "token: sesame"
        fails "certificate"
        kube_write_config "$KUBECONFIG" "https://127.0.0.1:$PORT" "$ca, tls-server-name: other.example" "token: sesame"
        fails "certificate"
}

# The name of the server is the proxy's to know.
through_a_proxy() {
        begin --name DNS:api.example
        proxy
        kube_write_config "$KUBECONFIG" "https://api.example:$PORT" \
            ", certificate-authority: \"$KUBE_DIR/ca.pem\", proxy-url: \"$PROXY\"" "token: sesame"
        works
        check_equal "$(sort -u "$SCRATCH/proxied")" "CONNECT api.example:$PORT 200"
        # That of the environment, unless the cluster has its own; and those who need none.
        kube_write_config "$KUBECONFIG" "https://api.example:$PORT" ", certificate-authority: \"$KUBE_DIR/ca.pem\"" "token: sesame"
        : >"$SCRATCH/proxied"
        export HTTPS_PROXY=$PROXY
        works
        check test -s "$SCRATCH/proxied"
        NO_PROXY=.example fails "api.example"
}

proxy_with_a_password() {
        begin --name DNS:api.example
        proxy --user "me:hunter2"
        kube_write_config "$KUBECONFIG" "https://api.example:$PORT" \
            ", certificate-authority: \"$KUBE_DIR/ca.pem\", proxy-url: \"http://me:hunter2@${PROXY#http://}\"" "token: sesame"
        works
        check_lacks "$SCRATCH/stderr" hunter2
        kube_write_config "$KUBECONFIG" "https://api.example:$PORT" \
            ", certificate-authority: \"$KUBE_DIR/ca.pem\", proxy-url: \"http://me:hunter3@${PROXY#http://}\"" "token: sesame"
        fails 407
        check_lacks "$SCRATCH/stderr" hunter3
}

# Asked once for all of a run.
plugin() {
        begin
        cat >plugin <<SH
#!/bin/sh
echo >>"$PWD/asked"
echo '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
  "status": {"token": "sesame", "expirationTimestamp": "2099-01-01T00:00:00Z"}}'
SH
        chmod 755 plugin
        kube_write_config "$KUBECONFIG" "https://127.0.0.1:$PORT" ", certificate-authority: \"$KUBE_DIR/ca.pem\"" \
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: \"$PWD/plugin\", interactiveMode: Never}"
        works
        check_equal "$(wc -l <asked)" 1
        sed -i 's/"token": "sesame"/"token": "hunter2"/' plugin
        fails "log in again"
        check_lacks "$SCRATCH/stderr" hunter2
}

# The files of a pod, where they are in one; nobody else sees them.
in_the_cluster() {
        begin
        needs_root
        needs unshare
        unshare -m true 2>/dev/null || skip "may not have mounts of its own"
        mkdir account
        cp "$KUBE_DIR/ca.pem" account/ca.crt
        printf sesame >account/token
        printf default >account/namespace
        unset KUBECONFIG
        export HOME=$PWD KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=$PORT
        # shellcheck disable=SC2016 # for the inner shell
        printf '%s\n' '#!/bin/sh' 'mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io &&' \
            'cp -r account /run/secrets/kubernetes.io/serviceaccount && exec "$@"' >inside
        chmod 755 inside
        MK=(unshare -m ./inside "${MK[@]}")
        works
        printf other >account/token
        fails "log in again"
        rm account/token
        fails "service account"
}

scenario "certificates and keys may stand in the file" data_in_the_file
scenario "several files are one" merged_files
scenario "the server's certificate may be for another name" server_name
scenario "a proxy is asked for the way to the server" through_a_proxy
scenario "a proxy may want a password" proxy_with_a_password
scenario "a plugin is asked for credentials" plugin
scenario "in a pod its service account is used" in_the_cluster
