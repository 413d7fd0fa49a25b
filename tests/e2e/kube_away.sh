#!/usr/bin/env bash
# The module kube while the API server is killed, and comes back.
# timeout: 300
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/e2e.sh
. "$(dirname "$0")/../harness/e2e.sh"

end_of() {
        kill "$1" 2>/dev/null || :
}

# A watch, a wait and reads are under way when the server dies.
all_go_on() {
        needs_components
        make_namespace
        kube create configmap before
        cat >away.lua <<LUA
local fs = require "_fs"
local json = require "json"
local task = require "task"
local cluster = require("kube").open { namespace = "$NAMESPACE" }

return { ["all goes on"] = function()
  local told = {}
  local watching = task.spawn(function()
    cluster:watch("cm", { selector = "made!=there", synced = function() fs.write("$PWD/synced", "") end },
      function(type, object)
        if object.metadata.name ~= "kube-root-ca.crt" then
          told[#told + 1] = type .. " " .. object.metadata.name
        end
        return object.metadata.name == "end"
      end)
    return true
  end)
  local waiting = task.spawn(function()
    return cluster:wait("cm", "after", { path = ".data.a", value = "1", limit_ms = 120000 }).metadata.name
  end)
  local reading = task.spawn(function()
    local count = 0
    while #told < 4 do
      cluster:get("cm", "before")
      count = count + 1
      task.sleep(20)
    end
    return count
  end)
  local results = {}
  for index, handle in ipairs { watching, waiting, reading } do
    local ok, value = handle:wait()
    results[index] = ok and value or tostring(value)
  end
  fs.write("$PWD/said", json.encode { told = told, results = results })
end }
LUA
        "$MOONKEEP" _test away.lua >log 2>&1 &
        local pid=$!
        defer end_of "$pid"
        wait_for 30 test -e synced
        kube create configmap early
        kill_component kube-apiserver
        check_not kubectl get --raw /version --request-timeout=2s
        mend
        kube create configmap after --from-literal=a=1
        kube delete configmap early
        kube create configmap end
        wait_for 90 test -e said
        jq -c . said
        check_equal "$(jq -c '.told' said)" '["ADDED before","ADDED early","ADDED after","DELETED early","ADDED end"]'
        check_equal "$(jq -c '.results[0:2]' said)" '[true,"after"]'
        check test "$(jq '.results[2]' said)" -gt 0
}

scenario "a watch, a wait and reads outlive an API server that is killed" all_go_on
