--- What a helper pod is like, and how it comes to run.

local blueprint = require "target.pod.blueprint"
local clock = require "clock"
local effect = require "effect"
local helper = require "target.pod.helper"
local json = require "json"
local task = require "task"

local test = {}

local RUN = "20261121T020000-aaaaa"

local function a_pod()
  return {
    metadata = { name = "db-0", namespace = "m", uid = "u1", labels = { app = "db" } },
    spec = {
      nodeName = "n1", serviceAccountName = "db", tolerations = { { key = "only", operator = "Exists" } },
      imagePullSecrets = { { name = "pull" } }, hostNetwork = true,
      securityContext = { runAsUser = 1000, fsGroup = 2000, supplementalGroups = { 7 },
        seLinuxOptions = { level = "s0:c1,c2" }, sysctls = { { name = "a", value = "b" } } },
      containers = { {
        name = "db", image = "registry.local/db", imagePullPolicy = "Never", env = { { name = "A", value = "b" } },
        securityContext = { runAsUser = 65534, privileged = true },
        volumeMounts = {
          { name = "data", mountPath = "/data/" }, { name = "data", mountPath = "/also", subPath = "in" },
          { name = "conf", mountPath = "/etc/db", readOnly = true }, { name = "tmp", mountPath = "/data/tmp" },
          { name = "token-x", mountPath = "/var/run/secrets/kubernetes.io/serviceaccount" },
          { name = "api", mountPath = "/api" },
        } }, { name = "side", image = "side", volumeMounts = { { name = "other", mountPath = "/other" } } } },
      volumes = {
        { name = "data", persistentVolumeClaim = { claimName = "data-db-0" } },
        { name = "conf", configMap = { name = "conf" } }, { name = "tmp", emptyDir = json.decode "{}" },
        { name = "token-x", secret = { secretName = "token-x" } }, { name = "other", configMap = { name = "o" } },
        { name = "api", projected = { sources = { { serviceAccountToken = { path = "token" } } } } },
      },
    },
  }
end

local OWNER = { apiVersion = "apps/v1", kind = "StatefulSet", name = "db", uid = "u2" }

local function plan_of(pod)
  return blueprint.of_pod(pod, pod.spec.containers[1], OWNER)
end

--- The plan as a resumed run has it from its journal.
local function kept(plan)
  return json.decode(json.encode(plan))
end

test["it has the container's volumes at the same places, and only those"] = function(t)
  local spec = helper.manifest(kept(plan_of(a_pod())), { run = RUN, image = "busybox", beside = true }).spec
  t.equal(json.encode(spec.volumes), json.encode {
    { name = "data", persistentVolumeClaim = { claimName = "data-db-0" } },
    { name = "conf", configMap = { name = "conf" } } })
  t.equal(spec.containers[1].volumeMounts, { { name = "data", mountPath = "/data" },
    { name = "data", mountPath = "/also", subPath = "in" }, { name = "conf", mountPath = "/etc/db", readOnly = true } })
  t.equal(spec.automountServiceAccountToken, false)
end

test["it runs as the container does, with nothing more"] = function(t)
  local spec = helper.manifest(plan_of(a_pod()), { run = RUN, image = "busybox", beside = true }).spec
  t.equal(spec.securityContext, { runAsUser = 65534, runAsNonRoot = true, fsGroup = 2000, supplementalGroups = { 7 },
    seLinuxOptions = { level = "s0:c1,c2" }, seccompProfile = { type = "RuntimeDefault" } })
  t.equal(spec.containers[1].securityContext, { allowPrivilegeEscalation = false, readOnlyRootFilesystem = true,
    capabilities = { drop = { "ALL" } } })
  t.equal({ spec.hostNetwork, spec.containers[1].env, spec.restartPolicy }, { nil, nil, "Never" })
  t.check(spec.activeDeadlineSeconds > 0)
end

test["root keeps what it takes to read and give away files of others"] = function(t)
  local pod = a_pod()
  pod.spec.securityContext, pod.spec.containers[1].securityContext = nil, nil
  local spec = helper.manifest(plan_of(pod), { run = RUN, image = "busybox" }).spec
  t.equal(spec.containers[1].securityContext.capabilities,
    { drop = { "ALL" }, add = { "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID" } })
  t.equal(spec.securityContext.runAsNonRoot, nil)
  -- Which user an image means is told by newer nodes.
  pod.status = { containerStatuses = { { name = "db", user = { linux = { uid = 65532, gid = 65532 } } } } }
  t.equal(helper.manifest(plan_of(pod), { run = RUN, image = "busybox" }).spec.securityContext.runAsUser, 65532)
end

