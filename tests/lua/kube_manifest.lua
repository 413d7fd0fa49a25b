--- Manifests parsed, written, and cleaned of what servers add.

local json = require "json"
local manifest = require "kube.manifest"
local yaml = require "yaml"

local test = {}

local function metadata(fields)
  local made = { uid = "6f2a", resourceVersion = "1234", generation = 2, creationTimestamp = "2026-11-20T10:00:00Z",
    selfLink = "/api/v1/x", managedFields = { { manager = "kubectl" } }, namespace = "shop" }
  for name, value in pairs(fields) do
    made[name] = value
  end
  return made
end

--- What cleaning leaves, as YAML: easier to read than tables.
local function cleaned(object, options)
  return yaml.dump(manifest.clean(object, options))
end

test["documents in YAML and JSON become objects, lists are taken apart"] = function(t)
  local objects = manifest.parse([[
# first
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
---
null
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: b}
- {"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "c-"}}]}
---
{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "d"}}]}
---
apiVersion: v1
kind: List
items: []
]])
  local names = {}
  for index, object in ipairs(objects) do
    names[index] = ("%s %s %s"):format(object.apiVersion, object.kind,
      object.metadata.name or object.metadata.generateName)
  end
  t.equal(names, { "v1 ConfigMap a", "v1 Secret b", "v1 Pod c-", "v1 Pod d" })
  t.equal(#manifest.parse('{"apiVersion":"v1","kind":"A","metadata":{"name":"x"}}\n'
    .. '{"apiVersion":"v1","kind":"B","metadata":{"name":"y"}}'), 2)
  t.equal(json.encode(manifest.parse("")), "{}")
end

test["what is no object is refused with the number of its document"] = function(t)
  local function refused(text, why)
    return t.raises("invalid", why, manifest.parse, text)
  end
  refused("apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\nkind: B\nmetadata: {name: b}\n",
    "manifest, document 2: there is no apiVersion")
  refused("apiVersion: v1\nmetadata: {name: a}\n", "document 1: there is no kind")
  refused("apiVersion: v1\nkind: A\n", "document 1, A: there is no metadata.name")
  refused("apiVersion: v1\nkind: A\nmetadata: [a]\n", "document 1, A: there is no metadata.name")
  refused("apiVersion: v1\nkind: A\nmetadata: {name: ''}\n", "document 1, A: there is no metadata.name")
  refused("just text\n", "document 1: this is no object")
  refused("- a\n", "document 1: this is no object")
  refused("apiVersion: v1\nkind: List\nitems: [{kind: A}]\n", "document 1, item 1: there is no apiVersion")
  refused("apiVersion: v1\nkind: List\nitems: {a: b}\n", "items of a List is no list")
  refused("a: 1\na: 2\n", "manifest: YAML, line 2, column 1: the key \"a\" is there twice")
  local e = refused("apiVersion: v1\nkind: A\nmetadata: {name: n}\n", "metadata.name is the boolean false")
  t.equal(e.hint, "put it in quotes")
  refused("apiVersion: v1\nkind: A\nmetadata: {name: 017}\n", "metadata.name is the number 15")
end

test["what was dumped is parsed as the same objects"] = function(t)
  local objects = {
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "a" }, data = { ["run.sh"] = "#!/bin/sh\nexit 0\n",
      yes = "no", version = "1.10", empty = "" } },
    { apiVersion = "v1", kind = "Service", metadata = { name = "b" }, spec = { ports = { { port = 80 } } } },
  }
  local text = manifest.dump(objects)
  t.contains(text, "  run.sh: |\n    #!/bin/sh\n")
  t.equal(manifest.parse(text), objects)
  t.equal(manifest.dump {}, "")
end

