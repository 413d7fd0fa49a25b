--- What containers wrote.

local client = require "kube.client"
local discovery = require "kube.discovery"
local object = require "kube.object"
local options = require "kube.options"

local logs = {}

--- Bytes of an answer, where nothing else is asked for.
local MAX = 1024 * 1024

--- What a container wrote, at most max bytes of it.
function logs.read(cluster, pod, given)
  local opts = options.check("kube logs", given, { namespace = "string", container = "string", previous = "boolean",
    tail = "integer", since_s = "integer", max = "integer" })
  local kind = discovery.resource(cluster, "pods")
  local namespace = options.namespace(cluster, kind, opts.namespace)
  local request = object.request(cluster, "get", kind, namespace, pod, "log")
  local max = opts.max or MAX
  request.method, request.accept = "GET", "*/*"
  request.query = { container = opts.container, previous = opts.previous and "true" or nil, tailLines = opts.tail,
    sinceSeconds = opts.since_s, limitBytes = max }
  -- Servers may go over the limit by what they have at hand.
  request.answer_max = max + 1024 * 1024
  local answer = client.send(cluster, request)
  if answer.status < 200 or answer.status >= 300 then
    client.refuse(cluster, request, answer)
  end
  return answer.body:sub(1, max)
end

return logs
