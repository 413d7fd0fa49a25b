#!/usr/bin/env bash
# What Azure has beside objects, in Lua: tests/harness/azure_cases.lua.
# stores: azurite
# timeout: 120
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

cases() {
        "$MOONKEEP" _test "$ROOT/tests/harness/azure_cases.lua" || check_failed "see above"
}

on_azurite() {
        make_store azurite
        cases
}

# The endpoint of the identity and the Resource Manager are one scripted server.
on_resource_manager() {
        local port path='/subscriptions/sub-1/resourceGroups/group/providers/Microsoft.Storage'
        path+='/storageAccounts/account/managementPolicies/default?api-version=2023-01-01'
        local token='answer 200 application/json {"access_token":"tok-1","expires_in":3600}'
        local theirs='{"enabled":true,"name":"theirs","type":"Lifecycle","definition":{"filters":{"blobTypes":["blockBlob"],"prefixMatch":["logs/"]},"actions":{"baseBlob":{"delete":{"daysAfterModificationGreaterThan":9}}}}}'
        local mine='{"definition":{"actions":{"baseBlob":{"tierToCool":{"daysAfterModificationGreaterThan":30}}},"filters":{"blobTypes":["blockBlob"],"prefixMatch":["backups/"]}},"enabled":true,"name":"mine","type":"Lifecycle"}'
        local sorted='{"definition":{"actions":{"baseBlob":{"delete":{"daysAfterModificationGreaterThan":9}}},"filters":{"blobTypes":["blockBlob"],"prefixMatch":["logs/"]}},"enabled":true,"name":"theirs","type":"Lifecycle"}'
        cat >"$SCRATCH/script" <<EOF
always GET /msi?*
$token
expect GET $path
expect-header Authorization: Bearer tok-1
answer 200 application/json {"properties":{"policy":{"rules":[$theirs]}}}
expect PUT $path
expect-header Authorization: Bearer tok-1
expect-header Content-Type: application/json
expect-body {"properties":{"policy":{"rules":[$sorted,$mine]}}}
answer 200 application/json {"properties":{"policy":{"rules":[$theirs,$mine]}}}
expect GET $path
answer 404 application/json {"error":{"code":"ManagementPolicyNotFound","message":"none"}}
expect GET $path
answer 403 application/json {"error":{"code":"AuthorizationFailed","message":"no"}}
expect GET $path
answer 404 application/json {"error":{"code":"ManagementPolicyNotFound","message":"none"}}
EOF
        "$OUT/servers/http_script" --time 60 "$SCRATCH/script" >"$SCRATCH/port" &
        defer kill $!
        wait_for 10 grep -q port "$SCRATCH/port"
        read -r _ port <"$SCRATCH/port"
        unset AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_FEDERATED_TOKEN_FILE
        ARM="http://127.0.0.1:$port" IDENTITY_ENDPOINT="http://127.0.0.1:$port/msi" IDENTITY_HEADER=proof cases
}

scenario "azurite: containers, tags, tiers" on_azurite
scenario "lifecycle policies are applied" on_resource_manager
