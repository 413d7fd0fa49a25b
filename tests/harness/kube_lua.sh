# shellcheck shell=bash
# The module kube from the shell, on the cluster that KUBECONFIG names.  Source it
# after lib.sh.

# kube_cases PATTERN: what tests/harness/kube_cases.lua promises (all where the pattern is
# empty), in the namespace $NAMESPACE.
kube_cases() {
        "$MOONKEEP" _test "$ROOT/tests/harness/kube_cases.lua" "$1" || check_failed "see above"
}

# kube_do LUA: SAID is what the chunk returns, as JSON; or "error CODE: MESSAGE (HINT)".
# It finds `cluster`, of the namespace $NAMESPACE.
kube_do() {
        cat >"$SCRATCH/do.lua" <<LUA
local json = require "json"
local cluster = require("kube").open { namespace = "$NAMESPACE" }

local function fn()
  $1
end

return { ["it ran"] = function()
  local ok, value = pcall(fn)
  require("_fs").write("$SCRATCH/said", ok and json.encode(value == nil and json.null or value)
    or type(value) == "table" and ("error %s: %s (%s)"):format(value.code, value.message, value.hint or "")
    or tostring(value))
end }
LUA
        "$MOONKEEP" _test "$SCRATCH/do.lua" >"$SCRATCH/did" 2>&1 || {
                cat "$SCRATCH/did"
                check_failed "kube_do $1"
        }
        SAID=$(cat "$SCRATCH/said")
}

# kube_refused LUA: the same, and it must have raised.
kube_refused() {
        kube_do "$1"
        [[ $SAID == error\ * ]] || check_failed "this should have been refused: $1: $SAID"
}

# said TEXT...: each is in what the last one said.
said() {
        local text
        for text; do
                [[ $SAID == *"$text"* ]] || check_failed "it did not say \"$text\" but: $SAID"
        done
}
