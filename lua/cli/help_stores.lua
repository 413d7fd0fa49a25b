--- moonkeep help stores: how a store is written.

local forms = require "cli.forms"
local text = require "cli.text"

local stores = {}

local FORMS = {
  { "./DIR, /DIR, file:/DIR", "a directory; it is made when it is written to" },
  { "s3://BUCKET/PREFIX", "S3, Amazon's or another with endpoint=; the bucket has to exist" },
  { "azure://ACCOUNT/CONTAINER/PREFIX", "Azure Blob Storage; the container has to exist" },
}

local OF_BOTH = {
  { "ca_file=FILE", "trust the authorities in FILE (PEM), and no others" },
  { "tags=NAME=VALUE,...", "tag what is written" },
  { "connections=N", "requests of one object at once; default 4" },
  { "attempts=N", "how often a request is tried; default 6" },
  { "stall=SECONDS", "how long nothing may move before it is tried again; default 30" },
}

local SECTIONS = {
  { "Stores", FORMS },
  { "Options of s3://", {
    { "endpoint=https://HOST:PORT", "another server than Amazon's; else AWS_ENDPOINT_URL_S3" },
    { "region=REGION", "else AWS_REGION, that of the profile, or us-east-1" },
    { "profile=NAME", "of ~/.aws/config and ~/.aws/credentials; before the environment" },
    { "addressing=path|virtual", "the bucket in the path, or in front of the host" },
    { "class=CLASS", "storage class of what is written" },
    { "sse=AES256|aws:kms|aws:kms:dsse|customer", "how the server encrypts" },
    { "kms_key=KEY", "with which key of KMS" },
    { "retain=DAYS, retain_mode=MODE", "lock what is written: governance or compliance" },
  } },
  { "Options of azure://", {
    { "endpoint=https://HOST", "another one than https://ACCOUNT.blob.core.windows.net" },
    { "tier=hot|cool|cold|archive", "access tier of what is written" },
  } },
  { "Options of both", OF_BOTH },
}

--- How stores are written: list of {heading, rows of {form, meaning}}.
function stores.sections()
  return SECTIONS
end

--- The page.
function stores.page()
  local parts = { "A store is where backups live.  Options follow ? and &, so quote the URL:\n"
    .. "  moonkeep store list 's3://backups/prod?region=eu-west-1&profile=backup'\n" }
  parts[#parts + 1] = forms.text(SECTIONS)
  parts[#parts + 1] = "\nCredentials\n" .. text.wrap("No URL takes a secret.  S3: as the AWS CLI finds "
    .. "them (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, profiles, roles, web identity, container, "
    .. "machine).  Azure: AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, "
    .. "an application's secret, workload or managed identity.  `moonkeep store probe STORE` tries what "
    .. "a store can do.", "  ", 80)
  return table.concat(parts)
end

--- The same for programs.
function stores.document()
  return forms.document(SECTIONS)
end

return stores
