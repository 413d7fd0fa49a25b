--- What a bucket has beyond objects: documents read, written and judged, also those of
--- servers that answer something else.  Real servers are in tests/recipes/s3.sh.

local failure = require "failure"
local lifecycle = require "store.s3_lifecycle"
local object = require "store.s3_object"
local s3 = require "store.s3"
local s3_call = require "store.s3_call"
local uploads = require "store.s3_uploads"
local xml = require "xml"

local test = {}

--- A store whose server gives these answers, by method and query; what it is sent is in `sent`.
local function server(answers)
  local it = { url = "s3://bucket/some/prefix?endpoint=http://127.0.0.1:1", place = "s3://bucket/some/prefix",
    sent = {} }
  local function call(_, request)
    local names = {}
    for name in pairs(request.query or {}) do
      names[#names + 1] = name
    end
    table.sort(names)
    local line = request.method .. " " .. (request.key or "") .. "?" .. table.concat(names, "&")
    table.insert(it.sent, { line = line, body = request.body, headers = request.headers })
    local answer = answers[line] or answers[request.method]
    if type(answer) == "function" then
      answer = answer(request)
    end
    if type(answer) == "table" then
      error(answer, 0)
    end
    return { status = 200, headers = {}, body = answer or "" }
  end
  it.call, it._handle = call, { call = call }
  return it
end

local function lines(it)
  local list = {}
  for index, request in ipairs(it.sent) do
    list[index] = request.line
  end
  return list
end

local function none(code)
  return failure.new("not_found", ("cannot read: there is no such thing (%s)"):format(code), { http = 404 })
end

local LISTING = "<ListBucketResult><Name>bucket</Name></ListBucketResult>"

test["the bucket and the prefix of a store, and no other kind of store"] = function(t)
  local function of(url)
    return { s3_call.of { url = url, place = url } }
  end
  t.equal(of "s3://bucket", { "bucket", "" })
  t.equal(of "s3://bucket?region=x", { "bucket", "" })
  t.equal(of "s3://bucket/a%20b/c?region=x", { "bucket", "a b/c/" })
  t.raises("usage", "is no store of S3", of, "/backups")
  t.raises("usage", "is no store of S3", of, "azure://a/b")
end

test["what is not there is nil, what a server does not know is unsupported, no bucket is an error"] = function(t)
  for _, ask in ipairs { s3.encryption, s3.replication, s3.object_lock } do
    t.equal(ask(server { GET = none "ServerSideEncryptionConfigurationNotFoundError" }), nil)
    t.raises("unsupported", "does not know", ask, server { GET = LISTING })
    t.raises("unsupported", "does not know", ask, server { GET = "no XML" })
    t.raises("not_found", "NoSuchBucket", ask, server { GET = none "NoSuchBucket" })
    t.raises("permission", "cannot read the", ask, server { GET = failure.new("permission", "no (AccessDenied)") })
  end
  t.equal(lifecycle.read(server { GET = none "NoSuchLifecycleConfiguration" }), {})
end

test["nothing is written or removed where it cannot be read: Swift would remove the bucket"] = function(t)
  local it = server { GET = LISTING }
  t.raises("unsupported", "", lifecycle.write, it, {})
  t.raises("unsupported", "", lifecycle.write, it, { { id = "a", enabled = true, prefix = "", abort_days = 1 } })
  t.raises("unsupported", "", s3.set_versioning, it, "enabled")
  t.raises("unsupported", "", s3.set_tags, it, { a = "b" })
  t.equal(lines(it), { "GET ?lifecycle", "GET ?lifecycle", "GET ?versioning", "GET ?tagging" })
  it = server { GET = none "NoSuchLifecycleConfiguration" }
  lifecycle.write(it, {})
  t.equal(lines(it), { "GET ?lifecycle" })
end

test["settings are read and written"] = function(t)
  local it = server {
    ["GET ?versioning"] = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
    ["GET ?encryption"] = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>"
      .. "aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>"
      .. "</ServerSideEncryptionConfiguration>",
    ["GET ?object-lock"] = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
      .. "<DefaultRetention><Mode>GOVERNANCE</Mode><Days>30</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    ["GET ?location"] = "<LocationConstraint>eu-west-1</LocationConstraint>",
    ["GET ?tagging"] = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
    ["GET key?tagging"] = "<Tagging><TagSet/></Tagging>",
    ["GET key?legal-hold"] = "<LegalHold><Status>ON</Status></LegalHold>",
    ["GET key?retention"] = "<Retention><Mode>COMPLIANCE</Mode>"
      .. "<RetainUntilDate>2027-01-01T00:00:00Z</RetainUntilDate></Retention>",
  }
  t.equal(s3.versioning(it), "suspended")
  t.equal(s3.encryption(it), { algorithm = "aws:kms", key = "k" })
  t.equal(s3.object_lock(it), { mode = "governance", days = 30 })
  t.equal(s3.location(it), "eu-west-1")
  t.equal(s3.tags(it), { a = "1" })
  t.equal(object.tags(it, "key"), {})
  t.equal(object.legal_hold(it, "key"), true)
  t.equal(object.retention(it, "key"), { mode = "compliance", till = 1798761600000 })
  it.sent = {}
  s3.set_versioning(it, "enabled")
  s3.set_encryption(it, "aws:kms", "a&b")
  s3.set_object_lock(it, "compliance", 5)
  object.set_retention(it, "key", "governance", 1798761600000, { bypass = true })
  object.set_legal_hold(it, "key", false)
  object.set_tags(it, "key", { b = "2", a = "1" })
  t.contains(it.sent[2].body, "<Status>Enabled</Status>")
  t.check(it.sent[2].headers["Content-MD5"])
  t.contains(it.sent[4].body, "<KMSMasterKeyID>a&amp;b</KMSMasterKeyID>")
  t.contains(it.sent[6].body, "<Mode>COMPLIANCE</Mode><Days>5</Days>")
  t.equal(it.sent[8].headers["x-amz-bypass-governance-retention"], "true")
  t.contains(it.sent[10].body, "<Status>OFF</Status>")
  t.contains(it.sent[12].body, "<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key>")
  t.raises("recipe", "versioning is", s3.set_versioning, it, "on")
  t.raises("recipe", "none of", s3.set_encryption, it, "ROT13")
  t.raises("recipe", "takes no key", s3.set_encryption, it, "AES256", "k")
  t.raises("recipe", "retention", s3.set_object_lock, it, "soft", 5)
end

test["tags are bounded"] = function(t)
  local it = server { GET = "<Tagging/>" }
  local many = {}
  for index = 1, 11 do
    many["tag" .. index] = "x"
  end
  for _, tags in ipairs { many, { [""] = "x" }, { [("x"):rep(129)] = "x" }, { a = ("x"):rep(257) }, { ["aws:a"] = "x" },
    { a = 1 }, { ["\255"] = "x" } } do
    t.raises("recipe", "", object.set_tags, it, "key", tags)
  end
  t.equal(it.sent, {})
  object.set_tags(it, "key", { [("ü"):rep(128)] = ("ü"):rep(256) })
end

local RULES = [[<LifecycleConfiguration><Rule><ID>old</ID><Prefix>logs/</Prefix><Status>Enabled</Status>
<Expiration><Days>30</Days></Expiration><Odd><Thing>1</Thing></Odd></Rule><Rule><ID>new</ID><Filter><And>
<Prefix>a</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>
<Status>Disabled</Status><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>
<NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration>
<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload>
</Rule></LifecycleConfiguration>]]

test["lifecycle rules are read, kept as they are, and changed by their ids"] = function(t)
  local it = server { GET = RULES }
  local rules = lifecycle.read(it)
  t.equal({ #rules, rules[1].id, rules[1].prefix, rules[1].expire_days, rules[1].enabled },
    { 2, "old", "logs/", 30, true })
  t.equal({ rules[2].above, rules[2].tags.k, rules[2].noncurrent_days, rules[2].abort_days, rules[2].enabled,
    rules[2].transitions }, { 5, "v", 9, 3, false, { { days = 1, class = "GLACIER" } } })
  local ours = { id = "moonkeep-abort", enabled = true, prefix = "x/", abort_days = 7 }
  local merged, changed = lifecycle.merge(rules, { ours })
  t.equal({ #merged, changed }, { 3, true })
  lifecycle.write(it, merged)
  local body = it.sent[#it.sent].body
  t.contains(body, "<Odd><Thing>1</Thing></Odd>")
  t.contains(body, "<Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status>"
    .. "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>")
  -- What was written is what would be written again.
  local again = lifecycle.read(server { GET = body })
  t.check(lifecycle.same(again[3], ours))
  local _, differs = lifecycle.merge(again, { ours })
  t.equal(differs, false)
  _, differs = lifecycle.merge(again, { { id = "moonkeep-abort", enabled = true, prefix = "x/", abort_days = 8 } })
  t.equal(differs, true)
end

test["rules of ours never move manifests, and are rules"] = function(t)
  local it = server { GET = RULES }
  for _, rule in ipairs {
    { id = "a", enabled = true, prefix = "", transitions = { { days = 1, class = "GLACIER" } } },
    { id = "a", enabled = true, prefix = "", above = 1000, transitions = { { days = 1, class = "GLACIER" } } },
    { id = "", enabled = true, prefix = "", abort_days = 1 }, { id = "a", enabled = true, prefix = "", abort_days = 0 },
    { id = "a", enabled = true, prefix = "", abort_days = 1, tags = { a = "b" } },
  } do
    t.raises("recipe", "lifecycle rule", lifecycle.write, it, { rule })
  end
  local rule = { id = "a", enabled = true, prefix = "p/", above = lifecycle.ABOVE_MANIFESTS,
    transitions = { { days = 1, class = "GLACIER" } } }
  t.raises("recipe", "two lifecycle rules", lifecycle.write, it, { rule, rule })
  lifecycle.write(it, { rule })
  t.contains(it.sent[#it.sent].body,
    "<Filter><And><Prefix>p/</Prefix><ObjectSizeGreaterThan>67108864</ObjectSizeGreaterThan></And>")
end

test["rules that fight the retention of backups are found"] = function(t)
  local function judge(rule, keep_days, prefix)
    rule.id, rule.enabled, rule.prefix = "r", rule.enabled ~= false, rule.prefix or ""
    local found = lifecycle.conflicts({ rule }, prefix or "prod/", keep_days)
    return found[1] and (found[1].bad and "bad" or "told") or "fine"
  end
  t.equal(judge { abort_days = 7 }, "fine")
  t.equal(judge { expire_days = 30 }, "told")
  t.equal(judge({ expire_days = 30 }, 30), "told")
  t.equal(judge({ expire_days = 30 }, 31), "bad")
  t.equal(judge({ expire_days = 30, enabled = false }, 31), "fine")
  t.equal(judge({ expire_days = 30, prefix = "logs/" }, 31), "fine")
  t.equal(judge({ expire_days = 30, prefix = "prod/main/" }, 31), "bad")
  t.equal(judge({ expire_days = 30, prefix = "pr" }, 31), "bad")
  t.equal(judge({ expire_days = 30, prefix = "logs/" }, 31, ""), "bad")
  t.equal(judge { expire_date = "2027-01-01" }, "bad")
  t.equal(judge { transitions = { { days = 1, class = "STANDARD_IA" } } }, "fine")
  t.equal(judge { transitions = { { days = 1, class = "GLACIER" } } }, "bad")
  t.equal(judge { above = lifecycle.ABOVE_MANIFESTS, transitions = { { days = 1, class = "DEEP_ARCHIVE" } } }, "told")
end

test["unfinished uploads are listed over pages, the oldest first, with their bytes"] = function(t)
  local function page(request)
    if request.query["key-marker"] == nil then
      return "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>some/prefix/b</NextKeyMarker>"
        .. "<NextUploadIdMarker>2</NextUploadIdMarker><Upload><Key>some/prefix/b</Key><UploadId>2</UploadId>"
        .. "<Initiated>2026-11-02T00:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>"
    end
    return "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>some/prefix/a</Key><UploadId>1"
      .. "</UploadId><Initiated>2026-11-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>"
  end
  local it = server { GET = page, ["GET a?uploadId"] = "<ListPartsResult><Part><Size>5</Size></Part>"
    .. "<Part><Size>7</Size></Part></ListPartsResult>" }
  local list = uploads.list(it)
  t.equal({ #list, list[1].key, list[1].id, list[2].key }, { 2, "a", "1", "b" })
  t.equal(uploads.bytes(it, list[1]), 12)
  uploads.abort(it, list[1])
  t.equal(it.sent[#it.sent].line, "DELETE a?uploadId")
  t.raises("protocol", "does not go on", uploads.list, server { GET = "<ListMultipartUploadsResult><IsTruncated>true"
    .. "</IsTruncated></ListMultipartUploadsResult>" })
  t.raises("protocol", "not asked for", uploads.list, server { GET = "<ListMultipartUploadsResult><Upload>"
    .. "<Key>other</Key><UploadId>1</UploadId></Upload></ListMultipartUploadsResult>" })
  t.raises("unsupported", "", uploads.list, server { GET = LISTING })
end

test["what is on its way back from the archive, or in none, is not asked for again"] = function(t)
  local answers = {
    ["POST a?restore"] = failure.new("http", "x (RestoreAlreadyInProgress)", { http = 409 }),
    ["POST b?restore"] = failure.new("archived", "x (InvalidObjectState)", { http = 403 }),
    ["POST d?restore"] = failure.new("permission", "x (AccessDenied)", { http = 403 }),
  }
  local it = server(answers)
  t.equal(object.restore(it, { "a", "b", "c" }, 3, "bulk"), 1)
  t.contains(it.sent[1].body, "<Days>3</Days><GlacierJobParameters><Tier>Bulk</Tier>")
  t.raises("permission", "cannot bring \"d\" back", object.restore, it, { "d" }, 3)
  t.raises("recipe", "", object.restore, it, { "a" }, 0)
  t.raises("recipe", "", object.restore, it, { "a" }, 1, "fast")
  local looks = 0
  local waiting = { stat = function()
    looks = looks + 1
    return { archived = looks < 3 }
  end }
  object.wait_restored(waiting, { "a", "b" }, 5000, 1)
  t.equal(looks, 4)
  t.raises("not_found", "", object.wait_restored, { stat = function() end }, { "a" }, 5000, 1)
end

test["what was read is written as it was"] = function(t)
  local text = "<A><B>1</B><C><D>x &amp; y</D></C></A>"
  t.contains(xml.document(s3_call.element(xml.parse(text))), text)
end

return test
