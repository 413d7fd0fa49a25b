--- Streams: sources, filters, sinks.
---
--- A source is given away to the filter or the job that uses it; a sink stays
--- yours until you commit or close it.  Nothing is visible before the commit.
--- The native objects have :close() and are to-be-closed variables.

local effect = require "effect"
local native = require "_stream"
local tar = require "_tar"

local stream = {}

--- How much is read ahead where a stage gets a thread of its own, in chunks of 256 KiB.
local AHEAD_CHUNKS = 12

--- The levels that cost little time for what they save (docs/design/speed.md).
local LEVELS = { zstd = 1, gzip = 2 }

--- Bytes as a source.
function stream.from_string(bytes)
  return native.mem_source(bytes)
end

--- A file of this machine as a source.
--- @param offset? integer
--- @param length? integer
function stream.from_file(path, offset, length)
  return native.file_source(path, offset or 0, length or -1)
end

--- Standard input as a source: to its end, whoever is at the other end of it.
function stream.from_stdin()
  return native.stdin_source()
end

--- Standard output as a sink; nothing that is written to it can be taken back.
function stream.to_stdout()
  return native.stdout_sink()
end

--- A file of this machine as a sink: it is there, whole, with stream.commit.
--- @param options? table mode, exclusive = true: fail when it exists, why = for the plan
function stream.to_file(path, options)
  options = options or {}
  effect.change_for_result("write", path, options.why)
  return native.file_sink(path, { mode = options.mode, exclusive = options.exclusive })
end

--- A counter for live progress; :get() -> bytes in, bytes out, expected or 0.
--- @param total? integer expected bytes in
function stream.progress(total)
  return native.progress_new(total or 0)
end

local Tally = {}
Tally.__index = Tally

--- A counter of several things, for live progress, each of which may be begun anew.
--- @param count integer how many things
--- @param total? integer expected bytes in of all; without, what the things expect, once each
---   has said it
function stream.tally(count, total)
  return setmetatable({ count = count, total = total, parts = {} }, Tally)
end

--- A counter (stream.progress) for one of the things, from its beginning: what an earlier
--- try counted of it is forgotten.
function Tally:part(name)
  self.parts[name] = stream.progress()
  return self.parts[name]
end

--- Bytes in, bytes out, expected or 0.
function Tally:get()
  local bytes_in, bytes_out, total, saying = 0, 0, 0, 0
  for _, part in pairs(self.parts) do
    local came, went, expected = part:get()
    bytes_in, bytes_out, total = bytes_in + came, bytes_out + went, total + expected
    saying = saying + (expected > 0 and 1 or 0)
  end
  return bytes_in, bytes_out, self.total or (saying == self.count and total or 0)
end

--- Count what passes as bytes in.
function stream.counted(source, progress)
  return native.progress(source, progress)
end

--- Compress; the compressor and all upstream run on a thread of their own.
--- @param codec string "zstd", "gzip" or "none"
--- @param level? integer zstd 1-19, default 1; gzip 1-3, default 2
function stream.compress(source, codec, level)
  if codec == "none" then
    return source
  end
  local reader = native.readahead(source, AHEAD_CHUNKS)
  return native.readahead(native[codec](reader, level or LEVELS[codec]), AHEAD_CHUNKS)
end

--- Decompress what stream.compress or the tools of that name wrote.
function stream.decompress(source, codec)
  if codec == "none" then
    return source
  end
  local reader = native.readahead(source, AHEAD_CHUNKS)
  return native.readahead(codec == "zstd" and native.unzstd(reader) or native.gunzip(reader),
    AHEAD_CHUNKS)
end

--- A digest that one stream will fill: the sink of an object (store:create).
--- @param whole? boolean also the SHA-256 of all bytes
--- @return table digest with :result() -> {bytes, part_size, parts, root, sha256}
function stream.new_digest(whole)
  return native.digest_new(whole or false)
end

--- Encrypt as OpenPGP, which `gpg --decrypt` reads; on a thread of its own
--- together with what is upstream of it, up to a compressor.
--- @param key table a secret
function stream.encrypt(source, key)
  return native.readahead(native.encrypt(source, key), AHEAD_CHUNKS)
end

--- Encrypt what is written to a sink, which stays yours; nothing may have been
--- written to it yet.
--- @param key table a secret
function stream.encrypt_sink(sink, key)
  native.encrypt_sink(sink, key)
end

--- Decrypt what stream.encrypt or `gpg --symmetric` wrote; all upstream runs on
--- a thread of its own.  Raises "key" when it was encrypted with another key.
--- What comes out is only proven at the end.
--- @param key table a secret
function stream.decrypt(source, key)
  return native.decrypt(native.readahead(source, AHEAD_CHUNKS), key)
end

--- What tells a key apart without helping to guess it: 16 hex digits.
--- @param key table a secret
function stream.key_id(key)
  return native.key_id(key)
end

--- Digest what passes.
--- @param whole? boolean also the SHA-256 of all bytes
--- @return table source, digest as of stream.new_digest
function stream.digest(source, whole)
  local digest = stream.new_digest(whole)
  return native.digest(source, digest), digest
end

--- Compare what passes with the digests of a manifest's artifact; raises
--- "corrupt" saying which part differs.
--- @param artifact table {bytes, part_size, parts}
function stream.expect(source, artifact)
  return native.expect(source, artifact.parts, artifact.part_size, artifact.bytes)
end

--- Let a tar pass, proven to its end, watched by a catalog and a check (or nil).
function stream.tar_scan(source, watcher, other)
  return tar.scan(source, watcher, other)
end

--- A watcher that writes a JSON line per tar entry to a sink.
--- @return table catalog with :count() -> entries, bytes of the files
function stream.catalog(sink)
  return tar.catalog(sink)
end

--- Copy a source to its verified end into a sink; does not commit.
--- @return integer bytes
function stream.copy(source, sink, progress)
  return native.copy(source, sink, progress)
end

--- Read a source to its verified end and drop the bytes.
--- @return integer bytes
function stream.drain(source, progress)
  return native.drain(source, progress)
end

--- Read a source to its verified end into a string.
--- @param max integer more bytes raise "too_big"
function stream.read_all(source, max)
  return native.read_all(source, max)
end

--- Make what was written to a sink visible and durable.
function stream.commit(sink)
  native.commit(sink)
end

return stream
