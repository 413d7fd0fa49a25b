--- moonkeep help targets: how a target is written.

local forms = require "cli.forms"
local text = require "cli.text"

local targets = {}

local SECTIONS = {
  { "Targets", {
    { "local:", "this machine" },
    { "pod://NAMESPACE/POD", "a pod" },
    { "pod://NAMESPACE/sts/NAME", "the pod of a StatefulSet; also deploy/NAME, ds/NAME" },
    { "pod://NAMESPACE?selector=app=x", "the pod with these labels" },
  } },
  { "Options of pod://", {
    { "container=NAME", "where the pod has several, and none is its default" },
    { "context=NAME", "of the kubeconfig, instead of the current one" },
    { "replica=N", "which of several: a StatefulSet's ordinal, else by the order of names" },
    { "helper=IMAGE", "an image with sh, tar and dd, where the pod's own has no shell" },
    { "proof=structure|digest", "how streams are proven; digest also hashes in the pod, which is slow" },
  } },
  { "Services (--service)", {
    { "systemd:UNIT", "a unit of the target" },
    { "stop=COMMAND, start=COMMAND, running=COMMAND", "commands on the target; one option each" },
    { "workload", "what the target's pod belongs to, scaled to 0 and back" },
    { "sts/NAME, deploy/NAME", "the same, by name" },
  } },
}

--- What the service account or the user of a kubeconfig needs; docs/guide/110-kubernetes.md has it, too.
targets.ROLE = [[
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: moonkeep, namespace: NAMESPACE}
rules:
  # to look at pods, act in them, and ask their servers
  - {apiGroups: [""], resources: [pods], verbs: [get, list]}
  - {apiGroups: [""], resources: [pods/exec], verbs: [get, create]}
  - {apiGroups: [""], resources: [pods/proxy, pods/portforward], verbs: [get, create]}
  - {apiGroups: [apps], resources: [statefulsets, deployments, replicasets, daemonsets], verbs: [get, list]}
  # for helper pods: restores of workloads, and pods without a shell
  - {apiGroups: [""], resources: [pods], verbs: [create, delete]}
  - {apiGroups: [""], resources: [events, pods/log], verbs: [get, list]}
  # for --service workload
  - {apiGroups: [apps], resources: [statefulsets, deployments], verbs: [patch]}
  - {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [list]}
---
# to tell clusters apart: resumed and rolled back runs refuse another one
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: moonkeep-identity}
rules:
  - {apiGroups: [""], resources: [namespaces], resourceNames: [kube-system], verbs: [get]}
]]

--- The page.
function targets.page()
  local parts = { "A target is where a recipe acts.  Options follow ? and &, so quote it:\n"
    .. "  moonkeep run prometheus.backup --target 'pod://monitoring/prometheus-0?context=prod'\n" }
  parts[#parts + 1] = forms.text(SECTIONS)
  parts[#parts + 1] = "\nClusters\n" .. text.wrap("KUBECONFIG or ~/.kube/config, as kubectl has them; in a "
    .. "pod its service account.  These rights are needed, with a RoleBinding and a ClusterRoleBinding:",
    "  ", 80) .. "\n" .. targets.ROLE:gsub("[^\n]+", "  %0")
  return table.concat(parts)
end

--- The same for programs.
function targets.document()
  return forms.document(SECTIONS)
end

return targets