test["it is on the pod's node while the pod is there, and else where its volumes can be"] = function(t)
  local pod = a_pod()
  pod.spec.nodeSelector = { disk = "fast" }
  local beside = helper.manifest(plan_of(pod), { run = RUN, image = "busybox", beside = true }).spec
  t.equal({ beside.nodeName, beside.nodeSelector, beside.tolerations[1].key }, { "n1", nil, "only" })
  local alone = helper.manifest(plan_of(pod), { run = RUN, image = "busybox" }).spec
  t.equal({ alone.nodeName, alone.nodeSelector }, { nil, { disk = "fast" } })
  pod.spec.volumes[1] = { name = "data", hostPath = { path = "/srv" } }
  local pinned = helper.manifest(plan_of(pod), { run = RUN, image = "busybox" }).spec
  local term = pinned.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[1]
  t.equal(term.matchFields[1].values, { "n1" })
  pod.spec.nodeName = nil
  t.raises("unsupported", "which node that is is not known", helper.manifest, plan_of(pod), { run = RUN, image = "b" })
end

test["it is found by its run, owned by the workload, and selected by nobody"] = function(t)
  local plan = plan_of(a_pod())
  local name = helper.new_name(RUN)
  local manifest = helper.manifest(plan, { name = name, run = RUN, image = "registry.local/db", beside = true })
  local meta = manifest.metadata
  t.check(name:match("^moonkeep%-helper%-20261121t020000%-aaaaa%-%w+$"), name)
  t.equal(meta.name, name)
  t.check(helper.new_name(RUN) ~= name)
  t.equal(meta.labels, { ["moonkeep.dev/run"] = RUN, ["moonkeep.dev/for"] = "db-0" })
  t.equal(meta.ownerReferences, { { apiVersion = "apps/v1", kind = "StatefulSet", name = "db", uid = "u2",
    controller = false, blockOwnerDeletion = false } })
  -- What may never be pulled is not pulled by a helper either.
  t.equal(manifest.spec.containers[1].imagePullPolicy, "Never")
  t.equal(helper.manifest(plan, { run = RUN, image = "b" }).spec.containers[1].imagePullPolicy, "IfNotPresent")
end

