#!/usr/bin/env bash
# s3.prepare, s3.status and s3.replication, and what lua/store/s3*.lua does, on real servers.
# stores: radosgw swift
# timeout: 600
# shellcheck source=tests/harness/lib.sh
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=tests/harness/store.sh
. "$(dirname "$0")/../harness/store.sh"

prepare() {
        "$MOONKEEP" run s3.prepare --store "$STORE" "$@"
}

# lua TEXT: run it with `it`, the store, and what it needs.
lua() {
        cat >"$SCRATCH/script.lua" <<EOF
local s3 = require "store.s3"
local lifecycle = require "store.s3_lifecycle"
local object = require "store.s3_object"
local uploads = require "store.s3_uploads"
local failure = require "failure"
local clock = require "clock"
local it = require("store").open "$STORE"
local function used() return s3, lifecycle, object, uploads, failure, clock end
return { script = function(t)
  used()
  $1
end }
EOF
        check "$MOONKEEP" _test "$SCRATCH/script.lua"
}

# no_bucket KIND: a store in a bucket that is not there yet.
no_bucket() {
        make_store "$1"
        bucket DELETE "$BUCKET"
}

prepared() {
        no_bucket radosgw
        check_status 0 prepare --versioning enabled --plan
        check_says "would create the bucket"
        check_says "would set the lifecycle rule moonkeep-abort-some/prefix/"
        lua 't.equal(s3.exists(it), false)'
        check_status 0 prepare --versioning enabled
        lua 't.equal(s3.exists(it), true)'
}

again() {
        make_store radosgw
        check_status 0 prepare --versioning enabled --noncurrent-days 30
        check_says "versioning, lifecycle"
        check_status 0 prepare --versioning enabled --noncurrent-days 30
        check_says "nothing"
        lua '
          t.equal(s3.versioning(it), "enabled")
          local rules = lifecycle.read(it)
          table.sort(rules, function(x, y) return x.id < y.id end)
          t.equal({ rules[1].id, rules[1].abort_days, rules[2].id, rules[2].noncurrent_days, rules[1].prefix },
            { "moonkeep-abort-some/prefix/", 7, "moonkeep-noncurrent-some/prefix/", 30, "some/prefix/" })'
        check_status 0 prepare --abort-days 3
        check_says "lifecycle"
        lua 't.equal(#lifecycle.read(it), 2)
          for _, rule in ipairs(lifecycle.read(it)) do t.check(rule.abort_days == nil or rule.abort_days == 3) end'
}

fights() {
        make_store radosgw
        lua 'lifecycle.write(it, { { id = "others", enabled = true, prefix = "some/", expire_days = 5 } })'
        check_status 4 prepare --keep-days 30
        check_says "lifecycle rule \"others\" removes objects after 5 days, backups are to be kept for 30"
        lua 't.equal(#lifecycle.read(it), 1)'
        check_status 3 prepare --keep-days 3
        check_says "also when there is no newer backup"
        lua 't.equal(#lifecycle.read(it), 2)'
        check_status 3 "$MOONKEEP" run s3.status --store "$STORE" --keep-days 6
        check_says "backups are to be kept for 6"
        lua 'lifecycle.write(it, {}) t.equal(lifecycle.read(it), {})'
}

# A server that drops the condition on sizes would archive manifests, too: then it is as it was.
archives() {
        make_store radosgw
        lua 'lifecycle.write(it, { { id = "others", enabled = true, prefix = "logs/", expire_days = 5 } })'
        run prepare --archive-days 10 --archive-class STANDARD_IA
        lua 'local ok = false
          for _, rule in ipairs(lifecycle.read(it)) do
            t.check(not rule.transitions or rule.above == lifecycle.ABOVE_MANIFESTS, "manifests would be archived")
            ok = ok or rule.id == "others"
          end
          t.check(ok, "the rule of others is gone")'
        [ "$STATUS" -eq 0 ] || check_says "does not keep lifecycle rule"
}

what_swift_lacks() {
        no_bucket swift
        check_status 3 prepare --encryption AES256
        check_says "lifecycle is left as it is"
        check_says "does not know the lifecycle"
        check_says "encryption is left as it is"
        lua 't.equal(s3.exists(it), true)
          it:put("a", "text")
          it:remove("a")
          t.raises("unsupported", "", lifecycle.write, it, {})
          t.raises("unsupported", "", s3.replication, it)
          t.equal(s3.exists(it), true)'
        check_status 0 "$MOONKEEP" run s3.status --store "$STORE"
        check_says "not known to the server"
}

