# shellcheck shell=bash
# moonkeep as jobs in a cluster, from the manifests of the guide.  Source it after lib.sh, e2e.sh,
# store.sh, image.sh and page.sh.

# make_image: IMAGE is one of the program and nothing else; it goes with the scenario.
make_image() {
        local dir=${KUBECONFIG%%:*}
        [ -x "${E2E_CLUSTER:-}/mkimage" ] || skip "needs a cluster that takes images from here (E2E_CLUSTER/mkimage)"
        dir=${dir%/*}
        image_root "$SCRATCH/root"
        defer remove_image "$dir" "$NAMESPACE"
        IMAGE=$(CLUSTER_DIR=$dir "$E2E_CLUSTER/mkimage" "$NAMESPACE" "$SCRATCH/root" /usr/bin/moonkeep)
        rm -r "$SCRATCH/root"
}

remove_image() {
        rm -f "$1/images/$2.tar" "$1/var/imported/$2"
        "$1/deb/usr/bin/ctr" -a "$1/run/containerd.sock" -n k8s.io images rm "registry.local/$2:latest" >/dev/null
}

# store_for_pods RULE...: STORE is in a radosgw that pods reach, too, by TLS of an authority of its own
# (AWS_CA_BUNDLE), and that breaks as the rules of fault_proxy say.
store_for_pods() {
        local address
        address=$(kubectl get nodes -o jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}')
        grep -qwF "$address" /proc/net/fib_trie || skip "this machine is no node of the cluster: no pod reaches it"
        make_store radosgw
        printf '%s\n' "$@" >rules
        "$OUT/servers/fault_proxy" --log requests "${STORE_ENDPOINT##*:}" rules >proxy &
        defer kill $!
        wait_for 20 grep -qs '^port ' proxy
        "$OUT/servers/tls_front" --listen "$address" --name "IP:$address" --ca ca.crt "$(sed 's/^port //' proxy)" >front &
        defer kill $!
        wait_for 20 grep -qs '^port ' front
        STORE=${STORE/"$STORE_ENDPOINT"/https://$address:$(sed 's/^port //' front)}
        export AWS_CA_BUNDLE=$PWD/ca.crt
}

# rights [NAME [JQ]]: the manifest of the guide, with the service account NAME, changed by JQ.
rights() {
        local name=${1:-moonkeep} everywhere=$NAMESPACE-${1:-moonkeep}
        defer kubectl delete clusterrole,clusterrolebinding "$everywhere" >/dev/null
        block "$ROOT/docs/guide/110-kubernetes.md" "What it may do" yaml |
            sed "s/\bmoonkeep-identity\b/$everywhere/; s/\bmoonkeep\b/$name/; s/\bmonitoring\b/$NAMESPACE/" |
            kubectl create --dry-run=client -o json -f - | jq "${2:-.}" | kubectl apply -f - >/dev/null
}

# cron_job: the guide's, with our image and store, and never on a schedule.
cron_job() {
        local version=batch/v1 own=${KUBECONFIG%%:*}
        # Before Kubernetes 1.21; today's kubectl makes no job of such a one, that of the cluster does.
        kubectl get --raw /apis/batch/v1 | jq -e '.resources[] | select(.name == "cronjobs")' >/dev/null || {
                version=batch/v1beta1
                PATH=${own%/*}/bin:$PATH
        }
        printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
            "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >credentials
        head -c 32 /dev/urandom | base64 >backup.key
        kube create secret generic moonkeep --from-file=credentials --from-file=backup.key --from-file=ca.crt >/dev/null
        block "$ROOT/docs/guide/120-in-the-cluster.md" "The CronJob" yaml |
            sed "s,\bmonitoring\b,$NAMESPACE,; s,^apiVersion: batch/v1\$,apiVersion: $version," |
            kubectl create --dry-run=client -o json -f - |
            jq --arg image "$IMAGE" --arg store "$STORE" --arg state "$STATE" '.spec.suspend = true |
                .spec.jobTemplate.spec.template.spec.containers[0] |= (.image = $image | .imagePullPolicy = "Never" |
                    .env |= (map(if .name == "MOONKEEP_STORE" then .value = $store
                        elif .name == "MOONKEEP_STATE" then .value = $state else . end) +
                        [{name: "AWS_CA_BUNDLE", value: "/etc/moonkeep/ca.crt"}]))' |
            kubectl apply -f - >/dev/null
}

# job NAME JQ: of the cron job, changed as the guide does it.
job() {
        kube create job --from=cronjob/moonkeep-prometheus "$1" --dry-run=client -o json | jq "$2" |
            kube create -f - >/dev/null
}

# job_ends NAME Complete|Failed SECONDS
job_ends() {
        kube wait --for="condition=$2" "job/$1" --timeout="$3s" >/dev/null || {
                kube get pods -l "job-name=$1"
                kube logs --tail=30 "job/$1"
                check_failed "job $1 is not $2"
        }
}

# exits NAME: how its pods ended, in order.
exits() {
        kube get pods -l "job-name=$1" --sort-by=.metadata.creationTimestamp \
            -o jsonpath='{.items[*].status.containerStatuses[0].state.terminated.exitCode}'
}

# says NAME TEXT: one of its pods did.
says() {
        kube logs --tail=-1 -l "job-name=$1" 2>/dev/null | grep -qF -- "$2"
}