test["a StatefulSet without pods says what its pod would be"] = function(t)
  local pod = a_pod()
  pod.spec.nodeName = nil
  table.remove(pod.spec.volumes, 1)
  local workload = { apiVersion = "apps/v1", kind = "StatefulSet",
    metadata = { name = "db", namespace = "m", uid = "u2" },
    spec = { replicas = 0, template = { spec = pod.spec },
      volumeClaimTemplates = { { metadata = { name = "data" } } } } }
  local plan = blueprint.of_workload(workload, pod.spec.containers[1], 2)
  t.equal({ plan.pod, plan.node, plan.owner }, { "db-2", nil, OWNER })
  local claims = {}
  for _, volume in ipairs(plan.volumes) do
    claims[#claims + 1] = volume.persistentVolumeClaim and volume.persistentVolumeClaim.claimName
  end
  t.equal(claims, { "data-db-2" })
end

test["paths that it does not see are refused"] = function(t)
  local plan = kept(plan_of(a_pod()))
  for _, path in ipairs { "/", "/data", "/data/wal/000001", "/also", "/etc/db/x", "/etc" } do
    blueprint.check_path(plan, path)
  end
  t.raises("unsupported", "\"/data/tmp/x\" lies in an emptyDir of pod m/db-0", blueprint.check_path, plan,
    "/data/tmp/x")
  t.raises("unsupported", "\"/data/tmp\" lies in an emptyDir", blueprint.check_path, plan, "/data/tmp")
  t.raises("unsupported", "the container's own file system", blueprint.check_path, plan, "/usr/bin")
  t.raises("unsupported", "the container's own file system", blueprint.check_path, plan, "/database")
  t.raises("unsupported", "a token of the service account", blueprint.check_path, plan, "/api/token")
  t.raises("unsupported", "a token of the service account", blueprint.check_path, plan,
    "/var/run/secrets/kubernetes.io/serviceaccount/token")
end

test["volumes that another pod would have for itself, or not at all, are told from the others"] = function(t)
  local empty = json.decode "{}"
  local shared = { persistentVolumeClaim = { claimName = "x" }, hostPath = { path = "/srv" }, nfs = { path = "/x" },
    configMap = { name = "x" }, secret = { secretName = "x" },
    projected = { sources = { { configMap = { name = "x" } } } } }
  local own = { emptyDir = empty, ephemeral = empty, csi = empty, downwardAPI = empty, image = empty, gitRepo = empty }
  local function plan_with(kind, value, mount)
    local pod = { metadata = { name = "x", namespace = "m", uid = "u" }, spec = {
      containers = { { name = "c", image = "i", volumeMounts = { mount or { name = "v", mountPath = "/v" } } } },
      volumes = { { name = "v", [kind] = value } } } }
    return blueprint.of_pod(pod, pod.spec.containers[1])
  end
  for kind, value in pairs(shared) do
    local plan = plan_with(kind, value)
    t.equal({ #plan.mounts, #plan.lost, plan.on_node }, { 1, 0, kind == "hostPath" or nil }, kind)
    blueprint.check_path(plan, "/v/x")
  end
  for kind, value in pairs(own) do
    local plan = plan_with(kind, value)
    t.equal({ #plan.mounts, #plan.volumes, #plan.lost }, { 0, 0, 1 }, kind)
    t.raises("unsupported", "\"/v/x\" lies in ", blueprint.check_path, plan, "/v/x")
  end
  local claim = { claimName = "x" }
  local made = plan_with("persistentVolumeClaim", claim, { name = "v", mountPath = "/v", subPathExpr = "$(POD)" })
  t.raises("unsupported", "a path made of its environment", blueprint.check_path, made, "/v")
  local none = plan_with("persistentVolumeClaim", claim, { name = "w", mountPath = "/v" })
  t.raises("unsupported", "a volume that it does not have", blueprint.check_path, none, "/v")
end

test["what a workload's pod would be has its template's volumes, and its owner"] = function(t)
  local pod = a_pod()
  local workload = { apiVersion = "apps/v1", kind = "Deployment", spec = { template = { spec = pod.spec } },
    metadata = { name = "web", namespace = "m", uid = "u3" } }
  local plan = blueprint.of_workload(workload, pod.spec.containers[1], 0)
  t.equal({ plan.pod, plan.container, plan.image, plan.uid }, { "web", "db", "registry.local/db", nil })
  t.equal(plan.owner, { apiVersion = "apps/v1", kind = "Deployment", name = "web", uid = "u3" })
  t.equal(#plan.volumes, 2)
end

--- Start a helper on a cluster that says of it at each moment, in ms from the beginning, what
--- states(ms) returns; time passes by waiting only.
--- @return boolean, any as of pcall
--- @return table what was told, {ms, text} each
--- @return boolean was the pod removed again?
local function start_at(states)
  local now, told, removed = 0, {}, false
  local cluster = {
    create = function(_, object) return object end,
    get = function(_, _, name)
      return { metadata = { name = name, namespace = "m" }, spec = { containers = { { name = "helper" } } },
        status = states(now) }
    end,
    events = function() return { { type = "Warning", reason = "Older", message = "what was before" } } end,
    delete = function() removed = true end,
  }
  local mono, sleep = clock.mono, task.sleep
  clock.mono, task.sleep = function() return now end, function(ms) now = now + ms end
  local manifest = helper.manifest(plan_of(a_pod()), { name = "moonkeep-helper-x", run = RUN, image = "b" })
  local ok, result = pcall(effect.with, { inside = "undo" }, helper.start, cluster, manifest, function(text)
    if not (told[#told] and told[#told].text == text) then
      told[#told + 1] = { at = now, text = text }
    end
  end)
  clock.mono, task.sleep = mono, sleep
  return ok, result, told, removed
end

local function unplaced(message)
  return { phase = "Pending", conditions = { { type = "PodScheduled", status = "False", reason = "Unschedulable",
    message = message } } }
end

local NO_ROOM = "0/3 nodes are available: 3 Insufficient cpu."

test["that the scheduler finds no node is said at once, and waited for"] = function(t)
  local ok, pod, told, removed = start_at(function(ms)
    if ms < 40000 then
      return unplaced(NO_ROOM)
    elseif ms < 60000 then
      return unplaced "0/4 nodes are available: 1 node(s) had taint {new: }, 3 Insufficient cpu."
    end
    return { phase = "Running", containerStatuses = { { name = "helper", state = { running = {} } } } }
  end)
  t.check(ok, tostring(pod))
  t.equal(removed, false)
  t.equal({ told[1].at, told[2].at, #told }, { 0, 40000, 2 })
  t.equal(told[1].text, "waiting up to 180 s for the helper pod moonkeep-helper-x: the scheduler finds no node "
    .. "for it: " .. NO_ROOM)
  t.contains(told[2].text, "1 node(s) had taint")
end

test["a helper for which there is no node at all ends in the scheduler's words"] = function(t)
  local ok, e, _, removed = start_at(function() return unplaced(NO_ROOM) end)
  t.equal({ ok, e.code, removed }, { false, "timeout", true })
  t.contains(e.message, "waited 180 s for the helper pod moonkeep-helper-x: the scheduler finds no node for it: "
    .. NO_ROOM)
  t.contains(e.hint, "kubectl describe nodes")
  t.contains(e.hint, "10m of CPU and 32Mi")
end

test["what a helper with a node waits for is said after a while, without what was before it had one"] = function(t)
  local ok, e, told = start_at(function(ms)
    if ms < 1000 then
      return unplaced(NO_ROOM)
    end
    return { phase = "Pending", containerStatuses = { { name = "helper",
      state = { waiting = { reason = "ContainerCreating" } } } } }
  end)
  t.equal(ok, false)
  t.equal({ #told, told[2].at }, { 2, 10000 })
  t.contains(told[2].text, "ContainerCreating")
  t.contains(e.message, "Older: what was before")
  t.check(not e.message:find("Insufficient", 1, true), e.message)
end

return test
