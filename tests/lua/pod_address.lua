--- How pods are written as targets.

local address = require "target.pod.address"
local target = require "target"

local test = {}

test["pods, workloads and selectors are told apart"] = function(t)
  local function is(text, kind, name, more)
    local got = address.parse(text)
    t.equal({ got.kind, got.name or false, got.namespace }, { kind, name, more or "monitoring" }, text)
  end
  is("pod://monitoring/prometheus-0", "pod", "prometheus-0")
  is("pod://monitoring/pod/prometheus-0", "pod", "prometheus-0")
  is("pod://monitoring/sts/prometheus", "statefulset", "prometheus")
  is("pod://monitoring/statefulset/prometheus", "statefulset", "prometheus")
  is("pod://monitoring/deploy/a.b-c", "deployment", "a.b-c")
  is("pod://monitoring/deployment/x", "deployment", "x")
  is("pod://monitoring/ds/node", "daemonset", "node")
  is("pod://monitoring?selector=app=x", "selector", false)
  t.equal(address.describe(address.parse("pod://m/sts/p")), "statefulset m/p")
  t.equal(address.describe(address.parse("pod://m?selector=a=b,c!=d")), "pods with a=b,c!=d in m")
end

test["options are decoded, and have defaults"] = function(t)
  local got = address.parse("pod://m/sts/p?container=c&context=prod%2Feu&replica=2&helper=registry.local/busybox:1.2"
    .. "&proof=digest")
  t.equal({ got.container, got.context, got.replica, got.helper, got.proof },
    { "c", "prod/eu", 2, "registry.local/busybox:1.2", "digest" })
  got = address.parse("pod://m?selector=app%3Dx%2Cb=c")
  t.equal({ got.selector, got.proof }, { "app=x,b=c", "structure" })
end

test["what is no address says what is wrong"] = function(t)
  local function wrong(text, part)
    local e = t.raises("usage", part, target.check, text)
    t.contains(e.message, text)
    t.check(e.hint)
  end
  wrong("pod:", "the namespace is missing")
  wrong("pod://", "the namespace is missing")
  wrong("pod://m", "which pod is missing")
  wrong("pod://m/", "which pod is missing")
  wrong("pod://m/a/b/c", "too many parts")
  wrong("pod://m/job/x", "\"job\" is no kind that has pods")
  wrong("pod://a.b/x", "\"a.b\" is no name of a namespace")
  wrong("pod://me@m/x", "a pod has neither user nor port")
  wrong("pod://m:80/x", "a pod has neither user nor port")
  wrong("pod://m/UPPER", "\"UPPER\" is no name of a pod")
  wrong("pod://m/x?repplica=1", "there is no option \"repplica\" (did you mean \"replica\"?)")
  wrong("pod://m/x?container", "option container needs a value")
  wrong("pod://m/x?container=", "option container needs a value")
  wrong("pod://m/x?container=a&container=b", "given twice")
  wrong("pod://m/x?container=A", "no name of a container")
  wrong("pod://m/x?helper=a%20b", "no name of an image")
  wrong("pod://m/x?helper=a%0Ab", "control character")
  wrong("pod://m/x?proof=none", "proof is structure or digest")
  wrong("pod://m/sts/x?replica=-1", "replica must be a number")
  wrong("pod://m/x?replica=1", "a pod's name says already which one it is")
  wrong("pod://m/x?selector=a=b", "a selector takes the place of a name")
end

return test