test["metadata keeps what its author wrote"] = function(t)
  local object = { apiVersion = "apps/v1", kind = "Deployment", status = { replicas = 2 },
    metadata = metadata { name = "web", labels = { app = "web" }, annotations = { team = "shop",
      ["kubectl.kubernetes.io/last-applied-configuration"] = "{}", ["deployment.kubernetes.io/revision"] = "3" },
      finalizers = { "foregroundDeletion", "example.com/backup" },
      ownerReferences = { { kind = "App", name = "shop", uid = "77" } } },
    spec = { replicas = 2, selector = { matchLabels = { app = "web" } }, template = {
      metadata = { creationTimestamp = json.null, labels = { app = "web" },
        annotations = { ["kubectl.kubernetes.io/restartedAt"] = "2026-11-20" } },
      spec = { nodeName = "stays-here", containers = { { name = "web", image = "web:1", resources = {} } },
        volumes = json.array() } } } }
  local before = json.encode(object)
  t.equal(cleaned(object), [[
apiVersion: "apps/v1"
kind: "Deployment"
metadata:
  annotations:
    team: "shop"
  finalizers:
  - "example.com/backup"
  labels:
    app: "web"
  name: "web"
  namespace: "shop"
spec:
  replicas: 2
  selector:
    matchLabels:
      app: "web"
  template:
    metadata:
      annotations:
        kubectl.kubernetes.io/restartedAt: "2026-11-20"
      labels:
        app: "web"
    spec:
      containers:
      - image: "web:1"
        name: "web"
        resources: {}
      nodeName: "stays-here"
      volumes: []
]])
  t.equal(json.encode(object), before)
  t.equal(manifest.clean(object, { keep_owners = true }).metadata.ownerReferences[1].name, "shop")
  local bare = manifest.clean { apiVersion = "v1", kind = "ConfigMap", metadata = metadata { name = "x",
    annotations = { ["kubectl.kubernetes.io/last-applied-configuration"] = "{}" }, deletionTimestamp = "2026",
    deletionGracePeriodSeconds = 0, finalizers = { "orphan" } } }
  t.equal(bare, { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "x", namespace = "shop" } })
  t.equal(manifest.clean(bare), bare)
end

test["the templates of sets and cron jobs lose what the server filled in"] = function(t)
  local object = manifest.clean { apiVersion = "batch/v1", kind = "CronJob", metadata = { name = "x" }, spec = {
    jobTemplate = { metadata = { creationTimestamp = json.null }, spec = { template = {
      metadata = { creationTimestamp = json.null } } } } } }
  t.equal(json.encode(object.spec), '{"jobTemplate":{"metadata":{},"spec":{"template":{"metadata":{}}}}}')
  object = manifest.clean { apiVersion = "apps/v1", kind = "StatefulSet", metadata = { name = "x" }, spec = {
    volumeClaimTemplates = { { apiVersion = "v1", metadata = { name = "data", creationTimestamp = json.null },
      status = { phase = "Pending" } } } } }
  t.equal(object.spec.volumeClaimTemplates, { { apiVersion = "v1", metadata = { name = "data" } } })
end

test["a service gets new addresses unless it has none"] = function(t)
  local service = { apiVersion = "v1", kind = "Service", metadata = metadata { name = "web",
    finalizers = { "service.kubernetes.io/load-balancer-cleanup" } }, status = { loadBalancer = {} },
    spec = { clusterIP = "10.96.3.4", clusterIPs = { "10.96.3.4" }, ipFamilies = { "IPv4" },
      healthCheckNodePort = 31234, type = "LoadBalancer", ports = { { port = 80, nodePort = 30080 } } } }
  t.equal(manifest.clean(service), { apiVersion = "v1", kind = "Service",
    metadata = { name = "web", namespace = "shop" },
    spec = { ipFamilies = { "IPv4" }, type = "LoadBalancer", ports = { { port = 80, nodePort = 30080 } } } })
  service.spec = { clusterIP = "None", clusterIPs = { "None" } }
  t.equal(manifest.clean(service).spec, { clusterIP = "None", clusterIPs = { "None" } })
  -- Knative has another Service.
  t.equal(manifest.clean { apiVersion = "serving.knative.dev/v1", kind = "Service", metadata = { name = "k" },
    spec = { clusterIP = "mine" } }.spec.clusterIP, "mine")
end

test["a claim forgets its volume unless that is kept"] = function(t)
  local claim = { apiVersion = "v1", kind = "PersistentVolumeClaim", status = { phase = "Bound" },
    metadata = metadata { name = "data", finalizers = { "kubernetes.io/pvc-protection" }, annotations = {
      ["pv.kubernetes.io/bind-completed"] = "yes", ["pv.kubernetes.io/bound-by-controller"] = "yes",
      ["volume.beta.kubernetes.io/storage-provisioner"] = "x", ["volume.kubernetes.io/storage-provisioner"] = "x",
      ["volume.kubernetes.io/selected-node"] = "node-1" } },
    spec = { accessModes = { "ReadWriteOnce" }, volumeName = "pvc-1", storageClassName = "fast",
      resources = { requests = { storage = "1Gi" } } } }
  local kept = manifest.clean(claim, { keep_volume = true })
  t.equal(kept.metadata, { name = "data", namespace = "shop" })
  t.equal(kept.spec.volumeName, "pvc-1")
  t.equal(manifest.clean(claim).spec, { accessModes = { "ReadWriteOnce" }, storageClassName = "fast",
    resources = { requests = { storage = "1Gi" } } })
