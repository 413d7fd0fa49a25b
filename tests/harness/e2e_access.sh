# shellcheck shell=bash
# Users of a cluster whose credentials come and go, and recipes that see it.  Source it after
# lib.sh, e2e.sh and e2e_streams.sh.

# account: the service account "few" of the namespace, who may look at pods and act in them.
account() {
        kube create serviceaccount few >/dev/null
        kube create role few --verb=get,list --resource=pods >/dev/null
        kube create role few-exec --verb=get,create --resource=pods/exec >/dev/null
        kube create rolebinding few --role=few --serviceaccount="$NAMESPACE:few" >/dev/null
        kube create rolebinding few-exec --role=few-exec --serviceaccount="$NAMESPACE:few" >/dev/null
}

# make_token NAME: the file NAME.token has a token of that account that works until its
# secret NAME is deleted, in old clusters and new ones.
make_token() {
        kube create -f - >/dev/null <<END
{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
 "metadata": {"name": "$1", "annotations": {"kubernetes.io/service-account.name": "few"}}}
END
        wait_for 30 has_token "$1"
        kube get secret "$1" -o 'jsonpath={.data.token}' | base64 -d >"$1.token"
        user_config "$1.config" "{\"token\": \"$(cat "$1.token")\"}"
        check is_known "$1"
}

has_token() {
        [ -n "$(kube get secret "$1" -o 'jsonpath={.data.token}')" ]
}

# user_config FILE USER: a kubeconfig for the cluster with that user, in JSON.
user_config() {
        kubectl config view --raw --minify -o json | jq --argjson user "$2" '.users[0].user = $user' >"$1"
        chmod 600 "$1"
}

# revoke NAME: that token works no more.  The API server believes for a while what it has seen.
revoke() {
        kube delete secret "$1" >/dev/null
        wait_for 60 is_unknown "$1"
}

is_known() {
        KUBECONFIG=$PWD/$1.config kube get pods --request-timeout=10s >/dev/null 2>&1
}

# Refused for what it is, not for the server being busy.
is_unknown() {
        local said
        ! said=$(KUBECONFIG=$PWD/$1.config kube get pods --request-timeout=10s 2>&1) && grep -q Unauthorized <<<"$said"
}

# recipe_two: after stream_recipes: toy.two copies a directory twice, and tells the name of the
# pod each time.
recipe_two() {
        cat >dev/recipes/toy/two.lua <<'END'
local backup = require "backup"
local task = require "task"
return recipe {
  summary = "Copy a directory, wait for a file of this machine, and copy it again",
  params = { target = { "target", required = true, help = "where" },
    store = { "store", required = true, help = "where to" }, dir = { "path", required = true, help = "what" },
    file = { "path", help = "waited for; FILE.waiting is made" } },
  steps = { { "lock", "Lock" }, { "first", "Copy" }, { "wait", "Wait" }, { "second", "Copy again" },
    { "publish", "Publish" } },
  example = "moonkeep run toy.two --target local: --store x --dir y",
  run = function(ctx, p)
    local here = require("target").open("local:")
    local set = backup.new(ctx, p.store, "bench", "main")
    ctx:cleanup("release the lock", function() set:release() end)
    set:begin(ctx:step("lock", function() return set:acquire() end))
    ctx:compensate("remove the incomplete backup", {}, function() return set:discard() end)
    local function copy(name)
      local pod = p.target:exec({ argv = { "hostname" } }).stdout:gsub("%s+$", "")
      return { pod = pod, artifacts = set:put_tar(name, p.target:tar_out(p.dir, {}), {}) }
    end
    local first = ctx:step("first", function() return copy("one.tar") end)
    ctx:step("wait", function()
      if p.file then
        here:write(p.file .. ".waiting", "")
        while here:stat(p.file) == nil do task.sleep(100) end
      end
    end)
    local second = ctx:step("second", function() return copy("two.tar") end)
    ctx:step("publish", function()
      return set:publish(set:manifest { recipe = "toy.two", artifacts = { first.artifacts, second.artifacts },
        target = p.target.url }, {})
    end)
    return { backup = set.name, pods = { first.pod, second.pod } }
  end,
}
END
}

# two_begins TARGET DIR [OPTION...]: toy.two in the background, as COPY.
two_begins() {
        "${MK[@]}" run toy.two --target "$1" --dir "$2" --store "$STORE" "${@:3}" \
            >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
        COPY=$!
        defer kill -KILL "$COPY"
}

# two_ends STATUS: it ends so.
two_ends() {
        STATUS=0
        wait "$COPY" || STATUS=$?
        cat "$SCRATCH/stdout" "$SCRATCH/stderr"
        check_equal "$STATUS" "$1"
}