status() {
        make_store "$1"
        check "$MOONKEEP" store put --store "$STORE" demo/main/20261121T020000Z/manifest.json "$SCRATCH/bucket.lua"
        lua 'for _, key in ipairs { "a", "b/c" } do
            it:call { method = "POST", key = key, query = { uploads = "" } }
          end
          local list = uploads.list(it)
          t.equal(#list, 2)
          local id = list[1].key == "a" and list[1].id or list[2].id
          it:call { method = "PUT", key = "a", query = { partNumber = "1", uploadId = id }, body = ("x"):rep(5000) }'
        check_status 0 "$MOONKEEP" run s3.status --store "$STORE" --json
        check_contains "$SCRATCH/stdout" '"backups": 1'
        check_contains "$SCRATCH/stdout" '"unfinished": 2'
        check_contains "$SCRATCH/stdout" "4.9 KiB"
        check_status 0 "$MOONKEEP" run s3.status --store "$STORE" --abort-older-than 1d --json
        check_contains "$SCRATCH/stdout" '"aborted": 0'
        check_status 0 "$MOONKEEP" run s3.status --store "$STORE" --abort-older-than 0s --plan
        check_says "would give up the upload of"
        check_status 0 "$MOONKEEP" run s3.status --store "$STORE" --abort-older-than 0s --json
        check_contains "$SCRATCH/stdout" '"aborted": 2'
        lua 't.equal(uploads.list(it), {})'
        check_no_secret "$SCRATCH/stdout" "$SCRATCH/stderr" "$SCRATCH/state"
}

objects() {
        make_store radosgw
        lua '
          it:put("a b/ü", "text")
          object.set_tags(it, "a b/ü", { one = "1", ["zwei ä"] = "2" })
          t.equal(object.tags(it, "a b/ü"), { one = "1", ["zwei ä"] = "2" })
          local etag = object.copy(it, "a b/ü", "copy", { metadata = { origin = "here" } })
          local head = object.head(it, "copy")
          t.equal({ head.size, head.etag, head.metadata.origin, head.class }, { 4, etag, "here", "STANDARD" })
          t.equal(object.head(it, "none"), nil)
          t.raises("not_found", "cannot copy", object.copy, it, "none", "x")
          s3.set_versioning(it, "enabled")
          it:put("v", "one")
          it:put("v", "two")
          it:remove("v")
          local seen = {}
          object.each_version(it, "v", function(one)
            seen[#seen + 1] = { one.marker, one.latest, one.size }
            object.remove_version(it, one.key, one.version)
          end)
          t.equal(seen, { { true, true }, { false, false, 3 }, { false, false, 3 } })
          s3.set_tags(it, { team = "x" })
          t.equal(s3.tags(it), { team = "x" })
          object.each_version(it, "", function(one) object.remove_version(it, one.key, one.version) end)'
}

locked() {
        no_bucket radosgw
        check_status 0 prepare --object-lock --abort-days 0
        lua '
          t.equal(s3.object_lock(it), {})
          s3.set_object_lock(it, "governance", 1)
          t.equal(s3.object_lock(it), { mode = "governance", days = 1 })'
        lua '
          local till = clock.now() + 3600000
          it:put("b", "text")
          object.set_retention(it, "b", "governance", till + 86400000)
          t.equal(object.retention(it, "b").mode, "governance")
          object.set_legal_hold(it, "b", true)
          t.equal(object.legal_hold(it, "b"), true)
          object.set_legal_hold(it, "b", false)
          local version
          object.each_version(it, "b", function(one) version = one.version end)
          t.raises("permission", "", object.remove_version, it, "b", version)
          local headers = { ["x-amz-bypass-governance-retention"] = "true" }
          object.each_version(it, "", function(one)
            it:call { method = "DELETE", key = one.key, query = { versionId = one.version }, headers = headers }
          end)'
}

replicates() {
        local first
        make_store radosgw
        first=$STORE
        make_store radosgw
        check_status 0 "$MOONKEEP" run s3.replication --store "$STORE"
        check_says "none"
        check_status 4 "$MOONKEEP" run s3.replication --store "$STORE" --to "$first" --role arn:aws:iam:::role/x
        check_says "keeps no versions"
        check_status 2 "$MOONKEEP" run s3.replication --store "$STORE" --to "$first"
        lua 's3.set_versioning(it, "enabled")'
        STORE=$first lua 's3.set_versioning(it, "enabled")'
        run "$MOONKEEP" run s3.replication --store "$STORE" --to "$first" --role arn:aws:iam:::role/x
        if [ "$STATUS" -eq 0 ]; then
                check_status 0 "$MOONKEEP" run s3.replication --store "$STORE"
                check_says "some/prefix/ to arn:aws:s3:::mk-"
                check_status 0 "$MOONKEEP" run s3.replication --store "$STORE" --to "$first" --role arn:aws:iam:::role/x
                check_says "nothing"
        else
                check_says "cannot set the replication"
        fi
}

denied() {
        make_store radosgw
        check_status 1 env AWS_ACCESS_KEY_ID="$STORE_OTHER_ACCESS_KEY" AWS_SECRET_ACCESS_KEY="$STORE_OTHER_SECRET_KEY" \
                "$MOONKEEP" run s3.status --store "$STORE"
        check_says "denied"
        check_status 2 "$MOONKEEP" run s3.status --store ./here
        check_says "is no store of S3"
}

scenario "a bucket is made and prepared" prepared
scenario "a bucket that is as wanted is left alone, and one setting is changed" again
scenario "rules that fight the retention are refused, others' rules stay" fights
scenario "a transition never reaches manifests" archives
scenario "what swift lacks is said, and its bucket is still there" what_swift_lacks
scenario "status of radosgw: what is there, unfinished uploads, given up when old" status radosgw
scenario "status of swift: what is there, unfinished uploads, given up when old" status swift
scenario "tags, metadata, copies and versions of objects" objects
scenario "retention and legal hold" locked
scenario "replication is shown and set, with versions at both ends" replicates
scenario "what may not be asked" denied