end

test["a volume waits for the claim of the same name"] = function(t)
  local volume = manifest.clean { apiVersion = "v1", kind = "PersistentVolume", status = { phase = "Bound" },
    metadata = { name = "pvc-1", uid = "1", finalizers = { "kubernetes.io/pv-protection" }, annotations = {
      ["pv.kubernetes.io/provisioned-by"] = "x", ["pv.kubernetes.io/bound-by-controller"] = "yes" } },
    spec = { capacity = { storage = "1Gi" }, claimRef = { apiVersion = "v1", kind = "PersistentVolumeClaim",
      name = "data", namespace = "shop", uid = "6f2a", resourceVersion = "12" } } }
  t.equal(volume.metadata, { name = "pvc-1", annotations = { ["pv.kubernetes.io/provisioned-by"] = "x" } })
  t.equal(volume.spec.claimRef, { apiVersion = "v1", kind = "PersistentVolumeClaim", name = "data",
    namespace = "shop" })
end

local function pod(volume)
  return { apiVersion = "v1", kind = "Pod", metadata = metadata { name = "tool" }, status = { phase = "Running" },
    spec = { nodeName = "node-1", priority = 0, preemptionPolicy = "PreemptLowerPriority",
      priorityClassName = "high", serviceAccountName = "robot", volumes = { { name = "work", emptyDir = {} }, volume },
      ephemeralContainers = { { name = "debug" } },
      initContainers = { { name = "init", volumeMounts = { { name = volume.name,
        mountPath = "/var/run/secrets/kubernetes.io/serviceaccount", readOnly = true } } } },
      containers = { { name = "tool", image = "tool", volumeMounts = { { name = "work", mountPath = "/work" },
        { name = volume.name, mountPath = "/var/run/secrets/kubernetes.io/serviceaccount", readOnly = true } } } } } }
end

