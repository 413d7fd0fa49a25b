#!/usr/bin/env bash
# Where a restore and its helper act, on a real cluster: a directory that does not outlive its
# container, and a helper for which the scheduler has no node yet.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"
# shellcheck source=tests/harness/e2e_streams.sh
. "$(dirname "$0")/../harness/e2e_streams.sh"

# recipe_warned: toy.warned asks what is to be known of a directory.
recipe_warned() {
        stream_recipes
        cat >dev/recipes/toy/warned.lua <<'END'
return recipe {
  summary = "Write a file, as a restore would",
  params = { target = { "target", required = true, help = "where" }, dir = { "path", required = true, help = "where to" } },
  steps = { { "look", "Look" }, { "write", "Write" } },
  example = "moonkeep run toy.warned --target local: --dir /x",
  run = function(ctx, p)
    ctx:step("look", function() p.target:forewarn(p.dir) end)
    ctx:confirm("Write it?")
    ctx:step("write", function()
      p.target:make_dirs(p.dir, 493)
      p.target:write(p.dir .. "/file", "new\n")
    end)
  end,
}
END
}

write_at() {
        check_status 0 "${MK[@]}" run toy.warned --target "pod://$NAMESPACE/one" --dir "$1" --yes "${@:2}"
}

has_restarted() {
        [ "$(kube get pod one -o 'jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}')" = "1 true" ]
}

# What is warned of is true: the container ends, and begins anew.
not_to_stay() {
        make_namespace
        recipe_warned
        pod_manifest one "" '"volumes": [{"name": "data", "emptyDir": {}}]' |
            sed 's|"name": "main",|&"volumeMounts": [{"name": "data", "mountPath": "/var/run/data"}],|' |
            kube create -f - >/dev/null
        kube wait --for=condition=Ready pod/one --timeout=120s >/dev/null
        # /var/run is a link in some images: the volume is where the link leads to.
        write_at /var/run/data/in
        check_lacks "$SCRATCH/stderr" warning
        kube exec one -- ln -s /var/run/data /link
        write_at /link/in
        check_lacks "$SCRATCH/stderr" warning
        write_at /own/in --plan
        check_says "warning: \"/own/in\" is on no volume"
        write_at /own/in
        check_says "warning: \"/own/in\" is on no volume"
        check_says "lost when the container restarts"
        check_equal "$(kube exec one -- cat /own/in/file /var/run/data/in/file)" "$(printf 'new\nnew')"
        kube exec one -- kill 1
        wait_for 90 has_restarted
        check_equal "$(kube exec one -- cat /var/run/data/in/file)" new
        check_not kube exec one -- test -e /own
}

# A Deployment without pods whose volume is not there yet.
no_place_yet() {
        local pid status=0
        [ -n "${E2E_CLUSTER:-}" ] || skip "needs a cluster of this machine, for a volume of its own (E2E_CLUSTER)"
        make_namespace
        recipe_warned
        kube create -f - >/dev/null <<END
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 0,
 "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
  "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "late"}}], "containers": [{"name": "main",
   "image": "$E2E_IMAGE", "imagePullPolicy": "$E2E_PULL", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}}}}
END
        "${MK[@]}" run toy.warned --target "pod://$NAMESPACE/deploy/web" --dir /data/in --yes \
            >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        pid=$!
        defer kill -KILL "$pid"
        wait_for 60 grep -q "the scheduler finds no node for it" "$SCRATCH/stdout"
        check_says 'persistentvolumeclaim "late" not found'
        check_says "waiting up to 180 s for the helper pod"
        late_volume
        wait "$pid" || status=$?
        cat "$SCRATCH/stdout" "$SCRATCH/stderr"
        check_equal "$status" 0
        check_equal "$(cat "$SCRATCH/volume/in/file")" new
        wait_for 60 no_helper
}

# late_volume: the claim, and a volume of its own for it, which goes with the scenario.
late_volume() {
        defer kubectl delete pv "$NAMESPACE" --wait=false >/dev/null
        mkdir "$SCRATCH/volume"
        kubectl create -f - >/dev/null <<END
{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "$NAMESPACE"},
 "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "$NAMESPACE",
  "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "$NAMESPACE", "name": "late"},
  "hostPath": {"path": "$SCRATCH/volume"}}}
END
        kube create -f - >/dev/null <<END
{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "late"}, "spec": {"storageClassName": "$NAMESPACE",
 "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
END
}

scenario "a directory that does not outlive its container is warned of" not_to_stay
scenario "a helper whose volume comes late waits for it, aloud" no_place_yet
