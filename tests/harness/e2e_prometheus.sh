# shellcheck shell=bash
# A Prometheus of a scenario's own in a cluster.  Source it after lib.sh and e2e.sh.
#
# E2E_PROMETHEUS_IMAGE, E2E_DISTROLESS_IMAGE: images with Prometheus, one with a shell, one
# without; on a cluster whose nodes have registry.local/busybox those beside it.

if [ "${E2E_IMAGE:-}" = registry.local/busybox ]; then
        : "${E2E_PROMETHEUS_IMAGE:=registry.local/prometheus}"
        : "${E2E_DISTROLESS_IMAGE:=registry.local/distroless-prometheus}"
fi

# free_volumes: a static volume is free for the next claim when it is told so.
free_volumes() {
        local volume
        for volume in $(kubectl get pv -o 'jsonpath={range .items[?(@.status.phase=="Released")]}{.metadata.name} {.spec.claimRef.namespace}{"\n"}{end}' |
            awk '$2 ~ /^mk-e2e-/ { print $1 }'); do
                kubectl patch pv "$volume" --type=json -p '[{"op": "remove", "path": "/spec/claimRef"}]' >/dev/null
        done
}

# leave_volume: the namespace goes, and its volume is free.
leave_volume() {
        kubectl delete namespace "$NAMESPACE" --ignore-not-found >/dev/null
        free_volumes
}

# wipe_volume: what lies in the volume is nobody's any more.
wipe_volume() {
        kube delete statefulset prometheus --ignore-not-found --cascade=foreground >/dev/null
        kube delete pod wipe --ignore-not-found >/dev/null
        pod_manifest wipe "" '"securityContext": {"runAsUser": 65534},
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-prometheus-0"}}]' |
            sed 's|"name": "main",|&"volumeMounts": [{"name": "data", "mountPath": "/data"}],|' |
            kube create -f - >/dev/null
        kube wait --for=condition=Ready pod/wipe --timeout=60s >/dev/null
        kube exec wipe -- rm -rf "/data/$NAMESPACE"
}

# make_prometheus IMAGE [REPLICAS]: the StatefulSet prometheus in $NAMESPACE; its data is in
# $DATA of the pod.  The volume is one of class "static" where there is that class.
make_prometheus() {
        local class='' image=$1
        make_namespace
        free_volumes
        defer leave_volume
        DATA=/prometheus/$NAMESPACE
        if kubectl get storageclass static >/dev/null 2>&1; then
                class='storageClassName: static,'
                defer wipe_volume
        fi
        kube create -f - >/dev/null <<END
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus}
data:
  prometheus.yml: |
    global: {scrape_interval: 2s}
    rule_files: [/etc/prometheus/rules.yml]
    scrape_configs:
    - job_name: prometheus
      static_configs: [{targets: ['localhost:9090']}]
  rules.yml: |
    groups: [{name: test, rules: [{record: 'test:up:sum', expr: 'sum(up)'}]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: prometheus, labels: {app: prometheus}}
spec:
  serviceName: prometheus
  replicas: ${2:-1}
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec:
      terminationGracePeriodSeconds: 30
      securityContext: {runAsUser: 65534, runAsGroup: 65534, runAsNonRoot: true}
      containers:
      - name: prometheus
        image: $image
        imagePullPolicy: $E2E_PULL
        args:
        - --config.file=/etc/prometheus/prometheus.yml
        - --storage.tsdb.path=$DATA
        - --storage.tsdb.retention.time=10y
        - --web.enable-admin-api
        ports: [{name: http, containerPort: 9090}]
        readinessProbe: {httpGet: {path: /-/ready, port: 9090}, periodSeconds: 1}
        volumeMounts:
        - {name: data, mountPath: /prometheus}
        - {name: config, mountPath: /etc/prometheus}
        - {name: scratch, mountPath: /prometheus/scratch}
      volumes:
      - {name: config, configMap: {name: prometheus}}
      - {name: scratch, emptyDir: {}}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], ${class} resources: {requests: {storage: 1Gi}}}
END
        kube rollout status statefulset/prometheus --timeout=120s >/dev/null || {
                kube get pods -o wide
                kube describe pods
                check_failed "Prometheus is not ready"
        }
        wait_for 60 scraped
        STORE=$SCRATCH/store
        STATE=$SCRATCH/state/moonkeep
        POD=pod://$NAMESPACE/prometheus-0
}

backup() {
        "$MOONKEEP" run prometheus.backup --target "$POD" --store "$STORE" --state "$STATE" "$@"
}

restore() {
        "$MOONKEEP" run prometheus.restore --target "$POD" --store "$STORE" --state "$STATE" --yes \
            --service workload "$@"
}

scraped() {
        [ "$(ask 'count_over_time(up%5B1m%5D)')" -ge 2 ] 2>/dev/null
}

# ask QUERY: the value that the pod's Prometheus gives now.
ask() {
        kubectl get --raw "/api/v1/namespaces/$NAMESPACE/pods/prometheus-0:9090/proxy/api/v1/query?query=$1" |
            sed -n 's/.*"value":\[[^,]*,"\([^"]*\)"\].*/\1/p'
}

# as_before: scaled as it was, nothing noted on it, no helper, nothing half-way in the data.
as_before() {
        check_equal "$(kube get statefulset prometheus -o jsonpath='{.spec.replicas}')" "${1:-1}"
        check_equal "$(kube get statefulset prometheus -o jsonpath='{.metadata.annotations.moonkeep\.dev/undo}')" ""
        wait_for 30 no_helper
}

no_helper() {
        [ -z "$(kube get pods -l moonkeep.dev/run -o name)" ]
}

newest_run() {
        find "$STATE/runs" -name '*.jsonl' -printf '%f\n' | LC_ALL=C sort | tail -n 1 | sed 's/\.jsonl$//'
}
