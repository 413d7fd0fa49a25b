--- What a pod target demands of a cluster, remembers, and leaves at its end.

local address = require "target.pod.address"
local effect = require "effect"
local failure = require "failure"
local guard = require "target.pod.guard"
local json = require "json"
local place = require "target.pod.place"
local script = require("_scripts").load(require("_fs").read("tests/harness/kube_script.lua", 65536),
  "@tests/lua/kube_script.lua", _G)()

local test = {}

local SYSTEM = "GET /api/v1/namespaces/kube-system"
local REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
local PODS = "/api/v1/namespaces/m/pods"
local RUN = "20261121T020000-aaaaa"

--- A place on a cluster that plays these steps; what is remembered and said is in it.
--- @param memory? table what an earlier part of the run remembered
local function open(text, steps, memory)
  local cluster, played, asked = script.open(steps, { ["/version"] = { major = "1", minor = steps.minor or "30" } })
  local self = place.new(address.parse(text), cluster)
  self:attach { run = RUN, memory = memory or {}, said = {},
    remember = function(session, all)
      session.kept = json.decode(json.encode(all))
    end,
    tell = function(session, kind, said)
      session.said[#session.said + 1] = kind .. ": " .. said
    end }
  return self, played, asked
end

local function uid(text)
  return { SYSTEM, body = { metadata = { uid = text } } }
end

--- A review that must ask for just that: "verb resource[/subresource]".
local function right(t, wanted, allowed)
  return { REVIEW, body = { status = { allowed = allowed ~= false } }, check = function(request)
    local asked = json.decode(request.body).spec.resourceAttributes
    t.equal(("%s %s%s"):format(asked.verb, asked.resource, asked.subresource and "/" .. asked.subresource or ""),
      wanted)
    t.equal(asked.namespace, "m")
  end }
end

test["the first use remembers the cluster, and no later one asks again"] = function(t)
  local self, played = open("pod://m/db-0", { uid "u1" })
  guard.check_cluster(self)
  guard.check_cluster(self)
  played()
  local kept = self.session.kept.pinned
  t.equal({ kept.uid, kept.by, kept.context }, { "u1", "namespace kube-system", "script" })
end

test["a run that goes on is refused another cluster, and one that cannot be told apart"] = function(t)
  local memory = { pinned = { uid = "u1", by = "namespace kube-system", context = "prod", server = "https://a" } }
  local self, played = open("pod://m/db-0", { uid "u1" }, memory)
  guard.check_cluster(self)
  played()
  self, played = open("pod://m/db-0", { uid "u2" }, memory)
  local e = t.raises("refused", "leads to another cluster", guard.check_cluster, self)
  t.contains(e.message, "prod")
  played()
  self = open("pod://m/db-0", { { SYSTEM, status = 403, body = script.status(403, "Forbidden", "no") } }, memory)
  t.raises("refused", "which the user cannot read now", guard.check_cluster, self)
end

test["what is needed is asked once, and all that is missing is one error"] = function(t)
  local self, played = open("pod://m/db-0", { uid "u1", right(t, "get pods"), right(t, "get pods/exec") })
  guard.check(self)
  guard.check(self)
  guard.need(self, { { "get", "pod" } })
  played()
  self, played = open("pod://m/sts/db", { uid "u1", right(t, "get pods"), right(t, "get pods/exec", false),
    right(t, "list pods"), right(t, "get statefulsets", false) })
  local e = t.raises("permission", "get pods/exec", guard.check, self)
  t.contains(e.message, "get statefulsets.apps")
  played()
  -- What was refused is asked again: it may have been granted.
  self, played = open("pod://m?selector=a=b", { uid "u1", right(t, "get pods"), right(t, "get pods/exec"),
    right(t, "list pods", false), right(t, "get pods"), right(t, "get pods/exec"), right(t, "list pods") })
  t.raises("permission", "list pods", guard.check, self)
  guard.check(self)
  played()
end

test["newer servers are asked whether an exec may be created, too"] = function(t)
  for minor, create in pairs { ["34"] = false, ["35"] = true, ["35+"] = true, [""] = false } do
    local steps = { uid "u1", right(t, "get pods"), right(t, "get pods/exec"), minor = minor }
    steps[4] = create and right(t, "create pods/exec") or nil
    local self, played = open("pod://m/db-0", steps)
    guard.check(self)
    played()
  end
end

local HELPER, OTHER = "moonkeep-helper-x", "moonkeep-helper-y"
local UNAUTHORIZED = script.status(401, "Unauthorized", "Unauthorized")

local function helpers(...)
  local items = json.array {}
  for index, name in ipairs { ... } do
    items[index] = { metadata = { name = name, namespace = "m", labels = { ["moonkeep.dev/run"] = RUN } } }
  end
  return { "GET " .. PODS, query = { labelSelector = "moonkeep.dev/run" }, body = { metadata = {}, items = items } }
end

local function removed(name)
  return { "DELETE " .. PODS .. "/" .. name, body = { kind = "Status" } }
end

local function undoing(fn, ...)
  return effect.with({ inside = "undo" }, fn, ...)
end

test["the end removes the run's helpers, also one that the list does not have"] = function(t)
  local self, played = open("pod://m/db-0", { helpers(OTHER), removed(OTHER), removed(HELPER) },
    { helper = { name = HELPER, namespace = "m" } })
  undoing(self.release, self)
  played()
  t.equal(self.session.kept.helper, nil)
  t.equal(self.session.said, { "detail: the helper pod " .. OTHER .. " is removed",
    "detail: the helper pod " .. HELPER .. " is removed" })
  -- Nothing was done: nothing is asked.
  place.new(address.parse("pod://m/db-0")):release()
end

test["whoever may not list removes what is known, and what was gone is no failure"] = function(t)
  local self, played = open("pod://m/db-0", { { "GET " .. PODS, status = 403,
    body = script.status(403, "Forbidden", "no") }, { "DELETE " .. PODS .. "/" .. HELPER, status = 404,
    body = script.status(404, "NotFound", "gone", { name = HELPER }) } },
    { helper = { name = HELPER, namespace = "m" } })
  undoing(self.release, self)
  played()
  t.equal(self.session.kept.helper, nil)
end

test["helpers that could not be removed are all tried, named, and remembered"] = function(t)
  local self, played = open("pod://m/db-0", { helpers(HELPER, "b", OTHER),
    { "DELETE " .. PODS .. "/" .. HELPER, status = 401, body = UNAUTHORIZED }, removed "b",
    { "DELETE " .. PODS .. "/" .. OTHER, status = 401, body = UNAUTHORIZED } },
    { helper = { name = HELPER, namespace = "m" } })
  local e = t.raises("credentials", ("the helper pod %s, %s in namespace m is left: cannot delete"):format(HELPER,
    OTHER), undoing, self.release, self)
  t.contains(e.hint, ("kubectl --context script -n m delete pod %s %s"):format(HELPER, OTHER))
  t.contains(e.hint, "moonkeep rollback " .. RUN)
  played()
  t.equal(self.memory.helper.name, HELPER)
end

test["a removal that the end has no time for is named, too"] = function(t)
  local self = open("pod://m/db-0", { helpers(HELPER), { "DELETE " .. PODS .. "/" .. HELPER,
    error = failure.new("cancelled", "cancelled") } }, { helper = { name = HELPER, namespace = "m" } })
  t.raises("timeout", "is left: its removal took too long", undoing, self.release, self)
end

test["a command is shown as a person types it, with the cluster that is meant"] = function(t)
  local self = open("pod://m/db-0", {}, { blueprint = { pod = "db-0", container = "db" } })
  t.equal(self:command { "rm", "-rf", "--", "/data/it's" },
    "kubectl --context script -n m exec db-0 -c db -- rm -rf -- '/data/it'\\''s'")
  -- In a pod kubectl has no context.
  self._cluster.about.context = "in-cluster"
  t.equal(self:command { "ls" }, "kubectl -n m exec db-0 -c db -- ls")
  -- No pod has been seen.
  t.equal(open("pod://m/db-0", {}):command { "ls", "a b" }, "ls 'a b'")
end

test["what was said is not said again"] = function(t)
  local self = open("pod://m/db-0", {})
  for _, name in ipairs { "a", "a", "b", "a" } do
    self:once("caution", "it is %s", name)
  end
  t.equal(self.session.said, { "caution: it is a", "caution: it is b" })
end

return test
