--- Proof that Prometheus TSDB blocks can be read (see docs/design/tsdb-check.md).

local fs = require "_fs"
local native = require "_tsdb"
local os_ = require "_os"

local tsdb = {}

--- The index of a large block has gigabytes, and /tmp is in memory on many machines.  In a
--- container that may write to /tmp alone there is no choice.
local function default_dir()
  return fs.may_write("/var/tmp") and "/var/tmp" or "/tmp"
end

--- A new check: a watcher for stream.tar_scan, or fed by :dir(path).  Then
--- :finish() -> list of blocks {ulid, min_time, max_time, samples, series,
--- chunks, tombstones, level, bytes, meta_sha256, tombstones_sha256}, by time;
--- the first defect raises "corrupt".
--- @param spool_dir? string where indexes are spooled; default TMPDIR, else /var/tmp or /tmp
function tsdb.check(spool_dir)
  return native.new(spool_dir or os_.getenv("TMPDIR") or default_dir())
end

--- Check the blocks in a directory of this machine, in place.
--- @return table blocks
function tsdb.check_dir(path)
  local check = tsdb.check()
  check:dir(path)
  return check:finish()
end

return tsdb
