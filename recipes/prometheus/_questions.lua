--- The questions by which a restored Prometheus is judged: asked when the backup is
--- made, about absolute times, and asked again afterwards.

local digest = require "digest"
local failure = require "failure"
local json = require "json"

local questions = {}

--- How far behind the snapshot's end the last question stays: scrapes that were
--- under way have been written by then.
local MARGIN_MS = 60 * 1000

--- How many metrics of a block, how many blocks, and points of a range are asked about.
local METRICS, BLOCKS, POINTS = 3, 6, 60

--- The longest time whose samples are counted by one question.
local WINDOW_MS = 2 * 3600 * 1000

--- The digest of an answer that does not depend on the order of its rows, and the rows.
local function ask(server, question)
  local path = question.step and "/api/v1/query_range" or "/api/v1/query"
  local data = server:get(path, { query = question.query, time = question.time,
    start = question.start, ["end"] = question["end"], step = question.step })
  local rows = {}
  for _, row in ipairs(data.result or {}) do
    rows[#rows + 1] = json.encode(type(row) == "table" and row.metric
      and { metric = row.metric, value = row.value, values = row.values } or row)
  end
  table.sort(rows)
  return digest.sha256(table.concat(rows, "\n")), rows
end

--- A time of the API: seconds with three places.
local function seconds(ms)
  return ("%d.%03d"):format(ms // 1000, ms % 1000)
end

--- At most count items of a list, spread over it from its first to its last.
local function pick(list, count)
  if #list <= count then
    return list
  end
  local picked = {}
  for index = 1, count do
    picked[index] = list[1 + (index - 1) * (#list - 1) // (count - 1)]
  end
  return picked
end

--- Think of questions about the time of some blocks, and record the answers of
--- the running server: how many samples metrics of a block have in it, and the
--- values of some over the whole time.
--- @param server table
--- @param blocks table of blocks.on_target
--- @param probes table more queries, of the operator's own
--- @return table list of {query, time | start, end, step, answer, rows}
function questions.record(server, blocks, probes)
  local list = json.array {}
  if #blocks == 0 then
    return list
  end
  local function add(question)
    local answer, rows = ask(server, question)
    question.answer, question.rows = answer, #rows
    list[#list + 1] = question
  end

  local first, last = blocks[1].min_time, 0
  for _, block in ipairs(blocks) do
    last = math.max(last, block.max_time)
  end
  last = math.max(first, last - MARGIN_MS)
  local asked, order = {}, {}
  for _, block in ipairs(pick(blocks, BLOCKS)) do
    local at = math.min(block.max_time - 1, last)
    local from = math.max(block.min_time, at - WINDOW_MS)
    if at > from then
      local names = server:get("/api/v1/label/__name__/values", { start = seconds(from), ["end"] = seconds(at) })
      for _, name in ipairs(pick(names, METRICS)) do
        add { query = ("sum(count_over_time({__name__=%q}[%dms]))"):format(name, at - from), time = seconds(at) }
        if not asked[name] then
          asked[name] = true
          order[#order + 1] = name
        end
      end
    end
    for _, probe in ipairs(probes or {}) do
      add { query = probe, time = seconds(at) }
    end
  end
  local step = math.max(1000, (last - first) // POINTS)
  for _, name in ipairs(pick(order, METRICS)) do
    add { query = ("max({__name__=%q})"):format(name), start = seconds(first), ["end"] = seconds(last),
      step = seconds(step) }
  end
  return list
end

--- How many of the questions have an answer that a server without data would not give.
function questions.telling(list)
  local count = 0
  for _, question in ipairs(list) do
    count = count + (question.rows > 0 and 1 or 0)
  end
  return count
end

--- Ask recorded questions again.  Raises "unverified" for the first answer that differs.
--- @return integer how many were asked
function questions.ask(server, list)
  for _, question in ipairs(list) do
    local answer, rows = ask(server, question)
    if answer ~= question.answer then
      local at = question.time or (question.start .. " to " .. question["end"])
      failure.raise("unverified", ("the restored server answers \"%s\" at %s with %d rows that are "
        .. "not the %d of when the backup was made"):format(question.query, at, #rows, question.rows),
        { hint = rows[1] and ("the first row is now " .. rows[1]:sub(1, 200)) or nil })
    end
  end
  return #list
end

return questions