test["a pod loses its node and the token that was mounted into it"] = function(t)
  for _, volume in ipairs { { name = "kube-api-access-x7k2p", projected = { sources = json.array() } },
    { name = "robot-token-x7k2p", secret = { secretName = "robot-token-x7k2p" } } } do
    t.equal(manifest.clean(pod(volume)).spec, { priorityClassName = "high", serviceAccountName = "robot",
      volumes = { { name = "work", emptyDir = {} } }, initContainers = { { name = "init" } },
      containers = { { name = "tool", image = "tool", volumeMounts = { { name = "work", mountPath = "/work" } } } } })
  end
  local own = manifest.clean(pod { name = "my-token", secret = { secretName = "other-token-x7k2p" } })
  t.equal(#own.spec.volumes, 2)
  t.equal(#own.spec.containers[1].volumeMounts, 2)
end

test["a job gets a new selector unless it has its own"] = function(t)
  local labels = { ["controller-uid"] = "6f2a", ["batch.kubernetes.io/controller-uid"] = "6f2a", ["job-name"] = "once",
    ["batch.kubernetes.io/job-name"] = "once" }
  local job = { apiVersion = "batch/v1", kind = "Job", metadata = metadata { name = "once", labels = labels,
    annotations = { ["batch.kubernetes.io/job-tracking"] = "" } }, spec = { selector = { matchLabels = {
      ["batch.kubernetes.io/controller-uid"] = "6f2a" } }, template = { metadata = { creationTimestamp = json.null,
        labels = labels }, spec = { restartPolicy = "Never" } } } }
  t.equal(manifest.clean(job), { apiVersion = "batch/v1", kind = "Job",
    metadata = { name = "once", namespace = "shop" },
    spec = { template = { metadata = {}, spec = { restartPolicy = "Never" } } } })
  job.spec.manualSelector = true
  t.check(manifest.clean(job).spec.selector ~= nil)
  t.equal(manifest.clean(job).spec.template.metadata.labels, labels)
end

test["a service account forgets the secrets that were made for it"] = function(t)
  local account = manifest.clean { apiVersion = "v1", kind = "ServiceAccount", metadata = metadata { name = "robot" },
    secrets = { { name = "robot-token-x7k2p" }, { name = "robot-dockercfg-x7k2p" }, { name = "robot-token-extra" } },
    imagePullSecrets = { { name = "robot-dockercfg-x7k2p" } } }
  t.equal(account, { apiVersion = "v1", kind = "ServiceAccount", metadata = { name = "robot", namespace = "shop" },
    secrets = { { name = "robot-token-extra" } } })
end

test["the token of a service account is refused, or made anew"] = function(t)
  local secret = { apiVersion = "v1", kind = "Secret", type = "kubernetes.io/service-account-token",
    metadata = metadata { name = "robot-long", annotations = { ["kubernetes.io/service-account.name"] = "robot",
      ["kubernetes.io/service-account.uid"] = "77" } },
    data = { token = "b3Blbg==", ["ca.crt"] = "eA==", namespace = "c2hvcA==" } }
  local e = t.raises("refused", "the Secret \"robot-long\" holds a token", manifest.clean, secret)
  t.check(not e.message:find("b3Blbg", 1, true))
  t.equal(manifest.clean(secret, { renew_tokens = true }), { apiVersion = "v1", kind = "Secret",
    type = "kubernetes.io/service-account-token", metadata = { name = "robot-long", namespace = "shop",
      annotations = { ["kubernetes.io/service-account.name"] = "robot" } } })
  t.equal(manifest.clean({ apiVersion = "v1", kind = "Secret", type = "Opaque", metadata = { name = "x" },
    data = { token = "eA==" } }).data, { token = "eA==" })
end

test["a namespace keeps its name only"] = function(t)
  t.equal(manifest.clean { apiVersion = "v1", kind = "Namespace", metadata = { name = "shop", uid = "1",
    labels = { ["kubernetes.io/metadata.name"] = "shop" } }, spec = { finalizers = { "kubernetes" } },
    status = { phase = "Active" } }, { apiVersion = "v1", kind = "Namespace", metadata = { name = "shop" } })
end

test["what a cluster makes by itself is told"] = function(t)
  local function why(kind, fields, more)
    local object = { apiVersion = "v1", kind = kind, metadata = fields }
    for name, value in pairs(more or {}) do
      object[name] = value
    end
    return manifest.made_by_cluster(object)
  end
  t.equal(why("Pod", { name = "a", ownerReferences = { { kind = "ReplicaSet", name = "web-1", controller = true } } }),
    "made by ReplicaSet web-1")
  t.equal(why("Pod", { name = "a", ownerReferences = { { kind = "App", name = "web-1" } } }), nil)
  t.check(why("Event", { name = "a" }))
  t.check(why("Node", { name = "a" }))
  t.check(why("ConfigMap", { name = "kube-root-ca.crt" }))
  t.check(why("Secret", { name = "a" }, { type = "kubernetes.io/service-account-token" }))
  t.check(why("Lease", { name = "a", namespace = "kube-node-lease" }, { apiVersion = "coordination.k8s.io/v1" }))
  t.check(why("Pod", { name = "a", annotations = { ["kubernetes.io/config.mirror"] = "1" } }))
  t.equal(why("ConfigMap", { name = "a" }), nil)
  t.equal(why("Event", { name = "a" }, { apiVersion = "example.com/v1" }), nil)
end

test["odd shapes are left to the server to refuse"] = function(t)
  for _, spec in ipairs { json.null, "text", 7, json.array { "x" }, { volumes = "x", containers = { "x" },
    template = "x", selector = "x" }, { containers = { { volumeMounts = { "x" } } }, volumes = { "x", 7 } } } do
    for _, kind in ipairs { "Service", "PersistentVolumeClaim", "PersistentVolume", "Pod", "Job", "Namespace",
      "StatefulSet", "ServiceAccount", "Secret" } do
      local made = manifest.clean { apiVersion = "v1", kind = kind, metadata = { name = "x", labels = "x",
        annotations = 7, finalizers = "x" }, spec = spec, secrets = { "x" } }
      t.equal(made.metadata.name, "x")
    end
  end
  t.raises("recipe", "takes an object with metadata", manifest.clean, { kind = "Pod" })
  t.raises("recipe", "has no option", manifest.clean, { metadata = {} }, { keep = true })
end

return test
