# shellcheck shell=bash
# A store of a scenario's own: a directory, or a bucket that goes with the
# scenario.  Source it after lib.sh.

# make_store directory|radosgw|swift|azurite [https]: STORE is its URL; BUCKET the URL
# of the bucket that it lies in.
make_store() {
        local name option=
        STORE=$SCRATCH/store
        export STORE
        [ "$1" != directory ] || return 0
        needs_store "$@"
        # What the person who runs this has set up is not meant.
        unset AWS_PROFILE AWS_ENDPOINT_URL_S3 AWS_REGION
        export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
        name=mk-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
        [ "${2:-}" != https ] || option="&ca_file=$STORE_CA_FILE"
        if [ "$1" = azurite ]; then
                BUCKET="azure://$STORE_ACCOUNT/$name?endpoint=$STORE_ENDPOINT$option"
        else
                BUCKET="s3://$name?endpoint=$STORE_ENDPOINT&region=$STORE_REGION$option"
        fi
        STORE=${BUCKET/$name/$name/some/prefix}
        defer bucket DELETE "$BUCKET"
        bucket PUT "$BUCKET"
}

# bucket PUT|DELETE URL: make it, or remove it with all that is in it.
bucket() {
        cat >"$SCRATCH/bucket.lua" <<EOF
local store = require "store"

return { bucket = function()
  local it = store.open "$2"
  local query = it.url:match("^azure:") and { restype = "container" } or nil
  if "$1" == "DELETE" then
    it:sweep("")
    for entry in it:each("") do
      it:remove(entry.key)
    end
  end
  it:call { method = "$1", query = query }
end }
EOF
        "$MOONKEEP" _test "$SCRATCH/bucket.lua" >"$SCRATCH/bucket.log" 2>&1 || {
                cat "$SCRATCH/bucket.log"
                check_failed "bucket $1"
        }
}

# secret_forms: the secrets of the store, plain, in base64 and in URLs, one a line.
secret_forms() {
        local secret
        for secret in "${STORE_SECRET_KEY:-}" "${STORE_KEY:-}"; do
                [ -n "$secret" ] || continue
                printf '%s\n' "$secret"
                printf '%s\n' "$(printf %s "$secret" | base64 -w0 | tr -d =)"
                # What stands in front of it shifts base64 by one or two bytes.
                printf '%s\n' "$(printf 'x%s' "$secret" | base64 -w0 | cut -c5-24)"
                printf '%s\n' "$(printf 'xx%s' "$secret" | base64 -w0 | cut -c5-24)"
                printf '%s\n' "$(printf %s "$secret" | sed 's/%/%25/g; s|/|%2F|g; s/+/%2B/g; s/=/%3D/g')"
        done
}

# check_no_secret FILE...: none of them (folders: nothing below) holds a secret of the store.
check_no_secret() {
        local form
        for form; do
                check test -e "$form"
        done
        secret_forms >"$SCRATCH.forms"
        while IFS= read -r form; do
                check_not grep -rqF -- "$form" "$@"
        done <"$SCRATCH.forms"
        rm "$SCRATCH.forms"
}
