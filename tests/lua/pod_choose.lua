--- Which pod, which container, and in what state.

local address = require "target.pod.address"
local choose = require "target.pod.choose"
local workloads = require "target.pod.workloads"

local test = {}

local function pod(name, fields)
  local one = { metadata = { name = name, namespace = "m" }, spec = { containers = { { name = "c" } } },
    status = { phase = "Running", conditions = { { type = "Ready", status = "True" } },
      containerStatuses = { { name = "c", state = { running = {} } } } } }
  for field, value in pairs(fields or {}) do
    one[field] = value
  end
  return one
end

local function waiting(reason, message, more)
  local status = { name = "c", state = { waiting = { reason = reason, message = message } } }
  for field, value in pairs(more or {}) do
    status[field] = value
  end
  return { phase = "Pending", containerStatuses = { status } }
end

test["one of one is that one, and of none there is none"] = function(t)
  local where = address.parse("pod://m/deploy/x")
  t.equal(choose.among({}, where, "x"), nil)
  t.equal(choose.among({ pod "x-1" }, where, "x").metadata.name, "x-1")
end

test["several without a replica are listed with their state"] = function(t)
  local e = t.raises("usage", "deployment m/x has 2 pods: x-a (running, ready), x-b (pending, not ready: "
    .. "ImagePullBackOff (no such image))", choose.among,
    { pod("x-b", { status = waiting("ImagePullBackOff", "no such image") }), pod "x-a" },
    address.parse("pod://m/deploy/x"), "deployment m/x")
  t.contains(e.hint, "replica=0")
end

test["a replica is an ordinal of a StatefulSet, and else a place in the order of names"] = function(t)
  local list = { pod "p-10", pod "p-2", pod "p-0" }
  local function which(text)
    local found = choose.among(list, address.parse(text), "p")
    return found and found.metadata.name
  end
  t.equal(which("pod://m/sts/p?replica=2"), "p-2")
  t.equal(which("pod://m/sts/p?replica=1"), nil)
  t.equal(which("pod://m/deploy/p?replica=1"), "p-10")
  t.equal(which("pod://m?selector=a=b&replica=0"), "p-0")
  t.raises("not_found", "has no replica 3", which, "pod://m/deploy/p?replica=3")
end

test["those that are leaving count only when there are no others"] = function(t)
  local where = address.parse("pod://m/deploy/x")
  local leaving = pod("x-old", { metadata = { name = "x-old", deletionTimestamp = "now" } })
  t.equal(choose.among({ leaving, pod "x-new" }, where, "x").metadata.name, "x-new")
  t.equal(choose.among({ leaving }, where, "x").metadata.name, "x-old")
  local evicted = pod("x-evicted", { status = { phase = "Failed", reason = "Evicted" } })
  t.equal(choose.among({ evicted, pod "x-new" }, where, "x").metadata.name, "x-new")
end

test["a pod's state says why it is not ready"] = function(t)
  t.equal(choose.state(pod "x"), "running, ready")
  t.equal(choose.state(pod("x", { metadata = { name = "x", deletionTimestamp = "now" } })), "being deleted")
  t.equal(choose.state(pod("x", { status = { phase = "Running", conditions = {
    { type = "Ready", status = "False", message = "containers with unready status: [c]" } },
    containerStatuses = { { name = "c", state = { running = {} } } } } })),
    "running, not ready: containers with unready status: [c]")
  t.equal(choose.state(pod("x", { status = waiting("CrashLoopBackOff", "back-off 5m0s",
    { restartCount = 7, lastState = { terminated = { exitCode = 2 } } }) })),
    "pending, not ready: CrashLoopBackOff (restarted 7 times, it ended with status 2)")
  t.equal(choose.state(pod("x", { status = { phase = "Pending", conditions = {
    { type = "PodScheduled", status = "False", reason = "Unschedulable", message = "0/1 nodes" } } } })),
    "pending, not ready: Unschedulable (0/1 nodes)")
  t.equal(choose.state(pod("x", { status = { phase = "Failed", reason = "Evicted", message = "disk" } })),
    "failed, not ready: Evicted (disk)")
end

test["what will come by itself is told from what will not"] = function(t)
  local function stuck(status)
    return (choose.is_stuck(pod("x", { status = status }), "c"))
  end
  t.equal(stuck(waiting("ContainerCreating")), false)
  t.equal(stuck(waiting("PodInitializing")), false)
  t.equal(stuck(waiting("CrashLoopBackOff")), true)
  t.equal(stuck(waiting("ErrImagePull", "not found")), true)
  t.equal(stuck({ phase = "Succeeded" }), true)
  t.equal(stuck(pod("x").status), false)
  t.equal(choose.runs(pod "x", "c"), true)
  t.equal(choose.runs(pod("x", { status = waiting("ContainerCreating") }), "c"), false)
end

test["a pod that is being deleted has ended when its containers have"] = function(t)
  local leaving = { name = "x", deletionTimestamp = "now" }
  local ended = { { name = "c", state = { terminated = { exitCode = 0 } } } }
  t.equal(choose.has_ended(pod "x"), false)
  t.equal(choose.has_ended(pod("x", { metadata = leaving })), false)
  t.equal(choose.has_ended(pod("x", { metadata = leaving, status = { containerStatuses = ended } })), true)
  t.equal(choose.has_ended(pod("x", { status = { containerStatuses = ended } })), false)
  t.equal(choose.has_ended(pod("x", { metadata = leaving, status = {} })), false)
end

test["a container is the only one, the default one, or the one that is named"] = function(t)
  local several = { metadata = { name = "x" }, spec = { containers = { { name = "a" }, { name = "b" } } } }
  t.equal(choose.container(pod "x", nil, "pod x").name, "c")
  t.equal(choose.container(several, "b", "pod x").name, "b")
  local e = t.raises("usage", "pod x has the containers a, b", choose.container, several, nil, "pod x")
  t.contains(e.hint, "container=a")
  t.raises("not_found", "pod x has no container \"z\": there are a, b", choose.container, several, "z", "pod x")
  several.metadata.annotations = { ["kubectl.kubernetes.io/default-container"] = "b" }
  t.equal(choose.container(several, nil, "pod x").name, "b")
  -- An annotation that names none is as none.
  several.metadata.annotations = { ["kubectl.kubernetes.io/default-container"] = "gone" }
  t.raises("usage", "has the containers", choose.container, several, nil, "pod x")
end

test["selectors of workloads are written as the API takes them"] = function(t)
  t.equal(workloads.selector { matchLabels = { b = "2", a = "1" } }, "a=1,b=2")
  t.equal(workloads.selector { matchLabels = { a = "1" }, matchExpressions = {
    { key = "x", operator = "In", values = { "1", "2" } }, { key = "y", operator = "NotIn", values = { "3" } },
    { key = "z", operator = "Exists" }, { key = "w", operator = "DoesNotExist" } } },
    "!w,a=1,x in (1,2),y notin (3),z")
end

return test
