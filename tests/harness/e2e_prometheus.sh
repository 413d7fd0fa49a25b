# shellcheck shell=bash
# A Prometheus of a scenario's own in a cluster.  Source it after lib.sh and e2e.sh.
#
# E2E_PROMETHEUS_IMAGE, E2E_DISTROLESS_IMAGE: images with Prometheus, one with a shell, one
# without; on a cluster whose nodes have registry.local/busybox those beside it.

if [ "${E2E_IMAGE:-}" = registry.local/busybox ]; then
        : "${E2E_PROMETHEUS_IMAGE:=registry.local/prometheus}"
        : "${E2E_DISTROLESS_IMAGE:=registry.local/distroless-prometheus}"
fi

# make_volume: where the cluster has the class "static", whose volumes are made by hand, a volume
# of the namespace's own, on the place of one that nobody else claims.
make_volume() {
        kubectl get pv -o json | jq --arg name "$NAMESPACE" '
            [.items[] | select(.spec.storageClassName == "static" and
                (.spec.claimRef.namespace // "mk-e2e-" | startswith("mk-e2e-")))][0] |
            {apiVersion, kind, metadata: {name: $name},
             spec: (.spec + {claimRef: {namespace: $name, name: "data-prometheus-0"}})}' |
            kubectl create -f - >/dev/null
        defer kubectl delete pv "$NAMESPACE" --wait=false >/dev/null
        defer wipe_volume
}

# wipe_volume: what lies in the volume is nobody's any more.
wipe_volume() {
        kube scale statefulset prometheus --replicas=0 >/dev/null
        kube delete pod wipe --ignore-not-found >/dev/null
        pod_manifest wipe "" '"securityContext": {"runAsUser": 65534},
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-prometheus-0"}}]' |
            sed 's|"name": "main",|&"volumeMounts": [{"name": "data", "mountPath": "/data"}],|' |
            kube create -f - >/dev/null
        kube wait --for=condition=Ready pod/wipe --timeout=60s >/dev/null
        kube wait --for=delete pod/prometheus-0 --timeout=60s >/dev/null
        kube exec wipe -- rm -rf "/data/$NAMESPACE"
}

# make_prometheus IMAGE [REPLICAS]: the StatefulSet prometheus in $NAMESPACE; its data is in
# $DATA of the pod.
make_prometheus() {
        local class='' image=$1
        make_namespace
        DATA=/prometheus/$NAMESPACE
        if kubectl get storageclass static >/dev/null 2>&1; then
                class="storageClassName: static, volumeName: $NAMESPACE,"
                make_volume
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

# as_before REPLICAS: scaled to so many, nothing noted on it, no helper, nothing half-way in the data.
as_before() {
        check_equal "$(kube get statefulset prometheus -o jsonpath='{.spec.replicas}')" "$1"
        check_equal "$(kube get statefulset prometheus -o jsonpath='{.metadata.annotations.moonkeep\.dev/undo}')" ""
        wait_for 120 no_helper
}

# need_image VARIABLE: skip unless there is a cluster, and that image.
need_image() {
        needs_cluster
        [ -n "${!1:-}" ] || skip "needs $1"
}

newest_run() {
        find "$STATE/runs" -name '*.jsonl' -printf '%f\n' | LC_ALL=C sort | tail -n 1 | sed 's/\.jsonl$//'
}
